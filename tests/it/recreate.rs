//! A topic that is deleted, and one that comes back under the same name.

use std::cell::Cell;

use crate::app::{TestApp, versioned};
use crate::kafka::{Record, TestKafka, TestTopic};

fn write(topic: &TestTopic<'_>, prefix: &str, count: u32) {
    topic.write_all((0..count).map(|number| Record::put(format!("{prefix}{number}"), format!("{number}"))));
}

fn start<'k>(topic: &TestTopic<'k>, kafka: &'k TestKafka) -> TestApp<'k> {
    let app = TestApp::builder(kafka).view("v", topic).set("kafka.poll_interval", "200ms");
    app.start().restored()
}

/// Waits until the view is the new topic's, and compares.
fn assert_follows(app: &TestApp<'_>, topic: &TestTopic<'_>, old_topic_id: &str) {
    app.wait_for_status("v", "another topic id", |status| status["topic_id"] != old_topic_id);
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
}

fn topic_id(app: &TestApp<'_>) -> String {
    app.status("v")["topic_id"].as_str().expect("a topic id").to_owned()
}

fn recreated(name: &str, count: u32, stopped: bool) {
    let kafka = TestKafka::shared();
    let topic = kafka.topic(name).partitions(2).create();
    let keys: Vec<String> = (0..50).map(|number| format!("k{number}")).collect();
    let write_all = |prefix: &str, count, version| {
        topic.put("same", "value");
        topic.write_all(keys.iter().map(|key| Record::put(key, versioned(key, version))));
        write(&topic, prefix, count);
    };
    write_all("old-", 300, 1);
    let mut app = start(&topic, kafka);
    let (old, etag) = (topic_id(&app), app.get("v", "same").header("etag").map(str::to_owned));
    let recreate = || {
        topic.recreate();
        write_all("new-", count, 2);
    };
    if stopped {
        app.terminate();
        recreate();
        app.start_again();
        app.read_while_replaced("v", &topic, &keys, || assert_follows(&app, &topic, &old));
    } else {
        app.read_while_replaced("v", &topic, &keys, || {
            recreate();
            assert_follows(&app, &topic, &old);
        });
    }
    assert_eq!(app.get("v", "old-1").status, 404);
    assert_ne!(app.get("v", "same").header("etag").map(str::to_owned), etag);
    app.wait_for_event("v", "topic-recreated");
}

/// FAULTS row 19 (a).
#[test]
fn a_topic_recreated_with_fewer_records_replaces_the_old_one() {
    recreated("recreated-fewer", 20, false);
}

/// FAULTS row 19 (b).
#[test]
fn a_topic_recreated_with_more_records_replaces_the_old_one() {
    recreated("recreated-more", 3000, false);
}

/// FAULTS row 19 (b): also while nobody asks the cluster, no record of the new topic joins those of the old one.
#[test]
fn a_recreated_topic_is_never_mixed_into_the_answers_of_the_old_one() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("recreated-unnoticed").create();
    write(&topic, "old-", 300);
    let app = TestApp::builder(kafka).view("v", &topic).set("kafka.poll_interval", "5s").start().restored();
    let (old, old_tag) = (topic_id(&app), tag_of_topic(&app, "old-1").expect("an entry"));

    // Right after a look at the topic, so that new records can be read before the next one.
    let before = Cell::new(0.0);
    app.wait_for_status("v", "a look at the topic", |status| {
        let staleness = status["staleness_s"].as_f64().expect("a number");
        staleness < before.replace(staleness)
    });
    topic.recreate();
    write(&topic, "new-", 3000);
    app.wait_for_status("v", "another topic id", |status| {
        let mixed = tag_of_topic(&app, "new-2999").is_some_and(|tag| tag == old_tag);
        assert!(!mixed, "a record of the new topic is served as one of the old");
        status["topic_id"] != old
    });
    assert_follows(&app, &topic, &old);
}

/// Returns the part of an entry's ETag that stands for its topic.
fn tag_of_topic(app: &TestApp<'_>, key: &str) -> Option<String> {
    let answer = app.get("v", key);
    answer.header("etag").map(|tag| tag.split('.').next().unwrap_or_default().to_owned())
}

/// FAULTS row 19: the new topic counts its leader epochs from zero, and a client that waits for a later one waits
/// for ever.
#[test]
fn a_topic_recreated_after_many_changes_of_its_leader_is_followed_on() {
    let kafka = TestKafka::start();
    let topic = kafka.topic("recreated-epochs").create();
    write(&topic, "old-", 30);
    for _ in 0..3 {
        kafka.stop();
        kafka.start_again();
    }
    let app = start(&topic, &kafka);
    let old = topic_id(&app);
    topic.recreate();
    write(&topic, "new-", 300);
    assert_follows(&app, &topic, &old);
    // What is written after the new state took over is for the reader that follows.
    app.wait_for_event("v", "restored");
    let last = topic.put("last", "1");
    app.wait_until_applied("v", &last);
    app.assert_view_equals("v", &topic.fold());
}

/// FAULTS row 19 (a).
#[test]
fn a_topic_recreated_with_fewer_records_while_stopped_replaces_the_old_one() {
    recreated("recreated-fewer-stopped", 20, true);
}

/// FAULTS row 19 (b).
#[test]
fn a_topic_recreated_with_more_records_while_stopped_replaces_the_old_one() {
    recreated("recreated-more-stopped", 3000, true);
}

/// FAULTS row 19: a recreated topic may have another shape.
#[test]
fn a_topic_recreated_with_fewer_partitions_leaves_no_ghosts() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("recreated-narrow").partitions(4).create();
    write(&topic, "old-", 300);
    let mut app = start(&topic, kafka);
    let old = topic_id(&app);
    topic.recreate_with(2);
    write(&topic, "new-", 20);
    let partitions = |app: &TestApp<'_>| app.status("v")["partitions"].as_array().map(Vec::len);
    app.wait_for_status("v", "two partitions", |status| status["partitions"].as_array().unwrap().len() == 2);
    assert_follows(&app, &topic, &old);
    app.wait_for_status("v", "live again", |status| status["state"] == "live");

    app.terminate();
    app.start_again();
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    assert_eq!(partitions(&app), Some(2));
}

/// FAULTS row 18.
#[test]
fn a_deleted_topic_is_served_on_and_followed_again_when_it_comes_back() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("deleted").partitions(2).create();
    write(&topic, "old-", 300);
    let app = start(&topic, kafka);
    let (old, fold) = (topic_id(&app), topic.fold());

    topic.drop_topic();
    app.wait_for_status("v", "a lost source", |status| status["state"] == "source-lost");
    app.assert_told("v", "source-lost", "topic-missing", "cannot follow the topic, will try again");
    assert_eq!(app.status("v")["ready"], true);
    assert_eq!(app.get_ops("/readyz").status, 200);
    app.assert_view_equals("v", &fold);

    topic.create_again(2);
    write(&topic, "new-", 20);
    app.wait_for_event("v", "source-back");
    assert_follows(&app, &topic, &old);
    app.wait_for_status("v", "live again", |status| status["state"] == "live");
}
