//! From the log start to the end, and on from there.

use std::fs;
use std::time::Duration;

use crate::app::TestApp;
use crate::eventually::eventually;
use crate::kafka::{LogRecord, Record, TestKafka, TestTopic};
use crate::metrics::records_applied;

/// Bound on everything a test waits for.
const DEADLINE: Duration = Duration::from_secs(60);

fn follow(topic: &TestTopic<'_>) -> TestApp<'static> {
    TestApp::builder(TestKafka::shared()).view("v", topic).start().restored()
}

fn write_some(topic: &TestTopic<'_>) {
    topic.write_all((0..2000).map(|number| Record::put(format!("k{}", number % 500), format!("v{number}"))));
    topic.write_all((0..100).map(|number| Record::delete(format!("k{number}"))));
}

fn assert_header(app: &TestApp<'_>, record: &LogRecord) {
    let response = app.get("v", record.key.as_deref().unwrap());
    assert_eq!(response.status, 200);
    assert_eq!(response.header("record-offset"), Some(record.offset.to_string().as_str()));
    assert_eq!(response.header("record-partition"), Some(record.partition.to_string().as_str()));
    assert!(response.header("view-status").unwrap().starts_with("state=live"), "{:?}", response.headers);
}

#[test]
fn a_compacted_topic_with_holes_is_restored_byte_by_byte() {
    let topic = TestKafka::shared().topic("holes").partitions(3).fast_compaction().create();
    write_some(&topic);
    topic.compact_now();
    let log = topic.kafka().read(topic.name());
    let last = topic.kafka().end_offsets(topic.name()).values().sum::<i64>();
    assert!(i64::try_from(log.len()).unwrap() < last, "the log has no holes");

    let app = follow(&topic);
    app.assert_view_equals("v", &topic.fold());
}

#[test]
fn what_is_written_after_the_restore_appears() {
    let topic = TestKafka::shared().topic("follow").partitions(3).create();
    write_some(&topic);
    let app = follow(&topic);

    let put = topic.put("k1", "new");
    let other = topic.put("fresh", b"\x00\xff");
    let deleted = topic.delete("k400");
    for record in [&put, &other, &deleted] {
        app.wait_until_applied("v", record);
    }
    app.assert_view_equals("v", &topic.fold());
    assert_header(&app, &put);
    assert_eq!(app.get("v", "k400").status, 404);
}

#[test]
fn an_etag_survives_a_restart_and_a_restore_from_nothing() {
    let topic = TestKafka::shared().topic("etag").create();
    topic.put("a", "1");
    let mut app = follow(&topic);
    let etag = app.get("v", "a").header("etag").unwrap().to_owned();
    assert_eq!(app.terminate().code, Some(0));
    app.start_again();
    app.wait_until_restored();
    assert_eq!(app.get("v", "a").header("etag"), Some(etag.as_str()));
    assert_eq!(follow(&topic).get("v", "a").header("etag"), Some(etag.as_str()));
    let same = app.request("GET", "/v1/views/v/keys/a", &[("If-None-Match", &etag)], b"");
    assert_eq!((same.status, same.body.len()), (304, 0));

    let record = topic.put("a", "1");
    app.wait_until_applied("v", &record);
    assert_ne!(app.get("v", "a").header("etag"), Some(etag.as_str()));
}

#[test]
fn a_restart_goes_on_at_the_stored_position_and_reads_nothing_twice() {
    let topic = TestKafka::shared().topic("resume").partitions(2).create();
    write_some(&topic);
    let mut app = follow(&topic);
    app.assert_view_equals("v", &topic.fold());
    assert_eq!(app.terminate().code, Some(0));

    let meanwhile = topic.write_all((0..321).map(|number| Record::put(format!("k{number}"), "again")));
    app.start_again();
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    assert_eq!(usize::try_from(records_applied(&app, "v")).unwrap(), meanwhile.len());

    assert_eq!(app.terminate().code, Some(0));
    app.start_again();
    app.wait_until_restored();
    assert_eq!(records_applied(&app, "v"), 0);
}

/// FAULTS row 10: where to read is never taken from the group.
#[test]
fn a_store_that_was_lost_is_restored_whole_though_the_group_has_positions() {
    let topic = TestKafka::shared().topic("lost").partitions(2).create();
    write_some(&topic);
    let app = TestApp::builder(TestKafka::shared()).view("v", &topic).set("kafka.group", "g-lost");
    let mut app = app.set("mirror.interval", "100ms").start().restored();
    app.wait_until_signed("v", "g-lost");
    app.terminate();

    fs::remove_dir_all(app.data_dir().join("v")).unwrap();
    app.start_again();
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    app.wait_until_signed("v", "g-lost");
    assert_eq!(app.count_events("v", "reset-obeyed"), 0);
}

/// FAULTS row 27.
#[test]
fn an_aborted_transaction_is_never_seen() {
    let topic = TestKafka::shared().topic("aborted").partitions(2).create();
    topic.put("a", "1");
    let abort = || {
        let mut aborted = topic.begin();
        aborted.put("a", "never");
        aborted.put("ghost", "never");
        aborted.delete("b");
        aborted.abort();
    };
    abort();
    let app = follow(&topic);
    app.assert_view_equals("v", &topic.fold());

    abort();
    topic.put("b", "2");
    let mut committed = topic.begin();
    committed.put("a", "3");
    for record in committed.commit() {
        app.wait_until_applied("v", &record);
    }
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
}

/// FAULTS row 27.
#[test]
fn a_tail_of_control_records_is_live() {
    let topic = TestKafka::shared().topic("control-tail").create();
    topic.put("a", "1");
    let mut aborted = topic.begin();
    aborted.put("a", "2");
    aborted.abort();
    let mut committed = topic.begin();
    committed.put("b", "2");
    committed.commit();

    let app = follow(&topic);
    assert_eq!(app.position("v", 0), Some(topic.kafka().end_offsets(topic.name())[&0]));
    assert_eq!(app.get_ops("/readyz").status, 200);
    app.assert_view_equals("v", &topic.fold());
}

/// FAULTS row 28.
#[test]
fn an_open_transaction_keeps_no_view_from_being_live() {
    let topic = TestKafka::shared().topic("open-tail").create();
    topic.put("a", "1");
    let mut open = topic.begin();
    open.put("a", "2");
    open.flush();
    topic.put("b", "behind the open transaction");

    let app = follow(&topic);
    assert_eq!(app.get_ops("/readyz").status, 200);
    assert_eq!(app.get("v", "a").text(), "1");
    assert_eq!(app.get("v", "b").status, 404);
    let committed = open.commit().pop().unwrap();
    app.wait_until_applied("v", &committed);
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
}

/// FAULTS row 29.
#[test]
fn an_empty_topic_is_live_and_its_404_can_be_trusted() {
    let topic = TestKafka::shared().topic("empty").partitions(2).create();
    let app = follow(&topic);
    let response = app.get("v", "a");
    assert_eq!((response.status, response.json()["code"].as_str()), (404, Some("key-not-found")));
    assert_eq!(app.status("v")["keys_estimated"], 0);
    eventually(DEADLINE, "readiness", || (app.get_ops("/readyz").status == 200).then_some(()));
}
