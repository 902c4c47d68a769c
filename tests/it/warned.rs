//! Conditions a view lives with: shown while they last, in status, headers and metrics, and gone when they are over.

use std::time::Duration;

use serde_json::Value;

use crate::app::{AppBuilder, TestApp};
use crate::eventually::eventually;
use crate::kafka::{Record, TestKafka, TestTopic};
use crate::metrics::sample;

/// Bound on everything a test waits for.
const DEADLINE: Duration = Duration::from_secs(60);

fn write(topic: &TestTopic<'_>, value: &str) {
    topic.write_all((0..50).map(|number| Record::put(format!("k{number}"), value)));
}

fn describe<'k>(topic: &TestTopic<'_>, kafka: &'k TestKafka) -> AppBuilder<'k> {
    TestApp::builder(kafka).view("v", topic).set("kafka.poll_interval", "100ms")
}

fn start<'k>(topic: &TestTopic<'_>, kafka: &'k TestKafka) -> TestApp<'k> {
    describe(topic, kafka).start().restored()
}

fn has_warning(status: &Value, code: &str) -> bool {
    status["warnings"].as_array().is_some_and(|all| all.iter().any(|warning| warning["code"] == code))
}

fn compare(app: &TestApp<'_>, topic: &TestTopic<'_>) {
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
}

/// Waits for a warning, checks that it is shown everywhere, and that a restored view is live nevertheless.
fn assert_warned(app: &TestApp<'_>, code: &str) {
    app.wait_for_status("v", code, |status| has_warning(status, code) && status["state"] == "live");
    let shown = app.get("v", "k1");
    assert!(
        shown.header("view-status").unwrap().ends_with(&format!("warning={code}")),
        "{:?}",
        shown.headers
    );
    let series = format!("statusquo_view_warning{{view=\"v\",warning=\"{code}\"}}");
    assert_eq!(sample(app, &series), 1);
    assert_eq!(app.count_events("v", code), 1);
    assert_eq!(app.log().matches(&format!("code=\"{code}\"")).count(), 1, "one condition, one line");
    assert_eq!(app.get_ops("/readyz").status, 200);
}

fn assert_over(app: &TestApp<'_>, code: &str) {
    app.wait_for_status("v", "no warning", |status| !has_warning(status, code));
    assert_eq!(sample(app, &format!("statusquo_view_warning{{view=\"v\",warning=\"{code}\"}}")), 0);
    assert_eq!(app.count_events("v", "warning-over"), 1);
    app.wait_for_status("v", "a live view", |status| status["state"] == "live");
    assert!(!app.get("v", "k1").header("view-status").unwrap().contains("warning"));
}

/// FAULTS row 28.
#[test]
fn a_hanging_transaction_is_shown_with_its_age_and_holds_up_no_readiness() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("hanging").create();
    write(&topic, "1");
    let mut open = topic.begin();
    open.put("ghost", "1");
    open.put("k1", "ghost");
    open.flush();
    let behind = topic.put("behind", "1");
    let app = start(&topic, kafka);
    assert_eq!(app.get_ops("/readyz").status, 200);
    assert_eq!(app.get("v", "behind").status, 404);
    app.wait_for_status("v", "what is withheld", |status| {
        let withheld = &status["partitions"][0]["withheld"];
        withheld["records"] == 3 && withheld["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0)
    });
    assert_eq!(sample(&app, "statusquo_view_withheld_records{view=\"v\",partition=\"0\"}"), 3);
    assert_warned(&app, "open-transaction");

    open.abort();
    app.wait_until_applied("v", &behind);
    compare(&app, &topic);
    assert_eq!(app.get("v", "ghost").status, 404);
    assert_over(&app, "open-transaction");
    assert_eq!(app.status("v")["partitions"][0]["withheld"], Value::Null);
}

/// FAULTS row 23.
#[test]
fn a_topic_that_is_not_compacted_is_reported_and_followed_until_it_is() {
    let kafka = TestKafka::shared();
    for policy in ["delete", "compact,delete"] {
        let topic = kafka.topic("uncompacted").config("cleanup.policy", policy).create();
        write(&topic, "1");
        let app = start(&topic, kafka);
        assert_warned(&app, "policy-mismatch");
        compare(&app, &topic);
        topic.configure("cleanup.policy", "compact");
        assert_over(&app, "policy-mismatch");
    }
}

/// FAULTS row 23.
#[test]
fn a_view_that_refuses_topics_that_are_not_compacted_serves_what_it_has_and_reads_nothing() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("refused").create();
    write(&topic, "1");
    let app = describe(&topic, kafka).set("views.v.on_policy_mismatch", "refuse").start().restored();
    topic.configure("cleanup.policy", "compact,delete");
    let halted = |status: &Value| status["reason"] == "policy-mismatch" && status["state"] == "stale";
    app.wait_for_status("v", "a halted view", halted);
    assert!(app.get("v", "k1").header("view-status").unwrap().contains("reason=policy-mismatch"));
    topic.put("late", "1");
    topic.configure("cleanup.policy", "compact");
    app.wait_for_event("v", "source-back");
    compare(&app, &topic);

    // One that is asked to ignore the policy says nothing.
    topic.configure("cleanup.policy", "delete");
    let ignores = describe(&topic, kafka).set("views.v.on_policy_mismatch", "ignore").start().restored();
    compare(&ignores, &topic);
    assert!(!has_warning(&ignores.status("v"), "policy-mismatch"));
}

/// FAULTS row 30.
#[test]
fn a_value_too_large_to_keep_is_told_from_a_miss_also_after_a_restart() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("bounded").create();
    write(&topic, "1");
    topic.put("large", "x".repeat(2000));
    let app = describe(&topic, kafka).set("views.v.max_value_bytes", "1KiB");
    let mut app = app.set("ops.admin", true).start().restored();
    let refused = |app: &TestApp<'_>| {
        let answer = app.get("v", "large");
        assert_eq!((answer.status, answer.json()["code"].as_str()), (406, Some("value-too-large")));
    };
    refused(&app);
    app.wait_for_event("v", "value-too-large");
    assert_eq!(sample(&app, "statusquo_view_values_too_large_total{view=\"v\"}"), 1);
    assert_eq!(app.count_events("v", "value-too-large"), 1);
    let line = "values are larger than max_value_bytes, not kept";
    assert_eq!(app.log().matches(line).count(), 1, "one condition, one line");
    app.terminate();
    app.start_again();
    app.wait_until_restored();
    refused(&app);

    // Whoever holds an answer without the value does not hold the one with it.
    let paths = ["/v1/views/v/keys/large", "/v1/views/v/keys/large?format=entry"];
    let held = paths.map(|path| app.get_raw(path).header("etag").unwrap().to_owned());
    app.set("views.v.max_value_bytes", "2KiB");
    app.terminate();
    app.start_again();
    app.wait_until_restored();
    refused(&app);
    assert_eq!(app.request_ops("POST", "/admin/v1/views/v/rebuild", b"{}").status, 202);
    eventually(DEADLINE, "the value", || (app.get("v", "large").status == 200).then_some(()));
    for (path, etag) in paths.iter().zip(&held) {
        let answer = app.request("GET", path, &[("If-None-Match", etag)], b"");
        assert_eq!(answer.status, 200, "{path} {etag}");
    }
    compare(&app, &topic);
}
