//! JSON documents about the service, as opposed to answers about data.

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;

use super::code::Code;
use super::problem::Problem;

/// Writes `document`; it is out of date at once, so nobody keeps it without asking.
pub(super) fn json(document: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(document)
        .map_err(|_| Problem::new(Code::INTERNAL, "the document could not be written"))?;
    Ok(with_type("application/json", body))
}

/// Makes a response of a given content type.
pub(super) fn with_type(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
