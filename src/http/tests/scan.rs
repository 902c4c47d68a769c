use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use bytesize::ByteSize;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::fixture::{Answer, Fixture, TAG};
use crate::config::sections::{HttpConfig, KeyFormat, ScanConfig, ValueFormat};
use crate::partitioner::Partitioner;
use crate::position::Position;

const PATH: &str = "/v1/views/users/entries";
const LINES: (&str, &str) = ("accept", "application/x-ndjson");

async fn export(fixture: &Fixture, query: &str) -> Answer {
    fixture.send(Method::GET, &format!("{PATH}{query}"), &[LINES]).await
}

fn keys(items: &Value) -> Vec<&str> {
    items.as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap()).collect()
}

/// The lines of an export; the last one apart.
fn lines(answer: &Answer) -> (Vec<Value>, Value) {
    let mut lines: Vec<Value> =
        answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.pop().unwrap();
    (lines, last)
}

fn letters() -> Fixture {
    let mut fixture = Fixture::users();
    for key in ["b", "a", "c", "ab", "d", "aa", "dead"] {
        fixture.put(key.as_bytes(), Some(format!("\"{key}\"").as_bytes()));
    }
    fixture.put(b"dead", None);
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_sent_in_the_order_of_its_keys() {
    let fixture = letters();
    for (query, expected) in [
        ("", &["a", "aa", "ab", "b", "c", "d"][..]),
        ("?order=desc", &["d", "c", "b", "ab", "aa", "a"]),
        ("?prefix=a", &["a", "aa", "ab"]),
        ("?prefix=a&order=desc", &["ab", "aa", "a"]),
        ("?prefix=", &["a", "aa", "ab", "b", "c", "d"]),
        ("?start=ab&end=c", &["ab", "b"]),
        ("?start=b", &["b", "c", "d"]),
        ("?end=b&order=desc", &["ab", "aa", "a"]),
        ("?start=6161&enc=hex&end=62", &["aa", "ab"]),
        ("?start=c&end=a", &[]),
        ("?start=c&end=c", &[]),
    ] {
        let separator = if query.is_empty() { '?' } else { '&' };
        let path = format!("{PATH}{query}{separator}fields=key");
        let answer = fixture.get(&path).await;
        let document = answer.json();
        if query.contains("hex") {
            assert_eq!(document["items"], json!([{"key_base64": "YWE="}, {"key_base64": "YWI="}]));
        } else {
            assert_eq!(keys(&document["items"]), expected, "{query}");
        }
        assert_eq!((&document["next"], answer.header("link")), (&Value::Null, ""));
        assert_eq!(document["position"], format!("v1=0:7;t={TAG}"));
        assert_eq!(answer.header("view-position"), format!("v1=0:7;t={TAG}"));
        assert_eq!(
            (answer.header("vary"), answer.header("content-type")),
            ("Accept, Accept-Encoding, Prefer, Read-After, Read-Consistency", "application/json")
        );
        let exported = export(&fixture, path.strip_prefix(PATH).unwrap()).await;
        let (items, last) = lines(&exported);
        assert_eq!(json!(items), document["items"], "{query}");
        let count = expected.len();
        let position = document["position"].clone();
        assert_eq!(last, json!({"end": true, "count": count, "position": position, "generation": 2}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_holds_what_its_fields_say() {
    let mut fixture = Fixture::users();
    let odd = r#"{"n":12345678901234567890.10, "n":"\u00e9"}"#;
    fixture.put(b"u1", Some(odd.as_bytes()));
    let (key, value) = (r#"{"key":"u1""#, format!(r#","value":{odd}"#));
    let meta = r#","partition":0,"offset":0,"timestamp":"1970-01-01T00:00:00.000Z","timestamp_type":"create","headers":[["trace","MQ=="],["none",null]]"#;
    for (query, expected) in [
        ("", format!("{key}{value}{meta}}}")),
        ("?fields=key,value,meta", format!("{key}{value}{meta}}}")),
        ("?fields=value", format!("{key}{value}}}")),
        ("?fields=meta%2Ckey", format!("{key}{meta}}}")),
        ("?fields=key", format!("{key}}}")),
    ] {
        let text = fixture.get(&format!("{PATH}{query}")).await.text().to_owned();
        assert!(text.starts_with(&format!("{{\"items\":[{expected}],\"next\":null,")), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_by_pages_of_any_size_meets_every_key_once() {
    let mut fixture = Fixture::users();
    let mut expected = BTreeMap::new();
    for number in 0..157_u32 {
        let key = format!("k{}", number * number % 1000);
        fixture.put(key.as_bytes(), Some(number.to_string().as_bytes()));
        expected.insert(key, number);
    }
    for limit in [1, 2, 7, 50, 1000] {
        for order in ["asc", "desc"] {
            let mut path = Some(format!("{PATH}?limit={limit}&order={order}&start=k1&end=k9"));
            let mut walked = Vec::new();
            while let Some(page) = path {
                let answer = fixture.get(&page).await;
                assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
                let document = answer.json();
                assert!(document["items"].as_array().unwrap().len() <= limit);
                for item in document["items"].as_array().unwrap() {
                    walked.push((item["key"].as_str().unwrap().to_owned(), item["value"].clone()));
                }
                path = document["next"].as_str().map(str::to_owned);
                let link = path.as_ref().map(|next| format!("<{next}>; rel=\"next\"")).unwrap_or_default();
                assert_eq!(answer.header("link"), link);
            }
            let inside = expected.range("k1".to_owned().."k9".to_owned());
            let mut inside: Vec<_> = inside.map(|(key, value)| (key.clone(), json!(value))).collect();
            if order == "desc" {
                inside.reverse();
            }
            assert_eq!(walked, inside, "{limit} {order}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_goes_on_where_it_was_whatever_comes_and_goes_meanwhile() {
    let mut fixture = letters();
    let first = fixture.get(&format!("{PATH}?limit=3")).await.json();
    assert_eq!(keys(&first["items"]), ["a", "aa", "ab"]);
    // The key the walk stands at goes, one comes before it and one behind it.
    fixture.put(b"ab", None);
    fixture.put(b"a0", Some(b"0"));
    fixture.put(b"b0", Some(b"0"));
    let second = fixture.get(first["next"].as_str().unwrap()).await.json();
    assert_eq!(keys(&second["items"]), ["b", "b0", "c"]);
}

fn limited(scan: ScanConfig) -> Fixture {
    let mut fixture = Fixture::limited(&HttpConfig { scan, ..HttpConfig::default() });
    fixture.catch_up();
    for key in 'a'..='p' {
        fixture.put(key.to_string().as_bytes(), Some(format!("\"{}\"", "x".repeat(900)).as_bytes()));
    }
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_ends_early_when_it_is_long_enough() {
    let (page_time_max, answer_bytes_max) = (Duration::from_secs(600), ByteSize::b(10_000));
    let fixture = limited(ScanConfig { page_time_max, answer_bytes_max, ..ScanConfig::default() });
    let first = fixture.get(&format!("{PATH}?fields=value")).await.json();
    assert_eq!(keys(&first["items"]).len(), 11, "the bound is passed with the eleventh");
    let second = fixture.get(first["next"].as_str().unwrap()).await.json();
    assert_eq!((keys(&second["items"]).join(""), &second["next"]), ("lmnop".into(), &Value::Null));
    let (items, last) = lines(&export(&fixture, "").await);
    assert_eq!((items.len(), &last["count"]), (16, &json!(16)), "an export has no such bound");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_takes_too_long_has_an_entry_and_leads_on() {
    let fixture = limited(ScanConfig { page_time_max: Duration::ZERO, ..ScanConfig::default() });
    let mut path = Some(PATH.to_owned());
    let mut walked = String::new();
    while let Some(page) = path {
        let document = fixture.get(&page).await.json();
        assert_eq!(document["items"].as_array().unwrap().len(), 1);
        walked += keys(&document["items"])[0];
        path = document["next"].as_str().map(str::to_owned);
    }
    assert_eq!(walked, "abcdefghijklmnop");
}

/// A view with more deleted keys before its one entry, and behind it, than a walk passes in one step.
fn mostly_deleted(scan: ScanConfig) -> Fixture {
    let mut fixture = Fixture::limited(&HttpConfig { scan, ..HttpConfig::default() });
    for number in 0..2500 {
        fixture.put(format!("a{number:04}").as_bytes(), None);
        fixture.put(format!("c{number:04}").as_bytes(), None);
    }
    fixture.put(b"b", Some(b"1"));
    fixture.catch_up();
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_takes_too_long_over_deleted_keys_leads_on_without_an_entry() {
    for order in ["asc", "desc"] {
        let fixture = mostly_deleted(ScanConfig { page_time_max: Duration::ZERO, ..ScanConfig::default() });
        let mut path = Some(format!("{PATH}?order={order}"));
        let mut pages = Vec::new();
        while let Some(page) = path {
            let document = fixture.get(&page).await.json();
            pages.push(keys(&document["items"]).join(""));
            path = document["next"].as_str().map(str::to_owned);
        }
        assert_eq!(pages, ["", "", "b", "", ""], "{order}");
    }
    let fixture = mostly_deleted(ScanConfig::default());
    let full = fixture.get(&format!("{PATH}?limit=1")).await.json();
    assert_eq!(keys(&full["items"]), ["b"]);
    assert!(full["next"].is_string(), "it is not walked to the end to find out whether there is more");
}

/// FAULTS row 51.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_takes_too_long_over_deleted_keys_that_are_still_stored_leads_on_too() {
    let scan = ScanConfig { page_time_max: Duration::ZERO, ..ScanConfig::default() };
    let mut fixture = Fixture::limited(&HttpConfig { scan, ..HttpConfig::default() });
    fixture.catch_up();
    // Where it is known in which partition a key is, whoever placed it, a deleted one leaves no marker.
    let is_here = |key: &String| Partitioner::ALL.iter().all(|one| one.partition(key.as_bytes(), 2) == 0);
    let all: Vec<_> = (0..).map(|number| format!("a{number:05}")).filter(is_here).take(8000).collect();
    for value in [Some(&b"1"[..]), None] {
        for key in &all {
            fixture.put(key.as_bytes(), value);
        }
    }
    let last = (0..).map(|number| format!("b{number}")).find(is_here).unwrap();
    fixture.put(last.as_bytes(), Some(b"1"));
    let (mut path, mut pages) = (Some(PATH.to_owned()), Vec::new());
    while let Some(page) = path {
        let document = fixture.get(&page).await.json();
        pages.push(keys(&document["items"]).join(""));
        path = document["next"].as_str().map(str::to_owned);
    }
    assert!((2..300).contains(&pages.len()), "{} pages", pages.len());
    assert_eq!(pages.concat(), last);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_over_deleted_keys_ends_at_its_deadline() {
    let fixture = mostly_deleted(ScanConfig { export_time_max: Duration::ZERO, ..ScanConfig::default() });
    let (items, last) = lines(&export(&fixture, "?end=b").await);
    assert_eq!((items.len(), &last["end"], &last["error"]["code"]), (0, &json!(false), &json!("overloaded")));
    let fixture = mostly_deleted(ScanConfig::default());
    assert_eq!(lines(&export(&fixture, "").await).1["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_read_too_slowly_ends_with_an_error_and_gives_its_turn_back() {
    let (export_time_max, exports_max) = (Duration::from_millis(1), 1);
    let mut fixture = limited(ScanConfig { export_time_max, exports_max, ..ScanConfig::default() });
    for number in 0..1000 {
        fixture.put(number.to_string().as_bytes(), Some(format!("\"{}\"", "x".repeat(900)).as_bytes()));
    }
    let request = || Request::get(PATH).header(LINES.0, LINES.1).body(Body::empty()).unwrap();
    let first = fixture.data().oneshot(request()).await.unwrap();
    // Nobody reads the first: the second gets a turn because the first has given its own back.
    let second = fixture.data().oneshot(request()).await.unwrap();
    for response in [first, second] {
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let lines: Vec<_> = std::str::from_utf8(&body).unwrap().lines().collect();
        let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
        assert_eq!((&last["end"], &last["error"]["code"]), (&json!(false), &json!("overloaded")));
        assert_eq!(last["count"], lines.len() - 1, "lines that were read and not sent are not counted");
    }
}

/// FAULTS row 51.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_its_export_and_one_too_many_waits_and_is_refused() {
    let mut fixture = limited(ScanConfig { exports_max: 1, ..ScanConfig::default() });
    for number in 0..1000 {
        fixture.put(number.to_string().as_bytes(), Some(format!("\"{}\"", "x".repeat(900)).as_bytes()));
    }
    let request = || Request::get(PATH).header(LINES.0, LINES.1).body(Body::empty()).unwrap();
    let running = fixture.data().oneshot(request()).await.unwrap();
    let refused = export(&fixture, "").await;
    assert_eq!((refused.status, &*refused.problem()), (StatusCode::SERVICE_UNAVAILABLE, "overloaded"));
    assert_eq!(fixture.get(PATH).await.status, StatusCode::OK, "pages have turns of their own");
    drop(running);
    assert_eq!(lines(&export(&fixture, "").await).1["end"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_for_is_refused() {
    let fixture = letters();
    let page = fixture.get(&format!("{PATH}?limit=2&prefix=a")).await.json();
    let (_, cursor) = page["next"].as_str().unwrap().split_once("cursor=").unwrap();
    for (query, code) in [
        ("?limit=0".to_owned(), "bad-parameter"),
        ("?limit=1001".to_owned(), "bad-parameter"),
        ("?limit=%2B5".to_owned(), "bad-parameter"),
        ("?limit=99999999999999999999".to_owned(), "bad-parameter"),
        ("?order=up".to_owned(), "bad-parameter"),
        ("?fields=".to_owned(), "bad-parameter"),
        ("?fields=key,values".to_owned(), "bad-parameter"),
        ("?prefix=a&start=b".to_owned(), "bad-parameter"),
        ("?prefx=a".to_owned(), "bad-parameter"),
        ("?prefix=%ff".to_owned(), "bad-key"),
        ("?start=%zz".to_owned(), "bad-key"),
        (format!("?prefix={}", "a".repeat(8193)), "uri-too-long"),
        ("?cursor=".to_owned(), "bad-cursor"),
        ("?cursor=AAAAAAAA".to_owned(), "bad-cursor"),
        ("?cursor=%00%ff".to_owned(), "bad-cursor"),
        (format!("?cursor={cursor}"), "bad-cursor"),
        (format!("?prefix=b&cursor={cursor}"), "bad-cursor"),
        (format!("?prefix=a&order=desc&cursor={cursor}"), "bad-cursor"),
    ] {
        let answer = fixture.get(&format!("{PATH}{query}")).await;
        assert!(answer.status.is_client_error());
        assert_eq!(answer.problem(), code, "{query}");
    }
    for query in ["?limit=5".to_owned(), format!("?prefix=a&cursor={cursor}")] {
        let answer = export(&fixture, &query).await;
        assert_eq!(answer.problem(), "bad-parameter");
        assert!(answer.text().contains("leave out `limit` and `cursor`"));
    }
    let answer = fixture.send(Method::GET, PATH, &[("accept", "text/csv")]).await;
    assert_eq!(answer.problem(), "not-acceptable");
    assert_eq!(answer.json()["available"], json!(["application/json", "application/x-ndjson"]));
    assert_eq!(fixture.send(Method::POST, PATH, &[]).await.problem(), "method-not-allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_ends_with_a_huge_key_says_what_to_do() {
    let mut fixture = Fixture::users();
    fixture.put(&vec![b'a'; 100_000], Some(b"1"));
    fixture.put(b"b", Some(b"2"));
    let answer = fixture.get(&format!("{PATH}?limit=1")).await;
    assert_eq!((answer.status, &*answer.problem()), (StatusCode::PAYLOAD_TOO_LARGE, "content-too-large"));
    assert_eq!(fixture.get(&format!("{PATH}?limit=2")).await.status, StatusCode::OK);
    assert_eq!(lines(&export(&fixture, "").await).0.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_restores_is_never_scanned() {
    let mut fixture = Fixture::restoring(KeyFormat::String, ValueFormat::Json);
    fixture.put(b"u1", Some(b"1"));
    for answer in [fixture.get(PATH).await, export(&fixture, "").await] {
        assert_eq!((answer.status, &*answer.problem()), (StatusCode::SERVICE_UNAVAILABLE, "view-restoring"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_is_answered_only_from_what_it_asks_for() {
    let fixture = letters();
    fixture.progress.want(0).set_log(Position::ZERO, Position::new(50));
    for accept in ["application/json", LINES.1] {
        for (position, code) in
            [("0:7", None), ("0:8", Some("position-not-reached")), ("x", Some("bad-position"))]
        {
            let headers = [("accept", accept), ("read-after", position)];
            let answer = fixture.send(Method::GET, PATH, &headers).await;
            let refused = (answer.status != StatusCode::OK).then(|| answer.problem());
            assert_eq!(refused.as_deref(), code, "{accept} {position}");
        }
    }
    let path = format!("{PATH}?limit=2&read_after=0:7&max_staleness=1h");
    let answer = fixture.send(Method::GET, &path, &[("prefer", "wait=5")]).await;
    assert_eq!(answer.header("preference-applied"), "wait=5");
    assert!(answer.json()["next"].as_str().unwrap().contains("read_after=0:7&max_staleness=1h&cursor="));
    assert_eq!(fixture.get(&format!("{PATH}?allow=restoring")).await.problem(), "bad-parameter");
}

/// FAULTS row 6.
#[tokio::test(flavor = "multi_thread")]
async fn damage_ends_a_scan_with_an_error_and_never_early() {
    let mut fixture = Fixture::users();
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(3000).collect();
    for number in 0..30 {
        fixture.put(format!("u{number}").as_bytes(), Some(format!("\"{noise}{number}\"").as_bytes()));
    }
    let fixture = fixture.damaged();
    let answer = fixture.get(PATH).await;
    assert_eq!(
        (answer.status, &*answer.problem()),
        (StatusCode::INTERNAL_SERVER_ERROR, "storage-corruption")
    );
    let answer = export(&fixture, "").await;
    assert_eq!(answer.status, StatusCode::OK, "it had begun already");
    let (items, last) = lines(&answer);
    assert!(items.len() < 30);
    assert_eq!((&last["end"], &last["count"]), (&json!(false), &json!(items.len())));
    assert_eq!(last["error"]["code"], "storage-corruption");
    assert!(last.get("position").is_none());
}
