use http::{Method, StatusCode};

use super::fixture::{Answer, Fixture, send, send_body};
use crate::config::Secret;
use crate::config::sections::{KeyFormat, OpsConfig, ValueFormat};
use crate::position::Position;
use crate::progress::TroubleCode;
use crate::resume::BuildReason;
use crate::store::RowEdit;

const REBUILD: &str = "/admin/v1/views/users/rebuild";
const JSON: (&str, &str) = ("content-type", "application/json");

fn config(token: Option<&str>) -> OpsConfig {
    OpsConfig {
        admin: true,
        admin_token: token.map(|token| Secret::from(token.to_owned())),
        ..OpsConfig::default()
    }
}

async fn post(fixture: &Fixture, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let router = fixture.ops_with(&config(None));
    send_body(router, Method::POST, path, headers, body.to_owned()).await
}

async fn get(fixture: &Fixture, path: &str) -> Answer {
    send(fixture.ops_with(&config(None)), Method::GET, path, &[]).await
}

#[tokio::test]
async fn a_rebuild_is_accepted_and_followed_to_its_end() {
    let mut fixture = Fixture::users();
    let answer = post(&fixture, REBUILD, &[JSON], r#"{"partitions":[1]}"#).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let location = answer.header("location").to_owned();
    let running = get(&fixture, &location).await.json();
    assert_eq!(running, answer.json());
    assert_eq!((&running["state"], &running["reason"]), (&"running".into(), &"requested".into()));
    assert_eq!((&running["partitions"], &running["left"]), (&[1].as_slice().into(), &[1].as_slice().into()));
    assert_eq!((&running["progress"], &running["ended_at"]), (&0.0.into(), &serde_json::Value::Null));

    let second = post(&fixture, REBUILD, &[JSON], "{}").await;
    assert_eq!((second.status, &*second.problem()), (StatusCode::CONFLICT, "rebuild-running"));
    assert_eq!(second.header("location"), location);

    fixture.progress.rebuilds().set_stored();
    fixture.progress.rebuilds().settle(|_| true).unwrap();
    let done = get(&fixture, &location).await.json();
    assert_eq!((&done["state"], &done["progress"]), (&"done".into(), &1.0.into()));
    fixture.decide(0, RowEdit::Request(BuildReason::OperatorReset));
    assert_eq!(post(&fixture, REBUILD, &[JSON], "{}").await.problem(), "rebuild-running");
    assert_eq!(
        post(&fixture, REBUILD, &[JSON], r#"{"partitions":[1,1]}"#).await.status,
        StatusCode::ACCEPTED
    );
}

#[tokio::test]
async fn what_is_no_request_for_a_rebuild_is_refused_and_starts_nothing() {
    let fixture = Fixture::users();
    for body in [
        "",
        "[]",
        "{",
        "null",
        r#"{"partition":[1]}"#,
        r#"{"partitions":null}"#,
        r#"{"partitions":[]}"#,
        r#"{"partitions":["1"]}"#,
        r#"{"partitions":[1.5]}"#,
        r#"{"partitions":[99999999999]}"#,
        r#"{"partitions":[0,7]}"#,
        r#"{"partitions":[-1]}"#,
        "{}{}",
    ] {
        let answer = post(&fixture, REBUILD, &[JSON], body).await;
        assert_eq!((answer.status, &*answer.problem()), (StatusCode::BAD_REQUEST, "bad-body"), "{body}");
    }
    let long = format!("{{\"partitions\":[{}0]}}", "0,".repeat(40_000));
    assert_eq!(post(&fixture, REBUILD, &[JSON], &long).await.problem(), "content-too-large");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let answer = post(&fixture, REBUILD, &[("content-type", kind)], "{}").await;
        assert_eq!(answer.problem(), "unsupported-media-type", "{kind}");
    }
    assert_eq!(post(&fixture, REBUILD, &[], "{}").await.problem(), "unsupported-media-type");
    let page = [JSON, ("origin", "http://example.com")];
    assert_eq!(post(&fixture, REBUILD, &page, "{}").await.problem(), "forbidden");
    let elsewhere = "/admin/v1/views/nobody/rebuild";
    assert_eq!(post(&fixture, elsewhere, &[JSON], "{}").await.problem(), "view-not-found");
    assert_eq!(post(&fixture, &format!("{REBUILD}?wait=1"), &[JSON], "{}").await.problem(), "bad-parameter");
    assert_eq!(get(&fixture, REBUILD).await.problem(), "method-not-allowed");
    for id in ["1", "%2e", "00000000000000000000000000000000"] {
        assert_eq!(get(&fixture, &format!("/admin/v1/operations/{id}")).await.problem(), "not-found", "{id}");
    }
    assert!(fixture.progress.rebuilds().running().is_none());
    let kind = ("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(post(&fixture, REBUILD, &[kind], "{}").await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn with_a_token_nothing_is_told_or_done_without_it() {
    let fixture = Fixture::users();
    let router = || fixture.ops_with(&config(Some("s3cret")));
    for path in [REBUILD, "/admin/v1/views/nobody/rebuild"] {
        let answer = send_body(router(), Method::POST, path, &[JSON], "{}").await;
        assert_eq!((answer.status, &*answer.problem()), (StatusCode::UNAUTHORIZED, "unauthenticated"));
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        let wrong = [JSON, ("authorization", "Bearer other")];
        let answer = send_body(router(), Method::POST, path, &wrong, "{}").await;
        assert_eq!((answer.status, &*answer.problem()), (StatusCode::FORBIDDEN, "forbidden"));
        assert!(!answer.text().contains("s3cret"));
    }
    let answer = send(router(), Method::GET, "/admin/v1/operations/1", &[]).await;
    assert_eq!(answer.problem(), "unauthenticated");
    let right = [JSON, ("authorization", "Bearer s3cret")];
    let answer = send_body(router(), Method::POST, REBUILD, &right, "{}").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(send(router(), Method::GET, "/livez", &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_interface_that_is_off_is_not_there() {
    let fixture = Fixture::users();
    for path in [REBUILD, "/admin/v1/operations/1"] {
        let answer = send_body(fixture.ops(), Method::POST, path, &[JSON], "{}").await;
        assert_eq!((answer.status, &*answer.problem()), (StatusCode::NOT_FOUND, "not-found"));
    }
    assert_eq!(fixture.send(Method::POST, REBUILD, &[JSON]).await.problem(), "not-found");
}

#[tokio::test]
async fn a_view_of_another_cluster_is_not_rebuilt() {
    let fixture = Fixture::users();
    fixture.progress.set_trouble(TroubleCode::WrongCluster, "another cluster".to_owned());
    fixture.progress.set_trouble(TroubleCode::DiskFull, "no space".to_owned());
    let answer = post(&fixture, REBUILD, &[JSON], "{}").await;
    assert_eq!((answer.status, &*answer.problem()), (StatusCode::CONFLICT, "wrong-cluster"));
    assert!(fixture.progress.rebuilds().running().is_none());
    fixture.progress.end_source_trouble();
    assert_eq!(post(&fixture, REBUILD, &[JSON], "{}").await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_topic_whose_partitions_are_not_known_cannot_be_rebuilt_yet() {
    let fixture = Fixture::unknown(KeyFormat::String, ValueFormat::Json);
    let answer = post(&fixture, REBUILD, &[JSON], "{}").await;
    assert_eq!((answer.status, &*answer.problem()), (StatusCode::SERVICE_UNAVAILABLE, "view-restoring"));
    let look_up = fixture.get("/v1/views/users/keys/a").await;
    assert!(look_up.text().contains("\"progress\":0.0"), "{}", look_up.text());
    fixture.progress.want(0).set_log(Position::ZERO, Position::ZERO);
    assert_eq!(post(&fixture, REBUILD, &[JSON], "{}").await.status, StatusCode::ACCEPTED);
}
