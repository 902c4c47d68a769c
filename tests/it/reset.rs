//! An operator sets the group's offsets with Kafka's own tool.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::app::{TestApp, versioned};
use crate::eventually::{eventually, within};
use crate::kafka::{Record, TestKafka, TestTopic};
use crate::metrics::sample;

const PARTITIONS: u64 = 3;
const KEYS: u64 = 200;
const VERSIONS: u64 = 40;

/// Bound on seeing in the group what an operator did.
const SOON: Duration = Duration::from_secs(60);

fn keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("k{number}")).collect()
}

fn write_versions(topic: &TestTopic<'_>, versions: std::ops::Range<u64>) {
    let keys = keys();
    topic.write_all(versions.flat_map(|version| {
        keys.iter().map(move |key| Record::put(key, versioned(key, version))).collect::<Vec<_>>()
    }));
}

fn filled_topic<'k>(kafka: &'k TestKafka, name: &str) -> TestTopic<'k> {
    let topic = kafka.topic(name).partitions(3).create();
    write_versions(&topic, 0..VERSIONS);
    topic
}

/// Starts a service that looks at its group often and builds in small steps.
fn start<'k>(topic: &TestTopic<'k>, kafka: &'k TestKafka, group: &str) -> TestApp<'k> {
    let app = TestApp::builder(kafka)
        .view("v", topic)
        .set("kafka.group", group)
        .set("kafka.poll_interval", "200ms")
        .set("mirror.interval", "100ms")
        .set("batch.records_max", 100)
        .start()
        .restored();
    app.wait_until_signed("v", group);
    app
}

fn reset(topic: &TestTopic<'_>, group: &str, scope: &str, how: &[&str]) {
    let fixed = ["--group", group, "--topic", scope, "--reset-offsets", "--execute"];
    topic.kafka().groups(&[fixed.as_slice(), how].concat());
}

/// Makes sure that the service has looked at its group once more, and compares.
fn settle(app: &TestApp<'_>, topic: &TestTopic<'_>, group: &str) {
    write_versions(topic, VERSIONS + 1..VERSIONS + 2);
    app.wait_until_restored();
    app.wait_until_signed("v", group);
    app.assert_view_equals("v", &topic.fold());
}

/// Asserts that resets of so many partitions were told since the service was first started, each by one event, one line
/// of the log, and one count.
fn assert_told(app: &TestApp<'_>, outcome: &str, partitions: usize) {
    let kind = format!("reset-{outcome}");
    assert_eq!(app.count_events("v", &kind), partitions, "{}", app.status("v")["events"]);
    assert_eq!(app.log().matches(&format!("kind=\"{kind}\"")).count(), partitions, "{}", app.log());
    assert_counted(app, outcome, partitions);
}

/// Asserts how many resets the running process has counted.
fn assert_counted(app: &TestApp<'_>, outcome: &str, partitions: usize) {
    let series = format!("statusquo_view_resets_total{{view=\"v\",outcome=\"{outcome}\"}}");
    assert_eq!(usize::try_from(sample(app, &series)), Ok(partitions), "{series}");
}

/// FAULTS rows 45 and 53.
#[test]
fn a_reset_to_the_start_rebuilds_every_partition_and_no_read_fails_meanwhile() {
    let kafka = TestKafka::shared();
    let topic = filled_topic(kafka, "reset-all");
    let app = start(&topic, kafka, "g-reset-all");
    assert_eq!(app.generation("v"), PARTITIONS);

    app.read_while("v", &topic, &keys(), || {
        reset(&topic, "g-reset-all", topic.name(), &["--to-earliest"]);
        // The serving slots go on following while the fresh ones are built.
        write_versions(&topic, VERSIONS..VERSIONS + 1);
        app.wait_for_generation("v", 2 * PARTITIONS);
    });
    app.wait_until_signed("v", "g-reset-all");
    assert_told(&app, "obeyed", 3);
    settle(&app, &topic, "g-reset-all");
    assert_eq!(app.generation("v"), 2 * PARTITIONS);
}

