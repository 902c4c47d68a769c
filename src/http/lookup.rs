//! Look-ups by key.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, VARY};
use http::{HeaderName, HeaderValue};

use super::ask::Ask;
use super::code::{Code, NOT_MODIFIED};
use super::header_text::HeaderText;
use super::openapi::{answers, parameters, problems};
use super::problem::Problem;
use super::representation::{Representation, VARY_ON};
use super::state::AppState;
use super::{about, condition, entry_document, long_poll};
use crate::record::TimestampKind;
use crate::store::{Entry, TooLarge};
use crate::view::{LookUp, LookUpError, Positions, View};

const RECORD_PARTITION: HeaderName = HeaderName::from_static("record-partition");
const RECORD_OFFSET: HeaderName = HeaderName::from_static("record-offset");
const RECORD_TIMESTAMP: HeaderName = HeaderName::from_static("record-timestamp");

/// Headers of an answer, about.
const HEADERS: usize = 16;

/// Looks a key up.
///
/// For keys that are one segment of a path; `lookup` takes any.
#[utoipa::path(
    get,
    path = "/v1/views/{view}/keys/{key}",
    tag = "look-ups",
    operation_id = "lookUpByPath",
    params(
        parameters::View,
        parameters::Key,
        parameters::Enc,
        parameters::Format,
        parameters::IfNoneMatch,
        parameters::Consistency
    ),
    responses(answers::Found, answers::NotModified, problems::OfLookUps)
)]
pub(super) async fn by_path(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let view = state.view(request.uri())?;
    let ask = Ask::by_path(view.config(), request.uri(), request.headers())?;
    answer(&state, view, &ask).await
}

/// Looks a key up that is in the query.
///
/// For the empty key, and where a proxy rewrites `%2F`.
#[utoipa::path(
    get,
    path = "/v1/views/{view}/lookup",
    tag = "look-ups",
    operation_id = "lookUpByQuery",
    params(
        parameters::View,
        parameters::KeyInQuery,
        parameters::Enc,
        parameters::Format,
        parameters::IfNoneMatch,
        parameters::Consistency
    ),
    responses(answers::Found, answers::NotModified, problems::OfLookUps)
)]
pub(super) async fn by_query(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let view = state.view(request.uri())?;
    let ask = Ask::by_query(view.config(), request.uri(), request.headers())?;
    answer(&state, view, &ask).await
}

async fn answer(state: &AppState, view: &View, ask: &Ask<'_>) -> Result<Response, Problem> {
    if ask.demand.is_none() {
        // Reads inline: a cached read is over sooner than a hand-off to another thread.
        return respond(view, ask, view.look_up(&ask.key));
    }
    // Boxed, so that the others have no room to carry for what it remembers while it waits.
    Box::pin(long_poll::look_up(state.waiting(), view, ask)).await
}

/// Makes the answer out of what was found.
pub(super) fn respond(
    view: &View,
    ask: &Ask<'_>,
    found: Result<LookUp, LookUpError>,
) -> Result<Response, Problem> {
    match found {
        Ok(LookUp::Found(entry)) => present(view, ask, &entry),
        Ok(LookUp::Absent(positions)) => Err(absent(view, &positions)),
        Err(LookUpError::Restoring) if ask.demand.allows_restoring() => Err(about::not_restored_yet(view)),
        Err(LookUpError::Restoring) => Err(about::restoring(view)),
        Err(LookUpError::Store(error)) => Err(about::failed(view, &error)),
    }
}

/// Returns whether the client holds this version of the entry already.
pub(super) fn is_held(view: &View, ask: &Ask<'_>, entry: &Entry) -> bool {
    let etag = ask.representation.etag(&mut HeaderText::new(), view.config(), entry);
    condition::is_held(ask.headers, &etag)
}

