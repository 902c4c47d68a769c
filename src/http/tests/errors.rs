use std::time::Duration;

use http::{Method, StatusCode};

use super::fixture::{Fixture, send};
use crate::config::sections::{KeyFormat, ValueFormat};
use crate::http::Code;

#[tokio::test]
async fn unknown_paths_are_problems_on_both_listeners() {
    let fixture = Fixture::users();
    for path in ["/nowhere", "/v1", "/v1/views/", "/v1/views/users/", "//", "/%zz", "/problems/"] {
        let answer = fixture.get(path).await;
        assert_eq!((answer.status, &*answer.problem()), (StatusCode::NOT_FOUND, "not-found"), "{path}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    assert_eq!(send(fixture.ops(), Method::GET, "/v1/views", &[]).await.problem(), "not-found");
    assert_eq!(send(fixture.data(), Method::GET, "/metrics", &[]).await.problem(), "not-found");
    assert_eq!(send(fixture.data(), Method::OPTIONS, "*", &[]).await.problem(), "not-found");
}

#[tokio::test]
async fn an_unknown_view_is_told_apart_from_an_unknown_key() {
    let fixture = Fixture::users();
    for path in [
        "nobody",
        "/keys/a",
        "nobody/status",
        "nobody/keys/a",
        "nobody/lookup?key=a",
        "%ff/keys/a",
        "Users/keys/a",
    ] {
        assert_eq!(fixture.get(&format!("/v1/views/{path}")).await.problem(), "view-not-found", "{path}");
    }
    assert_eq!(fixture.get("/v1/views/%75sers/keys/a").await.problem(), "key-not-found");
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_refused_with_those_it_does() {
    let fixture = Fixture::users();
    for path in ["/v1/views", "/v1/views/users/keys/a", "/v1/views/users/entries", "/problems", "/"] {
        for method in
            [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::from_bytes(b"BREW").unwrap()]
        {
            let answer = fixture.send(method, path, &[]).await;
            assert_eq!(
                (answer.status, &*answer.problem()),
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed")
            );
            assert_eq!(answer.header("allow"), "GET,HEAD", "{path}");
        }
    }
    let answer = fixture.send(Method::PUT, "/v1/views/users/lookup", &[]).await;
    assert_eq!((&*answer.problem(), answer.header("allow")), ("method-not-allowed", "GET,HEAD,POST"));
    let answer = send(fixture.ops(), Method::POST, "/metrics", &[]).await;
    assert_eq!(answer.problem(), "method-not-allowed");
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_the_next_request_is_answered() {
    let fixture = Fixture::users();
    let answer = fixture.get("/panic").await;
    assert_eq!((answer.status, &*answer.problem()), (StatusCode::INTERNAL_SERVER_ERROR, "internal"));
    assert!(!answer.text().contains("made a mistake,"));
    assert_eq!(fixture.get("/").await.text(), "page");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let limit = Duration::from_millis(20);
    let fixture = Fixture::with_request_timeout(KeyFormat::String, ValueFormat::Json, limit);
    let answer = fixture.get("/slow").await;
    assert_eq!((answer.status, &*answer.problem()), (StatusCode::SERVICE_UNAVAILABLE, "overloaded"));
}

#[tokio::test]
async fn the_request_id_of_the_client_is_kept_and_any_answer_has_one() {
    let fixture = Fixture::users();
    let answer = fixture.send(Method::GET, "/nowhere", &[("x-request-id", "abc-1")]).await;
    assert_eq!((answer.header("x-request-id"), &answer.json()["instance"]), ("abc-1", &"abc-1".into()));
    let answer = fixture.send(Method::GET, "/v1/views", &[("x-request-id", "no spaces please")]).await;
    assert_eq!(answer.header("x-request-id").len(), 16);
}

#[tokio::test]
async fn every_code_says_what_it_means_and_what_to_do() {
    let fixture = Fixture::users();
    let all = fixture.get("/problems").await.json();
    assert_eq!(all["problems"].as_array().unwrap().len(), Code::ALL.len());
    for code in Code::ALL {
        let document = fixture.get(&format!("/problems/{}", code.name)).await.json();
        assert_eq!(
            (&document["code"], &document["status"]),
            (&code.name.into(), &code.status.as_u16().into())
        );
        assert!(
            !document["meaning"].as_str().unwrap().is_empty()
                && !document["action"].as_str().unwrap().is_empty()
        );
    }
    assert_eq!(fixture.get("/problems/teapot").await.problem(), "not-found");
}

#[tokio::test]
async fn views_are_listed_and_described() {
    let fixture = Fixture::users();
    let list = fixture.get("/v1/views").await.json();
    assert_eq!(list["views"][0]["name"], "users");
    assert_eq!((&list["views"][0]["state"], &list["views"][0]["ready"]), (&"live".into(), &true.into()));
    let view = fixture.get(list["views"][0]["links"]["self"].as_str().unwrap()).await.json();
    assert_eq!((&view["key_encodings"]["default"], &view["topic"]), (&"utf8".into(), &"profiles".into()));
    assert_eq!(view["representations"][0]["content_type"], "application/json");
    let status = fixture.get(view["links"]["status"].as_str().unwrap()).await.json();
    assert_eq!((&status["view"], &status["partitions"][1]["partition"]), (&"users".into(), &1.into()));
    for path in ["/v1/views", "/v1/views/users", "/v1/views/users/status", "/problems", "/problems/internal"]
    {
        assert_eq!(fixture.get(&format!("{path}?verbose")).await.problem(), "bad-parameter", "{path}");
    }
    assert_eq!(fixture.get("/").await.text(), "page");
}

#[tokio::test]
async fn damage_is_told_and_never_taken_for_a_miss() {
    let mut fixture = Fixture::users();
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(8 * 1024).collect();
    let keys: Vec<String> = (0..32).map(|number| format!("u{number}")).collect();
    for key in &keys {
        fixture.put(key.as_bytes(), Some(&noise));
    }
    let fixture = fixture.damaged();
    let mut damaged = 0;
    for key in keys {
        let answer = fixture.get(&format!("/v1/views/users/keys/{key}")).await;
        if answer.status == StatusCode::OK {
            assert_eq!(answer.body, noise);
            continue;
        }
        assert_eq!(
            (answer.status, &*answer.problem()),
            (StatusCode::INTERNAL_SERVER_ERROR, "storage-corruption")
        );
        assert_eq!((&answer.json()["view"], answer.header("cache-control")), (&"users".into(), "no-store"));
        assert!(!answer.text().contains(".sst"), "{}", answer.text());
        damaged += 1;
    }
    assert!(damaged > 0);
}