/// FAULTS row 45: positions that move are mirrored time and again, and that does not hide the reset.
#[test]
fn a_reset_amid_writes_is_obeyed() {
    let kafka = TestKafka::shared();
    let topic = filled_topic(kafka, "reset-amid");
    let group = "g-reset-amid";
    let app = start(&topic, kafka, group);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for version in VERSIONS.. {
                write_versions(&topic, version..version + 1);
                if over.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        // Kafka has no commit under a condition: a reset between a look and its commit is lost, and set again.
        let obeyed = (0..3).any(|_| {
            reset(&topic, group, topic.name(), &["--to-earliest"]);
            let seen = || (app.count_events("v", "reset-obeyed") > 0).then_some(());
            within(Duration::from_secs(5), Duration::from_millis(50), seen).is_some()
        });
        over.store(true, Ordering::Relaxed);
        assert!(obeyed, "{}", app.status("v")["events"]);
    });
    app.wait_for_generation("v", 2 * PARTITIONS);
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
}

/// FAULTS row 45.
#[test]
fn a_reset_of_one_partition_rebuilds_that_one() {
    let kafka = TestKafka::shared();
    let topic = filled_topic(kafka, "reset-one");
    let app = start(&topic, kafka, "g-reset-one");

    reset(&topic, "g-reset-one", &format!("{}:1", topic.name()), &["--to-offset", "5"]);
    app.wait_for_generation("v", PARTITIONS + 1);
    settle(&app, &topic, "g-reset-one");
    assert_eq!(app.generation("v"), PARTITIONS + 1);
    let status = app.status("v");
    let rebuilt: Vec<_> = status["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "operator-reset")
        .map(|event| event["partition"].as_i64())
        .collect();
    assert_eq!(rebuilt, [Some(1)]);
    assert_told(&app, "obeyed", 1);
    assert_counted(&app, "refused", 0);
}

/// FAULTS row 45: what was obeyed and signed over is no excuse for what comes after it.
#[test]
fn a_reset_to_the_same_offset_is_obeyed_again_however_soon_it_comes() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("reset-again").create();
    topic.put("a", "1");
    let group = "g-reset-again";
    let app = TestApp::builder(kafka).view("v", &topic).set("kafka.group", group);
    // Long enough for both resets to come between two looks at the group.
    let app = app.set("kafka.poll_interval", "200ms").set("mirror.interval", "10s").start().restored();
    app.wait_until_signed("v", group);
    for generation in [2, 3] {
        reset(&topic, group, topic.name(), &["--to-earliest"]);
        app.wait_for_generation("v", generation);
        app.wait_until_signed("v", group);
    }
    assert_told(&app, "obeyed", 2);
}

/// FAULTS row 44.
#[test]
fn a_reset_while_stopped_is_obeyed_exactly_once() {
    let kafka = TestKafka::shared();
    let topic = filled_topic(kafka, "reset-stopped");
    let group = "g-reset-stopped";
    let mut app = start(&topic, kafka, group);
    assert_eq!(app.terminate().code, Some(0));

    reset(&topic, group, topic.name(), &["--to-earliest"]);
    app.start_again();
    app.read_while("v", &topic, &keys(), || app.wait_for_generation("v", 2 * PARTITIONS));
    app.wait_until_restored();
    app.wait_until_signed("v", group);
    assert_told(&app, "obeyed", 3);

    assert_eq!(app.terminate().code, Some(0));
    app.start_again();
    app.wait_until_restored();
    settle(&app, &topic, group);
    assert_counted(&app, "obeyed", 0);
    assert_eq!(app.generation("v"), 2 * PARTITIONS);
}

