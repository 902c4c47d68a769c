//! Keys that live in more than one partition: the topic grew, or producers disagree.

use std::collections::BTreeMap;

use crate::app::{TestApp, versioned};
use crate::kafka::{LogRecord, Partitioner, Record, TestKafka, TestTopic};
use crate::metrics::sample;

const KEYS: u64 = 200;

fn keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("k{number}")).collect()
}

fn write(topic: &TestTopic<'_>, numbers: std::ops::Range<u64>, version: u64) {
    topic.write_all(numbers.map(|number| format!("k{number}")).map(|key| {
        let value = versioned(&key, version);
        Record::put(key, value)
    }));
}

fn delete(topic: &TestTopic<'_>, numbers: std::ops::Range<u64>) {
    topic.write_all(numbers.map(|number| Record::delete(format!("k{number}"))));
}

fn start<'k>(topic: &TestTopic<'k>, kafka: &'k TestKafka, group: &str) -> TestApp<'k> {
    let app = TestApp::builder(kafka).view("v", topic).set("kafka.group", group);
    app.set("kafka.poll_interval", "200ms").set("mirror.interval", "100ms").start().restored()
}

fn compare(app: &TestApp<'_>, topic: &TestTopic<'_>) {
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
}

/// Returns how many keys have a value in one partition that a newer record in another one hides.
fn hidden(topic: &TestTopic<'_>) -> u64 {
    let mut last: BTreeMap<Vec<u8>, BTreeMap<i32, LogRecord>> = BTreeMap::new();
    for record in topic.kafka().read(topic.name()) {
        last.entry(record.key.clone().unwrap()).or_default().insert(record.partition, record);
    }
    let hides = |records: &BTreeMap<i32, LogRecord>| {
        let rank = |record: &LogRecord| (record.timestamp_ms, record.offset, record.partition);
        let newest = records.values().map(rank).max();
        records.values().any(|record| record.value.is_some() && Some(rank(record)) != newest)
    };
    last.values().filter(|records| hides(records)).count() as u64
}

fn wait_for_conflicts(app: &TestApp<'_>, keys: u64) {
    app.wait_for_status("v", &format!("{keys} conflicts"), |status| {
        let warned = status["warnings"].as_array().unwrap().iter().any(|one| one["code"] == "conflicts");
        status["conflicts"] == keys && warned == (keys > 0)
    });
    assert_eq!(sample(app, "statusquo_view_conflicts{view=\"v\"}"), keys);
}

/// Compares after a restart, after a rebuild of every partition, and with a view that begins from nothing.
fn compare_all_ways(mut app: TestApp<'_>, topic: &TestTopic<'_>, kafka: &TestKafka, group: &str) {
    compare(&app, topic);
    app.terminate();
    app.start_again();
    compare(&app, topic);
    app.wait_until_signed("v", group);
    let generation = app.generation("v") + u64::try_from(topic.partition_count()).unwrap();
    kafka.groups(&[
        "--group",
        group,
        "--topic",
        topic.name(),
        "--reset-offsets",
        "--to-earliest",
        "--execute",
    ]);
    app.wait_for_generation("v", generation);
    compare(&app, topic);
    compare(&start(topic, kafka, &format!("{group}-fresh")), topic);
}

/// FAULTS row 25.
#[test]
fn a_topic_that_grows_is_followed_and_the_newest_record_of_a_moved_key_counts() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("grows").partitions(2).create();
    write(&topic, 0..KEYS, 1);
    let app = start(&topic, kafka, "g-grows");
    topic.add_partitions(4);
    write(&topic, 0..50, 2);
    write(&topic, KEYS..KEYS + 100, 1);
    delete(&topic, 50..100);
    app.wait_for_event("v", "partitions-added");
    compare(&app, &topic);

    // Deleted after the growth was noticed, and some of it written again.
    delete(&topic, 20..40);
    delete(&topic, 100..150);
    write(&topic, 30..60, 3);
    compare(&app, &topic);
    let pairs = app.status("v")["partitioners"].to_string();
    assert!(pairs.contains("[\"murmur2\",2]") && pairs.contains("[\"murmur2\",4]"), "{pairs}");
    let conflicts = hidden(&topic);
    assert!(conflicts > 0);
    wait_for_conflicts(&app, conflicts);
    compare_all_ways(app, &topic, kafka, "g-grows");
}

/// FAULTS row 25.
#[test]
fn a_view_goes_on_serving_while_an_added_partition_is_restored() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("grows-slowly").partitions(1).create();
    write(&topic, 0..KEYS, 1);
    let app = TestApp::builder(kafka)
        .view("v", &topic)
        .set("kafka.poll_interval", "5s")
        .set("batch.records_max", 10)
        .start()
        .restored();
    topic.add_partitions(2);
    topic.write_all((0..30_000).map(|number| Record::put(format!("n{number}"), "x").to(1)));
    app.look_up_while("v", &topic, &keys(), || {
        app.wait_for_status("v", "a partition that is restored", |status| {
            status["partitions"]
                .as_array()
                .is_some_and(|all| all.iter().any(|one| one["state"] == "restoring"))
        });
        assert_eq!(app.get("v", "nobody").status, 503);
        let status = app.status("v");
        assert_eq!((&status["state"], &status["ready"]), (&"rebuilding".into(), &true.into()), "{status}");
        app.wait_until_restored();
    });
    assert_eq!(app.get("v", "nobody").status, 404);
    app.assert_view_equals("v", &topic.fold());
}

/// FAULTS row 26.
#[test]
fn keys_in_two_partitions_are_counted_until_the_older_value_is_gone() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("doubled").partitions(2).create();
    for partition in [0, 1] {
        topic.put_to(partition, "both", format!("in {partition}"));
    }
    topic.put_to(0, "one", "1");
    let app = start(&topic, kafka, "g-doubled");
    wait_for_conflicts(&app, 1);
    assert_eq!(app.get("v", "both").text(), "in 1");
    topic.write(Record::delete("both").to(0));
    topic.put_to(1, "both", "again");
    wait_for_conflicts(&app, 0);
    compare(&app, &topic);
}

/// FAULTS row 26.
#[test]
fn keys_placed_by_two_partitioners_have_their_newest_record_every_time() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("mixed").partitions(4).create();
    write(&topic, 0..KEYS, 1);
    topic
        .write_by(Partitioner::Crc32, (50..KEYS).map(|number| Record::put(format!("k{number}"), "by crc32")));
    let app = start(&topic, kafka, "g-mixed");
    compare(&app, &topic);
    write(&topic, 100..150, 2);
    delete(&topic, 150..KEYS);
    topic.write_by(Partitioner::Crc32, (0..20).map(|number| Record::delete(format!("k{number}"))));
    write(&topic, 180..190, 3);
    compare_all_ways(app, &topic, kafka, "g-mixed");
}
