//! Readers that look on while something happens to a view.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::claims::{self, Claim, Reached};
use super::compare::key_path;
use super::{Connection, Response, TestApp};
use crate::kafka::TestTopic;

/// Entries of one page of a scan: a walk over the keys has several.
const PAGE: usize = 100;

/// A way to read all keys once.
#[derive(Clone, Copy)]
enum Pass {
    OneByOne,
    InBatches,
    InPages,
}

/// What readers put up with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    /// Right answers alone, and nothing goes back in time.
    Nothing,
    /// Another log takes over: keys may be gone, versions and positions go back.
    Replacement,
    /// Stored bytes are damaged: an answer may say so instead, until that is mended.
    Damage,
}

const ALL_WAYS: [Pass; 4] = [Pass::OneByOne, Pass::OneByOne, Pass::InBatches, Pass::InPages];

/// A value that says which key it belongs to and which version it is.
pub fn versioned(key: &str, version: u64) -> String {
    format!("{key}={version}")
}

impl TestApp<'_> {
    /// Reads keys without a pause while `work` runs: two readers one by one, one in batches, one in pages.
    ///
    /// Asserts that every answer holds values of the right keys, written by [`versioned`], that no reader ever
    /// sees an older version or position than it saw before, that a walk comes past every key exactly once, and
    /// that every answer is what the topic says up to the position it names. There is at least one pass over the
    /// keys after `work`.
    pub fn read_while<T>(
        &self,
        view: &str,
        topic: &TestTopic<'_>,
        keys: &[String],
        work: impl FnOnce() -> T,
    ) -> T {
        self.look_on(view, topic, keys, (&ALL_WAYS, Allowed::Nothing), work)
    }

    /// As [`read_while`](Self::read_while), one by one alone: for times at which a scan may be refused.
    pub fn look_up_while<T>(
        &self,
        view: &str,
        topic: &TestTopic<'_>,
        keys: &[String],
        work: impl FnOnce() -> T,
    ) -> T {
        self.look_on(view, topic, keys, (&[Pass::OneByOne; 4], Allowed::Nothing), work)
    }

    /// As [`read_while`](Self::read_while) while the log is replaced by another one: keys may be gone, versions and
    /// positions go back, but each answer is what one of the logs says.
    pub fn read_while_replaced<T>(
        &self,
        view: &str,
        topic: &TestTopic<'_>,
        keys: &[String],
        work: impl FnOnce() -> T,
    ) -> T {
        self.look_on(view, topic, keys, (&ALL_WAYS, Allowed::Replacement), work)
    }

    /// As [`read_while`](Self::read_while) while stored bytes are damaged: answers may be 500 `storage-corruption`, but
    /// for those after `work`.
    pub fn read_while_mended<T>(
        &self,
        view: &str,
        topic: &TestTopic<'_>,
        keys: &[String],
        work: impl FnOnce() -> T,
    ) -> T {
        self.look_on(view, topic, keys, (&ALL_WAYS, Allowed::Damage), work)
    }

    fn look_on<T>(
        &self,
        view: &str,
        topic: &TestTopic<'_>,
        keys: &[String],
        (passes, allowed): (&[Pass], Allowed),
        work: impl FnOnce() -> T,
    ) -> T {
        let over = AtomicBool::new(false);
        let (done, claims) = thread::scope(|scope| {
            // A panic of `work` has to end the readers too.
            let end = EndOf(&over);
            let read = |pass| {
                let seen = keys.iter().map(|key| (key.as_str(), 0)).collect();
                let (connection, reached, claims) = (self.connect(), Reached::new(), BTreeSet::new());
                let reader = Reader { connection, view, allowed, seen, reached, claims };
                let over = &over;
                scope.spawn(move || reader.read_until(pass, over))
            };
            let readers: Vec<_> = passes.iter().map(|pass| read(*pass)).collect();
            let done = work();
            drop(end);
            let claims = readers.into_iter().flat_map(|reader| reader.join().expect("a reader")).collect();
            (done, claims)
        });
        claims::assert_explained(&claims, &topic.logs());
        done
    }
}

struct EndOf<'a>(&'a AtomicBool);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// One connection, and what was seen by it.
struct Reader<'a> {
    connection: Connection,
    view: &'a str,
    allowed: Allowed,
    /// The newest version of each key.
    seen: BTreeMap<&'a str, u64>,
    reached: Reached,
    claims: BTreeSet<Claim>,
}

