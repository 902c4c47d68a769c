//! Watches through the router.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::FutureExt as _;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::fixture::{Fixture, TAG};
use crate::config::sections::{KeyFormat, ValueFormat, WatchConfig};
use crate::position::Position;
use crate::topic_id::TopicId;

pub(super) const PATH: &str = "/v1/views/users/watch";
/// Bound on waiting for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Watch {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    body: Body,
    text: String,
}

#[derive(Debug, PartialEq)]
pub(super) struct Event {
    name: String,
    id: Option<String>,
    pub(super) data: Value,
}

impl Watch {
    pub(super) async fn open(fixture: &Fixture, query: &str, headers: &[(&str, &str)]) -> Self {
        Self::of(&fixture.data(), query, headers).await
    }

    async fn of(router: &Router, query: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = Request::builder().uri(format!("{PATH}{query}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        Self { status: parts.status, headers: parts.headers, body, text: String::new() }
    }

    /// Reads the next event; none at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if !event.starts_with("retry: 2000") {
                    return Some(read(&event));
                }
                continue;
            }
            let frame = tokio::time::timeout(PATIENCE, self.body.frame()).await.expect("an event in time");
            let Some(frame) = frame else {
                assert_eq!(self.text, "", "an event is cut off");
                return None;
            };
            self.text.push_str(std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap());
        }
    }

    async fn all(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..count {
            events.push(self.next().await.expect("another event"));
        }
        events
    }

    /// Reads up to the end of what is there, and returns the id of that.
    pub(super) async fn synced(&mut self) -> String {
        loop {
            let event = self.next().await.expect("another event");
            if event.name == "synced" {
                return event.id.expect("who is synced can go on from there");
            }
        }
    }
}

/// Reads an event as the standard says, with one line of data.
fn read(text: &str) -> Event {
    let mut event = Event { name: String::new(), id: None, data: Value::Null };
    for line in text.split('\n') {
        match line.split_once(": ").unwrap() {
            ("event", name) => event.name = name.to_owned(),
            ("id", id) => event.id = Some(id.to_owned()),
            ("data", data) => event.data = serde_json::from_str(data).unwrap(),
            other => panic!("{other:?}"),
        }
    }
    event
}

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

#[tokio::test]
async fn what_there_is_comes_first_and_then_every_change() {
    let mut fixture = Fixture::users();
    fixture.put(b"u1", Some(b"{\"a\":1.0}"));
    fixture.put(b"u2", Some(b"2"));
    let mut watch = Watch::open(&fixture, "", &[("accept", "text/event-stream")]).await;
    assert_eq!(
        (watch.status, &watch.headers["content-type"]),
        (StatusCode::OK, &"text/event-stream".parse().unwrap())
    );
    assert_eq!(watch.headers["cache-control"], "no-store");
    assert_eq!(watch.headers["x-accel-buffering"], "no");
    let events = watch.all(3).await;
    assert_eq!(names(&events), ["put", "put", "synced"]);
    assert_eq!(events[0].data, json!({"key": "u1", "value": {"a": 1.0}, "partition": 0, "offset": 0}));
    assert_eq!((&events[0].id, &events[2].data), (&None, &json!({"count": 2})));
    let id = events[2].id.as_ref().unwrap();
    assert!(id.starts_with(&format!("v1=0:1;t={TAG};b=")), "{id}");
    let offset = fixture.put(b"u1", None);
    let event = watch.next().await.unwrap();
    assert_eq!(
        (&*event.name, event.data),
        ("delete", json!({"key": "u1", "partition": 0, "offset": offset}))
    );
    assert!(event.id.unwrap().starts_with(&format!("v1=0:{offset};t={TAG};b=")));
    fixture.put(b"u3", Some(b"3"));
    assert_eq!(watch.next().await.unwrap().data["value"], 3);
}

#[tokio::test]
async fn a_watch_that_is_behind_waits_for_its_turn_and_one_that_is_not_does_not() {
    let mut fixture = Fixture::users();
    let mut watch = Watch::open(&fixture, "", &[]).await;
    watch.synced().await;
    let state = fixture.state.clone();
    let turns: Vec<_> = std::iter::from_fn(|| state.watchers().turn().now_or_never()).collect();
    fixture.put(b"u1", Some(b"1"));
    assert_eq!(watch.next().await.unwrap().data["value"], 1);
    for _ in 0..20 {
        fixture.put(b"u1", Some(b"2"));
    }
    assert_eq!(watch.next().now_or_never(), None, "the others read meanwhile");
    drop(turns);
    assert_eq!(watch.next().await.unwrap().data["value"], 2);
}

