//! What strangers send: it is answered or refused, and costs no memory.

use std::io::ErrorKind;

use crate::app::{Connection, TestApp};
use crate::corpus::corpus;
use crate::eventually::eventually;
use crate::kafka::TestKafka;
use crate::slow_clients::{DEADLINE, SLACK_KIB, resident_kib};

/// Length to which each line is repeated once: about what the head of a request may have.
const LONG: usize = 60 * 1024;

/// Where a line of a corpus goes: what stands before and after it in a request.
const PLACES: [(&str, &str, &str); 22] = [
    ("key", "GET /v1/views/v/keys/", " HTTP/1.1\r\n"),
    ("key", "GET /v1/views/v/lookup?key=", " HTTP/1.1\r\n"),
    ("key", "GET /v1/views/v/lookup?enc=base64url&key=", " HTTP/1.1\r\n"),
    ("key", "GET /v1/views/v/lookup?enc=hex&key=", " HTTP/1.1\r\n"),
    ("key", "GET /v1/views/v/lookup?enc=i32&key=", " HTTP/1.1\r\n"),
    ("key", "GET /v1/views/v/lookup?enc=i64&key=", " HTTP/1.1\r\n"),
    ("key", "GET /v1/views/v/lookup?enc=uuid&key=", " HTTP/1.1\r\n"),
    ("key", "GET /v1/views/", "/status HTTP/1.1\r\n"),
    ("key", "GET /docs/", " HTTP/1.1\r\n"),
    ("key", "GET /v1/views/v/watch?initial=none&prefix=", " HTTP/1.1\r\n"),
    ("accept", "GET /v1/views/v/keys/u1 HTTP/1.1\r\nAccept: ", "\r\n"),
    ("accept", "GET /v1/views/v/entries HTTP/1.1\r\nAccept: ", "\r\n"),
    ("accept", "GET /v1/views HTTP/1.1\r\nAccept-Encoding: ", "\r\n"),
    ("prefer", "GET /v1/views/v/keys/u1 HTTP/1.1\r\nPrefer: ", "\r\n"),
    ("position", "GET /v1/views/v/keys/u1 HTTP/1.1\r\nRead-After: ", "\r\n"),
    ("position", "GET /v1/views/v/keys/u1?read_after=", " HTTP/1.1\r\n"),
    ("position", "GET /v1/views/v/watch?initial=none HTTP/1.1\r\nLast-Event-ID: ", "\r\n"),
    ("position", "GET /v1/views/v/watch?initial=none&from=", " HTTP/1.1\r\n"),
    ("etag", "GET /v1/views/v/keys/u1 HTTP/1.1\r\nIf-None-Match: ", "\r\n"),
    ("range", "GET /v1/views/v/entries?", " HTTP/1.1\r\n"),
    ("range", "GET /v1/views/v/keys/u1?", " HTTP/1.1\r\n"),
    ("cursor", "GET /v1/views/v/entries?cursor=", " HTTP/1.1\r\n"),
];

/// Sends a request and returns the status of the answer, on a connection that is not used again.
fn status(app: &TestApp<'_>, request: &[u8]) -> Option<u16> {
    let mut connection = Connection::open(app.http_address()).expect("a connection");
    match connection.send_raw(request).and_then(|()| connection.receive_head()) {
        Ok(head) => Some(head.status),
        // The service may close before everything is sent; then there is no answer to be had.
        Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => None,
        Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&request[..request.len().min(200)])),
    }
}

/// FAULTS row 50.
#[test]
fn whatever_strangers_send_is_answered_or_refused_and_leaves_no_memory_behind() {
    let topic = TestKafka::shared().topic("hostile").create();
    topic.put("u1", "{}");
    let app =
        TestApp::builder(TestKafka::shared()).view("v", &topic).set("http.wait_max", "1s").start().restored();
    let before = resident_kib(&app);

    for (name, start, end) in PLACES {
        for line in corpus(name) {
            let long = line.repeat(LONG / line.len().max(1));
            for input in [line, long] {
                let request =
                    [start.as_bytes(), &input, end.as_bytes(), b"Host: x\r\nConnection: close\r\n\r\n"]
                        .concat();
                let status = status(&app, &request);
                let shown = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
                let fine = status.is_none_or(|status| matches!(status, 200..500 | 503 | 504));
                assert!(fine, "{status:?}: {shown}");
            }
        }
    }

    assert!(!app.log().contains("panicked"), "{}", app.log());
    eventually(DEADLINE, "memory as before", || {
        assert_eq!(app.get("v", "u1").status, 200);
        Some(resident_kib(&app)).filter(|after| *after < before + SLACK_KIB)
    });
}