fn position(text: &mut HeaderText, entry: &Entry) -> Option<HeaderValue> {
    let (topic, partition) = (entry.slot.topic_id().tag(), entry.slot.partition());
    // The entry may be newer than the position that was read before it.
    let reached = entry.position.max(entry.header.offset.next());
    text.reached(topic, reached.last().map(|last| (partition, last)).into_iter())
}

fn present(view: &View, ask: &Ask<'_>, entry: &Entry) -> Result<Response, Problem> {
    let (partition, offset) = (entry.slot.partition(), entry.header.offset);
    let mut text = HeaderText::new();
    let mut etag = ask.representation.etag(&mut text, view.config(), entry);

    let mut response = Response::new(Body::empty());
    // What is refused without a condition is refused with one.
    let held = can_be_had(ask, entry) && condition::is_held(ask.headers, &etag);
    if held {
        etag = condition::as_held(ask.headers, etag);
        *response.status_mut() = NOT_MODIFIED;
    } else {
        *response.body_mut() = body(view, ask, entry)?.into();
    }
    let headers = response.headers_mut();
    // Ten here, two of the outer layer, and hyper's own: growing on the way would hash them all again.
    headers.reserve(HEADERS);
    if !held {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(ask.representation.content_type()));
    }
    headers.insert(ETAG, etag);
    headers.insert(CACHE_CONTROL, about::cache_control(view));
    headers.insert(VARY, VARY_ON);
    headers.insert(RECORD_PARTITION, text.number(partition.into()));
    headers.insert(RECORD_OFFSET, text.number(offset.get()));
    let timestamp = entry.header.timestamp;
    if timestamp.kind != TimestampKind::None
        && let Some(at) = text.time(timestamp.at)
    {
        headers.insert(RECORD_TIMESTAMP, at);
    }
    if let Some(position) = position(&mut text, entry) {
        headers.insert(about::VIEW_POSITION, position);
    }
    headers.insert(about::VIEW_STATUS, text.status(&view.condition()));
    Ok(response)
}

fn can_be_had(ask: &Ask<'_>, entry: &Entry) -> bool {
    ask.representation == Representation::Entry || entry.header.too_large.is_none()
}

fn body(view: &View, ask: &Ask<'_>, entry: &Entry) -> Result<Bytes, Problem> {
    match ask.representation {
        Representation::Json | Representation::Text | Representation::Raw => {
            entry.value().map_err(|too_large| not_kept(view, ask, entry, too_large))
        }
        Representation::Entry => {
            entry_document::write(view.config(), &ask.key, entry).map_err(|error| about::failed(view, &error))
        }
    }
}

/// The key exists, so this is no 404; nothing has failed, so it is no 500: this form of it cannot be had.
fn not_kept(view: &View, ask: &Ask<'_>, entry: &Entry, too_large: TooLarge) -> Problem {
    let mut text = HeaderText::new();
    let problem = about::problem(view, Code::VALUE_TOO_LARGE, too_large.to_string())
        .available(vec![Representation::Entry.name()])
        .with_header(CACHE_CONTROL, about::cache_control(view))
        .with_header(RECORD_PARTITION, HeaderValue::from(entry.slot.partition()))
        .with_header(RECORD_OFFSET, HeaderValue::from(entry.header.offset.get()))
        .with_header(ETAG, ask.representation.etag(&mut text, view.config(), entry))
        .with_header(about::VIEW_STATUS, text.status(&view.condition()));
    match position(&mut text, entry) {
        Some(position) => problem.with_header(about::VIEW_POSITION, position),
        None => problem,
    }
}

fn absent(view: &View, positions: &Positions) -> Problem {
    let mut text = HeaderText::new();
    let problem = about::problem(view, Code::KEY_NOT_FOUND, "the view holds no live record of this key")
        .with_header(CACHE_CONTROL, about::cache_control(view))
        .with_header(about::VIEW_STATUS, text.status(&view.condition()));
    match text.positions(positions) {
        Some(position) => problem.with_header(about::VIEW_POSITION, position),
        None => problem,
    }
}