#[tokio::test]
async fn a_client_goes_on_where_it_was_cut_off() {
    let mut fixture = Fixture::users();
    fixture.put(b"u1", Some(b"1"));
    let id = Watch::open(&fixture, "", &[]).await.synced().await;
    fixture.put(b"u2", Some(b"2"));
    fixture.put(b"u1", None);
    let from = format!("?from={}", id.replace(';', "%3B"));
    let header = [("last-event-id", id.as_str())];
    for (query, headers) in
        [("", &header[..]), (&from, &[]), ("?from=0:99", &header), ("?initial=none", &header)]
    {
        let mut watch = Watch::open(&fixture, query, headers).await;
        let events = watch.all(3).await;
        assert_eq!(names(&events), ["bookmark", "put", "delete"], "{query}");
        assert_eq!(events[0].id.as_deref(), Some(id.as_str()));
        let next = events[2].id.clone().unwrap();
        assert!(next.starts_with("v1=0:2;"), "{next}");
    }
    // A position of an answer will do while nothing was built anew.
    let mut watch = Watch::open(&fixture, "?from=0:1", &[]).await;
    assert_eq!(names(&watch.all(2).await), ["bookmark", "delete"]);
    fixture.rebuild(TopicId::new([0; 16]), &[(b"u1", b"1"), (b"u1", b"2"), (b"u1", b"3")]);
    let mut watch = Watch::open(&fixture, "?from=0:1", &[]).await;
    assert_eq!(names(&watch.all(3).await), ["reset", "put", "synced"]);
}

#[tokio::test]
async fn a_client_that_cannot_go_on_begins_anew_or_is_told_that_it_must() {
    let changes_max = 2;
    let mut fixture = Fixture::watched(WatchConfig { changes_max, ..WatchConfig::default() });
    fixture.put(b"u1", Some(b"1"));
    let id = Watch::open(&fixture, "", &[]).await.synced().await;
    for _ in 0..3 {
        fixture.put(b"u1", Some(b"2"));
    }
    let foreign = id.replace(TAG, "BBBBBBBB");
    let others = id.replace(";b=", ";b=0123456789abcdef").get(..id.len()).unwrap().to_owned();
    for (id, reason) in [(&id, "gap"), (&others, "gap"), (&foreign, "topic-recreated")] {
        let mut watch = Watch::open(&fixture, "", &[("last-event-id", id)]).await;
        let events = watch.all(3).await;
        assert_eq!(names(&events), ["reset", "put", "synced"]);
        assert_eq!(events[0].data["reason"], reason);
        let answer =
            fixture.send(Method::GET, &format!("{PATH}?initial=none"), &[("last-event-id", id)]).await;
        assert_eq!((answer.status, &*answer.problem()), (StatusCode::GONE, "position-gone"));
    }
    for id in ["x", "v1=0:5;b=1", "3"] {
        let answer = fixture.send(Method::GET, PATH, &[("last-event-id", id)]).await;
        assert_eq!((answer.status, &*answer.problem()), (StatusCode::BAD_REQUEST, "bad-position"), "{id}");
    }
}

#[tokio::test]
async fn a_watch_may_be_limited_to_a_key_or_a_prefix() {
    let mut fixture = Fixture::users();
    for key in [&b"u1"[..], b"u10", b"v"] {
        fixture.put(key, Some(b"1"));
    }
    let keys = |events: &[Event]| -> Vec<Value> {
        events.iter().filter(|event| event.name == "put").map(|event| event.data["key"].clone()).collect()
    };
    for (query, expected) in [
        ("?key=u1", json!(["u1"])),
        ("?key=7531&enc=hex", json!([])),
        ("?prefix=u", json!(["u1", "u10"])),
        ("?prefix=", json!(["u1", "u10", "v"])),
    ] {
        let mut watch = Watch::open(&fixture, query, &[]).await;
        let mut events = Vec::new();
        while events.last().is_none_or(|last: &Event| last.name != "synced") {
            events.push(watch.next().await.unwrap());
        }
        if query.contains("hex") {
            assert_eq!(events[0].data["key_base64"], "dTE=");
        } else {
            assert_eq!(json!(keys(&events)), expected, "{query}");
        }
    }
    let mut watch = Watch::open(&fixture, "?key=v&initial=none", &[]).await;
    assert_eq!(watch.next().await.unwrap().name, "bookmark");
    fixture.put(b"u1", Some(b"2"));
    fixture.put(b"v", Some(b"2"));
    assert_eq!(watch.next().await.unwrap().data["key"], "v");
}

