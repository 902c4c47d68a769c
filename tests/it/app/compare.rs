//! Compares a view with the oracle, key by key and byte by byte.

use std::fmt::Write;
use std::thread;

use super::{Connection, Response, TestApp};
use crate::fold::{Entry, Fold};

/// Connections that ask side by side.
const CONNECTIONS: usize = 4;

/// Differences a failure shows; the first few say it all.
const DIFFERENCES_SHOWN: usize = 10;

/// What a view must answer about a key; `None` if it holds nothing.
type Expectation = (Vec<u8>, Option<Entry>);

impl TestApp<'_> {
    /// Asserts that a view holds what the oracle says: value, partition and offset of every live key, and
    /// `key-not-found` for every other key that was ever seen.
    pub fn assert_view_equals(&self, view: &str, fold: &Fold) {
        let live = fold.entries().into_iter().map(|(key, entry)| (key, Some(entry)));
        let absent = fold.absent().into_iter().map(|key| (key, None));
        let expected: Vec<Expectation> = live.chain(absent).collect();
        let share = expected.len().div_ceil(CONNECTIONS).max(1);
        let differences: Vec<String> = thread::scope(|scope| {
            let compare = |part| scope.spawn(move || differences(self.connect(), view, part));
            let workers: Vec<_> = expected.chunks(share).map(compare).collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("a comparison")).collect()
        });
        let shown = differences.iter().take(DIFFERENCES_SHOWN).cloned().collect::<Vec<_>>().join("\n");
        let (wrong, all) = (differences.len(), expected.len());
        assert!(wrong == 0, "{wrong} of {all} keys of {view} differ\n{shown}\n{}", self.describe());
    }
}

/// Returns the path of a key for the encoding `utf8`; everything but unreserved characters is escaped.
pub fn key_path(view: &str, key: &[u8]) -> String {
    let mut path = format!("/v1/views/{view}/keys/");
    for byte in key {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                path.push(char::from(*byte));
            }
            _ => drop(write!(path, "%{byte:02X}")),
        }
    }
    path
}

fn differences(mut connection: Connection, view: &str, expected: &[Expectation]) -> Vec<String> {
    let difference = |(key, entry): &Expectation| {
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        // The query form reaches every key, also the empty one.
        let response = connection.get(format!("/v1/views/{view}/lookup?enc=hex&key={hex}"));
        let problem = match entry {
            Some(entry) => compare_entry(&response, entry),
            None => compare_absent(&response),
        };
        problem.map(|problem| format!("key {hex} ({}): {problem}", String::from_utf8_lossy(key)))
    };
    expected.iter().filter_map(difference).collect()
}

fn compare_entry(response: &Response, entry: &Entry) -> Option<String> {
    let place = |name| response.header(name).and_then(|value| value.parse::<i64>().ok());
    let (partition, offset) = (place("Record-Partition"), place("Record-Offset"));
    let expected = (Some(i64::from(entry.partition)), Some(entry.offset));
    if response.status != 200 {
        return Some(format!("expected {expected:?}, got {} {}", response.status, response.text()));
    }
    if (partition, offset) != expected {
        return Some(format!("expected partition and offset {expected:?}, got {partition:?} {offset:?}"));
    }
    let expected = String::from_utf8_lossy(&entry.value);
    (response.body != entry.value).then(|| format!("expected {expected:?}, got {:?}", response.text()))
}

fn compare_absent(response: &Response) -> Option<String> {
    if response.status != 404 {
        return Some(format!("expected 404, got {} {}", response.status, response.text()));
    }
    // A 404 of another kind, such as an unknown view, proves nothing about the key.
    let code = response.json()["code"].as_str().map(str::to_owned);
    (code.as_deref() != Some("key-not-found")).then(|| format!("expected key-not-found, got {code:?}"))
}
