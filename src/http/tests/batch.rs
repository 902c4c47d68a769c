use std::io;
use std::time::Duration;

use axum::body::Body;
use bytesize::ByteSize;
use futures_util::StreamExt as _;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt as _;

use super::consistency::{seats_taken, until};
use super::fixture::{Answer, Fixture, TAG, send_body};
use crate::config::sections::{HttpConfig, KeyFormat, ScanConfig, ValueFormat};
use crate::position::Position;

const PATH: &str = "/v1/views/users/lookup";
const JSON: (&str, &str) = ("content-type", "application/json");
const LINES: (&str, &str) = ("accept", "application/x-ndjson");

async fn post(fixture: &Fixture, headers: &[(&str, &str)], body: impl Into<String>) -> Answer {
    send_body(fixture.data(), Method::POST, PATH, headers, body.into()).await
}

/// The lines of a stream; the last one apart.
fn lines(answer: &Answer) -> (Vec<Value>, Value) {
    let mut lines: Vec<Value> =
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.pop().unwrap();
    (lines, last)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_answered_in_order_with_duplicates_and_misses_at_one_position() {
    let mut fixture = Fixture::users();
    let odd = r#"{"n":12345678901234567890.10, "n":"\u00e9"}"#;
    fixture.put(b"u1", Some(odd.as_bytes()));
    fixture.put(b"u2", Some(b"2"));
    fixture.put(b"u2", None);
    let answer = post(&fixture, &[JSON], r#"{"keys":["u1","u2","u1",""]}"#).await;
    let item = format!(
        "{{\"key\":\"u1\",\"found\":true,\"etag\":\"\\\"{TAG}.0.0.0.eh.utf8.json\\\"\",\"value\":{odd},\"partition\":0,\"offset\":0,\
         \"timestamp\":\"1970-01-01T00:00:00.000Z\",\"timestamp_type\":\"create\",\
         \"headers\":[[\"trace\",\"MQ==\"],[\"none\",null]]}}"
    );
    let expected = format!(
        "{{\"items\":[{item},{{\"key\":\"u2\",\"found\":false}},{item},{{\"key\":\"\",\"found\":false}}],\
         \"position\":\"v1=0:2;t={TAG}\",\"generation\":2}}"
    );
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, &*expected));
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "private, max-age=1"),
        ("vary", "Accept, Accept-Encoding, Prefer, Read-After, Read-Consistency"),
        ("view-position", &*format!("v1=0:2;t={TAG}")),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert!(answer.header("view-status").starts_with("state=live"));
    let etag = answer.json()["items"][0]["etag"].as_str().unwrap().to_owned();
    let path = "/v1/views/users/keys/u1?format=entry";
    let held = fixture.send(Method::GET, path, &[("if-none-match", &etag)]).await;
    assert_eq!(held.status, StatusCode::NOT_MODIFIED, "the tag is the one of the look-up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_many_keys_is_answered_as_one_of_few() {
    let mut fixture = Fixture::users();
    for number in 0..300 {
        fixture.put(format!("u{number}").as_bytes(), Some(number.to_string().as_bytes()));
    }
    let keys: Vec<_> = (0..1000).map(|number| format!("u{}", (number * 7) % 400)).collect();
    let answer = post(&fixture, &[JSON], json!({"keys": keys, "format": "json"}).to_string()).await;
    let items = answer.json()["items"].as_array().unwrap().clone();
    assert_eq!(items.len(), keys.len());
    for (item, key) in items.iter().zip(&keys) {
        let number: u32 = key[1..].parse().unwrap();
        let value = (number < 300).then_some(number);
        assert_eq!((&item["key"], &item["found"]), (&json!(key), &json!(value.is_some())));
        assert_eq!(item.get("value").cloned(), value.map(Value::from));
        assert_eq!((item.get("offset"), item.get("timestamp")), (value.map(Value::from).as_ref(), None));
    }
    let streamed = post(&fixture, &[JSON, LINES], json!({"keys": keys, "format": "json"}).to_string()).await;
    assert_eq!(streamed.header("content-type"), "application/x-ndjson");
    let (items_of_lines, last) = lines(&streamed);
    assert_eq!(items_of_lines, items);
    let position = streamed.header("view-position");
    assert_eq!(last, json!({"end": true, "count": 1000, "position": position, "generation": 2}));
}

