//! Bytes that changed between the producer and the reader.

use std::fs;
use std::path::Path;

use crate::app::TestApp;
use crate::eventually::eventually;
use crate::kafka::{Record, TestKafka};
use crate::slow_clients::{DEADLINE, SLACK_KIB, peak_kib, resident_kib};

/// How large the messages are that the client takes.
const LIMITS: [&str; 3] = ["message.max.bytes", "fetch.max.bytes", "receive.message.max.bytes"];

const HARMED: &[u8] = b"a value to be harmed";

/// Where a batch has its length, its checksum, and what the checksum is of; the codec is the first thing of that.
const LENGTH: usize = 8;
const CHECKSUM: usize = 17;
const CHECKED: usize = 21;
/// No codec has this number.
const UNKNOWN_CODEC: u8 = 5;

/// Flips the first byte of [`HARMED`], there and back.
fn flip(batch: &mut [u8]) {
    let rest = &HARMED[1..];
    let at = batch.windows(rest.len()).position(|window| window == rest).expect("the value") - 1;
    batch[at] ^= 0xff;
}

/// Has the batch claim a codec that nobody knows, there and back.
fn swap_codec(batch: &mut [u8]) {
    let checksum = |batch: &[u8]| crc32c(&batch[CHECKED..]).to_be_bytes();
    assert_eq!(batch[CHECKSUM..CHECKED], checksum(batch), "a sound batch");
    batch[CHECKED + 1] ^= UNKNOWN_CODEC;
    let sound = checksum(batch);
    batch[CHECKSUM..CHECKED].copy_from_slice(&sound);
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// Changes the batch with the value to be harmed.
fn change(segment: &Path, harm: fn(&mut [u8])) {
    let mut bytes = fs::read(segment).unwrap();
    let rest = &HARMED[1..];
    let value = bytes.windows(rest.len()).position(|window| window == rest).expect("the value");
    let mut batch = 0..0;
    while batch.end <= value {
        let length = bytes[batch.end + LENGTH..][..4].try_into().expect("a length");
        batch = batch.end..batch.end + LENGTH + 4 + u32::from_be_bytes(length) as usize;
    }
    harm(&mut bytes[batch]);
    fs::write(segment, bytes).unwrap();
}

/// FAULTS row 31.
#[test]
fn a_batch_with_a_wrong_checksum_stops_its_partition_and_is_never_skipped() {
    stops_and_is_never_skipped("bad-batch", flip);
}

/// FAULTS row 31.
#[test]
fn a_batch_of_an_unknown_codec_stops_its_partition_and_is_never_skipped() {
    stops_and_is_never_skipped("bad-codec", swap_codec);
}

/// FAULTS row 30: the client hangs up on such an answer, again and again, and reports nothing of it.
#[test]
fn a_batch_larger_than_the_client_takes_is_said_and_read_once_it_may_be() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("huge-batch").config("max.message.bytes", "4000000").create();
    topic.put("before", "1");
    let mut app = TestApp::builder(kafka).view("v", &topic).set("kafka.poll_interval", "200ms");
    for (limit, bytes) in LIMITS.into_iter().zip(["900000", "900000", "1000000"]) {
        app = app.set(&format!("kafka.properties.\"{limit}\""), bytes);
    }
    let mut app = app.start().restored();
    let huge = topic.put("huge", vec![b'x'; 2_000_000]);
    app.wait_for_status("v", "a stuck partition", |status| {
        status["partitions"][0]["reason"] == "no-progress"
    });
    assert_eq!((app.position("v", 0), app.get("v", "before").status), (Some(huge.offset), 200));
    app.assert_told("v", "stuck", "no-progress", "cannot read on, will try again");
    assert!(app.log().contains("increase receive.message.max.bytes"), "{}", app.log());

    app.terminate();
    app.set("kafka.properties.\"receive.message.max.bytes\"", "4000000");
    app.start_again();
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
}

/// Bytes of a value that is packed into less than a hundredth.
const BOMB: usize = 64 * 1024 * 1024;

