//! Bodies are compressed where that pays: large ones, for clients that say they take it.
//!
//! A compressed answer has a weak entity tag, because a strong one promises the same bytes. `If-None-Match`
//! compares weakly, so a client may come back with either.

use std::convert::Infallible;
use std::future::ready;

use axum::body::{Body, HttpBody as _};
use axum::response::Response;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::BodyExt as _;
use tower::{ServiceExt as _, service_fn};
use tower_http::CompressionLevel;
use tower_http::compression::Compression;
use tower_http::compression::predicate::SizeAbove;

/// Below this, compressing costs more than the answer itself and saves few packets.
const BYTES_MIN: u64 = 8 * 1024;

/// Types worth it. An event stream is not among them: a compressor would hold events back.
const TYPES: [&str; 9] = [
    "application/json",
    "application/x-ndjson",
    "application/vnd.statusquo.entry+json",
    "application/openmetrics-text",
    "image/svg+xml",
    "text/css",
    "text/html",
    "text/javascript",
    "text/plain",
];

/// What a request says about it, kept while the request is handled.
#[derive(Debug)]
pub(super) struct Accepted(Option<HeaderValue>);

impl Accepted {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self(headers.get(ACCEPT_ENCODING).cloned())
    }

    /// Compresses the body if that pays; `Vary` then says so even to a client that takes no compressed one.
    pub(super) async fn apply(self, response: Response) -> Response {
        if !pays(&response) {
            return response;
        }
        let status = response.status();
        let mut request = Request::new(());
        if let Some(codings) = self.0 {
            request.headers_mut().insert(ACCEPT_ENCODING, codings);
        }
        // The compressor asks for more after the end, which not every body bears.
        let mut once = Some(response.map(|body| Body::new(body.fuse())));
        let answer = service_fn(move |_| ready(Ok::<_, Infallible>(once.take().unwrap_or_default())));
        let compression =
            Compression::new(answer).quality(CompressionLevel::Fastest).compress_when(SizeAbove::new(0));
        let Ok(response) = compression.oneshot(request).await;
        let mut response = response.map(Body::new);
        // A client that refuses even plain bodies gets one all the same.
        *response.status_mut() = status;
        if response.headers().contains_key(CONTENT_ENCODING) {
            weaken(response.headers_mut());
        }
        response
    }
}

/// The body of an answer to HEAD is there, too: it is taken away last.
fn pays(response: &Response) -> bool {
    let length = response.body().size_hint().exact();
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    length.is_none_or(|length| length >= BYTES_MIN) && kind.is_some_and(is_worth_it)
}

/// Returns whether bodies of that content type are compressed, if they are large enough.
pub(super) fn is_worth_it(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default();
    TYPES.contains(&kind.trim_end())
}

fn weaken(headers: &mut HeaderMap) {
    let Some(etag) = headers.get(ETAG).filter(|etag| !etag.as_bytes().starts_with(b"W/")) else { return };
    if let Ok(weak) = HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat()) {
        headers.insert(ETAG, weak);
    }
}