#[tokio::test]
async fn values_come_as_they_are_asked_for_and_on_one_line() {
    let mut fixture = Fixture::users();
    fixture.put(b"u1", Some(b"{\r\n \"a\": 1\n}"));
    let first = async |query: &str| Watch::open(&fixture, query, &[]).await.next().await.unwrap().data;
    assert_eq!(first("").await["value"], json!({"a": 1}));
    assert_eq!(first("?format=raw").await["value_base64"], "ew0KICJhIjogMQp9");
    let entry = first("?format=entry").await;
    assert_eq!((&entry["timestamp_type"], &entry["value"]), (&json!("create"), &json!({"a": 1})));
}

#[tokio::test]
async fn what_is_wrong_is_told_before_a_watch_begins() {
    let fixture = Fixture::users();
    for (query, code) in [
        ("?key=a&prefix=b", "bad-parameter"),
        ("?initial=all", "bad-parameter"),
        ("?last=1", "bad-parameter"),
        ("?key=%zz", "bad-key"),
        ("?from=", "bad-position"),
        ("?format=text", "value-not-representable"),
    ] {
        assert_eq!(fixture.get(&format!("{PATH}{query}")).await.problem(), code, "{query}");
    }
    for accept in ["*/*", "text/*", "application/json, text/event-stream;q=0.1"] {
        let head = fixture.send(Method::HEAD, PATH, &[("accept", accept)]).await;
        assert_eq!((head.status, head.header("content-type")), (StatusCode::OK, "text/event-stream"));
    }
    for accept in ["application/json", "*/*, text/event-stream;q=0"] {
        let answer = fixture.send(Method::GET, PATH, &[("accept", accept)]).await;
        assert_eq!(answer.problem(), "not-acceptable", "{accept}");
        assert_eq!(answer.json()["available"], json!(["text/event-stream"]));
    }
    assert_eq!(fixture.get("/v1/views/nobody/watch").await.problem(), "view-not-found");
    let restoring = Fixture::restoring(KeyFormat::String, ValueFormat::Json);
    assert_eq!(restoring.get(PATH).await.problem(), "view-restoring");
}

#[tokio::test]
async fn a_watch_begins_once_what_it_asks_for_is_applied_and_goes_on_without() {
    let mut fixture = Fixture::users();
    fixture.put(b"u1", Some(b"1"));
    fixture.progress.want(0).set_log(Position::ZERO, Position::new(50));
    for (headers, code) in [
        ([("read-after", "0:1"), ("prefer", "wait=0")], "position-not-reached"),
        ([("read-after", "x"), ("prefer", "wait=9")], "bad-position"),
    ] {
        assert_eq!(fixture.send(Method::GET, PATH, &headers).await.problem(), code);
    }
    let router = fixture.data();
    let mut opening = pin!(Watch::of(&router, "?read_after=0:1", &[("prefer", "wait=20")]));
    assert!(opening.as_mut().now_or_never().is_none(), "it is waited for");
    fixture.put(b"u2", Some(b"2"));
    let mut watch = opening.await;
    assert_eq!(
        (watch.status, &watch.headers["preference-applied"]),
        (StatusCode::OK, &"wait=20".parse().unwrap())
    );
    let id = watch.synced().await;
    // The same URL again, as a client that comes back by itself asks for it.
    let of_another = format!("{}{:016x}", &id[..id.len() - 16], 0);
    for (id, status) in [(&id, StatusCode::OK), (&of_another, StatusCode::GATEWAY_TIMEOUT)] {
        let headers = [("last-event-id", &**id), ("prefer", "wait=0")];
        let again = Watch::open(&fixture, "?read_after=0:40", &headers).await;
        assert_eq!(again.status, status, "asked again where it begins anew");
    }
}

