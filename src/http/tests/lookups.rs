use std::time::{Duration, Instant};

use http::{Method, StatusCode};

use super::fixture::{Fixture, TAG, VALUE_BYTES_MAX};
use crate::config::sections::{KeyFormat, ValueFormat};

const PATH: &str = "/v1/views/users/keys/u1";

#[tokio::test]
async fn a_value_comes_byte_for_byte_with_where_it_is_from() {
    let mut fixture = Fixture::users();
    fixture.put(b"u0", Some(b"0"));
    let odd = b" {\"a\":12345678901234567890.10, \"a\":\"\\u00e9\"}\n";
    fixture.put(b"u1", Some(odd));
    let answer = fixture.get(PATH).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &odd[..]));
    for (name, value) in [
        ("content-type", "application/json"),
        ("etag", &*format!("\"{TAG}.0.1.1000.j\"")),
        ("cache-control", "private, max-age=1"),
        ("vary", "Accept, Accept-Encoding, Prefer, Read-After, Read-Consistency"),
        ("x-content-type-options", "nosniff"),
        ("record-partition", "0"),
        ("record-offset", "1"),
        ("record-timestamp", "1970-01-01T00:00:01.000Z"),
        ("view-position", &*format!("v1=0:1;t={TAG}")),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert!(answer.header("view-status").starts_with("state=live, lag=0, staleness=0."));
    assert!(answer.header("view-status").ends_with(", generation=2"));
}

#[tokio::test]
async fn a_miss_names_how_far_the_view_reaches() {
    let mut fixture = Fixture::users();
    fixture.put(b"u0", Some(b"0"));
    fixture.put(b"u1", Some(b"1"));
    fixture.put(b"u1", None);
    let answer = fixture.get(PATH).await;
    assert_eq!((answer.status, &*answer.problem()), (StatusCode::NOT_FOUND, "key-not-found"));
    assert_eq!(answer.json()["view"], "users");
    assert_eq!(answer.header("view-position"), format!("v1=0:2;t={TAG}"), "partition 1 holds nothing");
    assert_eq!(answer.header("vary"), "Accept, Accept-Encoding, Prefer, Read-After, Read-Consistency");
    assert_eq!(answer.header("cache-control"), "private, max-age=1");
    assert!(answer.header("view-status").starts_with("state=live"));
}

#[tokio::test]
async fn a_miss_of_an_empty_topic_has_no_position() {
    let answer = Fixture::users().get(PATH).await;
    assert_eq!(answer.problem(), "key-not-found");
    assert!(!answer.headers.contains_key("view-position"));
}

#[tokio::test]
async fn an_empty_value_is_a_value() {
    let mut fixture = Fixture::users();
    fixture.put(b"u1", Some(b""));
    let answer = fixture.get(PATH).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
}

/// FAULTS row 30.
#[tokio::test]
async fn a_value_too_large_to_keep_is_no_miss_and_its_entry_says_how_large_it_is() {
    let mut fixture = Fixture::users();
    let size = usize::try_from(VALUE_BYTES_MAX).unwrap();
    fixture.put(b"u1", Some(&vec![b'1'; size + 1]));
    for path in [PATH, &format!("{PATH}?format=raw")] {
        let answer = fixture.get(path).await;
        assert_eq!((answer.status, &*answer.problem()), (StatusCode::NOT_ACCEPTABLE, "value-too-large"));
        assert_eq!(answer.json()["available"], serde_json::json!(["entry"]));
        assert_eq!((answer.header("record-partition"), answer.header("record-offset")), ("0", "0"));
        assert_eq!(answer.header("view-position"), format!("v1=0:0;t={TAG}"));
        let etag = answer.header("etag");
        assert_eq!(etag, format!("\"{TAG}.0.0.0.x\""), "not the one of the value");
        for held in [etag, "*"] {
            let again = fixture.send(Method::GET, path, &[("if-none-match", held)]).await;
            assert_eq!(again.status, StatusCode::NOT_ACCEPTABLE, "there is nothing that could be held");
        }
    }
    let entry = fixture.get(&format!("{PATH}?format=entry")).await;
    let held = [("if-none-match", entry.header("etag"))];
    let again = fixture.send(Method::GET, &format!("{PATH}?format=entry"), &held).await;
    assert_eq!(
        (again.status, entry.header("etag")),
        (StatusCode::NOT_MODIFIED, &*format!("\"{TAG}.0.0.0.exh.utf8.json\""))
    );
    assert_eq!(entry.status, StatusCode::OK);
    assert_eq!(entry.json()["value_too_large"], VALUE_BYTES_MAX + 1);
    assert!(entry.json().get("value").is_none() && entry.json()["offset"] == 0);
    fixture.put(b"u1", Some(&vec![b'1'; size]));
    assert_eq!(fixture.get(PATH).await.body.len(), size);
}

