//! Bodies of requests: JSON, announced as such, of a bounded length.

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::code::Code;
use super::problem::Problem;

/// Reads the body of a request, which must hold an object of at most `bytes_max` bytes.
///
/// # Errors
/// `unsupported-media-type`, `content-too-large`; none of them for what is no JSON.
pub(super) async fn read(headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(Code::UNSUPPORTED_MEDIA_TYPE, "send the body as `application/json`"));
    }
    // A body that ends early fails the same way; then nobody waits for the answer.
    to_bytes(body, bytes_max).await.map_err(|_| {
        Problem::new(Code::CONTENT_TOO_LARGE, format!("the body has more than {bytes_max} bytes"))
    })
}

/// Returns whether the bytes begin as an object does: serde would take a list for the members in their order.
pub(super) fn is_object(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"{")
}
