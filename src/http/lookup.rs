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
use super::problem::Problem;
use super::representation::{Representation, VARY_ACCEPT};
use super::state::AppState;
use super::{condition, entry_document};
use crate::record::TimestampKind;
use crate::store::{self, Entry};
use crate::view::{LookUp, LookUpError, Positions, View};

const RECORD_PARTITION: HeaderName = HeaderName::from_static("record-partition");
const RECORD_OFFSET: HeaderName = HeaderName::from_static("record-offset");
const RECORD_TIMESTAMP: HeaderName = HeaderName::from_static("record-timestamp");
const VIEW_POSITION: HeaderName = HeaderName::from_static("view-position");
const VIEW_STATUS: HeaderName = HeaderName::from_static("view-status");

/// Headers of an answer, about.
const HEADERS: usize = 16;

/// `GET /v1/views/{view}/keys/{key}`.
pub(super) async fn by_path(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let view = state.view(request.uri())?;
    let ask = Ask::by_path(view.config(), request.uri(), request.headers())?;
    look_up(view, &ask)
}

/// `GET /v1/views/{view}/lookup?key=`.
pub(super) async fn by_query(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let view = state.view(request.uri())?;
    let ask = Ask::by_query(view.config(), request.uri(), request.headers())?;
    look_up(view, &ask)
}

/// Reads inline: a cached read is over sooner than a hand-off to another thread.
fn look_up(view: &View, ask: &Ask<'_>) -> Result<Response, Problem> {
    match view.look_up(&ask.key) {
        Ok(LookUp::Found(entry)) => found(view, ask, &entry),
        Ok(LookUp::Absent(positions)) => Err(absent(view, &positions)),
        Err(LookUpError::Restoring) => Err(restoring(view)),
        Err(LookUpError::Store(error)) => Err(failed(view, &error)),
    }
}

fn found(view: &View, ask: &Ask<'_>, entry: &Entry) -> Result<Response, Problem> {
    let (topic, partition) = (entry.slot.topic_id().tag(), entry.slot.partition());
    let offset = entry.header.offset;
    let mut text = HeaderText::new();
    let etag = text.etag(topic, partition, offset, ask.representation.letter());

    let mut response = Response::new(Body::empty());
    let held = condition::is_held(ask.headers, &etag);
    if held {
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
    headers.insert(CACHE_CONTROL, cache_control(view));
    headers.insert(VARY, VARY_ACCEPT);
    headers.insert(RECORD_PARTITION, HeaderValue::from(partition));
    headers.insert(RECORD_OFFSET, HeaderValue::from(offset.get()));
    let timestamp = entry.header.timestamp;
    if timestamp.kind != TimestampKind::None
        && let Some(at) = text.time(timestamp.at)
    {
        headers.insert(RECORD_TIMESTAMP, at);
    }
    // The entry may be newer than the position that was read before it.
    let reached = entry.position.max(offset.next());
    if let Some(position) = text.reached(topic, reached.last().map(|last| (partition, last)).into_iter()) {
        headers.insert(VIEW_POSITION, position);
    }
    headers.insert(VIEW_STATUS, text.status(&view.condition()));
    Ok(response)
}

fn body(view: &View, ask: &Ask<'_>, entry: &Entry) -> Result<Bytes, Problem> {
    match ask.representation {
        Representation::Json | Representation::Text | Representation::Raw => Ok(entry.value()),
        Representation::Entry => {
            entry_document::write(view.config(), &ask.key, entry).map_err(|error| failed(view, &error))
        }
    }
}

fn absent(view: &View, positions: &Positions) -> Problem {
    let mut text = HeaderText::new();
    let problem = about(view, Code::KEY_NOT_FOUND, "the view holds no live record of this key")
        .with_header(CACHE_CONTROL, cache_control(view))
        .with_header(VIEW_STATUS, text.status(&view.condition()));
    match text.positions(positions) {
        Some(position) => problem.with_header(VIEW_POSITION, position),
        None => problem,
    }
}

fn restoring(view: &View) -> Problem {
    let (reason, detail) = match view.ready() {
        Err(not_ready) => (not_ready.reason, not_ready.detail),
        Ok(()) => ("restoring", "the view has caught up just now".to_owned()),
    };
    about(view, Code::VIEW_RESTORING, detail)
        .restoring(reason, view.restored())
        .with_header(VIEW_STATUS, HeaderText::new().status(&view.condition()))
}

fn failed(view: &View, error: &store::Error) -> Problem {
    // One failure, one line: damage is told when it is found, however many look-ups meet it.
    let is_damage = matches!(error, store::Error::Corrupt { slot: Some(_), .. });
    if is_damage {
        view.note_damage(error);
    } else {
        tracing::error!(view = %view.name(), %error, "look-up failed");
    }
    match error {
        store::Error::Corrupt { .. } => about(view, Code::STORAGE_CORRUPTION, "the stored entry is damaged"),
        _ => about(view, Code::STORAGE_ERROR, "the store refused to read the entry"),
    }
}

fn about(view: &View, code: &'static Code, detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(code, detail).of_view(view.name().as_str()).with_header(VARY, VARY_ACCEPT)
}

/// The configuration was checked when it was loaded; a view made by hand may still hold an illegal value.
fn cache_control(view: &View) -> HeaderValue {
    HeaderValue::from_str(&view.config().cache_control)
        .unwrap_or_else(|_| HeaderValue::from_static("private, no-cache"))
}