/// FAULTS rows 44 and 45.
#[test]
fn a_kill_around_a_reset_neither_loses_nor_repeats_it() {
    let kafka = TestKafka::shared();
    let topic = filled_topic(kafka, "reset-killed");
    let group = "g-reset-killed";
    let mut app = start(&topic, kafka, group);
    let mut generation = PARTITIONS;
    for looks in [0, 1, 2, 4, 8, 16] {
        std::thread::scope(|scope| {
            let operator = scope.spawn(|| reset(&topic, group, topic.name(), &["--to-earliest"]));
            eventually(SOON, "an empty signature", || {
                let committed = kafka.committed(group, topic.name());
                let reset = committed.values().any(|(_, text)| text.is_empty());
                (reset || operator.is_finished()).then_some(())
            });
            // Each look at the status takes a moment: the kills come at different stages of the reset.
            (0..looks).for_each(|_| drop(app.status("v")));
            app.kill();
            operator.join().unwrap();
        });
        app.start_again();
        generation += PARTITIONS;
        app.wait_for_generation("v", generation);
        settle(&app, &topic, group);
        assert_eq!(app.generation("v"), generation, "after {looks} looks");
    }
}

/// FAULTS row 47.
#[test]
fn a_reset_that_would_skip_records_is_refused() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("reset-forward").create();
    let group = "g-reset-forward";
    let first = topic.put("a", "1");
    let app = start(&topic, kafka, group);
    // An open transaction: the log ends beyond what may be read.
    let mut open = topic.begin();
    (0..10).for_each(|number| open.put(format!("open-{number}"), "1"));
    open.flush();

    reset(&topic, group, topic.name(), &["--to-latest"]);
    app.wait_for_event("v", "reset-refused");
    app.wait_until_signed("v", group);
    assert_eq!(app.position("v", 0), Some(first.offset + 1));
    let committed = open.commit();
    app.wait_until_applied("v", committed.last().unwrap());
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    assert_eq!(app.generation("v"), 1);
    assert_told(&app, "refused", 1);
    assert_counted(&app, "obeyed", 0);
}

/// FAULTS row 46.
#[test]
fn offsets_that_vanish_are_mirrored_again_without_a_rebuild() {
    let kafka = TestKafka::shared();
    let topic = filled_topic(kafka, "reset-vanished");
    let group = "g-reset-vanished";
    let app = start(&topic, kafka, group);

    kafka.groups(&["--group", group, "--topic", topic.name(), "--delete-offsets"]);
    app.wait_until_signed("v", group);
    kafka.groups(&["--group", group, "--delete"]);
    app.wait_until_signed("v", group);
    settle(&app, &topic, group);
    assert_eq!(app.generation("v"), PARTITIONS);
}

/// FAULTS row 40.
#[test]
fn a_second_instance_in_the_same_group_is_reported_and_nobody_rebuilds() {
    let kafka = TestKafka::shared();
    let topic = filled_topic(kafka, "reset-conflict");
    let group = "g-reset-conflict";
    let one = start(&topic, kafka, group);
    let other = start(&topic, kafka, group);

    eventually(SOON, "a conflict", || {
        [&one, &other].into_iter().find(|app| app.count_events("v", "group-conflict") > 0).map(|told| {
            let status = told.status("v");
            assert_eq!(
                (&status["warnings"][0]["code"], &status["state"]),
                (&"group-conflict".into(), &"live".into())
            );
            let shown = told.get("v", "k1");
            assert!(shown.header("view-status").unwrap().ends_with("warning=group-conflict"));
            assert_eq!(sample(told, "statusquo_view_warning{view=\"v\",warning=\"group-conflict\"}"), 1);
        })
    });
    for app in [&one, &other] {
        settle(app, &topic, group);
        assert_eq!(app.generation("v"), PARTITIONS);
        assert_eq!(app.count_events("v", "reset-obeyed"), 0);
        // Told once, however often the two overwrite each other.
        assert!(app.count_events("v", "group-conflict") <= 1, "{}", app.status("v")["events"]);
    }
}
