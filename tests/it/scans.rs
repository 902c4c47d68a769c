//! Batches, scans and exports while records flow and partitions are rebuilt.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::eventually::within;
use crate::fold::{Entry, Fold};
use crate::kafka::{LogRecord, Record, TestKafka, TestTopic};

const ENTRIES: &str = "/v1/views/users/entries";
const LINES: (&str, &str) = ("Accept", "application/x-ndjson");
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// What an answer said, and the position it claims to reflect.
struct Claim {
    position: BTreeMap<i32, i64>,
    found: Found,
}

enum Found {
    /// All entries, in the order in which they came.
    All(Vec<Value>),
    /// Some keys.
    Some(Vec<Value>),
}

/// Reads `v1=0:5,3:99017;t=k3Qz7pWx`: the last offset of each partition that is reflected.
fn position(token: &Value) -> BTreeMap<i32, i64> {
    let Some(token) = token.as_str() else { return BTreeMap::new() };
    let offsets = token.strip_prefix("v1=").and_then(|rest| rest.split(';').next()).expect(token);
    let pair = |pair: &str| {
        let (partition, offset) = pair.split_once(':').expect(token);
        (partition.parse().expect(token), offset.parse().expect(token))
    };
    offsets.split(',').map(pair).collect()
}

/// The items and the last line of an export.
fn lines(text: &str) -> (Vec<Value>, Value) {
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let last = lines.pop().expect("a last line");
    assert_eq!((&last["end"], &last["count"]), (&json!(true), &json!(lines.len())), "{last}");
    (lines, last)
}

fn item(key: &[u8], entry: &Entry) -> Value {
    let value: Value = serde_json::from_slice(&entry.value).unwrap();
    json!({"key": std::str::from_utf8(key).unwrap(), "value": value, "partition": entry.partition, "offset": entry.offset})
}

/// An item as far as the oracle knows it.
fn known(item: &Value) -> Value {
    json!({"key": item["key"], "value": item["value"], "partition": item["partition"], "offset": item["offset"]})
}

impl Claim {
    fn assert_holds(&self, log: &[LogRecord]) {
        let reflected = |record: &&LogRecord| {
            self.position.get(&record.partition).is_some_and(|offset| record.offset <= *offset)
        };
        let applied: Vec<LogRecord> = log.iter().filter(reflected).cloned().collect();
        let entries = Fold::of_records(&applied).entries();
        match &self.found {
            Found::All(items) => {
                let expected: Vec<Value> = entries.iter().map(|(key, entry)| item(key, entry)).collect();
                let found: Vec<Value> = items.iter().map(known).collect();
                assert_eq!(found, expected, "at {:?}", self.position);
            }
            Found::Some(items) => {
                for found in items {
                    let key = found["key"].as_str().unwrap().as_bytes();
                    match entries.get(key) {
                        Some(entry) => assert_eq!(known(found), item(key, entry), "at {:?}", self.position),
                        None => assert_eq!(found["found"], false, "{found} at {:?}", self.position),
                    }
                }
            }
        }
    }
}

