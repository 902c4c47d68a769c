//! What answers about many keys have in common.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};

use super::about::{self, VIEW_POSITION, VIEW_STATUS};
use super::code::Code;
use super::entry_document::{push_string, push_text};
use super::header_text::HeaderText;
use super::ndjson;
use super::problem::Problem;
use super::representation::{self, VARY_ACCEPT};
use crate::view::{LookUpError, Moment, View};

const DOCUMENT_TYPE: &str = "application/json";

/// Returns whether the client wants a line per item, or else one document.
///
/// # Errors
/// `not-acceptable`.
pub(super) fn wants_lines(headers: &HeaderMap) -> Result<bool, Problem> {
    let types = [DOCUMENT_TYPE, ndjson::CONTENT_TYPE];
    match representation::best(headers, &types) {
        Some(best) => Ok(best == ndjson::CONTENT_TYPE),
        None => {
            let detail = "`Accept` names nothing that this path can send";
            Err(Problem::new(Code::NOT_ACCEPTABLE, detail)
                .available(types.to_vec())
                .with_header(VARY, VARY_ACCEPT))
        }
    }
}

/// Makes an answer that reflects exactly `moment`.
pub(super) fn answer(view: &View, moment: &Moment, lines: bool, body: Body) -> Response {
    let mut text = HeaderText::new();
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let content_type = if lines { ndjson::CONTENT_TYPE } else { DOCUMENT_TYPE };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, about::cache_control(view));
    headers.insert(VARY, VARY_ACCEPT);
    if let Some(position) = text.positions(&moment.positions) {
        headers.insert(VIEW_POSITION, position);
    }
    headers.insert(VIEW_STATUS, about::status(view));
    response
}

/// Returns why a view cannot answer.
pub(super) fn refused(view: &View, error: &LookUpError) -> Problem {
    match error {
        LookUpError::Restoring => about::restoring(view),
        LookUpError::Store(error) => about::failed(view, error),
    }
}

/// Appends position and generation to an object that has members already.
pub(super) fn push_moment(out: &mut Vec<u8>, moment: &Moment) {
    out.extend_from_slice(b",\"position\":");
    let position = HeaderText::new().positions(&moment.positions);
    match position.as_ref().and_then(|position| position.to_str().ok()) {
        Some(position) => push_string(out, position),
        None => out.extend_from_slice(b"null"),
    }
    push_text(out, format_args!(",\"generation\":{}", moment.generation));
}
