//! What answers about many keys have in common.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};

use super::about::{self, VIEW_POSITION, VIEW_STATUS};
use super::code::Code;
use super::consistency::Demand;
use super::entry_document::{push_string, push_text};
use super::header_text::HeaderText;
use super::ndjson;
use super::patience::Patience;
use super::problem::Problem;
use super::representation::{self, VARY_ON};
use crate::store::{SlotTable, Snapshot};
use crate::view::{LookUpError, Moment, View};

const DOCUMENT_TYPE: &str = "application/json";

/// Returns whether the client wants a line per item, or else one document.
///
/// # Errors
/// `not-acceptable`.
pub(super) fn wants_lines(headers: &HeaderMap) -> Result<bool, Problem> {
    let agreed = representation::agree(headers, &[DOCUMENT_TYPE, ndjson::CONTENT_TYPE])?;
    Ok(agreed == ndjson::CONTENT_TYPE)
}

/// Reads what meets a demand: `read` is handed the table of slots that does, and is called again where it came to
/// none because the view has gone on to another table meanwhile. A view that restores is waited for.
///
/// # Errors
/// Those of the demand and of `read`.
pub(super) async fn meeting<T, R: Future<Output = Result<Option<T>, Problem>>>(
    demand: &Demand,
    view: &View,
    patience: &mut Patience<'_>,
    read: impl Fn(Option<Arc<SlotTable>>) -> R,
) -> Result<T, Problem> {
    loop {
        let table = if demand.is_none() { None } else { Some(demand.meet(view, patience).await?) };
        // Order matters: in its place before the read, no swap gets by between the read and the wait.
        let place = (!patience.is_over()).then(|| view.progress().waiters().at_swap());
        match (read(table).await, place) {
            (Ok(Some(read)), _) => return Ok(read),
            (Ok(None), _) => {}
            (Err(problem), Some(place)) if problem.code() == Code::VIEW_RESTORING => {
                patience.wait(place.rung(), Duration::ZERO).await?;
            }
            (Err(problem), _) => return Err(problem),
        }
    }
}

/// Returns whether a snapshot is of the table that was wanted, if one was.
pub(super) fn is_of(snapshot: &Snapshot<'_>, wanted: Option<&Arc<SlotTable>>) -> bool {
    wanted.is_none_or(|wanted| Arc::ptr_eq(wanted, snapshot.table()))
}

/// Makes an answer that reflects exactly `moment`.
pub(super) fn answer(view: &View, moment: &Moment, lines: bool, body: Body) -> Response {
    let mut text = HeaderText::new();
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let content_type = if lines { ndjson::CONTENT_TYPE } else { DOCUMENT_TYPE };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, about::cache_control(view));
    headers.insert(VARY, VARY_ON);
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