fn batch(app: &TestApp<'_>, keys: &[String]) -> Claim {
    let body = json!({"keys": keys}).to_string();
    let answer = app.request("POST", "/v1/views/users/lookup", &[JSON], body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let document = answer.json();
    let items = document["items"].as_array().unwrap().clone();
    assert_eq!(items.len(), keys.len());
    Claim { position: position(&document["position"]), found: Found::Some(items) }
}

fn page(app: &TestApp<'_>) -> Claim {
    let answer = app.get_raw(format!("{ENTRIES}?limit=1000"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let document = answer.json();
    assert_eq!(document["next"], Value::Null, "the view fits into a page");
    assert_eq!(answer.header("view-position"), document["position"].as_str());
    let items = document["items"].as_array().unwrap().clone();
    Claim { position: position(&document["position"]), found: Found::All(items) }
}

fn export(app: &TestApp<'_>) -> Claim {
    let answer = app.request("GET", ENTRIES, &[LINES], b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (items, last) = lines(&answer.text());
    Claim { position: position(&last["position"]), found: Found::All(items) }
}

fn rebuild(app: &TestApp<'_>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statusquo"));
    command.env_clear().args(["rebuild", "users", "--wait", "--ops-url", &app.ops_url()]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Keys `u0` to `u299`, of which some are deleted again.
fn record(number: usize) -> Record {
    let key = format!("u{}", (number * 7) % 300);
    match number % 5 {
        4 => Record::delete(key),
        _ => Record::put(key, format!("{{\"n\":{number}}}")),
    }
}

/// Writes until `over`, at least `least` records, and returns all of them.
fn write_on(topic: &TestTopic<'_>, least: usize, over: &AtomicBool) -> Vec<LogRecord> {
    let mut log = Vec::new();
    while !over.load(Ordering::Acquire) || log.len() < least {
        let first = log.len();
        log.extend(topic.write_all((first..first + 40).map(record)));
    }
    log
}

#[test]
fn batches_pages_and_exports_are_the_fold_at_the_position_they_claim_while_records_flow() {
    let topic = TestKafka::shared().topic("claims").partitions(3).create();
    let app = TestApp::builder(topic.kafka()).view("users", &topic).set("ops.admin", true).start().restored();
    let keys: Vec<String> = (0..310).step_by(5).map(|number| format!("u{number}")).collect();
    let over = AtomicBool::new(false);
    let (log, claims) = thread::scope(|scope| {
        let writer = scope.spawn(|| write_on(&topic, 2000, &over));
        let readers: Vec<_> = (0..3)
            .map(|reader| {
                let (app, keys, over) = (&app, &keys, &over);
                scope.spawn(move || {
                    let mut claims = Vec::new();
                    while !over.load(Ordering::Acquire) {
                        claims.push(match reader {
                            0 => batch(app, keys),
                            1 => page(app),
                            _ => export(app),
                        });
                    }
                    claims
                })
            })
            .collect();
        rebuild(&app);
        rebuild(&app);
        over.store(true, Ordering::Release);
        let claims: Vec<Claim> = readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect();
        (writer.join().unwrap(), claims)
    });
    let moments: BTreeSet<_> = claims.iter().map(|claim| &claim.position).collect();
    assert!(moments.len() > 5, "records flowed while {} answers were given", claims.len());
    claims.iter().for_each(|claim| claim.assert_holds(&log));
    app.wait_until_restored();
    let whole = topic.fold().entries().len();
    let Found::All(items) = export(&app).found else { panic!() };
    assert_eq!(items.len(), whole);
}

/// Walks all pages of a limit and an order; returns the keys as they came.
fn walk(app: &TestApp<'_>, limit: usize, order: &str) -> Vec<String> {
    let mut connection = app.connect();
    let mut path = Some(format!("{ENTRIES}?limit={limit}&order={order}&fields=key"));
    let mut walked = Vec::new();
    while let Some(page) = path {
        let answer = connection.get(&page);
        assert_eq!(answer.status, 200, "{page}: {}", answer.text());
        let document = answer.json();
        let items = document["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        walked.extend(items.iter().map(|item| item["key"].as_str().unwrap().to_owned()));
        path = document["next"].as_str().map(str::to_owned);
    }
    walked
}

#[test]
fn a_walk_meets_what_stays_exactly_once_while_records_flow_and_partitions_are_rebuilt() {
    let topic = TestKafka::shared().topic("walks").partitions(3).create();
    let stays: Vec<String> = (0..200).map(|number| format!("s{number:03}")).collect();
    topic.write_all(stays.iter().map(|key| Record::put(key, "1")));
    let app = TestApp::builder(topic.kafka()).view("users", &topic).set("ops.admin", true).start().restored();
    let (over, before) = (AtomicBool::new(false), app.generation("users"));
    thread::scope(|scope| {
        scope.spawn(|| write_on(&topic, 0, &over));
        let rebuilder = scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                rebuild(&app);
            }
        });
        for (limit, order) in [(1, "asc"), (7, "desc"), (50, "asc"), (999, "desc"), (3, "desc")] {
            let mut walked = walk(&app, limit, order);
            if order == "desc" {
                walked.reverse();
            }
            assert!(walked.is_sorted_by(|one, next| one < next), "{limit} {order}");
            let stayed: Vec<&String> = walked.iter().filter(|key| key.starts_with('s')).collect();
            assert_eq!(stayed, stays.iter().collect::<Vec<_>>(), "{limit} {order}");
        }
        over.store(true, Ordering::Release);
        rebuilder.join().unwrap();
    });
    assert!(app.generation("users") >= before + 3, "partitions were rebuilt meanwhile");
}

#[test]
fn a_client_that_takes_compressed_answers_gets_every_line_of_an_export_and_of_a_batch() {
    let topic = TestKafka::shared().topic("compressed").partitions(3).create();
    topic.write_all((0..5000).map(|number| Record::put(format!("u{number}"), format!("{number}"))));
    let app = TestApp::builder(topic.kafka()).view("users", &topic).start().restored();
    let keys = r#"{"keys":["u1","u2","nobody"]}"#;
    for (method, path, body) in [("GET", ENTRIES, ""), ("POST", "/v1/views/users/lookup", keys)] {
        let plain = app.request(method, path, &[LINES, JSON], body.as_bytes());
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--compressed", "--max-time", "60", "-X", method, "-d", body]);
        curl.args(
            [LINES, JSON].iter().flat_map(|(name, value)| ["-H".to_owned(), format!("{name}: {value}")]),
        );
        let output = curl.arg(format!("{}{path}", app.http_url())).output().expect("curl");
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        lines(&plain.text());
        assert!(output.stdout == plain.body, "{path}: {} bytes", output.stdout.len());
    }
}

/// FAULTS row 53.
#[test]
fn an_export_outlasts_the_rebuild_of_what_it_reads_and_holds_nothing_back() {
    let topic = TestKafka::shared().topic("exported").partitions(2).create();
    let value = |number: usize| format!("\"{number} {}\"", "x".repeat(8000));
    // More than any socket between service and client takes in.
    let log = topic.write_all((0..4000).map(|number| Record::put(format!("u{number}"), value(number))));
    let app = TestApp::builder(topic.kafka()).view("users", &topic).set("ops.admin", true);
    let app = app.set("http.scan.exports_max", 1).start().restored();

    let mut slow = app.connect();
    slow.send_raw(format!("GET {ENTRIES} HTTP/1.1\r\nHost: h\r\nAccept: {}\r\n\r\n", LINES.1).as_bytes())
        .unwrap();
    let mut head = slow.receive_head().unwrap();
    assert_eq!(head.status, 200);
    let claimed = head.header("view-position").map(|token| position(&json!(token))).unwrap();
    rebuild(&app);
    let later = topic.put("u0", "\"later\"");
    app.wait_until_applied("users", &later);
    assert_eq!(app.get("users", "u0").text(), "\"later\"");
    assert_eq!(app.get_raw(format!("{ENTRIES}?limit=5")).status, 200, "pages do not wait for exports");
    let refused = app.request("GET", ENTRIES, &[LINES], b"");
    assert_eq!((refused.status, refused.json()["code"].as_str()), (503, Some("overloaded")));

    head.body = slow.receive_body(&head).unwrap();
    let (items, last) = lines(&head.text());
    assert_eq!(position(&last["position"]), claimed);
    Claim { position: claimed, found: Found::All(items) }.assert_holds(&log);

    // A client that leaves gives its turn back.
    let mut leaving = app.connect();
    leaving
        .send_raw(format!("GET {ENTRIES} HTTP/1.1\r\nHost: h\r\nAccept: {}\r\n\r\n", LINES.1).as_bytes())
        .unwrap();
    assert_eq!(leaving.receive_head().unwrap().status, 200);
    drop(leaving);
    let next = within(Duration::from_secs(60), Duration::from_millis(100), || {
        let answer = app.request("GET", format!("{ENTRIES}?prefix=u39"), &[LINES], b"");
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(lines(&next.expect("a turn").text()).0.len(), 111);
}
