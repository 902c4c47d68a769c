//! Two instances of the service read one topic, each with a store and a group of its own, and a client goes from one to
//! the other.

use std::sync::RwLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::app::{Connection, Response, TestApp};
use crate::fold::Fold;
use crate::kafka::{LogRecord, Record, TestKafka, TestTopic};
use crate::read_after::{WAIT, assert_is, record, wait_for_rounds};

const WORKERS: usize = 6;
const ROUNDS: usize = 100;

/// Asks a replica, again after it was killed, for the key of a record as of a position.
fn ask(
    replica: &RwLock<TestApp<'_>>,
    connection: &mut Connection,
    record: &LogRecord,
    position: &str,
) -> Response {
    let key = String::from_utf8(record.key.clone().unwrap()).unwrap();
    loop {
        let headers = [WAIT, ("Read-After", position)];
        match connection.request("GET", format!("/v1/views/v/keys/{key}"), &headers, b"") {
            Ok(answer) => return answer,
            Err(_killed) => *connection = replica.read().unwrap().connect(),
        }
    }
}

/// Writes a record, reads it from the first replica, and carries what that says to the second, again and again.
fn carry(
    topic: &TestTopic<'_>,
    [first, second]: [&RwLock<TestApp<'_>>; 2],
    worker: usize,
    done: &AtomicUsize,
) {
    let mut producer = topic.producer();
    let [mut here, mut there] = [first, second].map(|replica| replica.read().unwrap().connect());
    for round in 0..ROUNDS {
        producer.send(topic.name(), record(worker, round));
        let written = producer.flush().pop().unwrap();
        let told = format!("{}:{}", written.partition, written.offset);
        let answer = ask(first, &mut here, &written, &told);
        assert_is(&answer, &written);
        let carried = ask(second, &mut there, &written, answer.header("view-position").unwrap());
        assert_is(&carried, &written);
        assert_eq!(carried.header("etag"), answer.header("etag"));
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// G3 and G6.
#[test]
fn what_one_replica_has_shown_another_one_shows_too_however_far_it_is_behind() {
    let topic = TestKafka::shared().topic("replicas").partitions(4).create();
    let start = || TestApp::builder(TestKafka::shared()).view("v", &topic).start().restored();
    let [steady, slow] = [start(), start()].map(RwLock::new);
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (topic, replicas, done) = (&topic, [&steady, &slow], &done);
            scope.spawn(move || carry(topic, replicas, worker, done));
        }
        for restarts in 1..=3 {
            wait_for_rounds(&done, restarts * 125);
            let mut slow = slow.write().unwrap();
            slow.kill();
            let missed = topic.write_all((0..500).map(|number| Record::put(format!("missed-{number}"), "1")));
            steady.read().unwrap().wait_until_applied("v", missed.last().unwrap());
            slow.start_again();
        }
    });
    assert_eq!(done.load(Ordering::Relaxed), WORKERS * ROUNDS);
    let fold = Fold::of_topic(topic.kafka(), topic.name());
    let [steady, slow] = [steady, slow].map(|replica| replica.into_inner().unwrap());
    for replica in [&steady, &slow] {
        replica.wait_until_restored();
        replica.assert_view_equals("v", &fold);
    }
    for key in fold.entries().keys() {
        let [one, other] = [&steady, &slow].map(|replica| replica.get("v", key));
        assert_eq!(one.header("etag"), other.header("etag"));
        let etag = one.header("etag").unwrap();
        let path = format!("/v1/views/v/keys/{}", String::from_utf8_lossy(key));
        assert_eq!(slow.request("GET", path, &[("If-None-Match", etag)], b"").status, 304);
    }
}

/// G3: the other replica looks at its topic now and then, and does not know yet that it was recreated.
#[test]
fn a_position_of_a_recreated_topic_is_waited_for_by_a_replica_that_knows_the_old_one() {
    let topic = TestKafka::shared().topic("replicas-recreated").create();
    (0..50).for_each(|number| drop(topic.put("a", format!("old {number}"))));
    let start = |poll: &str| {
        let app = TestApp::builder(TestKafka::shared()).view("v", &topic).set("kafka.poll_interval", poll);
        app.start().restored()
    };
    let (attentive, slow) = (start("100ms"), start("5s"));
    let old = slow.get("v", "a").header("view-position").unwrap().to_owned();

    topic.recreate();
    let record = topic.put("a", "new");
    let latest = [WAIT, ("Read-Consistency", "latest")];
    let answer = attentive.request("GET", "/v1/views/v/keys/a", &latest, b"");
    assert_is(&answer, &record);
    let position = answer.header("view-position").unwrap();
    assert_ne!(position, old);
    let at_once = slow.request("GET", "/v1/views/v/keys/a", &[("Read-After", position)], b"");
    assert!(
        at_once.status == 200 || at_once.json()["code"] == "position-not-reached",
        "never 409 and never older: {}",
        at_once.text()
    );
    let carried = slow.request("GET", "/v1/views/v/keys/a", &[WAIT, ("Read-After", position)], b"");
    assert_is(&carried, &record);
    assert_eq!(carried.header("etag"), answer.header("etag"));
    let foreign = slow.request("GET", "/v1/views/v/keys/a", &[("Read-After", &old)], b"");
    assert_eq!(foreign.json()["code"], "position-foreign", "{}", foreign.text());
}
