//! The description of the interface for people, at `/docs`: Swagger UI, built in.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Request;
use axum::response::{Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use utoipa_swagger_ui::Config;

use super::code::Code;
use super::document;
use super::problem::Problem;
use super::state::AppState;

/// Nothing is loaded from elsewhere. The page has its icons inline and writes styles as it draws itself.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; base-uri 'none'; \
     object-src 'none'; form-action 'none'; frame-ancestors 'none'",
);

static CONFIG: LazyLock<Arc<Config<'static>>> =
    LazyLock::new(|| Arc::new(Config::from("/openapi.json").validator_url("none")));

/// Returns the page and its files; its links are relative, so its address ends in a slash.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/docs", get(async || Redirect::permanent("/docs/")))
        .route("/docs/", get(file))
        .route("/docs/{*file}", get(file))
}

async fn file(request: Request) -> Result<Response, Problem> {
    let name = request.uri().path().strip_prefix("/docs/").unwrap_or_default();
    let broken = |_| Problem::new(Code::INTERNAL, "the page could not be written");
    let missing = || Problem::new(Code::NOT_FOUND, "the page has no such file; see /docs/");
    let file = utoipa_swagger_ui::serve(name, Arc::clone(&CONFIG)).map_err(broken)?.ok_or_else(missing)?;
    let body = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let mut response = document::with_type("application/octet-stream", body);
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::from_str(&file.content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}
