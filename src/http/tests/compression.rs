use std::collections::BTreeSet;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _};
use tower_http::decompression::DecompressionLayer;

use super::fixture::{Answer, Fixture, TAG, send_body};
use crate::config::sections::{KeyFormat, ValueFormat};

const PATH: &str = "/v1/views/users/keys/u1";
const LINES: &str = "application/x-ndjson";

fn large() -> String {
    format!("{{\"text\":\"{}\"}}", "The quick brown fox. ".repeat(2000))
}

fn with_large_value() -> Fixture {
    let mut fixture = Fixture::users();
    fixture.put(b"u1", Some(large().as_bytes()));
    fixture.put(b"u2", Some(b"{}"));
    fixture
}

async fn get(fixture: &Fixture, path: &str, codings: &str) -> Answer {
    fixture.send(Method::GET, path, &[("accept-encoding", codings)]).await
}

fn vary(answer: &Answer) -> BTreeSet<String> {
    let values = answer.headers.get_all("vary").iter();
    let names = values.flat_map(|value| value.to_str().unwrap().split(','));
    names.map(|name| name.trim().to_ascii_lowercase()).collect()
}

#[tokio::test]
async fn a_large_answer_is_compressed_for_a_client_that_takes_it() {
    let fixture = with_large_value();
    for (codings, coding) in [
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.1", "gzip"),
        ("*", "zstd"),
        ("br, deflate", ""),
        ("gzip;q=0", ""),
        ("identity", ""),
        ("identity;q=0, *;q=0", ""),
        ("\u{fffd}", ""),
        ("", ""),
    ] {
        let answer = get(&fixture, PATH, codings).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (StatusCode::OK, coding), "{codings}");
        assert_eq!(answer.body.len() < 2000, !coding.is_empty(), "{codings}");
        let etag = format!("\"{TAG}.0.0.0.j\"");
        let expected = if coding.is_empty() { etag } else { format!("W/{etag}") };
        assert_eq!(answer.header("etag"), expected, "a strong tag promises the same bytes");
        let expected = ["accept", "accept-encoding"].map(str::to_owned);
        assert!(vary(&answer).is_superset(&expected.into()), "caches keep both forms apart");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_compressed_is_what_was_produced_to_its_last_line() {
    let fixture = with_large_value();
    let (entries, many) = ("/v1/views/users/entries", "/v1/views/users/lookup");
    let keys = r#"{"keys":["u1","u2"]}"#;
    for (method, path, accept, body) in [
        (Method::GET, PATH, "*/*", ""),
        (Method::GET, entries, "*/*", ""),
        (Method::GET, entries, LINES, ""),
        (Method::POST, many, "*/*", keys),
        (Method::POST, many, LINES, keys),
    ] {
        let headers = [("accept", accept), ("content-type", "application/json")];
        let plain = send_body(fixture.data(), method.clone(), path, &headers, body).await;
        assert_eq!(plain.text().ends_with("}\n"), accept == LINES, "{path}");
        for coding in ["gzip", "zstd"] {
            let mut headers = headers.to_vec();
            headers.push(("accept-encoding", coding));
            let sent = send_body(fixture.data(), method.clone(), path, &headers, body).await;
            assert_eq!(sent.header("content-encoding"), coding, "{path} {accept}");
            let client = DecompressionLayer::new().layer(fixture.data());
            let request = headers
                .iter()
                .fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
            let request = request.method(method.clone()).uri(path).body(Body::from(body)).unwrap();
            let response = client.oneshot(request).await.unwrap();
            let read = response.into_body().collect().await.unwrap().to_bytes();
            assert!(read == plain.body, "{path} {accept} {coding}");
        }
    }
}

#[tokio::test]
async fn either_form_of_the_entity_tag_spares_the_body() {
    let fixture = with_large_value();
    for codings in ["gzip", "zstd", ""] {
        let etag = get(&fixture, PATH, codings).await.header("etag").to_owned();
        for again in ["gzip", ""] {
            let headers = [("accept-encoding", again), ("if-none-match", &*etag)];
            let answer = fixture.send(Method::GET, PATH, &headers).await;
            assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0), "{codings}");
            assert_eq!(answer.header("etag"), etag, "the copy it is about");
            assert!(!answer.headers.contains_key("content-encoding"));
        }
    }
}

#[tokio::test]
async fn small_answers_and_bytes_of_unknown_kind_are_left_as_they_are() {
    let fixture = with_large_value();
    let raw = format!("{PATH}?format=raw");
    for path in ["/v1/views/users/keys/u2", "/v1/views/users/keys/nobody", "/v1/views", &raw] {
        let answer = get(&fixture, path, "gzip, zstd").await;
        assert!(!answer.headers.contains_key("content-encoding"), "{path}");
        assert!(!answer.header("etag").starts_with("W/"), "{path}");
    }
    let mut fixture = Fixture::live(KeyFormat::String, ValueFormat::Bytes);
    fixture.put(b"u1", Some(large().as_bytes()));
    assert_eq!(get(&fixture, PATH, "gzip").await.body, large().as_bytes());
}

#[tokio::test]
async fn a_head_tells_of_the_compression_of_a_get() {
    let fixture = with_large_value();
    let head = fixture.send(Method::HEAD, PATH, &[("accept-encoding", "gzip")]).await;
    let get = get(&fixture, PATH, "gzip").await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    for name in ["etag", "content-encoding", "content-type", "vary"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    assert!(!head.headers.contains_key("content-length"), "it would be the length of another body");
}

#[tokio::test]
async fn documents_are_compressed_and_say_that_it_depends() {
    let fixture = Fixture::users();
    for path in ["/openapi.json", "/docs/swagger-ui.css"] {
        let plain = fixture.get(path).await;
        let answer = get(&fixture, path, "zstd").await;
        assert_eq!(answer.header("content-encoding"), "zstd", "{path}");
        assert!(answer.body.len() < plain.body.len() / 2, "{path}");
        assert_eq!(vary(&plain), ["accept-encoding".to_owned()].into(), "{path}");
    }
}
