//! What keeps the service from starting, and the words it says then.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::app::{AppBuilder, Exit, TestApp};
use crate::kafka::{TestKafka, TestTopic};
use crate::process::scratch;

fn on<'k>(directory: &Path, topic: &TestTopic<'k>) -> AppBuilder<'static> {
    TestApp::builder(TestKafka::shared()).data_dir(directory).view("v", topic)
}

/// Asserts that the last thing said holds these words, all on one line.
fn assert_refused(exit: &Exit, words: &[&str]) {
    assert_eq!(exit.code, Some(1), "{}", exit.log);
    let last = exit.log.lines().last().unwrap_or_default();
    for word in words {
        assert!(last.contains(word), "{word:?} is missing in {last:?}");
    }
}

/// Every file below a directory with its bytes.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                found.insert(path, bytes);
            }
        }
    }
    found
}

/// A stopped service's store of a topic with one entry.
fn stored(directory: &Path, prefix: &str) -> TestTopic<'static> {
    let topic = TestKafka::shared().topic(prefix).create();
    topic.put("a", "1");
    let mut app = on(directory, &topic).start().restored();
    assert_eq!(app.terminate().code, Some(0));
    topic
}

/// FAULTS row 9.
#[test]
fn a_second_process_on_the_same_directory_ends_and_the_first_goes_on() {
    let directory = scratch("data-");
    let topic = TestKafka::shared().topic("held").create();
    topic.put("a", "1");
    let app = on(directory.path(), &topic).start().restored();
    let listen = fs::read(directory.path().join("listen.json")).unwrap();

    let exit = on(directory.path(), &topic).run_to_exit();
    assert_refused(&exit, &["view 'v' cannot be opened", "is in use by another process", "its own data_dir"]);
    assert_eq!(fs::read(directory.path().join("listen.json")).unwrap(), listen);
    let record = topic.put("a", "2");
    app.wait_until_applied("v", &record);
    assert_eq!(app.get("v", "a").text(), "2");
}

/// FAULTS row 9.
#[test]
fn a_killed_process_leaves_no_lock() {
    let directory = scratch("data-");
    let topic = TestKafka::shared().topic("unlocked").create();
    topic.put("a", "1");
    let mut app = on(directory.path(), &topic).start().restored();
    app.kill();
    on(directory.path(), &topic).start().restored().assert_view_equals("v", &topic.fold());
}

#[test]
fn foreign_files_are_not_touched() {
    let directory = scratch("data-");
    let topic = TestKafka::shared().topic("foreign").create();
    fs::create_dir(directory.path().join("v")).unwrap();
    fs::write(directory.path().join("v/thesis.txt"), "years of work").unwrap();
    let before = contents(directory.path());

    let exit = on(directory.path(), &topic).run_to_exit();
    assert_refused(&exit, &["files that are not a statusquo store", "another data_dir, or move them away"]);
    assert_eq!(contents(directory.path()), before);
}

#[test]
fn the_store_of_another_topic_is_not_touched() {
    let directory = scratch("data-");
    let topic = stored(directory.path(), "first");
    let other = TestKafka::shared().topic("second").create();
    let before = contents(directory.path());

    let exit = on(directory.path(), &other).run_to_exit();
    let (holds, wants) =
        (format!("holds topic '{}'", topic.name()), format!("configuration says '{}'", other.name()));
    assert_refused(&exit, &[&holds, &wants, "name the view differently, or move the directory away"]);
    assert!(contents(directory.path()) == before, "the store was touched");
}

/// FAULTS row 43.
#[test]
fn a_store_of_a_newer_format_is_not_touched() {
    let directory = scratch("data-");
    let topic = stored(directory.path(), "newer");
    let path = directory.path().join("v/IDENTITY");
    let mut identity: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    identity["format"] = 2.into();
    fs::write(&path, identity.to_string()).unwrap();
    let before = contents(directory.path());

    let exit = on(directory.path(), &topic).run_to_exit();
    assert_refused(&exit, &["store format 2, this version reads up to 1", "use a newer statusquo"]);
    assert!(contents(directory.path()) == before, "the store was touched");
}

#[test]
fn a_data_directory_below_a_file_is_named() {
    let directory = scratch("data-");
    let topic = TestKafka::shared().topic("below").create();
    fs::write(directory.path().join("file"), "").unwrap();
    let path = directory.path().join("file/data");

    let exit = on(&path, &topic).run_to_exit();
    assert_refused(
        &exit,
        &["cannot be opened", &path.display().to_string(), "Not a directory", "another data_dir"],
    );
}

/// A directory mounted read-only for as long as the value lives; none where mounting is not permitted.
struct ReadOnly<'d>(&'d Path);

impl<'d> ReadOnly<'d> {
    fn mount(path: &'d Path) -> Option<Self> {
        let run = |arguments: &[&str]| {
            Command::new("mount").args(arguments).arg(path).status().is_ok_and(|status| status.success())
        };
        let source = path.display().to_string();
        if !run(&["--bind", &source]) {
            eprintln!("SKIPPED: mounting is not permitted here");
            return None;
        }
        let mounted = Self(path);
        assert!(run(&["-o", "remount,ro,bind"]), "a read-only mount");
        Some(mounted)
    }
}

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_read_only_data_directory_is_named_and_the_store_is_no_damaged_one() {
    let directory = scratch("data-");
    let topic = stored(directory.path(), "read-only");
    let before = contents(directory.path());
    let Some(mounted) = ReadOnly::mount(directory.path()) else { return };
    let exit = on(directory.path(), &topic).run_to_exit();
    drop(mounted);

    assert_refused(
        &exit,
        &["view 'v' cannot be opened", "read-only", "rights and the disk", "another data_dir"],
    );
    assert_eq!(exit.log.lines().last().unwrap().matches("read-only filesystem").count(), 1, "{}", exit.log);
    assert!(contents(directory.path()) == before, "the store was touched");
}

#[test]
fn a_busy_port_is_named_with_its_key() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = held.local_addr().unwrap().to_string();
    let topic = TestKafka::shared().topic("busy").create();
    for key in ["http.listen", "ops.listen"] {
        let directory = scratch("data-");
        let exit = on(directory.path(), &topic).set(key, addr.as_str()).run_to_exit();
        assert_refused(&exit, &[&format!("cannot listen on {addr}"), "free the port", &format!("set {key}")]);
        assert!(!directory.path().join("v").exists());
    }
}

#[test]
fn a_broken_configuration_ends_with_78_and_names_the_key() {
    let topic = TestKafka::shared().topic("broken").create();
    let directory = scratch("data-");
    let exit = on(directory.path(), &topic).set("batch.record_max", 5).set("http.listen", "x").run_to_exit();
    assert_eq!(exit.code, Some(78), "{}", exit.log);
    for word in ["batch.record_max", "records_max", "http.listen", "2 problems"] {
        assert!(exit.log.contains(word), "{word:?} is missing in {}", exit.log);
    }
    let exit = on(directory.path(), &topic).set("kafka.properties.\"no.such\"", "1").run_to_exit();
    assert_eq!(exit.code, Some(78), "{}", exit.log);
    assert!(exit.log.contains("no.such"), "{}", exit.log);
    assert!(!directory.path().join("v").exists());
}
