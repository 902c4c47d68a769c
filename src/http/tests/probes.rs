use std::collections::BTreeMap;

use http::{Method, StatusCode};

use super::fixture::{Answer, Fixture, send, topic};
use crate::config::sections::{KeyFormat, ValueFormat};
use crate::position::Position;
use crate::progress::TroubleCode;
use crate::view::{Condition, State};

async fn ops(fixture: &Fixture, path: &str) -> Answer {
    send(fixture.ops(), Method::GET, path, &[]).await
}

#[tokio::test]
async fn a_restoring_view_makes_the_process_alive_but_not_ready() {
    let mut fixture = Fixture::restoring(KeyFormat::String, ValueFormat::Json);
    assert_eq!(ops(&fixture, "/livez").await.text(), "ok\n");
    let answer = ops(&fixture, "/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.text(), "users: restoring: 2 of 2 partitions have not caught up once\n");
    fixture.progress.set_trouble(TroubleCode::TopicMissing, "the topic is not there".into());
    let document = ops(&fixture, "/readyz?verbose").await.json();
    assert_eq!(document["ok"], false);
    assert_eq!(
        (&document["views"][0]["view"], &document["views"][0]["reason"]),
        (&"users".into(), &"topic-missing".into())
    );
    fixture.catch_up();
    fixture.progress.end_source_trouble();
    assert_eq!(ops(&fixture, "/readyz").await.text(), "ok\n");
    assert_eq!(ops(&fixture, "/readyz?verbose=1").await.json()["ok"], true);
}

/// A partition that never had a leader has no slot: after a restart only the cluster tells of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_never_was_complete_is_not_before_all_its_partitions_are_known() {
    let fixture = Fixture::users();
    let key = "/v1/views/users/keys/u1";
    assert_eq!(fixture.get(key).await.status, StatusCode::NOT_FOUND);
    fixture.progress.set_topic(topic(3));
    let answer = fixture.get(key).await;
    assert_eq!((answer.status, &*answer.problem()), (StatusCode::SERVICE_UNAVAILABLE, "view-restoring"));
    assert_eq!(fixture.get("/v1/views/users/entries").await.problem(), "view-restoring");
    let condition = Condition::of(&fixture.view().store().table(), &fixture.progress);
    assert_eq!(condition.state, State::Restoring);
    let ready = ops(&fixture, "/readyz").await.text().to_owned();
    assert_eq!(ready, "users: restoring: the partitions of the topic are not known yet\n");
    fixture.progress.set_topic(topic(2));
    assert_eq!(fixture.get(key).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ops(&fixture, "/readyz").await.text(), "ok\n");
}

#[tokio::test]
async fn a_process_that_stops_is_not_ready() {
    let fixture = Fixture::users();
    fixture.health.set_stopping();
    let answer = ops(&fixture, "/readyz").await;
    assert_eq!((answer.status, answer.text()), (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"));
    assert_eq!(ops(&fixture, "/livez").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_process_is_started_once_its_stores_are_open() {
    let fixture = Fixture::users();
    assert_eq!(ops(&fixture, "/startupz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    fixture.health.set_started();
    assert_eq!(ops(&fixture, "/startupz?verbose").await.json()["ok"], true);
}

/// Samples by name and labels, after a look at the grammar of OpenMetrics.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut families = BTreeMap::new();
    let mut samples = BTreeMap::new();
    assert!(text.ends_with("# EOF\n"));
    for line in text.lines() {
        match line.split_once(' ').unwrap() {
            ("#", rest) if rest.starts_with("TYPE ") => {
                let name = rest.split(' ').nth(1).unwrap();
                assert!(families.insert(name.to_owned(), ()).is_none(), "{name} comes twice");
            }
            ("#", _) => {}
            _ => {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                assert!(families.keys().any(|family| name.starts_with(family.as_str())), "{line}");
                assert!(
                    samples.insert(series.to_owned(), value.parse().unwrap()).is_none(),
                    "{series} twice"
                );
            }
        }
    }
    samples
}

#[tokio::test]
async fn a_scrape_shows_views_requests_and_process() {
    let mut fixture = Fixture::users();
    fixture.put(b"secret", Some(b"1"));
    fixture.progress.want(0).set_log(Position::ZERO, Position::new(4));
    fixture.progress.metrics().records.inc_by(7);
    fixture.progress.metrics().resets_refused.inc();
    fixture.progress.metrics().batch_seconds.observe(0.002);
    fixture.get("/v1/views/users/keys/secret").await;
    fixture.get("/v1/views/users/keys/secret2").await;
    fixture.get("/secret/secret").await;
    let answer = ops(&fixture, "/metrics").await;
    assert!(answer.header("content-type").starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(!answer.text().contains("secret"));
    let samples = samples(answer.text());
    for (series, value) in [
        ("statusquo_view_position{view=\"users\",partition=\"0\"}", 1.0),
        ("statusquo_view_end_offset{view=\"users\",partition=\"0\"}", 4.0),
        ("statusquo_view_lag{view=\"users\",partition=\"0\"}", 3.0),
        ("statusquo_view_ready{view=\"users\"}", 1.0),
        ("statusquo_view_state{view=\"users\",state=\"live\"}", 1.0),
        ("statusquo_view_state{view=\"users\",state=\"stuck\"}", 0.0),
        ("statusquo_view_generation{view=\"users\"}", 2.0),
        ("statusquo_view_applied_records_total{view=\"users\"}", 7.0),
        ("statusquo_view_resets_total{view=\"users\",outcome=\"obeyed\"}", 0.0),
        ("statusquo_view_resets_total{view=\"users\",outcome=\"refused\"}", 1.0),
        ("statusquo_view_batch_seconds_count{view=\"users\"}", 1.0),
        ("statusquo_http_requests_total{route=\"/v1/views/{view}/keys/{key}\",status=\"200\"}", 1.0),
        ("statusquo_http_requests_total{route=\"/v1/views/{view}/keys/{key}\",status=\"404\"}", 1.0),
        ("statusquo_http_requests_total{route=\"unmatched\",status=\"404\"}", 1.0),
        ("statusquo_http_request_seconds_count{route=\"/v1/views/{view}/keys/{key}\"}", 2.0),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series}");
    }
    for series in ["process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"] {
        assert!(samples[series] > 0.0, "{series}");
    }
    assert!(samples["statusquo_view_staleness_seconds{view=\"users\",partition=\"0\"}"] < 60.0);
}
