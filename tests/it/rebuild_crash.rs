//! Ends of the process in the middle of a build.

use crate::app::{TestApp, versioned};
use crate::eventually::eventually;
use crate::kafka::{Record, TestKafka, TestTopic};
use crate::process::Signal;

use std::time::Duration;

const PARTITIONS: u64 = 2;
const KEYS: u64 = 500;
const VERSIONS: u64 = 60;

/// A build of 35 000 records beside a slot that serves takes three seconds: an end comes in the middle of it.
const RECORDS_PER_SECOND: i64 = 12_000;

/// Bound on one stage of a build.
const STAGE: Duration = Duration::from_secs(120);

fn keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("k{number}")).collect()
}

fn write_version(topic: &TestTopic<'_>, version: u64) {
    topic.write_all(keys().iter().map(|key| Record::put(key, versioned(key, version))));
}

fn long_topic<'k>(kafka: &'k TestKafka, name: &str) -> TestTopic<'k> {
    let topic = kafka.topic(name).partitions(2).create();
    topic.write_all((0..2_500).map(|number| Record::put(format!("gone-{number}"), "x")));
    topic.write_all((0..2_500).map(|number| Record::delete(format!("gone-{number}"))));
    (0..VERSIONS).for_each(|version| write_version(&topic, version));
    topic
}

fn start<'k>(topic: &TestTopic<'k>, kafka: &'k TestKafka, group: &str) -> TestApp<'k> {
    let app = TestApp::builder(kafka).view("v", topic).set("kafka.group", group);
    app.set("kafka.poll_interval", "200ms")
        .set("mirror.interval", "100ms")
        .set("batch.records_max", 100)
        // A build gathers as much as a memtable holds: here a few thousand records.
        .set("store.write_buffer", "1MiB")
        .set("rebuild.records_per_second", RECORDS_PER_SECOND)
        .start()
}

/// Sum of the positions of the builds that run; none when none runs.
fn built(app: &TestApp<'_>) -> Option<i64> {
    let status = app.status("v");
    let partitions = status["partitions"].as_array().expect("partitions");
    partitions.iter().filter_map(|partition| partition["restore"]["position"].as_i64()).reduce(|a, b| a + b)
}

/// Waits until a build is beyond a point, or over.
fn wait_until_built(app: &TestApp<'_>, beyond: i64, generation: u64) {
    eventually(STAGE, "a build", || {
        let far = built(app).is_some_and(|position| position >= beyond);
        (far || app.generation("v") >= generation).then_some(())
    });
}

fn interrupted_rebuild(name: &str, signals: &[Signal]) {
    let kafka = TestKafka::shared();
    let topic = long_topic(kafka, name);
    let group = format!("g-{name}");
    let mut app = start(&topic, kafka, &group).restored();
    app.wait_until_signed("v", &group);
    let reset = ["--group", &group, "--topic", topic.name(), "--reset-offsets", "--to-earliest", "--execute"];
    kafka.groups(&reset);
    let mut met = 0;
    for (round, signal) in (1..).zip(signals) {
        // A pseudo-random point, another one each time.
        let point = (i64::from(std::process::id()) * 7919 + round * 10_007) % 6_000 + round * 4_000;
        app.read_while("v", &topic, &keys(), || wait_until_built(&app, point, 2 * PARTITIONS));
        met += u32::from(app.generation("v") < 2 * PARTITIONS);
        match *signal {
            Signal::KILL => app.kill(),
            _ => assert_eq!(app.terminate().code, Some(0)),
        }
        app.start_again();
        write_version(&topic, VERSIONS + u64::try_from(round).unwrap());
    }
    app.read_while("v", &topic, &keys(), || app.wait_for_generation("v", 2 * PARTITIONS));
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    app.wait_until_signed("v", &group);
    assert_eq!(app.generation("v"), 2 * PARTITIONS);
    assert!(met > 0, "no end came in the middle of a build");
}

/// FAULTS rows 1 and 53.
#[test]
fn kills_during_a_rebuild_never_show_half_of_it() {
    interrupted_rebuild("killed-rebuild", &[Signal::KILL, Signal::KILL, Signal::KILL]);
}

/// FAULTS rows 12 and 53.
#[test]
fn stops_during_a_rebuild_never_show_half_of_it() {
    interrupted_rebuild("stopped-rebuild", &[Signal::TERM, Signal::TERM]);
}

/// FAULTS row 12: nothing is answered before the first build is complete, however often it is interrupted.
#[test]
fn kills_during_the_first_build_show_nothing_of_it() {
    let kafka = TestKafka::shared();
    let topic = long_topic(kafka, "killed-first");
    let mut app = start(&topic, kafka, "g-killed-first");
    for point in [1, 5_000, 12_000, 25_000] {
        eventually(STAGE, "a build", || {
            let answer = app.get("v", "k1");
            let position = built(&app);
            // Asked before the status: a build may end in between.
            assert!(answer.status == 503 || app.generation("v") >= PARTITIONS, "{}", answer.text());
            (position.is_none_or(|position| position >= point)).then_some(())
        });
        app.kill();
        app.start_again();
    }
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    assert_eq!(app.generation("v"), PARTITIONS);
}
