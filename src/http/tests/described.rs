//! Whatever a test is answered, the document of the listener says that it can be: status and headers.

use std::sync::LazyLock;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use serde_json::Value;

use crate::http::openapi::{OF_DATA, OF_OPS};

/// Headers that any answer of any service may have.
const UNSAID: [&str; 3] = ["content-length", "content-type", "x-content-type-options"];

type Described = LazyLock<Value>;

pub(super) static DATA: Described = LazyLock::new(|| serde_json::from_slice(&OF_DATA).unwrap());
pub(super) static OPS: Described = LazyLock::new(|| serde_json::from_slice(&OF_OPS).unwrap());

/// Compares each answer of a router with what its document says of the path; others are no part of the interface.
pub(super) async fn check(document: &'static Described, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let mut paths = document["paths"].as_object().unwrap().iter();
    let item = paths.find(|(template, _)| leads_to(template, &path));
    let method = if method == Method::HEAD { Method::GET } else { method };
    let operation = item.and_then(|(_, item)| item.get(method.as_str().to_lowercase()));
    let (Some((template, _)), Some(operation)) = (item, operation) else { return response };
    let at = format!("{method} {template}: {}", response.status());
    let described = operation["responses"].get(response.status().as_str());
    let described = described.unwrap_or_else(|| panic!("{at} is not described"));
    let headers = described["headers"].as_object().unwrap();
    for name in response.headers().keys().map(http::HeaderName::as_str) {
        let is_described = headers.keys().any(|described| described.eq_ignore_ascii_case(name));
        assert!(is_described || UNSAID.contains(&name), "{at}: {name} is not described");
    }
    response
}

fn leads_to(template: &str, path: &str) -> bool {
    let (pieces, segments) = (template.split('/'), path.split('/'));
    pieces.clone().count() == segments.clone().count()
        && pieces
            .zip(segments)
            .all(|(piece, segment)| piece == segment || (piece.starts_with('{') && !segment.is_empty()))
}
