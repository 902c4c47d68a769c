//! A store that an earlier build wrote.
//!
//! `STATUSQUO_WRITE_FIXTURE=1 cargo test --test it the_store_fixture_is_written` writes it anew; that is needed
//! only when the format changes, and then under a new name beside this one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::eventually::eventually;
use crate::kafka::{Record, TestKafka};
use crate::process::scratch;

const TOPIC: &str = "store-fixture";

/// Bound on everything a test waits for.
const DEADLINE: Duration = Duration::from_secs(60);

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/store-v1")
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn the_store_fixture_is_written() {
    if std::env::var_os("STATUSQUO_WRITE_FIXTURE").is_none() {
        return;
    }
    let kafka = TestKafka::start();
    let topic = kafka.topic(TOPIC).partitions(2).create();
    let headers = Record::put("a", r#"{"n":1}"#).to(0).at(1_700_000_000_123);
    topic.write(headers.header("trace", Some(b"\x01\x02")).header("none", None));
    topic.write(Record::put("b", "gone").to(0).at(1_700_000_000_456));
    topic.write(Record::delete("b").to(0).at(1_700_000_000_789));
    topic.write(Record::put("", "of the empty key").to(1).at(1_700_000_001_000));
    topic.write(Record::put("empty", "").to(1).at(1_700_000_002_000));
    let mut app = TestApp::builder(&kafka).view("v", &topic).start().restored();
    assert_eq!(app.terminate().code, Some(0));
    let _ = fs::remove_dir_all(fixture());
    copy(&app.data_dir().join("v"), &fixture());
    // What RocksDB writes for people, and the lock of a process that is gone.
    for entry in fs::read_dir(fixture().join("db")).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("LOG") || name == "LOCK" {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// Serves the fixture without any broker: what it answers is in the store.
fn serve_without_a_broker() -> (tempfile::TempDir, TestApp<'static>) {
    let directory = scratch("fixture-");
    copy(&fixture(), &directory.path().join("v"));
    let identity: Value = serde_json::from_slice(&fs::read(fixture().join("IDENTITY")).unwrap()).unwrap();
    let app = TestApp::builder(TestKafka::shared())
        .view_of("v", identity["topic"].as_str().unwrap())
        .data_dir(directory.path())
        .set("kafka.bootstrap", "127.0.0.1:1")
        .start();
    (directory, app)
}

/// FAULTS row 43.
#[test]
fn a_store_of_format_1_is_served() {
    let (_directory, app) = serve_without_a_broker();
    eventually(DEADLINE, "the stored view", || (app.get("v", "a").status == 200).then_some(()));

    let found = app.get("v", "a");
    assert_eq!(found.text(), r#"{"n":1}"#);
    let header = |name| found.header(name).unwrap_or_default().to_owned();
    assert_eq!((header("record-partition"), header("record-offset")), ("0".to_owned(), "0".to_owned()));
    assert_eq!(header("record-timestamp"), "2023-11-14T22:13:20.123Z");
    let entry = app.get_raw("/v1/views/v/keys/a?format=entry").json();
    assert_eq!(entry["headers"], json!([["trace", "AQI="], ["none", null]]));
    assert_eq!(app.get_raw("/v1/views/v/lookup?key=").text(), "of the empty key");
    assert_eq!((app.get("v", "empty").status, app.get("v", "empty").body), (200, Vec::new()));
    assert_eq!(app.get("v", "b").status, 404);
    assert_eq!((app.position("v", 0), app.position("v", 1)), (Some(3), Some(2)));
    assert!(!app.log().contains("damaged"), "{}", app.log());
}
