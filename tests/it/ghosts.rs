//! Records and tombstones that left the log while nobody read it.

use crate::app::TestApp;
use crate::kafka::{Record, TestKafka, TestTopic};
use crate::process::Signal;

const KEYS: u32 = 40;

fn write(topic: &TestTopic<'_>, value: &str) {
    topic.write_all((0..KEYS).map(|number| Record::put(format!("k{number}"), value)));
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
    write(&topic, "1");
    let mut app = start(&topic, kafka);
    app.terminate();
    topic.write_all((0..KEYS / 2).map(|number| Record::delete(format!("k{number}"))));
    let last = topic.put("after", "1");
    topic.delete_records(0, last.offset);

    app.start_again();
    app.wait_for_event("v", "truncated");
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    assert_eq!(app.get("v", "k1").status, 404);
}

/// FAULTS row 21: the reader itself meets the gap, before anybody has compared positions.
#[test]
fn a_log_cut_off_under_a_reader_that_lags_is_read_anew() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("cut-ahead").create();
    write(&topic, "1");
    // Seldom, so that the reader comes first.
    let app = TestApp::builder(kafka).view("v", &topic).set("kafka.poll_interval", "5s").start().restored();
    app.signal(Signal::STOP);
    // The answer to the fetch that is on its way; the next one comes when the log is cut off.
    topic.put("before", "1");
    topic.write_all((0..KEYS / 2).map(|number| Record::delete(format!("k{number}"))));
    let last = topic.put("after", "1");
    topic.delete_records(0, last.offset);
    app.signal(Signal::CONT);

    app.wait_for_event("v", "truncated");
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    assert_eq!(app.get("v", "k1").status, 404);
}

/// FAULTS row 24: as often as it happens.
#[test]
fn tombstones_that_expired_while_stopped_leave_no_ghosts() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("expired").partitions(2).fast_compaction().create();
    write(&topic, "1");
    let mut app = start(&topic, kafka);
    for outage in 0..2 {
        app.terminate();
        delete_and_forget(&topic, outage * 10..outage * 10 + 10);
        app.start_again();
        app.wait_for_event("v", "tombstones-expired");
        app.wait_until_restored();
        app.assert_view_equals("v", &topic.fold());
        assert_eq!(app.get("v", format!("k{}", outage * 10)).status, 404);
    }
}

/// FAULTS row 24: partitions that have to wait for their turn are not forgotten.
#[test]
fn tombstones_that_expired_leave_no_ghosts_in_partitions_that_are_rebuilt_later() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("expired-many").partitions(3).fast_compaction().create();
    write(&topic, "1");
    let mut app = start(&topic, kafka);
    app.terminate();
    delete_and_forget(&topic, 0..20);
    app.set("rebuild.parallel", 1);
    app.start_again();
    app.wait_for_generation("v", 6);
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
}
