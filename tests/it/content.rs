//! What keys, values and layouts a topic may have.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::app::TestApp;
use crate::eventually::eventually;
use crate::kafka::{Partitioner, Record, TestKafka, TestTopic};
use crate::metrics::sample;

/// Bound on everything a test waits for.
const DEADLINE: Duration = Duration::from_secs(60);

const MIB: usize = 1024 * 1024;

fn follow(topic: &TestTopic<'_>) -> TestApp<'static> {
    TestApp::builder(TestKafka::shared()).view("v", topic).start().restored()
}

fn write_keys(topic: &TestTopic<'_>, count: usize, value: &str) {
    topic.write_all(
        (0..count).map(|number| Record::put(format!("user-{number}"), format!("{value}{number}"))),
    );
}

#[test]
fn two_views_of_one_process_do_not_mix() {
    let kafka = TestKafka::shared();
    let (users, stock) = (kafka.topic("users").create(), kafka.topic("stock").partitions(64).create());
    write_keys(&users, 300, "u");
    write_keys(&stock, 500, "s");
    let app = TestApp::builder(kafka).view("users", &users).view("stock", &stock).start().restored();

    app.assert_view_equals("users", &users.fold());
    app.assert_view_equals("stock", &stock.fold());
    assert_eq!(app.status("users")["partitions"].as_array().unwrap().len(), 1);
    assert_eq!(app.status("stock")["partitions"].as_array().unwrap().len(), 64);
    let last = stock.delete("user-1");
    app.wait_until_applied("stock", &last);
    app.assert_view_equals("users", &users.fold());
    app.assert_view_equals("stock", &stock.fold());
}

#[test]
fn keys_are_found_wherever_either_partitioner_put_them() {
    for partitioner in [Partitioner::Murmur2, Partitioner::Crc32] {
        let topic = TestKafka::shared().topic("placed").partitions(16).partitioner(partitioner).create();
        write_keys(&topic, 400, "v");
        topic.write_all((0..50).map(|number| Record::delete(format!("user-{number}"))));
        follow(&topic).assert_view_equals("v", &topic.fold());
    }
}

#[test]
fn a_topic_of_producers_that_disagree_about_partitions_is_read_right() {
    let kafka = TestKafka::shared();
    let elsewhere = kafka.topic("elsewhere").partitions(8).partitioner(Partitioner::Crc32).create();
    let topic = kafka.topic("mixed").partitions(8).create();
    let placed = elsewhere.write_all((0..200).map(|number| Record::put(format!("user-{number}"), "x")));
    // The older half by one rule, the newer half by the other, and keys in the middle by both.
    topic.write_all((0..120).map(|number| Record::put(format!("user-{number}"), "java").at(1000 + number)));
    let records = placed.iter().skip(80).map(|record| {
        Record::put(record.key.as_deref().unwrap(), "librdkafka")
            .to(record.partition)
            .at(5000 + record.offset)
    });
    let other = topic.write_all(records);
    let app = follow(&topic);
    app.assert_view_equals("v", &topic.fold());

    // A key that lives in one partition: a tombstone does not reach older values in others, see decision 0004.
    let gone = other.last().unwrap();
    let deleted = topic.write(Record::delete(gone.key.as_deref().unwrap()).to(gone.partition).at(9000));
    app.wait_until_applied("v", &deleted);
    app.assert_view_equals("v", &topic.fold());
}

/// FAULTS row 32.
#[test]
fn records_without_a_key_are_counted_and_passed() {
    let topic = TestKafka::shared().topic("keyless").config("cleanup.policy", "delete").create();
    topic.write_all((0..3).map(|_| Record::without_key("nobody")));
    topic.configure("cleanup.policy", "compact");
    topic.put("a", "1");
    let app = follow(&topic);

    assert_eq!(app.position("v", 0), Some(4));
    assert_eq!(sample(&app, "statusquo_view_null_keys_total{view=\"v\"}"), 3);
    app.assert_view_equals("v", &topic.fold());
}

/// FAULTS row 32.
#[test]
fn a_tail_of_records_without_a_key_is_live() {
    let topic = TestKafka::shared().topic("keyless-tail").config("cleanup.policy", "delete").create();
    topic.put("a", "1");
    topic.write(Record::without_key("nobody"));
    topic.configure("cleanup.policy", "compact");
    let app = follow(&topic);
    assert_eq!(app.position("v", 0), Some(2));
    app.assert_view_equals("v", &topic.fold());
}

/// FAULTS row 33.
#[test]
fn an_empty_value_and_the_text_null_are_values() {
    let topic = TestKafka::shared().topic("values").create();
    topic.put("empty", "");
    topic.put("null", "null");
    topic.put("", "of the empty key");
    let app = follow(&topic);

    let empty = app.get("v", "empty");
    assert_eq!((empty.status, empty.header("content-length")), (200, Some("0")));
    assert_eq!(app.get("v", "null").text(), "null");
    assert_eq!(app.get_raw("/v1/views/v/lookup?key=").text(), "of the empty key");
    app.assert_view_equals("v", &topic.fold());
    let deleted = topic.delete("");
    app.wait_until_applied("v", &deleted);
    assert_eq!(app.get_raw("/v1/views/v/lookup?key=").status, 404);
}

/// FAULTS row 37.
#[test]
fn headers_of_any_size_and_bytes_are_kept_and_change_nothing() {
    let topic = TestKafka::shared().topic("headers").create();
    let large = vec![b'x'; 200 * 1024];
    let odd = Record::put("odd", "1").header("twice", Some(b"a")).header("twice", Some(b"\xff\x00"));
    topic.write(odd.header("", None).header("large", Some(&large)));
    topic.put("gone", "1");
    topic.write(Record::delete("gone").header("why", Some(b"left")));
    let app = follow(&topic);

    let entry = app.get_raw("/v1/views/v/keys/odd?format=entry").json();
    let kept = serde_json::json!([
        ["twice", "YQ=="],
        ["twice", "/wA="],
        ["", null],
        ["large", STANDARD.encode(large)]
    ]);
    assert!(entry["headers"] == kept, "{} headers", entry["headers"].as_array().map_or(0, Vec::len));
    assert_eq!(app.get("v", "gone").status, 404);
    app.assert_view_equals("v", &topic.fold());
}

/// FAULTS row 50.
#[test]
fn any_bytes_can_be_a_key() {
    let topic = TestKafka::shared().topic("binary").create();
    let keys: [&[u8]; 5] = [b"\xff\x00\xfe", b"\x00", b"a/b", b"..", "\u{1f980}".as_bytes()];
    for key in keys {
        topic.put(key, key);
    }
    let app = follow(&topic);
    for key in keys {
        let encoded = URL_SAFE_NO_PAD.encode(key);
        let response = app.get_raw(format!("/v1/views/v/keys/{encoded}?enc=base64url"));
        assert_eq!((response.status, response.body.as_slice()), (200, key));
    }
    let refused = app.get("v", b"\xff\x00\xfe");
    assert_eq!((refused.status, refused.json()["code"].as_str()), (400, Some("bad-key")));
    app.assert_view_equals("v", &topic.fold());
}

/// FAULTS rows 13 and 36: whose clock made a record's time is not known. So it decides nothing.
#[test]
fn records_of_clocks_that_differ_by_hours_and_years_change_neither_order_nor_freshness() {
    const HOUR_MS: i64 = 60 * 60 * 1000;
    let topic = TestKafka::shared().topic("odd-clocks").config("delete.retention.ms", "60000");
    // A broker refuses what lies more than an hour ahead unless told otherwise.
    let topic = topic.config("message.timestamp.after.max.ms", &i64::MAX.to_string()).create();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let now = i64::try_from(now).unwrap();
    let write = |value: &str| {
        for hours in [5, 100_000, -5, -400_000] {
            topic.write(Record::put("same", format!("{value} {hours}")).at(now + hours * HOUR_MS));
            topic.write(Record::put(format!("k{hours}"), value).at(now + hours * HOUR_MS));
        }
    };
    let assert_fresh = |app: &TestApp<'_>| {
        app.wait_until_restored();
        app.assert_view_equals("v", &topic.fold());
        let status = app.status("v");
        let fresh = status["staleness_s"].as_f64().is_some_and(|seconds| seconds < 10.0);
        assert!(fresh && status["state"] == "live" && status["generation"] == 1, "{status}");
    };
    write("first");
    let mut app = follow(&topic);
    assert_fresh(&app);
    app.terminate();
    write("second");
    app.start_again();
    assert_fresh(&app);
    assert_eq!(app.get("v", "same").text(), "second -400000");
}

