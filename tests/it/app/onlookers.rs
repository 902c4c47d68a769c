//! Readers that look on while something happens to a view.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::compare::key_path;
use super::{Connection, TestApp};

/// Entries of one page of a scan: a walk over the keys has several.
const PAGE: usize = 100;

/// A way to read all keys once.
#[derive(Clone, Copy)]
enum Pass {
    OneByOne,
    InBatches,
    InPages,
}

/// A value that says which key it belongs to and which version it is.
pub fn versioned(key: &str, version: u64) -> String {
    format!("{key}={version}")
}

impl TestApp<'_> {
    /// Reads keys without a pause while `work` runs: two readers one by one, one in batches, one in pages.
    ///
    /// Asserts that every answer holds values of the right keys, written by [`versioned`], that no reader ever
    /// sees an older version than it saw before, that a walk comes past every key exactly once, and that no batch
    /// or page holds a record beyond the position it names. There is at least one pass over the keys after `work`.
    pub fn read_while<T>(&self, view: &str, keys: &[String], work: impl FnOnce() -> T) -> T {
        self.look_on(view, keys, &[Pass::OneByOne, Pass::OneByOne, Pass::InBatches, Pass::InPages], work)
    }

    /// As [`read_while`](Self::read_while), one by one alone: for times at which a scan may be refused.
    pub fn look_up_while<T>(&self, view: &str, keys: &[String], work: impl FnOnce() -> T) -> T {
        self.look_on(view, keys, &[Pass::OneByOne; 4], work)
    }

    fn look_on<T>(&self, view: &str, keys: &[String], passes: &[Pass], work: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            // A panic of `work` has to end the readers too.
            let _end = EndOf(&over);
            for pass in passes {
                let seen = keys.iter().map(|key| (key.as_str(), 0)).collect();
                let mut reader = Reader { connection: self.connect(), view, seen };
                let over = &over;
                scope.spawn(move || {
                    loop {
                        let last = over.load(Ordering::Acquire);
                        match pass {
                            Pass::OneByOne => reader.one_by_one(),
                            Pass::InBatches => reader.in_batches(),
                            Pass::InPages => reader.in_pages(),
                        }
                        if last {
                            return;
                        }
                    }
                });
            }
            work()
        })
    }
}

struct EndOf<'a>(&'a AtomicBool);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// One connection, and the newest version it saw of each key.
struct Reader<'a> {
    connection: Connection,
    view: &'a str,
    seen: BTreeMap<&'a str, u64>,
}

impl Reader<'_> {
    fn one_by_one(&mut self) {
        for (key, seen) in &mut self.seen {
            let response = self.connection.get(key_path(self.view, key.as_bytes()));
            let text = response.text();
            assert_eq!(response.status, 200, "{key}: {text}");
            note(key, &text, seen);
        }
    }

    fn in_batches(&mut self) {
        let (path, keys) = (format!("/v1/views/{}/lookup", self.view), self.seen.keys().collect::<Vec<_>>());
        let body = json!({ "keys": keys }).to_string();
        let json = [("Content-Type", "application/json")];
        let response = self.connection.request("POST", path, &json, body.as_bytes()).expect("an answer");
        assert_eq!(response.status, 200, "batch: {}", response.text());
        let answer = response.json();
        let items = answer["items"].as_array().expect("items");
        assert_eq!(items.len(), self.seen.len());
        for (item, (key, seen)) in items.iter().zip(&mut self.seen) {
            assert_eq!((&item["key"], &item["found"]), (&json!(key), &json!(true)), "{item}");
            note(key, &text_of(item), seen);
        }
        assert_reached(&answer);
    }

    fn in_pages(&mut self) {
        let prefix = common_prefix(self.seen.keys());
        let mut next = Some(format!("/v1/views/{}/entries?limit={PAGE}&prefix={prefix}", self.view));
        let mut walked = Vec::new();
        while let Some(path) = next {
            let response = self.connection.get(path);
            assert_eq!(response.status, 200, "page: {}", response.text());
            let page = response.json();
            for item in page["items"].as_array().expect("items") {
                let key = item["key"].as_str().expect("a key");
                if let Some((key, seen)) = self.seen.get_key_value(key).map(|(key, seen)| (*key, *seen)) {
                    let mut newest = seen;
                    note(key, &text_of(item), &mut newest);
                    self.seen.insert(key, newest);
                    walked.push(key);
                }
            }
            assert_reached(&page);
            next = page["next"].as_str().map(str::to_owned);
        }
        assert!(
            walked.iter().eq(self.seen.keys()),
            "the walk came past {} of {} keys",
            walked.len(),
            self.seen.len()
        );
    }
}

/// Asserts that a value is one of its key, and no older than what was seen.
fn note(key: &str, text: &str, seen: &mut u64) {
    let version = text.strip_prefix(key).and_then(|rest| rest.strip_prefix('='));
    let version = version.and_then(|version| version.parse().ok());
    let version: u64 = version.unwrap_or_else(|| panic!("{key} is {text}"));
    assert!(*seen <= version, "{key} went back from version {seen} to {version}");
    *seen = version;
}

/// The values of these tests are no JSON, so they come as base64.
fn text_of(item: &Value) -> String {
    let bytes = item["value_base64"].as_str().and_then(|text| STANDARD.decode(text).ok());
    String::from_utf8(bytes.unwrap_or_else(|| panic!("no value: {item}"))).expect("text")
}

/// Asserts that no item is of a record beyond the position the answer names.
fn assert_reached(answer: &Value) {
    let position = answer["position"].as_str().expect("a position");
    let list =
        position.strip_prefix("v1=").and_then(|rest| rest.split(';').next()).expect("a list of offsets");
    let pairs = list.split(',').filter_map(|pair| pair.split_once(':'));
    let reached: BTreeMap<i64, i64> =
        pairs.map(|(partition, offset)| (partition.parse().unwrap(), offset.parse().unwrap())).collect();
    for item in answer["items"].as_array().expect("items") {
        let place = item["partition"].as_i64().zip(item["offset"].as_i64());
        let (partition, offset) = place.unwrap_or_else(|| panic!("no place: {item}"));
        assert!(reached.get(&partition).is_some_and(|last| offset <= *last), "{item} is beyond {position}");
    }
}

fn common_prefix<'k>(keys: impl Iterator<Item = &'k &'k str>) -> String {
    let shared = |one: &str, other: &str| {
        let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b);
        same.map(|(letter, _)| letter).collect::<String>()
    };
    keys.map(|key| (*key).to_owned()).reduce(|one, other| shared(&one, &other)).unwrap_or_default()
}
