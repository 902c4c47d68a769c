//! Reading one's own writes, the latest state, and the next version of a key.

use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use assert_cmd::Command;

use crate::app::{Connection, Response, TestApp};
use crate::eventually::eventually;
use crate::fold::Fold;
use crate::kafka::{LogRecord, Record, TestKafka, TestTopic};
use crate::process::Signal;

const DEADLINE: Duration = Duration::from_secs(60);
/// Records of different keys that a worker writes before it reads them back.
const TOGETHER: usize = 5;
/// As long as the service grants.
pub const WAIT: (&str, &str) = ("Prefer", "wait=30");

/// A key of one worker alone: what it has written last is what there is.
pub fn record(worker: usize, number: usize) -> Record {
    let key = format!("w{worker}-{}", number % (TOGETHER + 2));
    match number % 4 {
        3 => Record::delete(key),
        _ => Record::put(key, format!("record {number}")),
    }
}

/// Asks for the key of a record, in one of the forms a position has; again after the service was killed.
fn read_back(app: &RwLock<TestApp<'_>>, connection: &mut Connection, record: &LogRecord) -> Response {
    let key = String::from_utf8(record.key.clone().unwrap()).unwrap();
    let position = format!("{}:{}", record.partition, record.offset);
    let path = format!("/v1/views/v/keys/{key}");
    loop {
        let answer = match record.offset % 2 {
            0 => connection.request("GET", &path, &[WAIT, ("Read-After", &position)], b""),
            _ => connection.request("GET", format!("{path}?read_after={position}"), &[WAIT], b""),
        };
        match answer {
            Ok(answer) => return answer,
            Err(_killed) => *connection = app.read().unwrap().connect(),
        }
    }
}

/// Asserts that an answer is that of a record.
pub fn assert_is(answer: &Response, record: &LogRecord) {
    let offset = record.offset.to_string();
    match &record.value {
        Some(value) => {
            assert_eq!((answer.status, &answer.body), (200, value), "{record:?}: {}", answer.text());
            assert_eq!(answer.header("record-offset"), Some(offset.as_str()));
        }
        None => assert_eq!(answer.json()["code"], "key-not-found", "{record:?}: {}", answer.text()),
    }
    assert_eq!(answer.header("preference-applied"), Some("wait=30"));
}

