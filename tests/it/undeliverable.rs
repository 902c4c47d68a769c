//! A log that holds what cannot be delivered.

use std::fs;

use crate::app::TestApp;
use crate::kafka::{LogRecord, TestKafka, TestTopic};
use crate::metrics::sample;

const NEEDLE: &[u8] = b"a value whose bytes are found in the log";

/// Turns over a bit of the needle where it lies on the broker's disk; the second time puts it right again.
fn flip(kafka: &TestKafka, topic: &TestTopic<'_>) {
    let path = kafka.log_dir(topic.name(), 0).join("00000000000000000000.log");
    let mut log = fs::read(&path).unwrap();
    // The first byte is the one that changes.
    let found = log.windows(NEEDLE.len() - 1).position(|window| window == &NEEDLE[1..]).expect("the needle");
    log[found - 1] ^= 1;
    fs::write(&path, log).unwrap();
}

/// FAULTS row 31.
#[test]
fn a_batch_with_a_wrong_checksum_stops_its_partition_alone_and_is_never_skipped() {
    let kafka = TestKafka::start();
    let topic = kafka.topic("flipped").partitions(2).create();
    let old = topic.put_to(0, "old", "1");
    topic.put_to(1, "other", "1");
    let mut app = TestApp::builder(&kafka)
        .view("v", &topic)
        .set("kafka.poll_interval", "100ms")
        .set("kafka.request_timeout", "2s")
        .start()
        .restored();
    app.terminate();
    let needle: LogRecord = topic.put_to(0, "needle", NEEDLE);
    topic.put_to(0, "behind", "1");
    kafka.stop();
    flip(&kafka, &topic);
    kafka.start_again();

    app.start_again();
    let other = topic.put_to(1, "other", "2");
    app.wait_until_applied("v", &other);
    app.wait_for_status("v", "a stuck partition", |status| {
        let partition = &status["partitions"][0];
        partition["state"] == "stuck" && partition["reason"] == "undeliverable" && status["state"] == "stuck"
    });
    assert_eq!(app.position("v", 0), Some(needle.offset));
    assert_eq!((app.get("v", "old").text(), app.get("v", "behind").status), ("1".to_owned(), 404));
    let shown = app.get("v", "old").header("view-status").unwrap().to_owned();
    assert!(shown.contains("state=stuck") && shown.contains("reason=undeliverable"), "{shown}");
    assert_eq!(sample(&app, "statusquo_view_state{view=\"v\",state=\"stuck\"}"), 1);
    assert_eq!(app.count_events("v", "undeliverable"), 1);
    assert_eq!(app.log().matches("cannot read on, will try again").count(), 1, "one failure, one line");
    assert_eq!(old.offset + 1, needle.offset);

    kafka.stop();
    flip(&kafka, &topic);
    kafka.start_again();
    app.wait_for_event("v", "recovered");
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
}
