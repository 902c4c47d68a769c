//! Bodies of requests: JSON, announced as such, of a bounded length.

use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt as _;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use tokio::time::timeout;

use super::code::Code;
use super::problem::Problem;

/// Reads the body of a request, which must come within `time_max` and hold an object of at most `bytes_max` bytes.
///
/// # Errors
/// `unsupported-media-type`, `content-too-large`, and `bad-body` for what is not there to its end; none of them for
/// what is no JSON.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
    time_max: Duration,
) -> Result<Vec<u8>, Problem> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(Code::UNSUPPORTED_MEDIA_TYPE, "send the body as `application/json`"));
    }
    let late = |_| {
        let seconds = time_max.as_secs_f64();
        Problem::new(Code::BAD_BODY, format!("the body did not come to its end within {seconds} seconds"))
    };
    timeout(time_max, whole(body, bytes_max)).await.map_err(late)?
}

async fn whole(body: Body, bytes_max: usize) -> Result<Vec<u8>, Problem> {
    let mut pieces = body.into_data_stream();
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await {
        // What the error says is for those who look after the service, and it is the client that made it.
        let piece = piece.map_err(|_| Problem::new(Code::BAD_BODY, "the body is broken or cut off"))?;
        if piece.len() > bytes_max - whole.len() {
            let detail = format!("the body has more than {bytes_max} bytes");
            return Err(Problem::new(Code::CONTENT_TOO_LARGE, detail));
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

/// Returns whether the bytes begin as an object does: serde would take a list for the members in their order.
pub(super) fn is_object(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"{")
}
