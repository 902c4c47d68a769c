//! A disk that damages a store, seen from outside on a real Kafka.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::app::{TestApp, versioned};
use crate::eventually::within;
use crate::kafka::{Record, TestKafka, TestTopic};
use crate::metrics::sample;

const KEYS: usize = 1000;
const DEADLINE: Duration = Duration::from_secs(60);

fn keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("u{number}")).collect()
}

/// Versions that do not compress, so that one flipped byte harms a few keys of many.
fn filled(kafka: &'static TestKafka) -> TestTopic<'static> {
    let topic = kafka.topic("damage").create();
    topic.write_all(keys().iter().map(|key| Record::put(key, versioned(key, fastrand::u64(..)))));
    topic
}

/// The files of the database, the biggest first.
fn files(app: &TestApp<'_>, is_it: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let files = fs::read_dir(app.data_dir().join("users/db")).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| is_it(path.file_name().unwrap().to_str().unwrap())).collect();
    files.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
    files
}

fn flip_the_middle_of_the_biggest_data_file(app: &TestApp<'_>) {
    let path = &files(app, |name| name.ends_with(".sst"))[0];
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(path, bytes).unwrap();
}

fn damaged_key(app: &TestApp<'_>) -> Option<String> {
    let is_damaged = |key: &String| {
        let answer = app.get("users", key);
        assert_ne!(answer.status, 404, "{key} is missing: {}", answer.text());
        answer.status == 500 && answer.json()["code"] == "storage-corruption"
    };
    keys().into_iter().find(is_damaged)
}

/// FAULTS row 6.
#[test]
fn a_flipped_byte_is_a_500_until_the_partition_is_rebuilt() {
    let topic = filled(TestKafka::shared());
    let mut app = TestApp::builder(topic.kafka()).view("users", &topic).start().restored();
    let before = app.generation("users");
    assert_eq!(app.terminate().code, Some(0));
    flip_the_middle_of_the_biggest_data_file(&app);
    app.start_again();
    app.wait_until_restored();

    // Whoever reads meets the damage, and so may who counts the keys of so small a store.
    app.read_while_mended("users", &topic, &keys(), || app.wait_for_event("users", "damage-repaired"));

    app.wait_until_restored();
    app.assert_view_equals("users", &topic.fold());
    assert_eq!(app.generation("users"), before + 1);
    for kind in ["storage-corruption", "store-damaged", "damage-repaired"] {
        assert_eq!(app.count_events("users", kind), 1, "{}", app.status("users")["events"]);
    }
    assert_eq!(app.log().matches("the store is damaged").count(), 1, "one failure, one line");
}

#[test]
fn damage_stays_in_sight_where_a_person_is_to_decide() {
    let topic = filled(TestKafka::shared());
    let app = TestApp::builder(topic.kafka()).view("users", &topic).set("store.on_corruption", "halt");
    let mut app = app.start().restored();
    assert_eq!(app.terminate().code, Some(0));
    flip_the_middle_of_the_biggest_data_file(&app);
    app.start_again();

    // Whoever looks at the status may meet it first: the keys of so small a store are counted.
    let key = within(DEADLINE, Duration::from_millis(50), || damaged_key(&app)).expect("damage that is met");
    let is_told = || {
        let status = app.status("users");
        (status["state"] == "stuck" && status["reason"] == "storage-corruption").then_some(())
    };
    assert!(within(DEADLINE, Duration::from_millis(50), is_told).is_some(), "{}", app.status("users"));
    topic.put("other", "1");
    let applied = within(DEADLINE, Duration::from_millis(50), || {
        (app.get("users", "other").status == 200).then_some(())
    });
    assert!(applied.is_some() && app.get("users", &key).status == 500);
    assert!(!app.status("users")["events"].to_string().contains("store-damaged"));
}

/// FAULTS rows 7 and 8.
#[test]
fn a_truncated_manifest_has_the_store_moved_aside_and_restored() {
    let topic = filled(TestKafka::shared());
    let mut app = TestApp::builder(topic.kafka()).view("users", &topic).start().restored();
    app.kill();
    let manifest = &files(&app, |name| name.starts_with("MANIFEST"))[0];
    let length = fs::metadata(manifest).unwrap().len();
    fs::OpenOptions::new().write(true).open(manifest).unwrap().set_len(length / 3).unwrap();
    topic.delete("u7");

    app.start_again();
    app.wait_until_restored();

    app.assert_view_equals("users", &topic.fold());
    let entries = fs::read_dir(app.data_dir().join("users")).unwrap();
    let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().any(|name| name.starts_with("corrupt-")), "{names:?}");
    let status = app.status("users");
    assert!(status["events"].to_string().contains("store-quarantined"));
    assert_eq!(status["warnings"][0]["code"], "store-quarantined", "{status}");
    assert_eq!(sample(&app, "statusquo_view_warning{view=\"users\",warning=\"store-quarantined\"}"), 1);
}

/// FAULTS row 7.
#[test]
fn damage_that_a_compaction_meets_ends_the_process_once_and_not_for_ever() {
    let topic = filled(TestKafka::shared());
    let app = TestApp::builder(topic.kafka()).view("users", &topic).set("store.write_buffer", "1MiB");
    let mut app = app.start().restored();
    assert_eq!(app.terminate().code, Some(0));
    flip_the_middle_of_the_biggest_data_file(&app);
    app.start_again();
    app.wait_until_restored();

    let marked = within(DEADLINE, Duration::from_millis(50), || {
        // Enough for several flushes, and so for a compaction with the damaged file in it.
        let noise = || std::iter::repeat_with(|| fastrand::u8(..)).take(1000).collect::<Vec<_>>();
        topic.write_all((0..KEYS).map(|number| Record::put(format!("u{number}"), noise())));
        app.data_dir().join("users/DAMAGED").exists().then_some(())
    });
    assert!(marked.is_some(), "no damage was met\n{}", app.log());
    assert_eq!(app.terminate().code, Some(1));
    app.start_again();
    app.wait_until_restored();

    app.assert_view_equals("users", &topic.fold());
    assert!(!app.data_dir().join("users/DAMAGED").exists());
    assert!(app.status("users")["events"].to_string().contains("store-quarantined"));
}
