//! Three nodes: leaders that change, and logs that are cut off by it. `make k3` runs these tests, CI does not.

use std::time::Duration;

use crate::app::{TestApp, versioned};
use crate::eventually::eventually;
use crate::fold::Fold;
use crate::kafka::{Partitioner, Record, TestKafka, TestTopic};
use crate::process::Signal;

const DEADLINE: Duration = Duration::from_secs(30);
/// Before anything is given up for lost: that takes the service 30 s.
const SOON: Duration = Duration::from_secs(15);

fn records(prefix: &str, count: u32) -> impl Iterator<Item = Record> {
    (0..count).map(move |number| Record::put(format!("{prefix}-{number}"), format!("{number}")))
}

fn start<'k>(topic: &TestTopic<'k>, kafka: &'k TestKafka) -> TestApp<'k> {
    let app = TestApp::builder(kafka).view("v", topic).set("kafka.poll_interval", "200ms");
    app.set("kafka.request_timeout", "3s").start().restored()
}

/// The only replica that is left was not in sync: what the others had beyond it is gone, and its log goes on with
/// other records in their place.
fn overwritten(name: &str, stopped: bool) {
    let kafka = TestKafka::start_three(&[]);
    let topic = kafka.topic(name).config("unclean.leader.election.enable", "true");
    let topic = topic.config("min.insync.replicas", "1").create_on(&[&[1, 2]]);
    let keys: Vec<String> = (0..50).map(|number| format!("v{number}")).collect();
    let write = |version| topic.write_all(keys.iter().map(|key| Record::put(key, versioned(key, version))));
    topic.put("same", "kept");
    topic.write_all(records("kept", 100));
    write(1);
    let mut app = start(&topic, &kafka);

    kafka.end_member(2, Signal::TERM);
    let cut_off = write(2)[0].offset;
    topic.write_all(records("lost", 50));
    let last = topic.put("same", "lost");
    app.wait_until_applied("v", &last);
    match stopped {
        true => drop(app.terminate()),
        false => app.signal(Signal::STOP),
    }
    kafka.end_member(1, Signal::KILL);
    kafka.start_member(2);
    kafka.wait_for_leader(topic.name(), 0, 2);
    topic.lost(0, cut_off);
    // More than was lost: the position lies within the log again.
    topic.write_by(Partitioner::Murmur2, records("new", 200));
    match stopped {
        true => app.start_again(),
        false => app.signal(Signal::CONT),
    }

    app.read_while_replaced("v", &topic, &keys, || {
        app.wait_for_event("v", "log-rewritten");
        app.wait_until_restored();
    });
    let mut fold = Fold::of_topic(&kafka, topic.name());
    fold.know_keys((0..50).map(|number| format!("lost-{number}").into_bytes()));
    app.assert_view_equals("v", &fold);
    assert_eq!((app.get("v", "lost-7").status, app.get("v", "same").text()), (404, "kept".to_owned()));
    app.wait_for_status("v", "live again", |status| status["state"] == "live");
}

/// FAULTS row 20.
#[test]
#[ignore = "three nodes: make k3"]
fn a_log_overwritten_while_the_service_looked_away_is_read_anew() {
    overwritten("overwritten-running", false);
}

/// FAULTS row 20.
#[test]
#[ignore = "three nodes: make k3"]
fn a_log_overwritten_while_the_service_was_stopped_is_read_anew() {
    overwritten("overwritten-stopped", true);
}

/// FAULTS row 15.
#[test]
#[ignore = "three nodes: make k3"]
fn a_leader_that_leaves_cleanly_or_not_costs_no_record_and_no_rebuild() {
    let kafka = TestKafka::start_three(&[]);
    let topic = kafka.topic("bounced").config("min.insync.replicas", "1").create_on(&[&[1, 2, 3]]);
    topic.write_all(records("k", 100));
    let app = start(&topic, &kafka);
    let generation = app.generation("v");
    for (round, signal) in [Signal::TERM, Signal::KILL, Signal::TERM].into_iter().enumerate() {
        let leader = kafka.leader(topic.name(), 0).expect("a leader");
        kafka.end_member(leader, signal);
        kafka.wait_until_in_sync(topic.name(), 2);
        topic.write_all((0..100).map(|number| Record::put(format!("k-{number}"), format!("{round}"))));
        let last = topic.put("last", format!("{round}"));
        app.wait_until_applied("v", &last);
        kafka.start_member(leader);
        kafka.wait_until_in_sync(topic.name(), 3);
    }
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    let events = app.status("v")["events"].to_string();
    assert_eq!((app.generation("v"), app.count_events("v", "log-rewritten")), (generation, 0), "{events}");
}

/// FAULTS row 15: a broker told the client of the topic and is gone when a record of another one arrives.
#[test]
#[ignore = "three nodes: make k3"]
fn a_broker_that_is_gone_holds_up_no_partition_of_the_others() {
    let kafka = TestKafka::start_three(&[]);
    let topic = kafka.topic("named").create_on(&[&[1], &[2]]);
    topic.put_to(0, "k", "1");
    let app = TestApp::builder(&kafka).view("v", &topic);
    let app = app.set("kafka.properties.\"topic.metadata.refresh.interval.ms\"", "300");
    let app = app.set("kafka.properties.debug", "metadata").set("log.level", "info,librdkafka=debug");
    let app = app.start().restored();
    let told = |line: &str| line.contains("/2: ===== Received metadata") && line.contains("client=\"v\"");
    eventually(DEADLINE, "word of the second node", || app.log().lines().find(|line| told(line)).map(drop));
    kafka.end_member(2, Signal::KILL);
    let record = topic.put_to(0, "k", "2");
    eventually(SOON, "the record", || (app.position("v", 0)? > record.offset).then_some(()));
}

/// FAULTS row 15: one partition without a leader is no reason to leave the others.
#[test]
#[ignore = "three nodes: make k3"]
fn a_partition_without_a_leader_is_in_trouble_alone() {
    let kafka = TestKafka::start_three(&[]);
    let topic = kafka.topic("leaderless").create_on(&[&[1], &[2], &[3]]);
    for partition in 0..3 {
        topic.put_to(partition, format!("p{partition}"), "1");
    }
    let app = start(&topic, &kafka);
    kafka.end_member(3, Signal::KILL);
    app.wait_for_status("v", "trouble with the partition", |status| {
        let reason = |partition: usize| &status["partitions"][partition]["reason"];
        reason(2) == "broker-unreachable" && reason(0).is_null() && reason(1).is_null()
    });
    for partition in 0..2 {
        let record = topic.put_to(partition, format!("p{partition}"), "2");
        app.wait_until_applied("v", &record);
    }
    assert_eq!(app.get("v", "p2").status, 200);

    kafka.start_member(3);
    app.wait_for_event("v", "recovered");
    let record = topic.put_to(2, "p2", "2");
    app.wait_until_applied("v", &record);
    app.assert_view_equals("v", &topic.fold());
}
