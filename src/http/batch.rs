//! Look-ups of many keys at once: `POST /v1/views/{view}/lookup`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use tokio::time::Instant;

pub(super) use self::body::KEYS_MAX;
use self::body::{Batch, Members};
use super::code::Code;
use super::consistency::Demand;
use super::entry_document::{self, Form, Origin, push_string};
use super::header_text::HeaderText;
use super::many::{self, push_moment};
use super::ndjson::{self, Cut, Lined, Lines};
use super::openapi::{lists, parameters, problems};
use super::problem::Problem;
use super::query::Query;
use super::representation::Representation;
use super::state::AppState;
use crate::config::sections::{ValueFormat, ViewConfig};
use crate::store::{self, Entry, SlotTable, Snapshot};
use crate::view::{LookUpError, Moment, View};

mod body;

/// Bound on the body of a request.
pub(super) const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Keys that are read inline: to give the tasks of the thread away costs as much.
const INLINE_KEYS_MAX: usize = FIRST_KEYS;
/// Keys of the first group: nothing tells yet how large the values are.
const FIRST_KEYS: usize = 16;
/// Keys that are looked up at once, where the values are small.
const GROUP_KEYS: usize = 64;
/// What the values of a group may take in memory, as far as the groups before tell.
const GROUP_BYTES: usize = 1024 * 1024;

/// Looks many keys up, as of one moment.
///
/// With `Accept: application/x-ndjson` there is a line per item, and a last one.
#[utoipa::path(
    post,
    path = "/v1/views/{view}/lookup",
    tag = "look-ups",
    operation_id = "lookUpBatch",
    params(parameters::View, parameters::ConsistencyOfLists),
    request_body = Members,
    responses(lists::Looked, problems::OfBatches)
)]
pub(super) async fn look_up(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let view = Arc::clone(state.view(request.uri())?);
    let query = Query::parse(request.uri().query(), &["read_after", "max_staleness"])?;
    let demand = Demand::read(request.headers(), &query)?;
    let lines = many::wants_lines(request.headers())?;
    let batch = Arc::new(read(&state, &view, request).await?);
    let mut patience = state.waiting().grant(demand.wait());
    let streamed = Streamed { batch: Arc::clone(&batch), waits_until: patience.until() };
    let read = async |table| match lines {
        true => stream(&state, &view, streamed.clone(), table).await,
        false => read_all(&state, &view, &batch, table).await,
    };
    let answer = many::meeting(&demand, &view, &mut patience, read).await;
    patience.tell(answer.map(|(moment, body)| many::answer(&view, &moment, lines, body)))
}

/// It lasts as long as the client likes, as an export does.
async fn stream(
    state: &AppState,
    view: &Arc<View>,
    streamed: Streamed,
    table: Option<Arc<SlotTable>>,
) -> Result<Option<(Moment, Body)>, Problem> {
    let turn = state.pools().exports.turn().await?;
    ndjson::answer(turn, view, state.scan().export_time_max, table, streamed).await
}

async fn read_all(
    state: &AppState,
    view: &View,
    batch: &Batch,
    table: Option<Arc<SlotTable>>,
) -> Result<Option<(Moment, Body)>, Problem> {
    let bytes_max = usize::try_from(state.scan().answer_bytes_max.as_u64()).unwrap_or(usize::MAX);
    let read = if batch.keys.len() <= INLINE_KEYS_MAX {
        document(view, batch, bytes_max, table.as_ref())
    } else {
        state.pools().answers.run(|| document(view, batch, bytes_max, table.as_ref())).await
    };
    let Some((moment, document)) = read? else { return Ok(None) };
    Ok(Some((moment, state.pools().hold(document)?.into())))
}

async fn read(state: &AppState, view: &View, request: Request) -> Result<Batch, Problem> {
    let (head, body) = request.into_parts();
    let body = state.bodies().read(&head.headers, body, BODY_BYTES_MAX).await?;
    Batch::parse(view.config(), body)
}

fn document(
    view: &View,
    batch: &Batch,
    bytes_max: usize,
    wanted: Option<&Arc<SlotTable>>,
) -> Result<Option<(Moment, Vec<u8>)>, Problem> {
    let snapshot = view.snapshot_for_hits().map_err(|error| many::refused(view, &error))?;
    if !many::is_of(&snapshot, wanted) {
        return Ok(None);
    }
    let mut out = b"{\"items\":[".to_vec();
    let mut separator: &[u8] = b"";
    batch.visit(view, &snapshot, |item| {
        out.extend_from_slice(separator);
        separator = b",";
        item.push(&mut out, false).map_err(|error| many::refused(view, &error.into()))?;
        if out.len() > bytes_max {
            let detail = format!(
                "the answer has more than {bytes_max} bytes (`http.scan.answer_bytes_max`): ask for fewer keys, or \
                 with `Accept: {}`",
                ndjson::CONTENT_TYPE
            );
            return Err(Problem::new(Code::CONTENT_TOO_LARGE, detail));
        }
        Ok(())
    }, |error| many::refused(view, &error))?;
    let moment = Moment::of(&snapshot);
    out.push(b']');
    push_moment(&mut out, &moment);
    out.push(b'}');
    Ok(Some((moment, out)))
}

