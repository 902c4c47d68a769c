//! Brokers that freeze, restart or are away, and logs with an end that cannot be read yet.

use crate::app::{TestApp, versioned};
use crate::kafka::{Record, TestKafka, TestTopic};

const KEYS: u64 = 50;
/// A minute, and what may have passed before a freeze since the last answer.
const LONG_S: f64 = 62.0;
const CANNOT_FOLLOW: &str = "cannot follow the topic, will try again";

fn keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("k{number}")).collect()
}

fn write(topic: &TestTopic<'_>, version: u64) {
    topic.write_all(keys().iter().map(|key| Record::put(key, versioned(key, version))));
}

fn start<'k>(topic: &TestTopic<'k>, kafka: &'k TestKafka) -> TestApp<'k> {
    let app = TestApp::builder(kafka).view("v", topic).set("kafka.poll_interval", "200ms");
    app.set("kafka.request_timeout", "2s").start().restored()
}

fn compare(app: &TestApp<'_>, topic: &TestTopic<'_>) {
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
}

/// FAULTS rows 15 and 16: connections stay open, nothing comes, and requests of ours time out.
#[test]
fn a_frozen_broker_makes_a_view_stale_and_a_thawed_one_makes_it_live() {
    let kafka = TestKafka::start();
    let topic = kafka.topic("frozen-source").partitions(2).create();
    write(&topic, 1);
    let app = start(&topic, &kafka);
    app.read_while("v", &topic, &keys(), || {
        kafka.suspend();
        app.wait_for_status("v", "a stale view", |status| status["state"] == "stale");
        app.wait_for_status("v", "a long freeze", |status| status["staleness_s"].as_f64() > Some(LONG_S));
        app.assert_told("v", "stale", "broker-unreachable", CANNOT_FOLLOW);
        assert_eq!((app.get_ops("/livez").status, app.get_ops("/readyz").status), (200, 200));
        kafka.resume();
        app.wait_for_status("v", "a live view", |status| status["state"] == "live");
        write(&topic, 2);
        app.wait_until_restored();
    });
    compare(&app, &topic);
    assert_eq!(app.generation("v"), 2);
}

/// FAULTS row 15: no question to a broker outlasts the service.
#[test]
fn a_frozen_broker_holds_up_no_shutdown() {
    let kafka = TestKafka::start();
    let topic = kafka.topic("frozen-end").create();
    write(&topic, 1);
    let app = TestApp::builder(&kafka).view("v", &topic).set("kafka.poll_interval", "200ms");
    let app = app.set("kafka.request_timeout", "30s").set("shutdown.grace", "12s");
    let mut app = app.start().restored();
    kafka.suspend();
    app.wait_for_status("v", "a question that waits", |status| status["staleness_s"].as_f64() > Some(1.5));
    let exit = app.terminate();
    assert_eq!(exit.code, Some(0), "{}", exit.log);
    kafka.resume();
}

/// FAULTS row 15.
#[test]
fn brokers_that_restart_while_records_are_produced_cost_no_record_and_no_rebuild() {
    let kafka = TestKafka::start();
    let topic = kafka.topic("restarted-source").partitions(2).create();
    write(&topic, 0);
    let app = start(&topic, &kafka);
    app.read_while("v", &topic, &keys(), || {
        for round in 1..4 {
            keys().iter().for_each(|key| topic.send(Record::put(key, versioned(key, 2 * round))));
            if round == 2 {
                kafka.kill();
            } else {
                kafka.stop();
            }
            keys().iter().for_each(|key| topic.send(Record::put(key, versioned(key, 2 * round + 1))));
            kafka.start_again();
            topic.flush();
        }
        app.wait_until_restored();
    });
    compare(&app, &topic);
    assert_eq!(app.generation("v"), 2);
}

/// FAULTS row 14.
#[test]
fn a_view_starts_and_serves_without_its_brokers() {
    let kafka = TestKafka::start();
    let topic = kafka.topic("absent-source").partitions(2).create();
    write(&topic, 1);
    let mut app = start(&topic, &kafka);
    app.terminate();
    kafka.stop();
    app.start_again();
    app.read_while("v", &topic, &keys(), || app.wait_for_event("v", "broker-unreachable"));
    app.assert_told("v", "stale", "broker-unreachable", CANNOT_FOLLOW);
    assert_eq!(app.get_ops("/livez").status, 200);
    app.terminate();
    // Ready only as long as the stored state is young enough.
    app.set("ready.max_staleness", "10ms");
    app.start_again();
    app.wait_for_event("v", "broker-unreachable");
    let ready = app.get_ops("/readyz");
    assert!(ready.status == 503 && ready.text().starts_with("v: stale: "), "{}", ready.text());
    assert_eq!(app.get("v", "k1").status, 200);
    kafka.start_again();
    write(&topic, 2);
    app.wait_for_event("v", "source-back");
    compare(&app, &topic);
    assert_eq!(app.generation("v"), 2);
}

/// FAULTS row 17.
#[test]
fn a_topic_that_does_not_exist_yet_is_waited_for() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("late").create();
    topic.drop_topic();
    let app = TestApp::builder(kafka).view("v", &topic).set("kafka.poll_interval", "200ms").start();
    app.wait_for_event("v", "topic-missing");
    app.assert_told("v", "restoring", "topic-missing", CANNOT_FOLLOW);
    assert_eq!((app.get_ops("/livez").status, app.get_ops("/readyz").status), (200, 503));
    assert_eq!(app.get("v", "k1").status, 503);
    topic.create_again(2);
    write(&topic, 1);
    app.wait_for_event("v", "source-back");
    compare(&app, &topic);
    assert_eq!(app.get_ops("/readyz").status, 200);
}