/// Workers write and read back, [`TOGETHER`] records at a time, each `rounds` times, while `disturb` does something;
/// it sees how many records are done.
fn write_and_read_back<'k>(
    topic: &TestTopic<'k>,
    app: TestApp<'k>,
    (workers, rounds): (usize, usize),
    disturb: impl FnOnce(&RwLock<TestApp<'k>>, &AtomicUsize),
) {
    let (app, done) = (RwLock::new(app), AtomicUsize::new(0));
    thread::scope(|scope| {
        for worker in 0..workers {
            let (app, done) = (&app, &done);
            scope.spawn(move || {
                let (mut producer, mut connection) = (topic.producer(), app.read().unwrap().connect());
                for round in 0..rounds {
                    for number in round * TOGETHER..(round + 1) * TOGETHER {
                        producer.send(topic.name(), record(worker, number));
                    }
                    for record in producer.flush() {
                        assert_is(&read_back(app, &mut connection, &record), &record);
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        disturb(&app, &done);
    });
    assert_eq!(done.load(Ordering::Relaxed), workers * rounds * TOGETHER);
    let app = app.into_inner().unwrap();
    app.wait_until_restored();
    app.assert_view_equals("v", &Fold::of_topic(topic.kafka(), topic.name()));
}

/// Waits until so many round trips are done.
pub fn wait_for_rounds(done: &AtomicUsize, rounds: usize) {
    let reached = || (done.load(Ordering::Relaxed) >= rounds).then_some(());
    eventually(DEADLINE, &format!("{rounds} round trips"), reached);
}

/// G3.
#[test]
fn what_a_producer_has_written_is_read_back_at_once_ten_thousand_times() {
    let topic = TestKafka::shared().topic("own-writes").partitions(4).create();
    let app = TestApp::builder(TestKafka::shared()).view("v", &topic).start().restored();
    write_and_read_back(&topic, app, (20, 100), |_, _| {});
}

/// G3.
#[test]
fn what_a_producer_has_written_is_read_back_from_a_service_that_is_killed() {
    let topic = TestKafka::shared().topic("own-writes-killed").partitions(2).create();
    let app = TestApp::builder(TestKafka::shared()).view("v", &topic).start().restored();
    write_and_read_back(&topic, app, (8, 40), |app, done| {
        for kills in 1..=3 {
            wait_for_rounds(done, kills * 350);
            let mut app = app.write().unwrap();
            app.kill();
            app.start_again();
        }
    });
}

/// G3 and G5.
#[test]
fn what_a_producer_has_written_is_read_back_from_a_view_that_is_rebuilt() {
    let topic = TestKafka::shared().topic("own-writes-rebuilt").partitions(2).create();
    let app =
        TestApp::builder(TestKafka::shared()).view("v", &topic).set("ops.admin", true).start().restored();
    write_and_read_back(&topic, app, (8, 40), |app, done| {
        for rebuilds in 1..=3 {
            wait_for_rounds(done, rebuilds * 350);
            let (app, all) = (app.read().unwrap(), ("Content-Type", "application/json"));
            let mut ops = Connection::open(app.ops_address()).unwrap();
            assert_eq!(ops.request("POST", "/admin/v1/views/v/rebuild", &[all], b"{}").unwrap().status, 202);
            let over = || (app.count_events("v", "rebuild-done") == rebuilds).then_some(());
            eventually(DEADLINE, "the end of the rebuild", over);
        }
        assert_eq!(app.read().unwrap().generation("v"), 2 + 3 * 2);
    });
}

#[test]
fn the_latest_state_holds_all_that_was_acknowledged_before() {
    let topic = TestKafka::shared().topic("latest").partitions(3).create();
    let app = TestApp::builder(TestKafka::shared()).view("v", &topic).start().restored();
    let mut connection = app.connect();
    let latest = [WAIT, ("Read-Consistency", "latest")];
    for round in 0..40 {
        let key = format!("k{}", round % 10);
        let record = topic.put(&key, format!("round {round}"));
        let answer = connection.request("GET", format!("/v1/views/v/keys/{key}"), &latest, b"").unwrap();
        assert_is(&answer, &record);
    }
    // The marker of an aborted transaction is the last there is in its partition.
    let mut aborted = topic.begin();
    aborted.put("k1", "never");
    aborted.abort();
    assert_eq!(app.request("GET", "/v1/views/v/keys/k1", &latest, b"").text(), "round 31");
}

#[test]
fn positions_and_the_latest_state_are_those_of_the_topic_as_it_is() {
    let topic = TestKafka::shared().topic("latest-recreated").create();
    (0..50).for_each(|number| drop(topic.put("a", format!("old {number}"))));
    let app = TestApp::builder(TestKafka::shared()).view("v", &topic).start().restored();
    let path = "/v1/views/v/keys/a";
    let old = app.get_raw(path).header("view-position").unwrap().to_owned();
    assert_eq!(app.request("GET", path, &[("Read-After", &old)], b"").text(), "old 49");

    topic.recreate();
    let record = topic.put("a", "new");
    let answer = app.request("GET", path, &[WAIT, ("Read-Consistency", "latest")], b"");
    assert_is(&answer, &record);
    let foreign = app.request("GET", path, &[("Read-After", &old)], b"");
    assert_eq!(foreign.json()["code"], "position-foreign", "{}", foreign.text());
    assert_is(&app.request("GET", path, &[WAIT, ("Read-After", "0:0")], b""), &record);
}

#[test]
fn without_an_answer_of_the_broker_there_is_no_latest_state() {
    let kafka = TestKafka::start();
    let topic = kafka.topic("latest-frozen").create();
    let record = topic.put("a", "1");
    let app =
        TestApp::builder(&kafka).view("v", &topic).set("kafka.request_timeout", "1s").start().restored();
    let latest = ("Read-Consistency", "latest");
    kafka.suspend();
    let lost = app.request("GET", "/v1/views/v/keys/a", &[latest], b"");
    assert_eq!((lost.status, lost.json()["code"].as_str()), (503, Some("source-lost")), "{}", lost.text());
    assert_eq!(app.get("v", "a").text(), "1", "what is applied is answered");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| app.request("GET", "/v1/views/v/keys/a", &[WAIT, latest], b""));
        kafka.resume();
        assert_is(&waiting.join().unwrap(), &record);
    });
}

#[test]
fn a_long_poll_sees_a_key_appear_change_and_go() {
    let topic = TestKafka::shared().topic("polled").partitions(2).create();
    let mut app = TestApp::builder(TestKafka::shared()).view("v", &topic).start().restored();
    let poll = |etag: &str| {
        let mut connection = app.connect();
        let head = format!("GET /v1/views/v/keys/a HTTP/1.1\r\nHost: x\r\nPrefer: wait=30\r\n{etag}\r\n");
        connection.send_raw(head.as_bytes()).unwrap();
        let waiting = || app.get_ops("/metrics").text().contains("statusquo_http_waiting 1").then_some(());
        eventually(DEADLINE, "a request that waits", waiting);
        connection
    };
    let held = |answer: &Response| format!("If-None-Match: {}\r\n", answer.header("etag").unwrap());

    let mut waiting = poll("");
    topic.put("b", "another key");
    let first = topic.put("a", "1");
    let answer = waiting.receive(false).unwrap();
    assert_is(&answer, &first);

    let mut waiting = poll(&held(&answer));
    let second = topic.put("a", "2");
    let answer = waiting.receive(false).unwrap();
    assert_is(&answer, &second);

    let mut waiting = poll(&held(&answer));
    let gone = topic.delete("a");
    assert_is(&waiting.receive(false).unwrap(), &gone);

    drop(poll(""));
    let left = || app.get_ops("/metrics").text().contains("statusquo_http_waiting 0").then_some(());
    eventually(DEADLINE, "a client that leaves is forgotten", left);

    let mut waiting = poll("");
    app.signal(Signal::TERM);
    let answer = waiting.receive(false).unwrap();
    assert_eq!((answer.status, answer.json()["code"].as_str()), (503, Some("shutting-down")));
    assert_eq!(app.wait_for_exit().code, Some(0));
}

#[test]
fn the_command_line_waits_for_a_position_and_says_when_it_is_not_reached() {
    let topic = TestKafka::shared().topic("get-after").create();
    let app = TestApp::builder(TestKafka::shared()).view("v", &topic).start().restored();
    let get = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_statusquo"));
        command.env_clear().args(["get", "v", "a", "--url", &app.url()]).args(arguments);
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    topic.put("a", "1");
    assert_eq!(get(&["--read-after", "0:0", "--wait", "30"]), (0, "1".to_owned(), String::new()));
    let (code, _, said) = get(&["--read-after", "0:1"]);
    assert_eq!(code, 75, "{said}");
    assert!(
        said.contains("partition 0 is applied up to offset 0; the request wants offset 1 (504)"),
        "{said}"
    );
    assert_eq!(get(&["--read-after", "0:900000"]).0, 1);
    topic.delete("a");
    assert_eq!(get(&["--read-after", "0:1", "--wait", "30"]).0, 3);
}