/// A batch as lines.
#[derive(Clone)]
struct Streamed {
    batch: Arc<Batch>,
    waits_until: Instant,
}

/// One key of a batch and what was found.
struct Item<'a> {
    config: &'a ViewConfig,
    batch: &'a Batch,
    name: &'a str,
    entry: Option<&'a Entry>,
}

impl Batch {
    /// Looks all keys up, group by group, in the order in which they were asked for. A key that a group has twice is
    /// read once.
    fn visit<E>(
        &self,
        view: &View,
        snapshot: &Snapshot<'_>,
        mut visit: impl FnMut(Item<'_>) -> Result<(), E>,
        refused: impl Fn(LookUpError) -> E,
    ) -> Result<(), E> {
        let mut left = self.names.iter().zip(&self.keys);
        let mut size = Group::FIRST;
        loop {
            let group: Vec<(&String, &Vec<u8>)> = left.by_ref().take(size.keys).collect();
            if group.is_empty() {
                return Ok(());
            }
            let mut keys: Vec<&Vec<u8>> = group.iter().map(|(_, key)| *key).collect();
            keys.sort_unstable();
            keys.dedup();
            let found = view.find_all(snapshot, &keys).map_err(&refused)?;
            for (name, key) in group {
                let place = keys.binary_search(&key).ok();
                let entry = place.and_then(|place| found.get(place)).and_then(Option::as_ref);
                visit(Item { config: view.config(), batch: self, name, entry })?;
            }
            size = size.next(keys.len(), found.iter().flatten().map(Entry::stored_bytes).sum());
        }
    }
}

/// How many keys are read at once.
#[derive(Debug, PartialEq, Eq)]
struct Group {
    keys: usize,
    most: usize,
}

impl Group {
    const FIRST: Self = Self { keys: FIRST_KEYS, most: GROUP_KEYS };

    /// Returns the next one, after one of so many keys whose values took `bytes`: it grows while values are small, and
    /// no more once they were large, for these may come as unevenly as they like.
    fn next(self, keys: usize, bytes: usize) -> Self {
        match bytes > GROUP_BYTES {
            true => {
                let most = (keys * GROUP_BYTES / bytes).clamp(1, self.keys);
                Self { keys: most, most }
            }
            false => Self { keys: self.most.min(2 * self.keys), ..self },
        }
    }
}

impl Lined for Streamed {
    /// What has begun does not wait: a view that is not whole is waited for before, as it may hold what is missing.
    fn open<'v>(&self, view: &'v View) -> Result<Snapshot<'v>, LookUpError> {
        if Instant::now() < self.waits_until { view.snapshot() } else { view.snapshot_for_hits() }
    }

    fn write(&self, view: &View, snapshot: &Snapshot<'_>, lines: &mut Lines) -> Result<(), Cut> {
        self.batch.visit(view, snapshot, |item| lines.push(|out| item.push(out, true)), Cut::from)
    }
}

impl Item<'_> {
    /// Appends the item; the key stands there as it was asked for.
    fn push(&self, out: &mut Vec<u8>, one_line: bool) -> Result<(), store::Error> {
        out.extend_from_slice(b"{\"key\":");
        push_string(out, self.name);
        let Some(entry) = self.entry else {
            out.extend_from_slice(b",\"found\":false}");
            return Ok(());
        };
        out.extend_from_slice(b",\"found\":true,\"etag\":");
        let etag = self.batch.representation.etag(&mut HeaderText::new(), self.config, entry);
        push_string(out, etag.to_str().unwrap_or_default());
        entry_document::push_members(out, self.form(one_line), &entry.borrowed())?;
        out.push(b'}');
        Ok(())
    }

    fn form(&self, one_line: bool) -> Form {
        let (value, origin) = match self.batch.representation {
            Representation::Raw => (ValueFormat::Bytes, Origin::Place),
            Representation::Json | Representation::Text => (self.config.value, Origin::Place),
            Representation::Entry => (self.config.value, Origin::Whole),
        };
        Form { value: Some(value), origin, one_line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_grows_while_values_are_small_and_never_again_after_large_ones() {
        let group = |keys, most| Group { keys, most };
        assert_eq!(Group::FIRST.next(16, 16 * 1024), group(32, 64));
        assert_eq!(group(64, 64).next(64, 64 * 1024), group(64, 64));
        assert_eq!(group(64, 64).next(64, 2 * GROUP_BYTES), group(32, 32));
        assert_eq!(group(32, 32).next(32, 1), group(32, 32));
        assert_eq!(group(64, 64).next(64, 640 * GROUP_BYTES), group(1, 1));
        assert_eq!(group(8, 64).next(1, 10 * GROUP_BYTES), group(1, 1), "one value, asked for many times");
    }
}
