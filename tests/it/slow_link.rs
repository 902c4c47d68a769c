//! A line to the brokers that is slow, or silent without an end.

use std::time::Duration;

use crate::app::{TestApp, versioned};
use crate::kafka::{Link, Record, TestKafka, TestTopic};

fn keys() -> Vec<String> {
    (0..50).map(|number| format!("k{number}")).collect()
}

/// Values large enough for several chunks of the link.
fn write(topic: &TestTopic<'_>, version: u64) {
    topic.write_all(keys().iter().map(|key| Record::put(key, versioned(key, version))));
}

/// FAULTS row 16: requests time out, reads do not notice, and nobody has to be restarted.
#[test]
fn a_slow_line_delays_a_view_and_a_silent_one_makes_it_stale_until_it_speaks_again() {
    let link = Link::open();
    let kafka = TestKafka::start_behind(&link);
    let topic = kafka.topic("behind-a-link").partitions(2).create();
    write(&topic, 1);
    let app = TestApp::builder(&kafka).view("v", &topic).set("kafka.bootstrap", link.address());
    let app = app.set("kafka.poll_interval", "200ms").set("kafka.request_timeout", "2s");
    // The default takes a minute to give a connection up, which is long for a test and right for a slow line.
    let app = app.set("kafka.properties.\"socket.timeout.ms\"", "3000").start().restored();
    app.read_while("v", &topic, &keys(), || {
        link.slow_down(Duration::from_millis(150));
        write(&topic, 2);
        app.wait_until_restored();

        link.fall_silent();
        app.wait_for_status("v", "a stale view", |status| status["state"] == "stale");
        app.wait_for_event("v", "broker-unreachable");
        app.assert_told("v", "stale", "broker-unreachable", "cannot follow the topic, will try again");
        assert_eq!(app.get_ops("/livez").status, 200);
        link.recover();
        write(&topic, 3);
        app.wait_until_restored();
    });
    app.assert_view_equals("v", &topic.fold());
    assert_eq!(app.generation("v"), 2);
}