#[tokio::test]
async fn a_bookmark_tells_how_fresh_the_view_is_and_where_a_client_can_go_on() {
    let bookmark_interval = Duration::from_millis(20);
    let mut fixture = Fixture::watched(WatchConfig { bookmark_interval, ..WatchConfig::default() });
    let mut watch = Watch::open(&fixture, "?key=u1", &[]).await;
    let id = watch.synced().await;
    assert_eq!(id, format!("v1=;t={TAG};b={}", id.split("b=").nth(1).unwrap()));
    let first = watch.next().await.unwrap();
    assert_eq!((&*first.name, first.id.as_deref()), ("bookmark", Some(id.as_str())));
    assert_eq!(first.data["lag"], 0);
    assert!(first.data["staleness"].as_f64().is_some());
    // What is not watched moves the position all the same.
    fixture.put(b"u2", Some(b"1"));
    while !watch.next().await.unwrap().id.unwrap().starts_with("v1=0:0;") {}
    fixture.pass();
    let id = watch.all(2).await.pop().unwrap().id.unwrap();
    assert!(id.starts_with("v1=0:1;"), "{id}: a record that changes nothing");
}

#[tokio::test]
async fn a_watch_ends_with_a_bookmark_after_its_lifetime_and_when_the_service_stops() {
    let lifetime = Duration::from_millis(50);
    let fixture = Fixture::watched(WatchConfig { lifetime, ..WatchConfig::default() });
    let mut watch = Watch::open(&fixture, "?initial=none", &[]).await;
    let events = [watch.next().await.unwrap(), watch.next().await.unwrap()];
    assert!(events.iter().all(|event| event.name == "bookmark" && event.id.is_some()));
    assert_eq!(watch.next().await, None);
    // Nobody has a turn to be told what there is.
    let _turns: Vec<_> = std::iter::from_fn(|| fixture.state.watchers().turn().now_or_never()).collect();
    let mut watch = Watch::open(&fixture, "", &[]).await;
    let last = watch.next().await.unwrap();
    assert!(last.name == "bookmark" && last.id.is_none());
    assert_eq!(watch.next().await, None);
    let fixture = Fixture::users();
    let mut watch = Watch::open(&fixture, "", &[]).await;
    watch.synced().await;
    fixture.health.set_stopping();
    let last = watch.next().await.unwrap();
    assert!(last.name == "bookmark" && last.id.is_some());
    assert_eq!(watch.next().await, None);
    assert_eq!(fixture.get(PATH).await.problem(), "shutting-down");
}

#[tokio::test]
async fn who_waits_for_a_turn_is_reached_by_bookmarks_its_lifetime_and_the_end_of_the_service() {
    let (bookmark_interval, lifetime) = (Duration::from_millis(20), Duration::from_secs(2));
    let config = WatchConfig { bookmark_interval, lifetime, ..WatchConfig::default() };
    for is_stopping in [false, true] {
        let mut fixture = Fixture::watched(config.clone());
        let mut watch = Watch::open(&fixture, "", &[]).await;
        let id = watch.synced().await;
        let _turns: Vec<_> = std::iter::from_fn(|| fixture.state.watchers().turn().now_or_never()).collect();
        for _ in 0..20 {
            fixture.put(b"u1", Some(b"1"));
        }
        let bookmark = watch.next().await.unwrap();
        assert_eq!((&*bookmark.name, bookmark.id.as_ref()), ("bookmark", Some(&id)));
        if is_stopping {
            fixture.health.set_stopping();
        }
        while let Some(event) = watch.next().await {
            assert_eq!(event.name, "bookmark", "nobody has a turn");
        }
    }
}

#[tokio::test]
async fn no_more_watch_than_are_allowed_and_all_are_counted() {
    let mut fixture = Fixture::watched(WatchConfig { watchers_max: 1, ..WatchConfig::default() });
    fixture.put(b"u1", Some(b"1"));
    let mut watch = Watch::open(&fixture, "", &[]).await;
    let refused = fixture.get(PATH).await;
    assert_eq!((refused.status, &*refused.problem()), (StatusCode::SERVICE_UNAVAILABLE, "overloaded"));
    watch.synced().await;
    let metrics = async || super::fixture::send(fixture.ops(), Method::GET, "/metrics", &[]).await;
    let text = metrics().await.text().to_owned();
    for sample in
        ["statusquo_watch_watchers{view=\"users\"} 1\n", "statusquo_watch_events_total{view=\"users\"} 2\n"]
    {
        assert!(text.contains(sample), "{sample}");
    }
    drop(watch);
    assert!(metrics().await.text().contains("statusquo_watch_watchers{view=\"users\"} 0\n"));
    let mut watch = Watch::open(&fixture, "", &[("last-event-id", "v1=0:99")]).await;
    assert_eq!(watch.next().await.unwrap().name, "reset");
    let text = metrics().await.text().to_owned();
    assert!(text.contains("statusquo_watch_resets_total{view=\"users\",reason=\"gap\"} 1\n"), "{text}");
}