/// FAULTS row 38.
#[test]
fn large_keys_and_values_arrive_whole() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("large").config("max.message.bytes", "4000000").create();
    let value: Vec<u8> = (0..MIB).map(|number| u8::try_from(number * 31 % 251).unwrap()).collect();
    let key = "k".repeat(8 * 1024);
    topic.put("large value", &value);
    topic.put(&key, "of a large key");
    topic.put("k".repeat(100 * 1024), "of a key that no URL can carry");
    let app = follow(&topic);

    assert_eq!(app.get("v", "large value").body, value);
    assert_eq!(app.get("v", &key).text(), "of a large key");
    assert_eq!(app.get("v", format!("{key}k")).status, 414);
    let record = topic.put("large value", &value[1..]);
    app.wait_until_applied("v", &record);
    assert_eq!(app.get("v", "large value").body, value[1..]);
}

#[test]
fn a_missing_topic_is_waited_for() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("late").partitions(2).create();
    topic.put("a", "0");
    topic.drop_topic();
    let app = TestApp::builder(kafka).view("v", &topic).start();

    eventually(DEADLINE, "the reason topic-missing", || {
        (app.status("v")["reason"] == "topic-missing").then_some(())
    });
    assert_eq!(app.get_ops("/livez").status, 200);
    let ready = app.get_ops("/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.text().starts_with("v: topic-missing: "), "{}", ready.text());
    let refused = app.get("v", "a");
    assert_eq!((refused.status, refused.json()["reason"].as_str()), (503, Some("topic-missing")));
    // Nothing is created by asking for it.
    assert_eq!(kafka.partition_count(topic.name()), 0);

    topic.create_again(2);
    topic.put("a", "1");
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    assert_eq!(app.get_ops("/readyz").status, 200);
}
