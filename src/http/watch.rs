//! Watches: what there is, then every change of it, as Server-Sent Events.

mod ask;
mod event;
mod event_id;
mod stream;
mod watchers;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};

pub(super) use self::watchers::{WatchMetrics, Watchers};

use self::ask::{Ask, From};
use self::event::Writer;
use self::stream::Stream;
use super::about::{self, VIEW_STATUS};
use super::code::Code;
use super::consistency::Demand;
use super::many;
use super::openapi::{answers, parameters, problems};
use super::patience::Patience;
use super::problem::Problem;
use super::representation;
use super::state::AppState;
use crate::progress::Reason;
use crate::store::SlotTable;
use crate::view::View;
use crate::view::feed::{Before, Feed, Gone};

const EVENT_STREAM: &str = "text/event-stream";
/// Has a proxy pass events on as they come.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Watches a view: what there is, then every change of it.
///
/// Server-Sent Events, for the `EventSource` of a browser, `curl -N` and the like.
#[utoipa::path(
    get,
    path = "/v1/views/{view}/watch",
    tag = "views",
    operation_id = "watch",
    params(
        parameters::View,
        parameters::WatchKey,
        parameters::WatchPrefix,
        parameters::Enc,
        parameters::Initial,
        parameters::WatchFormat,
        parameters::LastEventId,
        parameters::WatchFrom,
        parameters::ConsistencyOfLists
    ),
    responses(answers::Events, problems::OfWatches)
)]
pub(super) async fn watch(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let view = state.view(request.uri())?;
    representation::agree(request.headers(), &[EVENT_STREAM])?;
    let ask = Ask::read(view.config(), request.uri(), request.headers())?;
    let is_event_source = ask.comes_back && ask.demand.wait().is_none();
    let mut patience = state.waiting().grant(ask.demand.wait());
    let body = match begin(&state, view, ask, &mut patience).await {
        // It gives up for ever where it is refused, and comes back where a stream ends.
        Err(problem) if is_event_source && problem.code().retryable => {
            Ok(event::later(problem.code()).into())
        }
        body => body,
    };
    patience.tell(body.map(|body| answer(view, body)))
}

async fn begin(
    state: &AppState,
    view: &Arc<View>,
    ask: Ask,
    patience: &mut Patience<'_>,
) -> Result<Body, Problem> {
    if state.health().is_stopping() {
        return Err(Problem::new(Code::SHUTTING_DOWN, "the service stops; watch another instance"));
    }
    let begin = async |table: Option<Arc<SlotTable>>| {
        if !view.was_whole() {
            return Err(about::restoring(view));
        }
        let (room, before) = (state.watchers().room(), before(view, &ask.from));
        let feed = Feed::new(view, room, ask.wanted.clone(), &before).map_err(|Gone| gone(view))?;
        // Order matters: what a feed that began in that table goes over to, it tells.
        Ok(table.is_none_or(|table| Arc::ptr_eq(&table, &view.store().table())).then_some(feed))
    };
    // Who goes on was told a state that met the demand.
    let goes_on = match ask.comes_back {
        true => {
            Some(many::meeting(&Demand::default(), view, patience, &begin).await?).filter(Feed::is_settled)
        }
        false => None,
    };
    let feed = match goes_on {
        Some(feed) => feed,
        None => match many::meeting(&ask.demand, view, patience, &begin).await {
            // A position of a topic that is gone is reached no more: the client is told so by its reset.
            Err(problem) if ask.comes_back && problem.code() == Code::POSITION_FOREIGN => {
                let demand = ask.demand.within(event_id::tag(view));
                many::meeting(&demand, view, patience, begin).await?
            }
            feed => feed?,
        },
    };
    let watcher = state.watchers().admit(view)?;
    let writer = Writer::new(view, ask.form, ask.encoding);
    Ok(Stream::new(state, feed, writer, watcher).into_body())
}

/// Returns what the client knows, as far as it is of this topic.
fn before(view: &View, from: &From) -> Before {
    match from {
        From::Start => Before::Nothing,
        From::Nowhere => Before::Lost(Reason::Gap),
        From::Known(_, tag) if tag.is_some() && *tag != event_id::tag(view) => {
            Before::Lost(Reason::TopicRecreated)
        }
        From::Known(known, _) => Before::Known(known.clone()),
    }
}

fn gone(view: &View) -> Problem {
    let detail = "what changed since that position cannot be told; watch with `initial=snapshot`";
    about::problem(view, Code::POSITION_GONE, detail)
}

fn answer(view: &View, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    headers.insert(VIEW_STATUS, about::status(view));
    response
}
