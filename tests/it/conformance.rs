//! The service answers as its OpenAPI documents say.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::app::TestApp;
use crate::kafka::{Record, TestKafka, TestTopic};

/// Exit code of the script where its tool cannot be installed.
const NO_TOOL: i32 = 69;

/// Runs something while records are written, one after the other.
fn while_written_to<T>(topic: &TestTopic<'_>, run: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in (0..).take_while(|_| !over.load(Ordering::Relaxed)) {
                topic.put(format!("u{}", number % 300), "{\"id\":1}");
            }
        });
        let outcome = run();
        over.store(true, Ordering::Relaxed);
        outcome
    })
}

#[test]
fn both_listeners_answer_as_their_documents_say() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("conformance").partitions(4).create();
    topic.write_all((0..2000).map(|number| {
        Record::put(format!("u{}", number % 500), format!("{{\"id\":{number},\"name\":\"Ada\"}}"))
    }));
    topic.write_all((0..50).map(|number| Record::delete(format!("u{}", 450 + number))));
    // Requests may ask to wait, and watches go on; how long they may is not what this is about.
    let app = TestApp::builder(kafka)
        .view("users", &topic)
        .set("http.wait_max", "1s")
        .set("http.watch.bookmark_interval", "1s")
        .set("http.watch.lifetime", "200ms")
        .set("ops.admin", true)
        .start()
        .restored();

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/conformance");
    let mut command = Command::new(script);
    command.args([app.http_url(), app.ops_url()]);
    let output = while_written_to(&topic, || command.output().expect(script));
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if output.status.code() == Some(NO_TOOL) && std::env::var_os("CI").is_none() {
        eprintln!("SKIPPED: answers are not compared with the OpenAPI documents\n{said}");
        return;
    }
    assert!(output.status.success(), "{said}");
    assert!(!app.log().contains("panicked"), "{}", app.log());
    app.wait_until_restored();
}