/// FAULTS row 38.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_written_as_the_batch_says() {
    let mut fixture = Fixture::live(KeyFormat::I64, ValueFormat::Bytes);
    fixture.put(&(-7_i64).to_be_bytes(), Some(b"seven"));
    let long = vec![b'a'; 20_000];
    fixture.put(&long, Some(b"long"));
    let text = String::from_utf8(long).unwrap();
    for (body, key) in [
        (json!({"keys": ["-7"]}), "-7"),
        (json!({"keys": ["fffffffffffffff9"], "enc": "hex"}), "fffffffffffffff9"),
        (json!({"keys": ["__________k"], "enc": "base64url", "format": "raw"}), "__________k"),
        (json!({"keys": [text], "enc": "utf8"}), &*text),
    ] {
        let item = &post(&fixture, &[JSON], body.to_string()).await.json()["items"][0];
        assert_eq!((&item["key"], &item["found"]), (&json!(key), &json!(true)), "{body}");
        assert!(item["value_base64"].is_string() && item.get("error").is_none());
    }
}

/// FAULTS row 34.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_not_what_the_view_says_is_the_error_of_its_item() {
    let mut fixture = Fixture::users();
    fixture.put(b"bad", Some(b"{\"n\":"));
    fixture.put(b"empty", Some(b""));
    fixture.put(b"pretty", Some(b"{\n\"n\": 1\r\n}"));
    let body = r#"{"keys":["bad","empty","pretty"]}"#;
    let items = post(&fixture, &[JSON], body).await.json()["items"].clone();
    for (number, base64) in [(0, "eyJuIjo="), (1, "")] {
        assert_eq!(items[number]["value_base64"], base64);
        assert_eq!(items[number]["error"]["code"], "value-not-representable");
    }
    assert_eq!((&items[2]["value"]["n"], items[2].get("error")), (&json!(1), None));
    let (streamed, _) = lines(&post(&fixture, &[JSON, LINES], body).await);
    assert_eq!(json!(streamed), items);
    let raw = post(&fixture, &[JSON], r#"{"keys":["bad"],"format":"raw"}"#).await.json()["items"][0].clone();
    assert_eq!((&raw["value_base64"], raw.get("error")), (&json!("eyJuIjo="), None));
}

