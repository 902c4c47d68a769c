//! The web page: what the views are about, and a form to look a key up.
//!
//! Everything comes from the service itself; the page works without scripts, and with them it keeps itself up
//! to date through the API.

mod markup;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};

use crate::view::Views;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");
const ICON: &str = include_str!("page/icon.svg");

/// Nothing is loaded from elsewhere and nothing inline is run, whatever a value holds.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'";

/// Headers of everything the page is made of.
type Headers = [(HeaderName, HeaderValue); 5];

/// Returns the web page at `/`.
pub fn router(views: Arc<Views>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/assets/page.css", get(async || asset("text/css; charset=utf-8", STYLE)))
        .route("/assets/page.js", get(async || asset("text/javascript; charset=utf-8", SCRIPT)))
        .route("/assets/icon.svg", get(async || asset("image/svg+xml", ICON)))
        .with_state(views)
}

async fn page(State(views): State<Arc<Views>>) -> impl IntoResponse {
    let status: Vec<_> = views.values().map(|view| (view.config(), view.status())).collect();
    (headers("text/html; charset=utf-8"), Html(markup::page(&status).into_string()))
}

fn asset(content_type: &'static str, body: &'static str) -> impl IntoResponse {
    (headers(content_type), body)
}

fn headers(content_type: &'static str) -> Headers {
    [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        // A page of the version before would ask for what is no longer there.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ]
}
