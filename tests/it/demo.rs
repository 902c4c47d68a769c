//! The demo, from the first line it prints to the last thing it removes.

use std::fs::{self, File};
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::eventually::eventually;
use crate::kafka::TestKafka;
use crate::process::{Process, Signal, scratch};

/// Bound on everything a test waits for; on a busy machine a start takes seconds.
const DEADLINE: Duration = Duration::from_secs(30);

/// Ports of its own: tests run side by side.
const FREE_PORTS: [&str; 4] = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];

/// A demo with its own directory for temporary files.
struct Demo {
    process: Process,
    directory: TempDir,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let directory = scratch("demo-");
        let temporary = directory.path().join("tmp");
        fs::create_dir(&temporary).unwrap();
        let log = File::create(directory.path().join("stderr")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_statusquo"));
        command.arg("demo").args(arguments).env("TMPDIR", temporary).stderr(log);
        Self { process: Process::spawn(&mut command).unwrap(), directory }
    }

    fn says(&self) -> String {
        fs::read_to_string(self.directory.path().join("stderr")).unwrap()
    }

    /// The first address that follows a word of the banner.
    fn url(&self, word: &str) -> String {
        let find = || {
            let text = self.says();
            let (_, rest) = text.split_once(word)?;
            let url = rest.split_whitespace().next()?;
            // The banner is written as a whole, so the address is complete when its end is there.
            text.contains("Ctrl-C").then(|| url.trim_end_matches('/').to_owned())
        };
        eventually(DEADLINE, "the banner of the demo", find)
    }

    /// Runs the client until it ends with `code`; returns what it printed.
    fn client_ends_with(&self, code: i32, arguments: &[&str]) -> String {
        let url = self.url("web page");
        eventually(DEADLINE, &format!("{arguments:?} ending with {code}"), || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_statusquo"));
            let output = command.args(arguments).args(["--url", &url]).output().unwrap();
            (output.status.code() == Some(code)).then(|| String::from_utf8(output.stdout).unwrap())
        })
    }

    fn stop(mut self, signal: Signal) -> String {
        self.process.signal(signal);
        let status = self.process.wait_within(DEADLINE).expect("a demo that ends");
        let says = self.says();
        assert_eq!(status.code(), Some(0), "{says}");
        let left: Vec<_> = fs::read_dir(self.directory.path().join("tmp")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        says
    }
}

#[test]
fn the_demo_shows_what_it_promises_and_leaves_nothing_behind() {
    let demo = Demo::start(&[&FREE_PORTS[..], &["--users", "500", "--rate", "50"]].concat());

    // A user who left, and a user who never does.
    demo.client_ends_with(3, &["get", "users", "u2"]);
    let user: serde_json::Value =
        serde_json::from_str(&demo.client_ends_with(0, &["get", "users", "u1"])).unwrap();
    assert_eq!(user["id"], "u1");
    assert!(demo.client_ends_with(0, &["status"]).contains("statusquo-demo-users"));
    assert!(demo.stop(Signal::INT).contains("nothing is left behind"));
}

#[test]
fn a_busy_port_that_was_asked_for_is_named_with_a_way_out() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = held.local_addr().unwrap().to_string();
    let mut demo = Demo::start(&["--listen", &addr]);
    let status = demo.process.wait_within(DEADLINE).unwrap();

    assert_eq!(status.code(), Some(1));
    let says = demo.says();
    assert!(says.contains(&addr) && says.contains("--listen") && says.lines().count() == 1, "{says}");
}

#[test]
fn two_demos_run_side_by_side() {
    let first = Demo::start(&["--users", "5"]);
    // Order matters: the second looks for free ports when the first has its own.
    first.url("web page");
    let second = Demo::start(&["--users", "5"]);

    assert_ne!(first.url("web page"), second.url("web page"));
    assert_ne!(first.url("metrics"), second.url("metrics"));
    for demo in [first, second] {
        demo.client_ends_with(0, &["get", "users", "u1"]);
        demo.stop(Signal::TERM);
    }
}

#[test]
fn on_a_real_kafka_the_demo_brings_a_compacted_topic_and_takes_it_away() {
    let kafka = TestKafka::start();
    let describe = ["--describe", "--entity-type", "topics", "--entity-name", "statusquo-demo-users"];
    let demo =
        Demo::start(&[&FREE_PORTS[..], &["--bootstrap", kafka.bootstrap(), "--users", "100"]].concat());
    demo.client_ends_with(3, &["get", "users", "u2"]);
    demo.client_ends_with(0, &["get", "users", "u1"]);
    assert!(kafka.configs(&describe).contains("cleanup.policy=compact"));
    assert_eq!(kafka.partition_count("statusquo-demo-users"), 4);
    demo.stop(Signal::INT);

    assert!(!kafka.groups(&["--list"]).contains("statusquo"));
    let gone = || (kafka.partition_count("statusquo-demo-users") == 0).then_some(());
    eventually(DEADLINE, "the end of the topic", gone);
}