/// FAULTS row 49.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_body_is_said_without_repeating_it() {
    let fixture = Fixture::users();
    let many = json!({"keys": vec!["k"; 1001]}).to_string();
    let long = json!({"keys": ["k".repeat(1024 * 1024)]}).to_string();
    for (body, code, says) in [
        ("", "bad-body", "must be a JSON object"),
        ("[[\"secret\"]]", "bad-body", "must be a JSON object"),
        ("{\"keys\":[\"secret\"]", "bad-body", "must be a JSON object"),
        ("{}", "bad-body", "`keys` is missing"),
        ("{\"keys\":\"secret\"}", "bad-body", "`keys` must be a list of strings"),
        ("{\"keys\":[1]}", "bad-body", "`keys` must be a list of strings"),
        ("{\"keys\":[],\"keys\":[\"secret\"]}", "bad-body", "each is given once"),
        ("{\"keys\":[],\"fromat\":\"raw\"}", "bad-body", "did you mean `format`?"),
        ("{\"keys\":[],\"secret\":1}", "bad-body", "takes `keys`, `enc`, `format`"),
        ("{\"keys\":[],\"enc\":\"secret\"}", "bad-body", "`enc` must be one of `utf8`"),
        ("{\"keys\":[\"secret\"],\"enc\":\"i64\"}", "bad-key", "decimal number"),
        ("{\"keys\":[],\"format\":\"text\"}", "value-not-representable", "no such representation"),
        (&many, "content-too-large", "at most 1000 keys"),
        (&long, "content-too-large", "more than 1048576 bytes"),
    ] {
        let answer = post(&fixture, &[JSON], body).await;
        assert_eq!(answer.problem(), code, "{}", body.get(..40).unwrap_or(body));
        assert!(answer.text().contains(says) && !answer.text().contains("secret"), "{}", answer.text());
    }
    for headers in [&[][..], &[("content-type", "text/plain")]] {
        assert_eq!(post(&fixture, headers, "{\"keys\":[]}").await.problem(), "unsupported-media-type");
    }
    let answer = post(&fixture, &[JSON, ("accept", "text/html")], "{\"keys\":[]}").await;
    assert_eq!((answer.status, &*answer.problem()), (StatusCode::NOT_ACCEPTABLE, "not-acceptable"));
    let empty = post(&fixture, &[JSON], "{\"keys\":[]}").await;
    assert_eq!(empty.text(), "{\"items\":[],\"position\":null,\"generation\":2}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_to_its_end_is_a_bad_one() {
    let begun = || futures_util::stream::iter([Ok(bytes::Bytes::from_static(b"{\"keys\":["))]);
    let limit = Duration::from_millis(100);
    let fixture = Fixture::with_request_timeout(KeyFormat::String, ValueFormat::Json, limit);
    let late = Body::from_stream(begun().chain(futures_util::stream::pending::<io::Result<_>>()));
    let cut = begun().chain(futures_util::stream::iter([Err(io::Error::other("reset"))]));
    for (body, says) in [(late, "within 0.05 seconds"), (Body::from_stream(cut), "broken or cut off")] {
        let answer = send_body(fixture.data(), Method::POST, PATH, &[JSON], body).await;
        assert_eq!((answer.status, &*answer.problem()), (StatusCode::BAD_REQUEST, "bad-body"));
        assert!(answer.text().contains(says), "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_would_be_too_long_names_its_limit_and_can_be_streamed() {
    let mut fixture = Fixture::users();
    fixture.put(b"big", Some(format!("\"{}\"", "x".repeat(100_000)).as_bytes()));
    let body = json!({"keys": vec!["big"; 100]}).to_string();
    let answer = post(&fixture, &[JSON], body.clone()).await;
    assert_eq!((answer.status, &*answer.problem()), (StatusCode::PAYLOAD_TOO_LARGE, "content-too-large"));
    assert!(answer.text().contains("http.scan.answer_bytes_max"), "{}", answer.text());
    let (items, last) = lines(&post(&fixture, &[JSON, LINES], body).await);
    assert_eq!((items.len(), &last["end"]), (100, &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_values_large_and_small_keep_their_order_whatever_is_read_at_once() {
    let mut fixture = Fixture::users();
    for number in 0..40_usize {
        let size = if number < 20 { 10 } else { 200_000 };
        fixture.put(
            format!("u{number}").as_bytes(),
            Some(format!("\"{number}{}\"", "x".repeat(size)).as_bytes()),
        );
    }
    let keys: Vec<_> = (0..400).map(|number| format!("u{}", number * 7 % 50)).collect();
    let (items, last) = lines(&post(&fixture, &[JSON, LINES], json!({"keys": keys}).to_string()).await);
    assert_eq!((items.len(), &last["count"]), (400, &json!(400)));
    for (item, key) in items.iter().zip(&keys) {
        let value = (key[1..].parse::<u32>().unwrap() < 40).then(|| format!("{}x", &key[1..]));
        assert_eq!((&item["key"], &item["found"]), (&json!(key), &json!(value.is_some())));
        let shown = item["value"].as_str().unwrap_or_default();
        assert!(shown.starts_with(&value.unwrap_or_default()), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_restores_answers_no_batch() {
    let mut fixture = Fixture::restoring(KeyFormat::String, ValueFormat::Json);
    fixture.put(b"u1", Some(b"1"));
    for headers in [&[JSON][..], &[JSON, LINES]] {
        let answer = post(&fixture, headers, r#"{"keys":["u1"]}"#).await;
        assert_eq!((answer.status, &*answer.problem()), (StatusCode::SERVICE_UNAVAILABLE, "view-restoring"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_wait_for_a_partition_that_was_added_as_a_document_does() {
    let mut fixture = Fixture::users();
    fixture.put(b"u1", Some(b"1"));
    fixture.complete();
    fixture.progress.want(2);
    let body = r#"{"keys":["u1","nobody"]}"#;
    let (_, last) = lines(&post(&fixture, &[JSON, LINES], body).await);
    assert_eq!(last["error"]["code"], "view-restoring", "nothing is to be waited for");
    let ask = |accept| {
        let router = fixture.data();
        let headers = [JSON, accept, ("prefer", "wait=30")];
        tokio::spawn(async move { send_body(router, Method::POST, PATH, &headers, body).await })
    };
    let (document, streamed) = (ask(("accept", "*/*")), ask(LINES));
    until(|| seats_taken(&fixture) == 2 || streamed.is_finished()).await;
    fixture.grow();
    let (items, last) = lines(&streamed.await.unwrap());
    assert_eq!(document.await.unwrap().json()["items"], json!(items));
    assert_eq!((&items[1]["found"], &last["end"]), (&json!(false), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_only_from_what_it_asks_for() {
    let mut fixture = Fixture::users();
    let offset = fixture.put(b"u1", Some(b"1"));
    fixture.progress.want(0).set_log(Position::ZERO, Position::new(50));
    let body = r#"{"keys":["u1"]}"#;
    for lines in [false, true] {
        let accept = if lines { LINES } else { ("accept", "*/*") };
        let applied = post(&fixture, &[JSON, accept, ("read-after", &format!("0:{offset}"))], body).await;
        assert_eq!(applied.status, StatusCode::OK, "{}", applied.text());
        let later = post(&fixture, &[JSON, accept, ("read-after", &format!("0:{}", offset + 1))], body).await;
        assert_eq!((later.status, &*later.problem()), (StatusCode::GATEWAY_TIMEOUT, "position-not-reached"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_wait_keep_their_room_and_leave_none_to_others() {
    let mut fixture = Fixture::users();
    fixture.put(b"u1", Some(b"1"));
    let later = [JSON, ("read-after", "0:1000"), ("prefer", "wait=30")];
    for (key, most) in [("k".repeat(1000), 64), (String::new(), 64 * 1024 * 1024 / 48_000)] {
        let body = json!({"keys": vec![key; 1000]}).to_string();
        let ask = || Box::pin(post(&fixture, &later, body.clone()));
        let mut waiting = Vec::new();
        let refused = loop {
            assert!(waiting.len() <= most, "of {} bytes each", body.len());
            let mut asked = ask();
            match timeout(Duration::ZERO, &mut asked).await {
                Ok(answer) => break answer,
                Err(_) => waiting.push(asked),
            }
        };
        assert_eq!((refused.status, &*refused.problem()), (StatusCode::SERVICE_UNAVAILABLE, "overloaded"));
        assert!(waiting.len() > 20, "{}", waiting.len());
        drop(waiting);
        assert!(timeout(Duration::ZERO, ask()).await.is_err(), "there is room again, and it waits");
    }
}

/// FAULTS row 6.
#[tokio::test(flavor = "multi_thread")]
async fn damage_is_an_error_of_the_whole_batch_and_never_a_miss() {
    let mut fixture = Fixture::users();
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(3000).collect();
    for number in 0..30 {
        fixture.put(format!("u{number}").as_bytes(), Some(format!("\"{noise}{number}\"").as_bytes()));
    }
    let fixture = fixture.damaged();
    let body = json!({"keys": (0..30).map(|number| format!("u{number}")).collect::<Vec<_>>()}).to_string();
    let answer = post(&fixture, &[JSON], body.clone()).await;
    assert_eq!(
        (answer.status, &*answer.problem()),
        (StatusCode::INTERNAL_SERVER_ERROR, "storage-corruption")
    );
    let (items, last) = lines(&post(&fixture, &[JSON, LINES], body).await);
    assert!(items.iter().all(|item| item["found"] == true));
    assert_eq!((&last["end"], &last["error"]["code"]), (&json!(false), &json!("storage-corruption")));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_takes_leave_no_room_for_others_until_they_are_dropped() {
    let scan = ScanConfig { parallel: 2, answer_bytes_max: ByteSize::kib(64), ..ScanConfig::default() };
    let mut fixture = Fixture::limited(&HttpConfig { scan, ..HttpConfig::default() });
    fixture.catch_up();
    fixture.put(b"u1", Some(format!("\"{}\"", "x".repeat(50_000)).as_bytes()));
    let ask = async |request: http::request::Builder, body: &str| {
        fixture.data().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap()
    };
    let page = || http::Request::get("/v1/views/users/entries");
    let batch = || http::Request::post(PATH).header(JSON.0, JSON.1);
    let held = [ask(page(), "").await, ask(batch(), r#"{"keys":["u1"]}"#).await];
    assert!(held.iter().all(|answer| answer.status() == StatusCode::OK));
    let refused = fixture.get("/v1/views/users/entries").await;
    assert_eq!((refused.status, &*refused.problem()), (StatusCode::SERVICE_UNAVAILABLE, "overloaded"));
    assert_eq!(post(&fixture, &[JSON], r#"{"keys":["u1"]}"#).await.problem(), "overloaded");
    assert_eq!(
        post(&fixture, &[JSON], r#"{"keys":["u2"]}"#).await.status,
        StatusCode::OK,
        "there is room for less"
    );
    assert_eq!(fixture.get("/v1/views/users/keys/u1").await.status, StatusCode::OK);
    drop(held);
    assert_eq!(fixture.get("/v1/views/users/entries").await.status, StatusCode::OK);
    // An answer that is larger than all the room there is goes alone.
    fixture.put(b"u3", Some(format!("\"{}\"", "x".repeat(500_000)).as_bytes()));
    let large = fixture.get("/v1/views/users/entries?prefix=u3").await;
    assert_eq!(large.json()["items"][0]["value"].as_str().map(str::len), Some(500_000));
}
