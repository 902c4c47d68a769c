//! Brokers that go away and come back.

use std::time::Duration;

use crate::app::TestApp;
use crate::eventually::eventually;
use crate::kafka::{Record, TestKafka, TestTopic};

/// Bound on everything a test waits for.
const DEADLINE: Duration = Duration::from_secs(90);

fn write_some(topic: &TestTopic<'_>, value: &str) {
    topic.write_all((0..20_000).map(|number| Record::put(format!("k{}", number % 5000), value)));
}

fn wait_for_reason(app: &TestApp<'_>, reason: &str) {
    eventually(DEADLINE, reason, || (app.status("v")["reason"] == reason).then_some(()));
}

#[test]
fn a_restore_goes_on_after_the_broker_was_away() {
    let kafka = TestKafka::start();
    let topic = kafka.topic("interrupted").partitions(2).create();
    write_some(&topic, &"x".repeat(1000));
    // Small pieces: the restore is in the middle when the broker goes.
    let app = TestApp::builder(&kafka)
        .view("v", &topic)
        .set("kafka.queue", "1MiB")
        .set("batch.records_max", 20)
        .start();
    eventually(DEADLINE, "the first records", || app.position("v", 0).filter(|position| *position > 0));
    kafka.kill();
    wait_for_reason(&app, "broker-unreachable");
    assert_eq!(app.get_ops("/livez").status, 200);
    kafka.start_again();
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
}

#[test]
fn without_a_broker_and_a_store_it_is_alive_and_says_why_it_is_not_ready() {
    let kafka = TestKafka::start();
    let topic = kafka.topic("absent").create();
    topic.put("a", "1");
    kafka.stop();
    let app = TestApp::builder(&kafka).view("v", &topic).start();

    wait_for_reason(&app, "broker-unreachable");
    assert_eq!(app.get_ops("/livez").status, 200);
    assert_eq!(app.get_ops("/startupz").status, 200);
    let ready = app.get_ops("/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.text().starts_with("v: broker-unreachable: "), "{}", ready.text());
    assert_eq!(app.get("v", "a").status, 503);

    kafka.start_again();
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    assert_eq!(app.get_ops("/readyz").status, 200);
}

#[test]
fn without_a_broker_a_stored_view_serves_at_once() {
    let kafka = TestKafka::start();
    let topic = kafka.topic("stored").partitions(2).create();
    topic.put("a", "1");
    topic.put("b", "2");
    topic.delete("b");
    let mut app = TestApp::builder(&kafka).view("v", &topic).start().restored();
    assert_eq!(app.terminate().code, Some(0));
    kafka.stop();

    app.start_again();
    eventually(DEADLINE, "the stored value", || (app.get("v", "a").text() == "1").then_some(()));
    assert_eq!(app.get("v", "b").status, 404);
    assert_eq!(app.get_ops("/readyz").status, 200);
    wait_for_reason(&app, "broker-unreachable");
    assert_eq!(app.status("v")["state"], "stale");
    assert!(app.get("v", "a").header("view-status").unwrap().starts_with("state=stale"));

    kafka.start_again();
    topic.put("b", "3");
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
}
