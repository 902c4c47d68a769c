use http::{Method, StatusCode};

use super::fixture::{Fixture, send};

#[tokio::test]
async fn each_listener_describes_itself() {
    let fixture = Fixture::users();
    let data = fixture.get("/openapi.json").await;
    assert_eq!((data.status, data.header("content-type")), (StatusCode::OK, "application/json"));
    assert_eq!(data.json()["openapi"], "3.1.0");
    assert!(data.json()["paths"]["/v1/views/{view}/keys/{key}"]["get"].is_object());
    let ops = send(fixture.ops(), Method::GET, "/openapi.json", &[]).await;
    assert!(ops.json()["paths"]["/readyz"]["get"].is_object());
    assert_eq!(fixture.get("/openapi.json?x").await.problem(), "bad-parameter");
}

#[tokio::test]
async fn an_error_leads_to_its_explanation_on_either_listener() {
    let fixture = Fixture::users();
    for router in [fixture.data(), fixture.ops()] {
        let refused = send(router.clone(), Method::GET, "/nowhere", &[]).await;
        let leads_to = refused.json()["type"].as_str().unwrap().to_owned();
        let explained = send(router, Method::GET, &leads_to, &[]).await;
        assert_eq!((explained.status, &explained.json()["type"]), (StatusCode::OK, &refused.json()["type"]));
    }
}

#[tokio::test]
async fn the_links_of_a_view_name_every_parameter_that_is_taken() {
    let fixture = Fixture::users();
    let links = fixture.get("/v1/views/users").await.json()["links"].clone();
    let interface = fixture.get("/openapi.json").await.json();
    for (link, path) in
        [("key", "keys/{key}"), ("lookup", "lookup"), ("entries", "entries"), ("watch", "watch")]
    {
        let parameters = &interface["paths"][format!("/v1/views/{{view}}/{path}")]["get"]["parameters"];
        let in_query = parameters.as_array().unwrap().iter().filter(|one| one["in"] == "query");
        let mut taken: Vec<_> = in_query.map(|one| one["name"].as_str().unwrap()).collect();
        let template = links[link].as_str().unwrap();
        let mut named: Vec<_> =
            template.rsplit_once("{?").unwrap().1.trim_end_matches('}').split(',').collect();
        taken.sort_unstable();
        named.sort_unstable();
        assert_eq!(named, taken, "{template}");
    }
}

#[tokio::test]
async fn the_page_of_the_documents_needs_nothing_from_elsewhere() {
    let fixture = Fixture::users();
    let moved = fixture.get("/docs").await;
    assert_eq!((moved.status, moved.header("location")), (StatusCode::PERMANENT_REDIRECT, "/docs/"));
    let page = fixture.get("/docs/").await;
    assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, "text/html"));
    assert!(page.header("content-security-policy").starts_with("default-src 'self';"));
    let attributes = page.text().split(['"', '\'']).filter(|text| text.contains("//"));
    assert_eq!(attributes.count(), 0, "{}", page.text());
    let files: Vec<_> =
        page.text().split("\"./").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files.iter().filter(|file| !file.is_empty()) {
        let answer = fixture.get(&format!("/docs/{file}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{file}");
        assert!(answer.headers.contains_key("content-security-policy"), "{file}");
    }
    let script = fixture.get("/docs/swagger-initializer.js").await;
    assert!(script.text().contains("/openapi.json"), "{}", script.text());
    for path in ["/docs/nowhere.js", "/docs/../http.rs", "/docs/%ff"] {
        assert_eq!(fixture.get(path).await.problem(), "not-found", "{path}");
    }
}

#[tokio::test]
async fn a_view_names_every_limit_that_a_client_can_meet() {
    let limits = Fixture::users().get("/v1/views/users").await.json()["limits"].clone();
    assert_eq!(
        limits,
        serde_json::json!({
            "key_bytes_max": 8192,
            "batch_keys_max": 1000,
            "batch_bytes_max": 1024 * 1024,
            "page_entries_max": 1000,
            "answer_bytes_max": 8 * 1024 * 1024,
        })
    );
}
