//! How the service ends, and what it logs until then.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::app::TestApp;
use crate::eventually::eventually;
use crate::kafka::{Record, TestKafka};
use crate::process::Signal;

/// The grace the tests configure.
const GRACE: Duration = Duration::from_secs(20);

const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn sigterm_ends_in_order_within_the_grace() {
    let topic = TestKafka::shared().topic("ended").create();
    topic.write_all((0..1000).map(|number| Record::put(format!("k{number}"), "v")));
    let mut app = TestApp::builder(TestKafka::shared())
        .view("v", &topic)
        .set("shutdown.grace", "20s")
        .start()
        .restored();
    let listen = app.data_dir().join("listen.json");
    assert!(listen.exists());
    // An idle connection does not hold it up.
    let _idle = app.connect();
    let begun = Instant::now();
    assert_eq!(app.terminate().code, Some(0));
    assert!(begun.elapsed() < GRACE, "{:?}", begun.elapsed());
    assert!(!listen.exists());
}

/// FAULTS row 12.
#[test]
fn sigterm_in_the_middle_of_a_restore_ends_in_order_and_the_restore_goes_on() {
    let topic = TestKafka::shared().topic("half").create();
    let value = "x".repeat(1000);
    topic.write_all((0..20_000).map(|number| Record::put(format!("k{number}"), &value)));
    let mut app =
        TestApp::builder(TestKafka::shared()).view("v", &topic).set("batch.records_max", 20).start();
    eventually(DEADLINE, "the first records", || app.position("v", 0).filter(|position| *position > 0));
    let begun = Instant::now();
    assert_eq!(app.terminate().code, Some(0));
    assert!(begun.elapsed() < GRACE, "{:?}", begun.elapsed());
    app.start_again();
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
}

#[test]
fn a_second_signal_ends_at_once() {
    let topic = TestKafka::shared().topic("impatient").create();
    let mut app = TestApp::builder(TestKafka::shared()).view("v", &topic).start().restored();
    // A request whose body never comes keeps the first signal waiting, which gives the second something to end.
    let mut connection = app.connect();
    let head = "POST /v1/views/v/lookup HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
                Content-Length: 99\r\nExpect: 100-continue\r\n\r\n";
    connection.send_raw(head.as_bytes()).unwrap();
    assert!(connection.read_line().unwrap().starts_with("HTTP/1.1 100"));
    app.signal(Signal::TERM);
    eventually(DEADLINE, "the first signal", || app.log().contains("stopping").then_some(()));
    let exit = app.terminate();
    assert_eq!(exit.code, Some(1), "{}", exit.log);
    assert!(exit.log.contains("stopping at once"), "{}", exit.log);
}

#[test]
fn the_log_is_one_json_object_per_line_without_keys_or_values() {
    let topic = TestKafka::shared().topic("logged").config("cleanup.policy", "delete").create();
    topic.put("secretkey", "secretvalue");
    topic.write(Record::without_key("secretvalue"));
    let mut app = TestApp::builder(TestKafka::shared())
        .view("v", &topic)
        .set("log.format", "json")
        .set("log.level", "debug")
        .start()
        .restored();
    for target in ["keys/secretkey", "keys/secretkey?enc=hex", "lookup?secretkey=1", "keys/secretkey/x"] {
        app.get_raw(format!("/v1/views/v/{target}"));
    }
    let exit = app.terminate();
    assert_eq!(exit.code, Some(0));
    assert!(exit.log.lines().count() > 2);
    for line in exit.log.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(event["level"].is_string() && event["timestamp"].is_string(), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
}