/// FAULTS row 39: the client unpacks a batch whole, or not at all; what is kept of it is for the view to bound.
#[test]
fn a_batch_that_blows_up_when_it_is_unpacked_takes_memory_for_a_moment_or_is_refused() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("bomb").config("max.message.bytes", "8000000").create();
    topic.put("before", "1");
    let mut app = TestApp::builder(kafka).view("v", &topic).set("views.v.max_value_bytes", "1MiB");
    app = app.set("kafka.poll_interval", "200ms");
    for (limit, bytes) in LIMITS.into_iter().zip(["9000000", "9000000", "10000000"]) {
        app = app.set(&format!("kafka.properties.\"{limit}\""), bytes);
    }
    let mut app = app.start().restored();
    let before = resident_kib(&app);
    let bomb = |codec: &str| topic.write_packed(codec, Record::put(codec, vec![b'0'; BOMB]));
    let too_large = |app: &TestApp<'_>, key: &str| {
        let answer = app.get("v", key);
        assert_eq!((answer.status, answer.json()["code"].as_str()), (406, Some("value-too-large")), "{key}");
    };
    for codec in ["gzip", "lz4", "snappy"] {
        app.wait_until_applied("v", &bomb(codec));
        too_large(&app, codec);
    }
    // One at a time, and once more while a buffer grows.
    let (unpacked, peak) = (BOMB as u64 / 1024, peak_kib(&app));
    assert!(peak < before + 2 * unpacked + SLACK_KIB, "{before} KiB, then up to {peak} KiB");
    eventually(DEADLINE, "memory that was given back", || {
        Some(resident_kib(&app)).filter(|after| *after < before + SLACK_KIB)
    });

    let refused = bomb("zstd");
    topic.put("behind", "1");
    app.wait_for_status("v", "a stuck partition", |status| {
        status["partitions"][0]["reason"] == "undeliverable"
    });
    let error = app.status("v")["partitions"][0]["last_error"].as_str().unwrap().to_owned();
    assert!(error.contains("more than receive.message.max.bytes"), "{error}");
    assert_eq!((app.position("v", 0), app.get("v", "before").status), (Some(refused.offset), 200));
    assert_eq!(app.get("v", "behind").status, 404);

    app.terminate();
    app.set("kafka.properties.\"receive.message.max.bytes\"", "100000000");
    app.start_again();
    app.wait_until_restored();
    too_large(&app, "zstd");
    assert_eq!(app.get("v", "behind").status, 200);
}

fn stops_and_is_never_skipped(name: &str, harm: fn(&mut [u8])) {
    let kafka = TestKafka::start();
    let topic = kafka.topic(name).partitions(2).create();
    topic.put_to(0, "before", "1");
    topic.put_to(1, "elsewhere", "1");
    let mut app =
        TestApp::builder(&kafka).view("v", &topic).set("kafka.poll_interval", "200ms").start().restored();
    app.terminate();
    let bad = topic.put_to(0, "harmed", HARMED);
    topic.put_to(0, "behind", "1");
    kafka.stop();
    let segment = kafka.segment(topic.name(), 0);
    change(&segment, harm);
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
    app.assert_told("v", "stuck", "undeliverable", "cannot read on, will try again");

    // One that has nothing yet has nothing to answer with.
    let fresh = TestApp::builder(&kafka).view("v", &topic).set("kafka.poll_interval", "200ms").start();
    fresh.wait_for_event("v", "undeliverable");
    assert!(fresh.position("v", 0) <= Some(bad.offset), "{}", fresh.status("v"));
    let refused = fresh.get("v", "behind");
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("view-restoring")));
    assert_eq!((fresh.get_ops("/livez").status, fresh.get_ops("/readyz").status), (200, 503));

    kafka.stop();
    change(&segment, harm);
    kafka.start_again();
    for app in [app, fresh] {
        app.wait_for_event("v", "recovered");
        app.wait_until_restored();
        app.assert_view_equals("v", &topic.fold());
    }
}
