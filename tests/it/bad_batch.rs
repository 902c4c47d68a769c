//! Bytes that changed between the producer and the reader.

use std::fs;
use std::path::Path;

use crate::app::TestApp;
use crate::kafka::TestKafka;

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
    let bad = topic.put_to(0, "harmed", HARMED);
    topic.put_to(0, "behind", "1");
    let elsewhere = topic.put_to(1, "elsewhere", "1");
    kafka.stop();
    let segment = kafka.segment(topic.name(), 0);
    flip(&segment, false);
    kafka.start_again();

    let app = TestApp::builder(&kafka).view("v", &topic).set("kafka.poll_interval", "200ms").start();
    app.wait_for_event("v", "undeliverable");
    app.wait_until_applied("v", &elsewhere);
    assert!(app.position("v", 0) <= Some(bad.offset), "{}", app.status("v"));
    let refused = app.get("v", "behind");
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("view-restoring")));
    assert_eq!((app.get_ops("/livez").status, app.get_ops("/readyz").status), (200, 503));

    kafka.stop();
    flip(&segment, true);
    kafka.start_again();
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    app.wait_for_event("v", "recovered");
}
