//! A store that meets another cluster, or its own as it was before.

use std::fs;

use crate::app::{TestApp, versioned};
use crate::fold::Fold;
use crate::kafka::{Record, TestKafka, TestTopic};
use crate::process::scratch;
use crate::stored::copy;

/// FAULTS row 22: a wrong bootstrap address.
#[test]
fn a_view_of_another_cluster_halts_untouched_and_goes_on_at_home() {
    let (home, away) = (TestKafka::shared(), TestKafka::start());
    let topic = home.topic("strayed").partitions(2).create();
    topic.write_all((0..100).map(|number| Record::put(format!("k{number}"), "1")));
    // More partitions than at home: none of them may be taken in.
    away.topic("strayed").partitions(3).create_named(topic.name());
    let mut app = TestApp::builder(home)
        .view("v", &topic)
        .set("kafka.poll_interval", "200ms")
        .set("mirror.interval", "100ms")
        .set("kafka.group", "g-strayed")
        .start()
        .restored();
    app.wait_until_signed("v", "g-strayed");
    app.terminate();

    app.set("kafka.bootstrap", away.bootstrap());
    app.start_again();
    app.wait_for_event("v", "wrong-cluster");
    app.assert_view_equals("v", &topic.fold());
    let status = app.status("v");
    assert_eq!(
        (&status["reason"], status["generation"].as_u64()),
        (&"wrong-cluster".into(), Some(2)),
        "{status}"
    );
    assert_eq!(status["partitions"].as_array().map(Vec::len), Some(2), "{status}");
    app.terminate();
    assert!(away.committed("g-strayed", topic.name()).is_empty());

    app.set("kafka.bootstrap", home.bootstrap());
    app.start_again();
    topic.put("back", "home");
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    assert_eq!(app.generation("v"), 2);
}

fn keys(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("k{number}")).collect()
}

fn write(topic: &TestTopic<'_>, numbers: std::ops::Range<u32>, version: u64) {
    topic.write_all(keys(numbers).iter().map(|key| Record::put(key, versioned(key, version))));
}

/// FAULTS row 22: the brokers were set back to a backup, and their log ends before the position.
#[test]
fn a_cluster_set_back_to_an_older_state_is_read_anew() {
    for stopped in [false, true] {
        let kafka = TestKafka::start();
        let topic = kafka.topic("set-back").create();
        write(&topic, 0..100, 1);
        kafka.stop();
        let backup = scratch("backup-");
        copy(&kafka.data_dir(), &backup.path().join("logs"));
        kafka.start_again();
        let app = TestApp::builder(&kafka).view("v", &topic).set("kafka.poll_interval", "200ms");
        let mut app = app.set("kafka.request_timeout", "2s").start().restored();
        write(&topic, 50..150, 2);
        app.wait_until_restored();

        let set_back = || {
            kafka.stop();
            fs::remove_dir_all(kafka.data_dir()).unwrap();
            copy(&backup.path().join("logs"), &kafka.data_dir());
            kafka.start_again();
            topic.lost(0, 100);
        };
        if stopped {
            app.terminate();
            set_back();
            app.start_again();
        }
        app.read_while_replaced("v", &topic, &keys(0..150), || {
            if !stopped {
                set_back();
            }
            app.wait_for_event("v", "log-rewritten");
            app.wait_until_restored();
        });
        let mut fold = Fold::of_topic(&kafka, topic.name());
        fold.know_keys(keys(100..150).into_iter().map(String::into_bytes));
        app.assert_view_equals("v", &fold);
        app.wait_for_status("v", "live again", |status| status["state"] == "live");
        assert_eq!(app.generation("v"), 2, "{}", app.status("v")["events"]);
    }
}
