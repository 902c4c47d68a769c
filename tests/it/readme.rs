//! The README keeps its word: its commands run against a demo and answer what it says.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::eventually::eventually;
use crate::process::{Process, scratch};

/// Bound on everything a test waits for.
const DEADLINE: Duration = Duration::from_secs(60);

/// Blocks that are run start with this line.
const FENCE: &str = "```sh run\n";

/// A command of the README and the status it is said to answer with.
struct Step {
    command: String,
    status: String,
}

fn steps(readme: &str) -> Vec<Step> {
    let blocks =
        readme.split(FENCE).skip(1).map(|rest| rest.split_once("```").expect("an end of the block").0);
    blocks.flat_map(str::lines).filter(|line| !line.trim().is_empty()).map(step).collect()
}

fn step(line: &str) -> Step {
    let (command, status) = line.rsplit_once('#').unwrap_or_else(|| panic!("no status is said: {line}"));
    Step { command: command.trim().to_owned(), status: status.trim().to_owned() }
}

/// Runs a command; returns the status of the answer, or what went wrong.
fn run(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    assert_ne!(output.status.code(), Some(127), "the commands of the README need curl; install it");
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    answer.split(' ').nth(1).unwrap_or("no answer").to_owned()
}

/// The first address after a word of the demo's banner.
fn address(log: &Path, word: &str) -> Option<String> {
    let text = fs::read_to_string(log).unwrap();
    let rest = text.split_once(word)?.1.split_once("http://")?.1;
    // The banner is written as a whole, so the address is complete when its end is there.
    let end = rest.find(|each: char| each.is_whitespace() || each == '/')?;
    text.contains("Ctrl-C").then(|| rest[..end].to_owned())
}

#[test]
fn every_command_of_the_readme_answers_what_it_says() {
    let steps = steps(include_str!("../../README.md"));
    assert!(!steps.is_empty());
    let directory = scratch("readme-");
    let log = directory.path().join("stderr");
    let mut command = Command::new(env!("CARGO_BIN_EXE_statusquo"));
    // Ports of its own, so that tests and a running demo do not meet.
    command.args(["demo", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
    command.env("TMPDIR", directory.path()).stderr(File::create(&log).unwrap());
    let _demo = Process::spawn(&mut command).unwrap();
    let http = eventually(DEADLINE, "the banner", || address(&log, "web page"));
    let ops = eventually(DEADLINE, "the banner", || address(&log, "metrics"));

    let here = |step: &Step| step.command.replace("127.0.0.1:8080", &http).replace("127.0.0.1:8081", &ops);
    let ready = format!("curl -si http://{ops}/readyz");
    eventually(DEADLINE, "a ready demo", || (run(&ready) == "200").then_some(()));
    for step in &steps {
        // A user who leaves may not have left yet.
        eventually(DEADLINE, &format!("{} answering {}", step.command, step.status), || {
            (run(&here(step)) == step.status).then_some(())
        });
    }
}
