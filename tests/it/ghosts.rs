//! Records and tombstones that left the log while nobody read it.

use std::time::{Duration, Instant};

use crate::app::{TestApp, versioned};
use crate::eventually::eventually;
use crate::kafka::{Record, TestKafka, TestTopic};
use crate::process::Signal;

const KEYS: u32 = 40;

/// Longer than a service may be frozen before that counts as an outage.
const OUTAGE: Duration = Duration::from_secs(16);

fn keys(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("k{number}")).collect()
}

fn write(topic: &TestTopic<'_>, version: u64) {
    topic.write_all(keys(0..KEYS).iter().map(|key| Record::put(key, versioned(key, version))));
}

fn start<'k>(topic: &TestTopic<'k>, kafka: &'k TestKafka) -> TestApp<'k> {
    let app = TestApp::builder(kafka).view("v", topic).set("kafka.poll_interval", "200ms");
    app.start().restored()
}

/// Deletes keys and compacts the log until a fresh reader sees no tombstone of them.
fn delete_and_forget(topic: &TestTopic<'_>, keys: std::ops::Range<u32>) {
    topic.write_all(keys.map(|number| Record::delete(format!("k{number}"))));
    topic.compact_now();
}

/// FAULTS row 21.
#[test]
fn a_log_truncated_beyond_the_position_is_read_anew() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("cut").create();
    write(&topic, 1);
    let mut app = start(&topic, kafka);
    app.terminate();
    topic.write_all((0..KEYS / 2).map(|number| Record::delete(format!("k{number}"))));
    let last = topic.put("after", "1");
    topic.delete_records(0, last.offset);

    app.start_again();
    app.read_while_replaced("v", &topic, &keys(0..KEYS), || {
        app.wait_for_event("v", "truncated");
        app.wait_until_restored();
    });
    app.assert_view_equals("v", &topic.fold());
    assert_eq!(app.get("v", "k1").status, 404);
}

/// FAULTS row 21: the reader itself meets the gap, before anybody has compared positions.
#[test]
fn a_log_cut_off_under_a_reader_that_lags_is_read_anew() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("cut-ahead").create();
    write(&topic, 1);
    // Seldom, so that the reader comes first.
    let app = TestApp::builder(kafka).view("v", &topic).set("kafka.poll_interval", "5s").start().restored();
    app.signal(Signal::STOP);
    // The answer to the fetch that is on its way; the next one comes when the log is cut off.
    topic.put("before", "1");
    topic.write_all((0..KEYS / 2).map(|number| Record::delete(format!("k{number}"))));
    let last = topic.put("after", "1");
    topic.delete_records(0, last.offset);

    app.read_while_replaced("v", &topic, &keys(0..KEYS), || {
        app.signal(Signal::CONT);
        app.wait_for_event("v", "truncated");
        app.wait_until_restored();
    });
    app.assert_view_equals("v", &topic.fold());
    assert_eq!(app.get("v", "k1").status, 404);
}

/// FAULTS row 24: as often as it happens.
#[test]
fn tombstones_that_expired_while_stopped_leave_no_ghosts() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("expired").partitions(2).fast_compaction().create();
    write(&topic, 1);
    let mut app = start(&topic, kafka);
    for outage in 0..2 {
        app.terminate();
        delete_and_forget(&topic, outage * 10..outage * 10 + 10);
        app.start_again();
        app.read_while("v", &topic, &keys(20..KEYS), || {
            app.wait_for_event("v", "tombstones-expired");
            app.wait_until_restored();
        });
        app.assert_view_equals("v", &topic.fold());
        assert_eq!(app.get("v", format!("k{}", outage * 10)).status, 404);
    }
}

/// FAULTS row 24: partitions that have to wait for their turn are not forgotten.
#[test]
fn tombstones_that_expired_leave_no_ghosts_in_partitions_that_are_rebuilt_later() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("expired-many").partitions(3).fast_compaction().create();
    write(&topic, 1);
    let mut app = start(&topic, kafka);
    app.terminate();
    delete_and_forget(&topic, 0..20);
    app.set("rebuild.parallel", 1);
    app.start_again();
    app.wait_for_generation("v", 6);
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
}

/// FAULTS row 24: whoever is frozen, or as far behind, asks how far the log reaches and builds anew.
#[test]
fn tombstones_that_expired_while_frozen_leave_no_ghosts() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("expired-frozen").partitions(2).fast_compaction().create();
    write(&topic, 1);
    let app = start(&topic, kafka);
    let frozen = Instant::now();
    app.signal(Signal::STOP);
    delete_and_forget(&topic, 0..20);
    eventually(OUTAGE * 2, "an outage", || (frozen.elapsed() > OUTAGE).then_some(()));

    app.read_while("v", &topic, &keys(20..KEYS), || {
        app.signal(Signal::CONT);
        app.wait_for_generation("v", 4);
        app.wait_until_restored();
    });
    app.assert_view_equals("v", &topic.fold());
    assert_eq!((app.generation("v"), app.count_events("v", "tombstones-expired")), (4, 2));
    assert_eq!(app.log().matches("rebuilding the partition").count(), 2, "{}", app.log());
}

/// FAULTS row 24: whoever follows misses nothing, and one rebuild makes up for what was missed.
#[test]
fn tombstones_that_are_not_kept_cost_a_rebuild_only_after_records_were_missed() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("not-kept").partitions(2).fast_compaction();
    let topic = topic.config("delete.retention.ms", "0").create();
    write(&topic, 1);
    delete_and_forget(&topic, 0..10);
    let mut app = start(&topic, kafka);
    let compare = |app: &TestApp<'_>, generation| {
        app.wait_until_restored();
        app.assert_view_equals("v", &topic.fold());
        let status = app.status("v");
        assert_eq!(status["generation"], generation, "{}", status["events"]);
    };
    compare(&app, 2);
    for round in 0..2 {
        write(&topic, 2);
        delete_and_forget(&topic, round * 10..round * 10 + 10);
        compare(&app, 2);
    }
    app.terminate();
    app.start_again();
    compare(&app, 2);

    app.terminate();
    delete_and_forget(&topic, 0..KEYS);
    app.start_again();
    app.wait_for_generation("v", 4);
    compare(&app, 4);
    write(&topic, 3);
    delete_and_forget(&topic, 0..10);
    compare(&app, 4);
}
