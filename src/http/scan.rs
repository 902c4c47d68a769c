//! Scans: `GET /v1/views/{view}/entries`, by pages or as one stream.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderValue;
use http::header::LINK;

use self::ask::Ask;
use super::code::Code;
use super::entry_document::{push_item, push_string};
use super::many::{self, push_moment};
use super::ndjson::{self, Cut, Lined, Lines};
use super::openapi::{lists, parameters, problems};
use super::patience::Patience;
use super::problem::Problem;
use super::state::AppState;
use crate::config::sections::ScanConfig;
use crate::store::{Extent, SlotTable, Snapshot, Step};
use crate::view::{LookUpError, Moment, View};

mod ask;

/// Longest URL of a next page: what every client and proxy of ours still sends, with room for the other headers.
const NEXT_BYTES_MAX: usize = 60 * 1024;

/// One page, written.
struct Page {
    moment: Moment,
    document: Vec<u8>,
    next: Option<String>,
}

/// Walks a range of keys, page by page.
///
/// With `Accept: application/x-ndjson` the whole range is sent: a line per entry, and a last one. Without
/// `"end":true` there, something is missing.
#[utoipa::path(
    get,
    path = "/v1/views/{view}/entries",
    tag = "look-ups",
    operation_id = "scan",
    params(
        parameters::View,
        parameters::Prefix,
        parameters::Start,
        parameters::End,
        parameters::Enc,
        parameters::Order,
        parameters::Fields,
        parameters::Limit,
        parameters::Cursor,
        parameters::ConsistencyOfLists
    ),
    responses(lists::Scanned, problems::OfScans)
)]
pub(super) async fn entries(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let view = Arc::clone(state.view(request.uri())?);
    let lines = many::wants_lines(request.headers())?;
    let limit_max = state.scan().page_entries_max;
    let ask = Arc::new(Ask::read(&view, request.uri(), request.headers(), lines, limit_max)?);
    let mut patience = state.waiting().grant(ask.demand.wait());
    let answer = match lines {
        true => export(&state, &view, &ask, &mut patience).await,
        false => one_page(&state, &view, &ask, &mut patience).await,
    };
    patience.tell(answer)
}

async fn export(
    state: &AppState,
    view: &Arc<View>,
    ask: &Arc<Ask>,
    patience: &mut Patience<'_>,
) -> Result<Response, Problem> {
    let begin = async |table| {
        let turn = state.pools().exports.turn().await?;
        ndjson::answer(turn, view, state.scan().export_time_max, table, Arc::clone(ask)).await
    };
    let (moment, body) = many::meeting(&ask.demand, view, patience, begin).await?;
    Ok(many::answer(view, &moment, true, body))
}

async fn one_page(
    state: &AppState,
    view: &Arc<View>,
    ask: &Arc<Ask>,
    patience: &mut Patience<'_>,
) -> Result<Response, Problem> {
    let read = async |table: Option<Arc<SlotTable>>| {
        state.pools().answers.run(|| page(view, ask, state.scan(), table.as_ref())).await
    };
    let page = many::meeting(&ask.demand, view, patience, read).await?;
    let body = state.pools().hold(page.document)?;
    let mut response = many::answer(view, &page.moment, false, body.into());
    if let Some(next) = page.next {
        let link = HeaderValue::from_maybe_shared(bytes::Bytes::from(format!("<{next}>; rel=\"next\"")));
        let unwritable =
            |_| Problem::new(Code::INTERNAL, "the address of the next page could not be written");
        response.headers_mut().insert(LINK, link.map_err(unwritable)?);
    }
    Ok(response)
}

fn page(
    view: &View,
    ask: &Ask,
    config: &ScanConfig,
    wanted: Option<&Arc<SlotTable>>,
) -> Result<Option<Page>, Problem> {
    let refused = |error: LookUpError| many::refused(view, &error);
    let started = Instant::now();
    let bytes_max = usize::try_from(config.answer_bytes_max.as_u64()).unwrap_or(usize::MAX);
    let snapshot = view.snapshot().map_err(refused)?;
    if !many::is_of(&snapshot, wanted) {
        return Ok(None);
    }
    let mut entries =
        snapshot.entries(&ask.rest, ask.order, Extent::Page).map_err(|error| refused(error.into()))?;
    let mut out = b"{\"items\":[".to_vec();
    let (mut count, mut last) = (0, Vec::new());
    let next = loop {
        let step = entries.step().map_err(|error| refused(error.into()))?;
        let full = count >= ask.limit || out.len() >= bytes_max || started.elapsed() >= config.page_time_max;
        let (key, entry) = match step {
            Step::End => break None,
            Step::Passed(key) => match full.then(|| next(view, ask, key)) {
                Some(Ok(next)) => break Some(next),
                // Behind a key that is too long for a cursor there is one that is not.
                _ => continue,
            },
            // A page that comes to an entry at once has it: one without would lead nowhere.
            Step::Entry(..) if full && count > 0 => break Some(next(view, ask, &last)?),
            Step::Entry(key, entry) => (key, entry),
        };
        if count > 0 {
            out.push(b',');
        }
        push_item(&mut out, ask.form, ask.encoding, key, &entry).map_err(|error| refused(error.into()))?;
        last.clear();
        last.extend_from_slice(key);
        count += 1;
    };
    let moment = Moment::of(&snapshot);
    out.extend_from_slice(b"],\"next\":");
    match &next {
        Some(next) => push_string(&mut out, next),
        None => out.extend_from_slice(b"null"),
    }
    push_moment(&mut out, &moment);
    out.push(b'}');
    Ok(Some(Page { moment, document: out, next }))
}

/// Returns the URL of the page behind `last`.
fn next(view: &View, ask: &Ask, last: &[u8]) -> Result<String, Problem> {
    let separator = if ask.query.is_empty() { "" } else { "&" };
    let cursor = ask.walk(view).cursor(last);
    let next = format!("/v1/views/{}/entries?{}{separator}cursor={cursor}", view.name(), ask.query);
    if next.len() > NEXT_BYTES_MAX {
        let detail = format!(
            "the page ends with a key that is too long for a cursor: ask with another `limit`, or with `Accept: {}`",
            ndjson::CONTENT_TYPE
        );
        return Err(Problem::new(Code::CONTENT_TOO_LARGE, detail));
    }
    Ok(next)
}

impl Lined for Arc<Ask> {
    fn open<'v>(&self, view: &'v View) -> Result<Snapshot<'v>, LookUpError> {
        view.snapshot()
    }

    fn write(&self, _view: &View, snapshot: &Snapshot<'_>, lines: &mut Lines) -> Result<(), Cut> {
        snapshot.visit(&self.rest, self.order, |entry| match entry {
            Some((key, entry)) => lines.push(|out| push_item(out, self.form, self.encoding, key, &entry)),
            None => lines.breathe(),
        })
    }
}
