//! `statusquo rebuild` and the interface it uses, against a running service on a real Kafka.

use std::process::Output;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;

use crate::app::{TestApp, versioned};
use crate::kafka::{Record, TestKafka, TestTopic};

fn rebuild(app: &TestApp<'_>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statusquo"));
    command.env_clear().args(["rebuild", "users", "--ops-url", &app.ops_url()]).args(arguments);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn filled(kafka: &'static TestKafka) -> TestTopic<'static> {
    let topic = kafka.topic("rebuild").partitions(3).create();
    topic.write_all((0..3000).map(|number| Record::put(format!("u{}", number % 700), format!("{number}"))));
    topic.delete("u13");
    topic
}

fn generation(app: &TestApp<'_>) -> u64 {
    app.status("users")["generation"].as_u64().unwrap()
}

#[test]
fn a_rebuild_of_the_whole_view_is_waited_for_and_gives_the_same_view() {
    let topic = filled(TestKafka::shared());
    let keys: Vec<String> = (0..100).map(|number| format!("k{number}")).collect();
    let write = |version| topic.write_all(keys.iter().map(|key| Record::put(key, versioned(key, version))));
    write(1);
    let app = TestApp::builder(topic.kafka()).view("users", &topic).set("ops.admin", true).start().restored();
    let before = generation(&app);

    let output = app.read_while("users", &topic, &keys, || {
        write(2);
        rebuild(&app, &["--wait"])
    });

    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("users: 3 partitions rebuilt in "), "{}", text(&output.stdout));
    assert_eq!(generation(&app), before + 3);
    app.assert_view_equals("users", &topic.fold());
    topic.put("u1", "after");
    app.wait_until_restored();
    app.assert_view_equals("users", &topic.fold());
    let kinds: Vec<Value> =
        app.status("users")["events"].as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
    for kind in ["rebuild-requested", "requested", "rebuild-done"] {
        assert!(kinds.contains(&kind.into()), "{kinds:?}");
    }
}

#[test]
fn one_partition_can_be_rebuilt_and_followed_with_the_token() {
    let topic = filled(TestKafka::shared());
    let app = TestApp::builder(topic.kafka()).view("users", &topic).set("ops.admin", true);
    let app = app.set("ops.admin_token", "s3cret").start().restored();
    let before = generation(&app);
    let file = app.data_dir().join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    let token = file.to_str().unwrap();

    let refused = rebuild(&app, &["--partition", "1"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("Token needed"), "{}", text(&refused.stderr));
    let unknown = rebuild(&app, &["--partition", "7", "--token-file", token]);
    assert!(text(&unknown.stderr).contains("no partition 7"), "{}", text(&unknown.stderr));
    let output = rebuild(&app, &["--partition", "1", "--token-file", token, "--wait"]);

    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(generation(&app), before + 1);
    app.assert_view_equals("users", &topic.fold());
}

#[test]
fn a_second_rebuild_waits_for_the_first_one() {
    let topic = filled(TestKafka::shared());
    let app = TestApp::builder(topic.kafka()).view("users", &topic).set("ops.admin", true);
    // The cluster is asked rarely, so the first rebuild has not begun when the second is asked for.
    let app = app.set("kafka.poll_interval", "3s").start().restored();

    let first = rebuild(&app, &[]);
    let second = rebuild(&app, &["--partition", "0"]);

    assert!(first.status.success(), "{}", text(&first.stderr));
    assert!(text(&first.stdout).starts_with("/admin/v1/operations/"), "{}", text(&first.stdout));
    assert_eq!(second.status.code(), Some(75), "{}", text(&second.stderr));
    let running = app.get_ops(text(&first.stdout).trim());
    assert_eq!((running.status, &running.json()["state"]), (200, &"running".into()));
}

#[test]
fn a_service_without_admin_interface_says_what_is_missing() {
    let topic = filled(TestKafka::shared());
    let app = TestApp::builder(topic.kafka()).view("users", &topic).start().restored();

    let output = rebuild(&app, &["--wait"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("ops.admin = true"), "{}", text(&output.stderr));
}

#[test]
fn a_rebuild_keeps_to_its_bound_while_the_view_follows_at_full_speed() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("throttled").create();
    topic.write_all((0..6000).map(|number| Record::put(format!("u{number}"), "1")));
    let app = TestApp::builder(kafka).view("users", &topic).set("ops.admin", true);
    let app = app.set("rebuild.records_per_second", 2000).start().restored();
    let begun = Instant::now();
    assert!(rebuild(&app, &[]).status.success());
    let live = topic.write_all((0..8000).map(|number| Record::put(format!("u{}", number % 7000), "2")));
    app.wait_until_applied("users", live.last().unwrap());
    app.wait_for_generation("users", 2);
    // The last piece is read before it is rested for.
    assert!(begun.elapsed() > Duration::from_millis(1500), "{:?}", begun.elapsed());
    app.wait_until_restored();
    app.assert_view_equals("users", &topic.fold());
}