#[tokio::test]
async fn a_view_that_restores_is_never_asked_for_a_miss() {
    let mut fixture = Fixture::restoring(KeyFormat::String, ValueFormat::Json);
    fixture.put(b"u1", Some(b"1"));
    for path in [PATH, "/v1/views/users/keys/nobody", "/v1/views/users/lookup?key=u1"] {
        let answer = fixture.get(path).await;
        assert_eq!((answer.status, &*answer.problem()), (StatusCode::SERVICE_UNAVAILABLE, "view-restoring"));
        let document = answer.json();
        assert_eq!((&document["view"], &document["reason"]), (&"users".into(), &"restoring".into()));
        assert!(document["progress"].is_f64());
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.header("view-status").starts_with("state=restoring"));
    }
    fixture.catch_up();
    assert_eq!(fixture.get(PATH).await.text(), "1");
}

#[tokio::test]
async fn who_asks_a_view_that_restores_is_told_to_come_back_when_that_is_over() {
    let mut fixture = Fixture::restoring(KeyFormat::String, ValueFormat::Json);
    assert_eq!(fixture.get(PATH).await.header("retry-after"), "1", "nothing is known");
    let begun = Instant::now();
    fixture.fill_up_to(100);
    // While nothing is applied, what is left takes longer and longer.
    loop {
        let told: f64 = fixture.get(PATH).await.header("retry-after").parse().unwrap();
        let left = fixture.view().status().partitions[0].restore.as_ref().unwrap().eta_s_max;
        let most = left.unwrap_or_default().min(begun.elapsed().as_secs_f64());
        assert!((1.0..=most.ceil().max(1.0)).contains(&told), "{told} of at most {most}");
        if told > 1.0 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}

#[tokio::test]
async fn a_miss_says_how_many_partitions_were_added_and_may_hold_the_key() {
    let mut fixture = Fixture::users();
    fixture.put(b"u1", Some(b"1"));
    fixture.complete();
    fixture.progress.want(2);
    assert_eq!(fixture.get(PATH).await.text(), "1");
    let answer = fixture.get("/v1/views/users/keys/nobody").await;
    assert_eq!(answer.problem(), "view-restoring");
    assert_eq!(answer.json()["detail"], "1 of 3 partitions have not caught up once");
}

#[tokio::test]
async fn an_entity_tag_spares_the_body_until_the_record_changes() {
    let mut fixture = Fixture::users();
    fixture.put(b"u1", Some(b"1"));
    let etag = fixture.get(PATH).await.header("etag").to_owned();
    let lists = [etag.clone(), format!("W/{etag}"), format!("\"a\", {etag}"), "*".to_owned()];
    for method in [Method::GET, Method::HEAD] {
        for list in &lists {
            let answer = fixture.send(method.clone(), PATH, &[("if-none-match", list)]).await;
            assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0), "{list}");
            let weak = if list.starts_with("W/") { "W/" } else { "" };
            assert_eq!(answer.header("etag"), format!("{weak}{etag}"), "the form the client holds");
            assert_eq!(
                (answer.header("vary"), answer.header("cache-control")),
                ("Accept, Accept-Encoding, Prefer, Read-After, Read-Consistency", "private, max-age=1")
            );
            assert!(!answer.headers.contains_key("content-type"));
        }
    }
    let raw = fixture.send(Method::GET, &format!("{PATH}?format=raw"), &[("if-none-match", &etag)]).await;
    assert_eq!(raw.status, StatusCode::OK, "another representation is another entity");
    fixture.put(b"u1", Some(b"1"));
    let answer = fixture.send(Method::GET, PATH, &[("if-none-match", &etag)]).await;
    assert_eq!((answer.status, answer.header("etag")), (StatusCode::OK, &*format!("\"{TAG}.0.1.1000.j\"")));
    fixture.put(b"u1", None);
    let answer = fixture.send(Method::GET, PATH, &[("if-none-match", "*")]).await;
    assert_eq!(answer.problem(), "key-not-found");
}

