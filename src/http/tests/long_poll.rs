use http::{Method, StatusCode};

use super::consistency::{seats_taken, until, waiting};
use super::fixture::{Fixture, TAG, VALUE_BYTES_MAX};
use crate::config::sections::{HttpConfig, KeyFormat, ValueFormat};
use crate::topic_id::TopicId;

const PATH: &str = "/v1/views/users/keys/u1";
const WAIT: (&str, &str) = ("prefer", "wait=30");

fn etag(offset: i64) -> String {
    format!("\"{TAG}.0.{offset}.{}.j\"", offset * 1000)
}

fn present() -> Fixture {
    let mut fixture = Fixture::users();
    fixture.put(b"u1", Some(b"1"));
    fixture
}

#[tokio::test]
async fn who_holds_the_version_is_answered_with_the_next_one() {
    let mut fixture = present();
    let waits = waiting(&fixture, PATH, &[WAIT, ("if-none-match", &etag(0))]).await;
    fixture.put(b"u2", Some(b"other"));
    tokio::task::yield_now().await;
    assert!(!waits.is_finished());
    fixture.put(b"u1", Some(b"2"));
    let answer = waits.await.unwrap();
    assert_eq!((answer.text(), answer.header("etag")), ("2", &*etag(2)));
    assert_eq!(answer.header("preference-applied"), "wait=30");
}

#[tokio::test]
async fn who_holds_another_version_or_none_is_answered_at_once() {
    let fixture = present();
    for headers in [&[WAIT][..], &[WAIT, ("if-none-match", "\"other\"")]] {
        let answer = fixture.send(Method::GET, PATH, headers).await;
        assert_eq!((answer.text(), answer.header("preference-applied")), ("1", "wait=30"));
    }
}

#[tokio::test]
async fn who_holds_nothing_because_the_value_is_not_kept_waits_for_another_one_all_the_same() {
    let mut fixture = Fixture::users();
    fixture.put(b"u1", Some(&vec![b'1'; usize::try_from(VALUE_BYTES_MAX + 1).unwrap()]));
    let etag = fixture.get(PATH).await.header("etag").to_owned();
    let waits = waiting(&fixture, PATH, &[WAIT, ("if-none-match", &etag)]).await;
    fixture.put(b"u1", Some(b"2"));
    assert_eq!(waits.await.unwrap().text(), "2");
}

#[tokio::test]
async fn a_deletion_is_told_as_soon_as_it_happens() {
    let mut fixture = present();
    let waits = waiting(&fixture, PATH, &[WAIT, ("if-none-match", &etag(0))]).await;
    fixture.put(b"u1", None);
    assert_eq!(waits.await.unwrap().problem(), "key-not-found");
    let answer = fixture.send(Method::GET, PATH, &[WAIT, ("if-none-match", &etag(0))]).await;
    assert_eq!(answer.problem(), "key-not-found", "it is gone already");
}

#[tokio::test]
async fn a_key_that_is_not_there_is_waited_for() {
    let mut fixture = present();
    let waits = waiting(&fixture, "/v1/views/users/lookup?key=new", &[WAIT]).await;
    fixture.put(b"new", Some(b"2"));
    assert_eq!(waits.await.unwrap().text(), "2");
}

#[tokio::test]
async fn when_time_is_over_the_answer_is_what_there_is() {
    let limits = HttpConfig { wait_max: std::time::Duration::from_millis(20), ..HttpConfig::default() };
    let mut fixture = Fixture::limited(&limits);
    assert_eq!(fixture.send(Method::GET, PATH, &[WAIT]).await.problem(), "view-restoring");
    fixture.catch_up();
    fixture.put(b"u1", Some(b"1"));
    let held = fixture.send(Method::GET, PATH, &[WAIT, ("if-none-match", &etag(0))]).await;
    assert_eq!((held.status, held.header("etag")), (StatusCode::NOT_MODIFIED, &*etag(0)));
    assert_eq!(fixture.send(Method::HEAD, PATH, &[WAIT, ("if-none-match", "*")]).await.status, held.status);
    let absent = fixture.send(Method::GET, "/v1/views/users/keys/nobody", &[WAIT]).await;
    assert_eq!(absent.problem(), "key-not-found");
    assert_eq!(seats_taken(&fixture), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_restores_is_waited_for() {
    for (path, expected) in
        [(PATH, "2"), ("/v1/views/users/entries", "{\"items\":[{\"key\":\"u1\",\"value\":2")]
    {
        let mut fixture = Fixture::restoring(KeyFormat::String, ValueFormat::Json);
        fixture.put(b"u1", Some(b"1"));
        let waits = waiting(&fixture, path, &[WAIT]).await;
        fixture.put(b"u1", Some(b"2"));
        fixture.catch_up();
        let answer = waits.await.unwrap();
        assert!(answer.text().starts_with(expected), "{}", answer.text());
    }
    let mut fixture = Fixture::restoring(KeyFormat::String, ValueFormat::Json);
    let headers = [WAIT, ("last-event-id", "none")];
    let waits = waiting(&fixture, "/v1/views/users/watch?initial=none", &headers).await;
    fixture.catch_up();
    assert_eq!(waits.await.unwrap().problem(), "position-gone", "a watch that comes back");
}

#[tokio::test]
async fn a_swap_that_leaves_the_record_as_it_is_ends_no_wait() {
    let mut fixture = present();
    let waits = waiting(&fixture, PATH, &[WAIT, ("if-none-match", &etag(0))]).await;
    fixture.rebuild(TopicId::new([0; 16]), &[(b"u1", b"1")]);
    tokio::task::yield_now().await;
    assert!(!waits.is_finished());
    fixture.rebuild(TopicId::new([1; 16]), &[(b"u1", b"1")]);
    let answer = waits.await.unwrap();
    assert_eq!((answer.text(), answer.status), ("1", StatusCode::OK), "a recreated topic has other versions");
}

#[tokio::test]
async fn those_who_wait_are_counted_and_no_more_than_allowed() {
    let limits = HttpConfig { waiters_max: 1, ..HttpConfig::default() };
    let mut fixture = Fixture::limited(&limits);
    fixture.catch_up();
    let first = waiting(&fixture, PATH, &[WAIT]).await;
    let second = fixture.send(Method::GET, PATH, &[WAIT]).await;
    assert_eq!((second.status, &*second.problem()), (StatusCode::SERVICE_UNAVAILABLE, "overloaded"));
    assert_eq!(fixture.get(PATH).await.problem(), "key-not-found", "who does not wait is answered");
    // A client that leaves takes its request along.
    first.abort();
    until(|| seats_taken(&fixture) == 0).await;
    let third = waiting(&fixture, PATH, &[WAIT]).await;
    fixture.put(b"u1", Some(b"1"));
    assert_eq!(third.await.unwrap().text(), "1");
}

#[tokio::test]
async fn nobody_waits_for_a_service_that_stops() {
    let fixture = present();
    let held = [WAIT, ("if-none-match", &*etag(0))];
    let waits = waiting(&fixture, PATH, &held).await;
    fixture.health.set_stopping();
    for answer in [waits.await.unwrap(), fixture.send(Method::GET, PATH, &held).await] {
        assert_eq!((answer.status, &*answer.problem()), (StatusCode::SERVICE_UNAVAILABLE, "shutting-down"));
        assert_eq!(answer.header("preference-applied"), "wait=30");
    }
    assert_eq!(fixture.send(Method::GET, PATH, &[WAIT]).await.text(), "1", "what needs no wait is answered");
}