impl Reader<'_> {
    fn read_until(mut self, pass: Pass, over: &AtomicBool) -> BTreeSet<Claim> {
        loop {
            let last = over.load(Ordering::Acquire);
            if last && self.allowed == Allowed::Damage {
                self.allowed = Allowed::Nothing;
            }
            match pass {
                Pass::OneByOne => self.one_by_one(),
                Pass::InBatches => self.in_batches(),
                Pass::InPages => self.in_pages(),
            }
            if last {
                return self.claims;
            }
        }
    }

    /// Nothing may be missing or go back in time.
    fn is_strict(&self) -> bool {
        self.allowed != Allowed::Replacement
    }

    fn tells_damage(&self, response: &Response) -> bool {
        let may_be = self.allowed == Allowed::Damage && response.status == 500;
        may_be && response.json()["code"] == "storage-corruption"
    }

    fn one_by_one(&mut self) {
        for key in self.seen.keys().copied().collect::<Vec<_>>() {
            let response = self.connection.get(key_path(self.view, key.as_bytes()));
            if self.tells_damage(&response) {
                continue;
            }
            let text = response.text();
            let reached = self.note_reached(response.header("view-position"));
            let is_miss = response.status == 404 && response.json()["code"] == "key-not-found";
            if is_miss && !self.is_strict() {
                self.claim(key, None, &reached, false);
                continue;
            }
            assert_eq!(response.status, 200, "{key}: {text}");
            let place = |name| response.header(name).and_then(|value| value.parse::<i64>().ok()).expect(name);
            let partition = i32::try_from(place("record-partition")).expect("a partition");
            self.claim(key, Some((partition, place("record-offset"), text)), &reached, false);
        }
    }

    fn in_batches(&mut self) {
        let keys: Vec<&str> = self.seen.keys().copied().collect();
        let (path, body) = (format!("/v1/views/{}/lookup", self.view), json!({ "keys": keys }).to_string());
        let json = [("Content-Type", "application/json")];
        let response = self.connection.request("POST", path, &json, body.as_bytes()).expect("an answer");
        if self.tells_damage(&response) {
            return;
        }
        assert_eq!(response.status, 200, "batch: {}", response.text());
        let answer = response.json();
        let reached = self.note_reached(answer["position"].as_str());
        let items = answer["items"].as_array().expect("items");
        assert_eq!(items.len(), keys.len());
        for (item, key) in items.iter().zip(keys) {
            assert_eq!(item["key"], key, "{item}");
            let is_found = item["found"] == true;
            assert!(is_found || !self.is_strict(), "{item}");
            self.claim(key, is_found.then(|| found(item)), &reached, true);
        }
    }

    fn in_pages(&mut self) {
        let prefix = common_prefix(self.seen.keys());
        let mut next = Some(format!("/v1/views/{}/entries?limit={PAGE}&prefix={prefix}", self.view));
        let mut walked = Vec::new();
        while let Some(path) = next {
            let response = self.connection.get(path);
            if self.tells_damage(&response) {
                return;
            }
            assert_eq!(response.status, 200, "page: {}", response.text());
            let page = response.json();
            let reached = self.note_reached(page["position"].as_str());
            for item in page["items"].as_array().expect("items") {
                let key = item["key"].as_str().expect("a key");
                if let Some(key) = self.seen.get_key_value(key).map(|(key, _)| *key) {
                    self.claim(key, Some(found(item)), &reached, true);
                    walked.push(key);
                }
            }
            next = page["next"].as_str().map(str::to_owned);
        }
        let complete = walked.iter().eq(self.seen.keys());
        let (met, all) = (walked.len(), self.seen.len());
        assert!(complete || !self.is_strict(), "the walk came past {met} of {all} keys");
    }

    /// Notes how far an answer says that it reaches.
    fn note_reached(&mut self, token: Option<&str>) -> Reached {
        let reached = claims::reached(token);
        for (partition, offset) in &reached {
            let before = self.reached.insert(*partition, *offset);
            let forwards = before.is_none_or(|before| before <= *offset);
            assert!(
                forwards || !self.is_strict(),
                "partition {partition} went back from {before:?} to {offset}"
            );
        }
        reached
    }

    /// Notes what an answer says of a key; its value is one of the key, and no older than what was seen.
    fn claim(&mut self, key: &str, found: Option<(i32, i64, String)>, reached: &Reached, exact: bool) {
        let (mut reached, strict) = (reached.clone(), self.is_strict());
        if let Some((partition, _, text)) = &found {
            reached.retain(|known, _| known == partition);
            let version = text.strip_prefix(key).and_then(|rest| rest.strip_prefix('='));
            let version = version.and_then(|version| version.parse().ok());
            let version: u64 = version.unwrap_or_else(|| panic!("{key} is {text}"));
            let seen = self.seen.get_mut(key).expect("a key that is read");
            assert!(!strict || *seen <= version, "{key} went back from version {seen} to {version}");
            *seen = version;
        }
        // While the partitions of a recreated topic take over, a position names those of one of the two alone.
        let exact = exact && (strict || !reached.is_empty());
        self.claims.insert(Claim { key: key.to_owned(), found, reached, exact });
    }
}

/// Returns where an item of a batch or a page comes from, and its value.
fn found(item: &Value) -> (i32, i64, String) {
    let place = item["partition"].as_i64().zip(item["offset"].as_i64());
    let (partition, offset) = place.unwrap_or_else(|| panic!("no place: {item}"));
    (i32::try_from(partition).expect("a partition"), offset, text_of(item))
}

/// The values of these tests are no JSON, so they come as base64.
fn text_of(item: &Value) -> String {
    let bytes = item["value_base64"].as_str().and_then(|text| STANDARD.decode(text).ok());
    String::from_utf8(bytes.unwrap_or_else(|| panic!("no value: {item}"))).expect("text")
}

fn common_prefix<'k>(keys: impl Iterator<Item = &'k &'k str>) -> String {
    let shared = |one: &str, other: &str| {
        let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b);
        same.map(|(letter, _)| letter).collect::<String>()
    };
    keys.map(|key| (*key).to_owned()).reduce(|one, other| shared(&one, &other)).unwrap_or_default()
}
