//! `statusquo watch` against a running service.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::app::TestApp;
use crate::eventually::eventually;
use crate::kafka::TestKafka;
use crate::process::{Process, Signal, scratch};

const DEADLINE: Duration = Duration::from_secs(60);

/// A running command, and what it prints.
struct Printing {
    process: Process,
    path: PathBuf,
    _directory: TempDir,
}

impl Printing {
    fn start(app: &TestApp<'_>, arguments: &[&str]) -> Self {
        let directory = scratch("watch-cli-");
        let path = directory.path().join("printed");
        let mut command = Command::new(env!("CARGO_BIN_EXE_statusquo"));
        command.env_clear().args(["watch", "v", "--url", &app.http_url()]).args(arguments);
        command.stdout(File::create(&path).expect("a file"));
        let process = Process::spawn(&mut command).expect("the command");
        Self { process, path, _directory: directory }
    }

    fn printed(&self) -> String {
        fs::read_to_string(&self.path).expect("a file")
    }

    fn wait_for(&self, text: &str) {
        eventually(DEADLINE, text, || self.printed().contains(text).then_some(()));
    }
}

#[test]
fn the_command_prints_changes_goes_on_after_a_restart_and_ends_with_0_by_ctrl_c() {
    let topic = TestKafka::shared().topic("watch-cli").create();
    topic.put("k1", "{\"a\": 1}");
    let mut app = TestApp::builder(topic.kafka()).view("v", &topic).start().restored();
    let mut table = Printing::start(&app, &[]);
    let lines = Printing::start(&app, &["-o", "ndjson", "--prefix", "k"]);
    table.wait_for("put     0:0 k1 {\"a\":1}\nsynced  1 entries\n");
    // One that comes after the deletion is told nothing of the key.
    lines.wait_for("\"event\":\"put\"");
    topic.delete("k1");
    table.wait_for("delete  0:1 k1\n");
    lines.wait_for("\"event\":\"delete\"");
    let address = app.http_url().trim_start_matches("http://").to_owned();
    app.terminate();
    topic.put("k2", "2");
    topic.put("other", "3");
    app.set("http.listen", address);
    app.start_again();
    table.wait_for("put     0:2 k2 2\nput     0:3 other 3\n");
    lines.wait_for("\"key\":\"k2\"");
    assert_eq!(table.printed().matches("reset").count(), 0, "{}", table.printed());
    let printed = lines.printed();
    let events: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(events.iter().all(|event| event["data"]["key"] != "other"), "{printed}");
    table.process.signal(Signal::INT);
    let status = table.process.wait_within(DEADLINE).expect("an end");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_watch_that_cannot_begin_ends_with_the_reason() {
    let topic = TestKafka::shared().topic("watch-cli-refused").create();
    let app = TestApp::builder(topic.kafka()).view("v", &topic).start().restored();
    for (url, arguments, code, text) in [
        (app.http_url(), &["nobody"][..], 1, "no view of that name"),
        (app.http_url(), &["v", "--from", "x"], 1, "Position refused"),
        ("http://127.0.0.1:1".to_owned(), &["v"], 75, "cannot connect"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_statusquo"));
        let output =
            command.env_clear().args(["watch", "--url", &url]).args(arguments).output().expect("it runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{errors}");
        assert!(errors.contains(text), "{errors}");
    }
}
