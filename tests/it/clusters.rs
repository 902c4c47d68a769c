//! A store that meets another cluster.

use crate::app::TestApp;
use crate::kafka::{Record, TestKafka};

/// FAULTS row 22: a wrong bootstrap address.
#[test]
fn a_view_of_another_cluster_halts_untouched_and_goes_on_at_home() {
    let (home, away) = (TestKafka::shared(), TestKafka::start());
    let topic = home.topic("strayed").partitions(2).create();
    topic.write_all((0..100).map(|number| Record::put(format!("k{number}"), "1")));
    // More partitions than at home: none of them may be taken in.
    away.topic("strayed").partitions(3).create_named(topic.name());
    let mut app = TestApp::builder(home)
        .view("v", &topic)
        .set("kafka.poll_interval", "200ms")
        .set("mirror.interval", "100ms")
        .set("kafka.group", "g-strayed")
        .start()
        .restored();
    app.wait_until_signed("v", "g-strayed");
    app.terminate();

    app.set("kafka.bootstrap", away.bootstrap());
    app.start_again();
    app.wait_for_event("v", "wrong-cluster");
    app.assert_view_equals("v", &topic.fold());
    let status = app.status("v");
    assert_eq!(
        (&status["reason"], status["generation"].as_u64()),
        (&"wrong-cluster".into(), Some(2)),
        "{status}"
    );
    assert_eq!(status["partitions"].as_array().map(Vec::len), Some(2), "{status}");
    app.terminate();
    assert!(away.committed("g-strayed", topic.name()).is_empty());

    app.set("kafka.bootstrap", home.bootstrap());
    app.start_again();
    topic.put("back", "home");
    app.wait_until_restored();
    app.assert_view_equals("v", &topic.fold());
    assert_eq!(app.generation("v"), 2);
}
