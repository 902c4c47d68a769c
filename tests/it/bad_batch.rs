//! Bytes that changed between the producer and the reader.

use std::fs;
use std::path::Path;

use crate::app::TestApp;
use crate::kafka::TestKafka;
use crate::metrics::sample;

const HARMED: &[u8] = b"a value to be harmed";

/// Flips the first byte of [`HARMED`] in a file, there and back; `harmed` says which of the two it is.
fn flip(segment: &Path, harmed: bool) {
    let mut bytes = fs::read(segment).unwrap();
    let rest = &HARMED[1..];
    let at = bytes.windows(rest.len()).position(|window| window == rest).expect("the value") - 1;
    assert_eq!(bytes[at] == HARMED[0], !harmed);
    bytes[at] ^= 0xff;
    fs::write(segment, bytes).unwrap();
}

/// FAULTS row 31.
#[test]
fn a_batch_with_a_wrong_checksum_stops_its_partition_and_is_never_skipped() {
    let kafka = TestKafka::start();
    let topic = kafka.topic("bad-batch").partitions(2).create();
    topic.put_to(0, "before", "1");
    topic.put_to(1, "elsewhere", "1");
    let mut app =
        TestApp::builder(&kafka).view("v", &topic).set("kafka.poll_interval", "200ms").start().restored();
    app.terminate();
    let bad = topic.put_to(0, "harmed", HARMED);
    topic.put_to(0, "behind", "1");
    kafka.stop();
    let segment = kafka.segment(topic.name(), 0);
    flip(&segment, false);
    kafka.start_again();

    app.start_again();
    let elsewhere = topic.put_to(1, "elsewhere", "2");
    app.wait_until_applied("v", &elsewhere);
    app.wait_for_status("v", "a stuck partition", |status| {
        let partition = &status["partitions"][0];
        partition["state"] == "stuck" && partition["reason"] == "undeliverable" && status["state"] == "stuck"
    });
    assert_eq!(app.position("v", 0), Some(bad.offset));
    assert_eq!((app.get("v", "before").text(), app.get("v", "behind").status), ("1".to_owned(), 404));
    let shown = app.get("v", "before").header("view-status").unwrap().to_owned();
    assert!(shown.contains("state=stuck") && shown.contains("reason=undeliverable"), "{shown}");
    assert_eq!(sample(&app, "statusquo_view_state{view=\"v\",state=\"stuck\"}"), 1);
    assert_eq!(app.count_events("v", "undeliverable"), 1);
    assert_eq!(app.log().matches("cannot read on, will try again").count(), 1, "one failure, one line");

    // One that has nothing yet has nothing to answer with.
    let fresh = TestApp::builder(&kafka).view("v", &topic).set("kafka.poll_interval", "200ms").start();
    fresh.wait_for_event("v", "undeliverable");
    assert!(fresh.position("v", 0) <= Some(bad.offset), "{}", fresh.status("v"));
    let refused = fresh.get("v", "behind");
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("view-restoring")));
    assert_eq!((fresh.get_ops("/livez").status, fresh.get_ops("/readyz").status), (200, 503));

    kafka.stop();
    flip(&segment, true);
    kafka.start_again();
    for app in [app, fresh] {
        app.wait_for_event("v", "recovered");
        app.wait_until_restored();
        app.assert_view_equals("v", &topic.fold());
    }
}
