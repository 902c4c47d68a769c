//! What a watch that comes back is asked for.

use http::{Method, StatusCode};

use super::consistency::{Broker, OTHER_TOPIC, ends, followed, know_topic};
use super::fixture::{Fixture, TAG};
use super::watch::{PATH, Watch};
use crate::config::sections::{KeyFormat, ValueFormat, WatchConfig};
use crate::position::Position;
use crate::topic_id::TopicId;

#[tokio::test]
async fn who_comes_back_waits_for_a_topic_that_is_not_known_yet_and_for_none_that_is_gone() {
    let mut fixture = followed();
    let id = Watch::open(&fixture, "", &[]).await.synced().await;
    let other_tag = OTHER_TOPIC.tag().to_string();
    let _broker = Broker::start(&fixture.progress, |_| Ok(ends(OTHER_TOPIC, &[1, 0])));
    let told_elsewhere = [("last-event-id", &*id.replace(TAG, &other_tag)), ("prefer", "wait=0")];
    let behind = Watch::open(&fixture, &format!("?read_after=0:0;t={other_tag}"), &told_elsewhere).await;
    assert_eq!(behind.status, StatusCode::GATEWAY_TIMEOUT, "what answers is still the old topic");
    know_topic(&fixture, OTHER_TOPIC);
    fixture.rebuild(OTHER_TOPIC, &[(b"u1", b"3")]);
    let foreign = format!("?read_after=0:1;t={TAG}");
    let mut again = Watch::open(&fixture, &foreign, &[("last-event-id", &id)]).await;
    assert_eq!(again.next().await.unwrap().data["reason"], "topic-recreated");
    assert_eq!(Watch::open(&fixture, &foreign, &[]).await.status, StatusCode::CONFLICT);
}

/// Opens a watch as a browser does that was told something by another instance.
async fn come_back(fixture: &Fixture, query: &str) -> (StatusCode, String) {
    let id = format!("v1=0:0;t={TAG};b=0123456789abcdef");
    let answer = fixture.send(Method::GET, &format!("{PATH}{query}"), &[("last-event-id", &id)]).await;
    (answer.status, answer.text().to_owned())
}

fn later(code: &str) -> (StatusCode, String) {
    (StatusCode::OK, format!(": {code}\nretry: 2000\n"))
}

#[tokio::test]
async fn an_event_source_that_comes_back_too_early_comes_back_again() {
    let mut fixture = followed();
    fixture.progress.want(0).set_log(Position::ZERO, Position::new(50));
    let query = "?read_after=0:2";
    assert_eq!(come_back(&fixture, query).await, later("position-not-reached"));
    assert_eq!(fixture.get(&format!("{PATH}{query}")).await.problem(), "position-not-reached");
    assert_eq!(come_back(&fixture, "?max_staleness=0s").await, later("view-stale"));
    fixture.put(b"u1", Some(b"2"));
    let id = format!("v1=0:0;t={TAG};b=0123456789abcdef");
    let mut watch = Watch::open(&fixture, query, &[("last-event-id", &id)]).await;
    assert_eq!(watch.next().await.unwrap().data["reason"], "gap");
    assert!(watch.synced().await.starts_with("v1=0:2;"));
    fixture.health.set_stopping();
    assert_eq!(come_back(&fixture, "").await, later("shutting-down"));

    let restoring = Fixture::restoring(KeyFormat::String, ValueFormat::Json);
    assert_eq!(come_back(&restoring, "").await, later("view-restoring"));
    let full = Fixture::watched(WatchConfig { watchers_max: 0, ..WatchConfig::default() });
    assert_eq!(come_back(&full, "").await, later("overloaded"));
}

#[tokio::test]
async fn an_event_source_that_is_refused_for_good_is_told_so() {
    let fixture = followed();
    let _broker = Broker::start(&fixture.progress, |_| Ok(ends(TopicId::new([0; 16]), &[2, 0])));
    for (query, status) in [
        ("?initial=none", StatusCode::GONE),
        ("?read_after=0:900000", StatusCode::BAD_REQUEST),
        ("?read_after=x", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(come_back(&fixture, query).await.0, status, "{query}");
    }
}
