//! A directory that is an old copy, or a copy of one that is in use.

use std::time::Duration;

use crate::app::TestApp;
use crate::eventually::eventually;
use crate::kafka::{Record, TestKafka, TestTopic};
use crate::process::scratch;
use crate::stored::copy;

const PARTITIONS: u64 = 2;

fn filled(name: &str) -> TestTopic<'static> {
    let topic = TestKafka::shared().topic(name).partitions(2).create();
    topic.write_all((0..500).map(|number| Record::put(format!("k{number}"), "old")));
    topic
}

fn start(topic: &TestTopic<'_>, group: &str) -> TestApp<'static> {
    let app = TestApp::builder(TestKafka::shared()).view("v", topic).set("kafka.group", group);
    app.set("mirror.interval", "100ms").start().restored()
}

/// FAULTS row 11: what the group holds is newer than the copy, and says nothing.
#[test]
fn an_old_copy_of_the_directory_reads_on_from_where_it_was() {
    let topic = filled("old-copy");
    let mut app = start(&topic, "g-old-copy");
    app.wait_until_signed("v", "g-old-copy");
    app.terminate();
    let old = scratch("old-copy-");
    copy(&app.data_dir().join("v"), &old.path().join("v"));

    app.start_again();
    topic.write_all((0..100).map(|number| Record::put(format!("k{number}"), "new")));
    topic.write_all((200..300).map(|number| Record::delete(format!("k{number}"))));
    app.wait_until_restored();
    app.wait_until_signed("v", "g-old-copy");
    app.terminate();

    std::fs::remove_dir_all(app.data_dir().join("v")).unwrap();
    copy(&old.path().join("v"), &app.data_dir().join("v"));
    app.start_again();
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    app.wait_until_signed("v", "g-old-copy");
    assert_eq!((app.generation("v"), app.count_events("v", "reset-obeyed")), (PARTITIONS, 0));
}

/// FAULTS row 11: two that take themselves for the same one.
#[test]
fn a_copy_of_a_directory_in_use_is_told_and_nobody_rebuilds() {
    let topic = filled("cloned");
    let mut one = start(&topic, "g-cloned");
    one.wait_until_signed("v", "g-cloned");
    one.terminate();
    let clone = scratch("clone-");
    copy(&one.data_dir().join("v"), &clone.path().join("v"));
    one.start_again();
    let other = TestApp::builder(TestKafka::shared()).view("v", &topic).set("kafka.group", "g-cloned");
    let other = other.set("mirror.interval", "100ms").data_dir(clone.path()).start().restored();

    eventually(Duration::from_secs(60), "a conflict", || {
        topic.put("moving", "on");
        let told = |app: &TestApp<'_>| app.count_events("v", "group-conflict") > 0;
        (told(&one) || told(&other)).then_some(())
    });
    for app in [&one, &other] {
        app.wait_until_restored();
        app.assert_view_equals("v", &topic.fold());
        assert_eq!((app.generation("v"), app.count_events("v", "reset-obeyed")), (PARTITIONS, 0));
    }
}
