//! Rights that are missing, granted, taken back and granted again.

use crate::app::TestApp;
use crate::kafka::{Record, TestKafka, TestTopic};

const USER: &str = "svc";
const PASSWORD: &str = "secret";
const GROUP: &str = "g-rights";

fn start<'k>(kafka: &'k TestKafka, topic: &TestTopic<'_>, password: &str) -> TestApp<'k> {
    TestApp::builder(kafka)
        .view("v", topic)
        .set("kafka.bootstrap", kafka.secured())
        .set("kafka.group", GROUP)
        .set("kafka.sasl_username", USER)
        .set("kafka.sasl_password", password)
        .set("kafka.properties.\"security.protocol\"", "SASL_PLAINTEXT")
        .set("kafka.properties.\"sasl.mechanism\"", "SCRAM-SHA-512")
        .set("kafka.poll_interval", "100ms")
        .set("kafka.request_timeout", "2s")
        .set("mirror.interval", "100ms")
        .start()
}

/// Waits until the view says that it is not allowed something, in these words.
fn wait_for_missing(app: &TestApp<'_>, words: &str) {
    app.wait_for_status("v", words, |status| {
        status["reason"] == "unauthorized"
            && status["detail"].as_str().is_some_and(|text| text.contains(words))
    });
}

/// Waits until the warnings are these, each with words that say what is missing.
fn wait_for_warnings(app: &TestApp<'_>, wanted: &[(&str, &str)]) {
    app.wait_for_status("v", &format!("warnings {wanted:?}"), |status| {
        let warnings = status["warnings"].as_array().expect("warnings");
        warnings.len() == wanted.len()
            && wanted.iter().all(|(code, words)| {
                warnings.iter().any(|warning| {
                    warning["code"] == *code
                        && warning["detail"].as_str().is_some_and(|text| text.contains(words))
                })
            })
    });
}

#[test]
fn a_missing_right_is_named_with_its_resource_and_the_view_goes_on_once_it_is_granted() {
    let kafka = TestKafka::start_secured();
    let topic = kafka.topic("guarded").partitions(2).create();
    let name = topic.name();
    topic.write_all((0..100).map(|number| Record::put(format!("k{number}"), "1")));
    kafka.add_user(USER, PASSWORD);
    kafka.grant(USER, "Describe", ["--topic", name]);
    let app = start(&kafka, &topic, PASSWORD);
    let read_missing = format!("READ on topic '{name}' is missing");
    wait_for_missing(&app, &read_missing);
    let ready = app.get_ops("/readyz");
    assert!(ready.status == 503 && ready.text().contains(&read_missing), "{}", ready.text());

    kafka.grant(USER, "Read", ["--topic", name]);
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    let describe_missing = format!("DESCRIBE_CONFIGS on topic '{name}' is missing");
    let group_missing = format!("READ on group '{GROUP}' is missing");
    wait_for_warnings(&app, &[("rights-missing", &describe_missing), ("mirror-failing", &group_missing)]);
    kafka.grant(USER, "DescribeConfigs", ["--topic", name]);
    wait_for_warnings(&app, &[("mirror-failing", &group_missing)]);
    kafka.grant(USER, "Read", ["--group", GROUP]);
    wait_for_warnings(&app, &[]);
    app.wait_until_signed("v", GROUP);

    kafka.revoke(USER, "Read", ["--topic", name]);
    topic.put("late", "1");
    wait_for_missing(&app, &read_missing);
    let held = app.get("v", "k1");
    assert!(held.status == 200 && held.header("view-status").unwrap().contains("reason=unauthorized"));
    assert_eq!(app.get_ops("/readyz").status, 200);
    kafka.grant(USER, "Read", ["--topic", name]);
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());

    let stranger = start(&kafka, &topic, "wrong");
    wait_for_missing(&stranger, "check user name, password and security.protocol");
}
