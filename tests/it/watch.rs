//! Clients that keep a map by watching a view, on a real Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::app::{Connection, TestApp, Watcher, Watching};
use crate::eventually::eventually;
use crate::kafka::{Record, TestKafka, TestTopic};

/// Bound on everything a test waits for.
const DEADLINE: Duration = Duration::from_secs(60);

const PARTITIONS: i32 = 4;
const KEYS: u64 = 2_000;
const RECORDS: u64 = 200_000;

fn ends(topic: &TestTopic<'_>) -> BTreeMap<i32, i64> {
    topic.kafka().end_offsets(topic.name())
}

/// Updates and tombstones, one after the other.
fn write(topic: &TestTopic<'_>, numbers: std::ops::Range<u64>) {
    topic.write_all(numbers.map(|number| {
        // Steps through the keys in an order that is the same each time and looks like none.
        let key = format!("k{}", number.wrapping_mul(2_654_435_761) % KEYS);
        if number % 6 == 5 { Record::delete(key) } else { Record::put(key, format!("{number}")) }
    }));
}

fn rebuild(app: &TestApp<'_>, partition: i32) {
    let ops: SocketAddr = app.ops_url().trim_start_matches("http://").parse().expect("an address");
    let body = format!("{{\"partitions\":[{partition}]}}");
    let headers = [("Content-Type", "application/json")];
    let mut connection = Connection::open(ops).expect("the ops listener");
    // One that is still running is as good.
    let path = "/admin/v1/views/v/rebuild";
    let response = connection.request("POST", path, &headers, body.as_bytes()).expect("an answer");
    assert!(matches!(response.status, 202 | 409), "{}", response.text());
}

/// A map that equals the topic in the end, whatever happened to its connections.
fn watched(app: &TestApp<'_>, topic: &TestTopic<'_>) -> Watcher {
    let mut watcher = Watcher::default();
    let mut watching = watcher.connect(app, "v");
    watcher.follow_to(&mut watching, &ends(topic)).expect("a watch that goes on");
    watcher
}

/// G7; FAULTS row 45.
#[test]
fn a_map_kept_by_a_watch_equals_the_topic_after_cuts_and_rebuilds() {
    let topic = TestKafka::shared().topic("watch").partitions(PARTITIONS).create();
    write(&topic, 0..10_000);
    let app = TestApp::builder(topic.kafka()).view("v", &topic).set("ops.admin", true);
    let app = app.set("http.watch.changes_max", 20_000).set("http.watch.bookmark_interval", "100ms");
    let app = app.set("batch.records_max", 500).start().restored();
    let (written, cuts) = (AtomicBool::new(false), AtomicU32::new(0));
    let keep = |salt: u64| {
        let mut watcher = Watcher::default();
        let mut watching = watcher.connect(&app, "v");
        let (mut events, mut cut_at) = (0_u64, 100);
        loop {
            if written.load(Ordering::Acquire) && watcher.reflects(&ends(&topic)) {
                return watcher;
            }
            // Looks at the end of the log now and then only: it is asked over the network.
            for _ in 0..500 {
                let Ok(event) = watching.next() else {
                    watching = watcher.connect(&app, "v");
                    break;
                };
                watcher.take(&event);
                events += 1;
                if written.load(Ordering::Acquire) && event.id.is_some() {
                    break;
                }
                if events >= cut_at {
                    cut_at = events + 1 + (events * salt) % 7_000;
                    cuts.fetch_add(1, Ordering::Relaxed);
                    if cut_at % 8 == 0 {
                        watcher.id = None;
                    }
                    watching = watcher.connect(&app, "v");
                }
            }
        }
    };
    let watchers: Vec<Watcher> = thread::scope(|scope| {
        let keepers: Vec<_> = [7_919, 104_729].map(|salt| scope.spawn(move || keep(salt))).into();
        for step in 0..20 {
            let first = 10_000 + step * (RECORDS / 20);
            write(&topic, first..first + RECORDS / 20);
            if step % 3 == 1 {
                rebuild(&app, i32::try_from(step).expect("small") % PARTITIONS);
            }
        }
        app.wait_until_restored();
        written.store(true, Ordering::Release);
        keepers.into_iter().map(|keeper| keeper.join().expect("a client")).collect()
    });
    for watcher in &watchers {
        watcher.assert_equals(&topic.fold());
    }
    assert!(cuts.load(Ordering::Relaxed) > 10);
}

#[test]
fn a_rebuild_resets_its_partition_alone_for_those_who_watch_and_those_who_come_back() {
    let topic = TestKafka::shared().topic("watch-rebuilt").partitions(PARTITIONS).create();
    write(&topic, 0..3_000);
    let app = TestApp::builder(topic.kafka()).view("v", &topic).set("ops.admin", true).start().restored();
    let (mut there, mut away) = (watched(&app, &topic), watched(&app, &topic));
    let mut watching = there.connect(&app, "v");
    rebuild(&app, 1);
    assert_only_one_is_reset(&mut there, &mut watching);
    let mut watching = away.connect(&app, "v");
    assert_only_one_is_reset(&mut away, &mut watching);
    there.assert_equals(&topic.fold());
    away.assert_equals(&topic.fold());
}

/// Follows to the end of what partition 1 holds, and asserts that nothing else is told again.
fn assert_only_one_is_reset(watcher: &mut Watcher, watching: &mut Watching) {
    let mut put = BTreeSet::new();
    loop {
        let event = watching.next().expect("a watch that goes on");
        watcher.take(&event);
        match event.name.as_str() {
            "reset" => assert_eq!(event.data, json!({"reason": "rebuilt", "partitions": [1]})),
            "put" => drop(put.insert(event.data["partition"].as_i64())),
            "synced" => break,
            _ => {}
        }
    }
    assert_eq!(put, BTreeSet::from([Some(1)]));
    assert_eq!(watcher.resets, ["rebuilt"]);
}