#[tokio::test]
async fn a_head_has_the_headers_of_a_get_and_no_body() {
    let mut fixture = Fixture::users();
    fixture.put(b"u1", Some(b"{\"n\":1}"));
    for path in
        [PATH, "/v1/views/users/keys/nobody", "/v1/views/users/lookup?key=u1", "/nowhere", "/v1/views"]
    {
        let (head, get) = (fixture.send(Method::HEAD, path, &[]).await, fixture.get(path).await);
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        assert_eq!(head.header("content-length"), get.body.len().to_string(), "{path}");
        for name in ["content-type", "etag", "record-offset", "view-position"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
    }
}

#[tokio::test]
async fn a_value_is_sent_in_the_form_that_is_asked_for() {
    let mut fixture = Fixture::users();
    fixture.put(b"u1", Some(b"{\"n\": 1.0}"));
    let entry = "application/vnd.statusquo.entry+json";
    for (path, accept, content_type, form) in [
        (PATH.to_owned(), "*/*", "application/json", "j"),
        (PATH.to_owned(), "application/octet-stream", "application/octet-stream", "r"),
        (format!("{PATH}?format=raw"), "application/json", "application/octet-stream", "r"),
        (format!("{PATH}?format=json"), "text/html", "application/json", "j"),
        (PATH.to_owned(), entry, entry, "eh.utf8.json"),
    ] {
        let answer = fixture.send(Method::GET, &path, &[("accept", accept)]).await;
        assert_eq!(answer.header("content-type"), content_type, "{path} {accept}");
        assert_eq!(answer.header("etag"), format!("\"{TAG}.0.0.0.{form}\""));
        if content_type != entry {
            assert_eq!(answer.text(), "{\"n\": 1.0}");
        }
    }
    let document = "{\"key\":\"u1\",\"value\":{\"n\": 1.0},\"partition\":0,\"offset\":0,\
                    \"timestamp\":\"1970-01-01T00:00:00.000Z\",\"timestamp_type\":\"create\",\
                    \"headers\":[[\"trace\",\"MQ==\"],[\"none\",null]]}";
    assert_eq!(fixture.get(&format!("{PATH}?format=entry")).await.text(), document);
}

#[tokio::test]
async fn a_document_is_another_one_where_the_view_reads_keys_or_values_otherwise() {
    let mut fixture = Fixture::users();
    fixture.put(b"key1", Some(b"1"));
    let mut held: Vec<String> = Vec::new();
    let mut documents: Vec<String> = Vec::new();
    let raw = format!("\"{TAG}.0.0.0.r\"");
    for (key, value) in [
        (KeyFormat::String, ValueFormat::Json),
        (KeyFormat::Bytes, ValueFormat::Json),
        (KeyFormat::I32, ValueFormat::Json),
        (KeyFormat::String, ValueFormat::Text),
        (KeyFormat::String, ValueFormat::Bytes),
    ] {
        fixture = fixture.configured(key, value);
        let path = "/v1/views/users/lookup?enc=utf8&key=key1";
        let headers = [("if-none-match", &*held.join(", "))];
        let answer = fixture.send(Method::GET, &format!("{path}&format=entry"), &headers).await;
        assert_eq!(answer.status, StatusCode::OK, "{key:?} {value:?}");
        assert!(!documents.iter().any(|one| one == answer.text()), "{key:?} {value:?}");
        documents.push(answer.text().to_owned());
        held.push(answer.header("etag").to_owned());
        let value =
            fixture.send(Method::GET, &format!("{path}&format=raw"), &[("if-none-match", &raw)]).await;
        assert_eq!(value.status, StatusCode::NOT_MODIFIED, "a value is what it was");
    }
    let same = fixture.configured(KeyFormat::Json, ValueFormat::Json);
    let entry = "/v1/views/users/keys/key1?format=entry";
    let answer = same.send(Method::GET, entry, &[("if-none-match", &held[0])]).await;
    assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "it reads as the first one");
}

/// FAULTS row 34.
#[tokio::test]
async fn what_a_value_cannot_be_shown_as_is_refused_with_what_it_can() {
    let mut fixture = Fixture::live(KeyFormat::String, ValueFormat::Bytes);
    fixture.put(b"u1", Some(b"\xff"));
    let answer = fixture.get(&format!("{PATH}?format=json")).await;
    assert_eq!(answer.problem(), "value-not-representable");
    assert_eq!(answer.json()["available"], serde_json::json!(["raw", "entry"]));
    let answer = fixture.send(Method::GET, PATH, &[("accept", "text/html")]).await;
    assert_eq!(
        (&*answer.problem(), answer.header("vary")),
        ("not-acceptable", "Accept, Accept-Encoding, Prefer, Read-After, Read-Consistency")
    );
    assert_eq!(fixture.get(&format!("{PATH}?format=xml")).await.problem(), "bad-parameter");
    assert_eq!(fixture.get(PATH).await.header("content-type"), "application/octet-stream");
    let mut fixture = Fixture::live(KeyFormat::String, ValueFormat::Text);
    fixture.put(b"u1", Some("é".as_bytes()));
    let answer = fixture.get(PATH).await;
    assert_eq!((answer.header("content-type"), answer.text()), ("text/plain; charset=utf-8", "é"));
}