#[test]
fn a_client_that_does_not_read_is_told_that_it_was_too_slow_and_holds_nobody_up() {
    const CHANGES: u64 = 100;
    let topic = TestKafka::shared().topic("watch-slow").partitions(2).create();
    let app = TestApp::builder(topic.kafka()).view("v", &topic);
    let app = app.set("http.watch.changes_max", CHANGES.cast_signed()).start().restored();
    let mut watcher = Watcher::default();
    let mut watching = watcher.connect(&app, "v");
    // Far more than lies in the buffers of two sockets, so that the service has to stop telling.
    let value = format!("\"{}\"", "x".repeat(50_000));
    topic.write_all((0..CHANGES * 10).map(|number| Record::put(format!("k{}", number % 50), &value)));
    app.wait_until_restored();
    watcher.follow_to(&mut watching, &ends(&topic)).expect("a watch that goes on");
    assert!(!watcher.resets.is_empty() && watcher.resets.iter().all(|reason| reason == "overflow"));
    watcher.assert_equals(&topic.fold());
}

/// FAULTS row 19.
#[test]
fn a_recreated_topic_resets_those_who_watch_and_those_who_come_back() {
    let topic = TestKafka::shared().topic("watch-recreated").partitions(2).create();
    topic.write_all((0..300).map(|number| Record::put(format!("old-{number}"), "1")));
    let app = TestApp::builder(topic.kafka()).view("v", &topic).set("kafka.poll_interval", "200ms");
    let app = app.start().restored();
    let (mut there, mut away) = (watched(&app, &topic), watched(&app, &topic));
    let mut watching = there.connect(&app, "v");
    topic.recreate();
    topic.write_all((0..20).map(|number| Record::put(format!("new-{number}"), "2")));
    while there.map.len() != 20 || there.map.keys().any(|key| key.starts_with("old")) {
        there.take(&watching.next().expect("a watch that goes on"));
    }
    app.wait_until_restored();
    there.assert_equals(&topic.fold());
    assert!(there.resets.iter().all(|reason| reason == "topic-recreated"), "{:?}", there.resets);
    let mut watching = away.connect(&app, "v");
    away.take(&watching.next().expect("an event"));
    assert_eq!(away.resets, ["topic-recreated"]);
    while away.map.len() != 20 {
        away.take(&watching.next().expect("a watch that goes on"));
    }
    away.assert_equals(&topic.fold());
}

#[test]
fn a_client_goes_on_after_a_restart_and_is_told_what_happened_meanwhile() {
    let topic = TestKafka::shared().topic("watch-restart").partitions(2).create();
    topic.write_all((0..100).map(|number| Record::put(format!("k{number}"), "1")));
    let mut app = TestApp::builder(topic.kafka()).view("v", &topic).start().restored();
    let mut watcher = watched(&app, &topic);
    app.terminate();
    topic.put("k1", "2");
    topic.delete("k2");
    app.start_again();
    app.wait_until_restored();
    let mut watching = watcher.connect(&app, "v");
    watcher.follow_to(&mut watching, &ends(&topic)).expect("a watch that goes on");
    assert!(watcher.resets.is_empty(), "{:?}", watcher.resets);
    watcher.assert_equals(&topic.fold());
    // The next start keeps nothing of what was applied before it.
    app.kill();
    app.start_again();
    topic.put("k3", "3");
    app.wait_until_restored();
    app.kill();
    app.start_again();
    app.wait_until_restored();
    let mut watching = watcher.connect(&app, "v");
    watcher.follow_to(&mut watching, &ends(&topic)).expect("a watch that goes on");
    assert_eq!(watcher.resets, ["gap"]);
    watcher.assert_equals(&topic.fold());
}

#[test]
fn a_client_that_knows_everything_goes_on_after_a_restart_where_the_log_ends_in_what_changed_nothing() {
    let topic = TestKafka::shared().topic("watch-aborted").create();
    topic.put("k", "1");
    let mut app = TestApp::builder(topic.kafka()).view("v", &topic).start().restored();
    let mut watcher = Watcher::default();
    let mut watching = watcher.connect(&app, "v");
    watcher.follow_to(&mut watching, &ends(&topic)).expect("a watch that goes on");
    let mut aborted = topic.begin();
    aborted.put("k", "2");
    aborted.abort();
    let end = ends(&topic)[&0];
    eventually(DEADLINE, "the end of the log", || (app.position("v", 0) == Some(end)).then_some(()));
    app.terminate();
    while let Ok(event) = watching.next() {
        watcher.take(&event);
    }
    app.start_again();
    app.wait_until_restored();
    let mut watching = watcher.connect(&app, "v");
    let first = watching.next().expect("an event");
    assert_eq!((&*first.name, first.id), ("bookmark", watcher.id), "nothing is told again");
}

#[test]
fn stopping_does_not_wait_for_those_who_watch() {
    let topic = TestKafka::shared().topic("watch-stop").create();
    topic.put("k", "1");
    // Longer than the test waits for the end.
    let app = TestApp::builder(topic.kafka()).view("v", &topic).set("shutdown.grace", "10min");
    let mut app = app.start().restored();
    let mut watches: Vec<Watching> = (0..20).map(|_| Watching::open(&app, "v", "", &[])).collect();
    let exit = app.terminate();
    assert_eq!(exit.code, Some(0), "{}", exit.log);
    for watching in &mut watches {
        let mut last = watching.next().expect("an event");
        while let Ok(event) = watching.next() {
            last = event;
        }
        assert!(last.name == "bookmark" && last.id.is_some(), "{last:?}");
    }
}
