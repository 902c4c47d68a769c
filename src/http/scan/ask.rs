//! What a scan asks for, read from the raw query.

use http::{HeaderMap, Uri};

use crate::config::sections::ViewConfig;
use crate::http::code::Code;
use crate::http::consistency::Demand;
use crate::http::cursor::Walk;
use crate::http::entry_document::{Form, Origin};
use crate::http::key::KeyEncoding;
use crate::http::ndjson;
use crate::http::percent;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::store::{KeyRange, Order};
use crate::view::View;

const PARAMETERS: &[&str] =
    &["prefix", "start", "end", "enc", "limit", "cursor", "order", "fields", "read_after", "max_staleness"];
/// Entries of a page where nothing else is said.
const LIMIT: usize = 100;
const ORDERS: [&str; 2] = ["asc", "desc"];
const FIELDS: [&str; 3] = ["key", "value", "meta"];

/// What a scan asks for.
#[derive(Debug)]
pub(super) struct Ask {
    /// The range of the whole walk.
    pub(super) range: KeyRange,
    /// What is left of it behind the cursor.
    pub(super) rest: KeyRange,
    pub(super) order: Order,
    /// How keys are written, in the query as in the answer.
    pub(super) encoding: KeyEncoding,
    /// Entries of one page.
    pub(super) limit: usize,
    pub(super) form: Form,
    /// What is asked of the state that answers.
    pub(super) demand: Demand,
    /// The query without its cursor.
    pub(super) query: String,
}

impl Ask {
    /// Reads a request; `lines` says that it wants a line per entry, and then the whole range.
    pub(super) fn read(
        view: &View,
        uri: &Uri,
        headers: &HeaderMap,
        lines: bool,
        limit_max: usize,
    ) -> Result<Self, Problem> {
        let query = Query::parse(uri.query(), PARAMETERS)?;
        if lines && (query.raw("limit").is_some() || query.raw("cursor").is_some()) {
            let detail = format!(
                "as {} the whole range is sent: leave out `limit` and `cursor`",
                ndjson::CONTENT_TYPE
            );
            return Err(Problem::new(Code::BAD_PARAMETER, detail));
        }
        let encoding = query.word("enc", &KeyEncoding::NAMES, KeyEncoding::named)?;
        let encoding = encoding.unwrap_or_else(|| KeyEncoding::of(view.config().key));
        let range = range(&query, encoding)?;
        let order = query.word("order", &ORDERS, order)?.unwrap_or_default();
        let form = Form { one_line: lines, ..form(&query, view.config())? };
        let limit = limit(&query, limit_max)?;
        let demand = Demand::read(headers, &query)?;
        let mut ask = Self {
            rest: range.clone(),
            range,
            order,
            encoding,
            limit,
            form,
            demand,
            query: query.without("cursor"),
        };
        if let Some(cursor) = query.raw("cursor") {
            ask.rest = ask.walk(view).rest(cursor.as_bytes())?;
        }
        Ok(ask)
    }

    pub(super) fn walk<'a>(&'a self, view: &'a View) -> Walk<'a> {
        let topic = &view.config().topic;
        Walk { view: view.name().as_str(), topic, range: &self.range, order: self.order }
    }
}

fn range(query: &Query<'_>, encoding: KeyEncoding) -> Result<KeyRange, Problem> {
    let key = |name: &str| -> Result<Option<Vec<u8>>, Problem> {
        let Some(raw) = query.raw(name) else { return Ok(None) };
        Ok(Some(encoding.decode(percent::of_query(raw))?.into_owned()))
    };
    match (key("prefix")?, key("start")?, key("end")?) {
        (Some(prefix), None, None) => Ok(KeyRange::of_prefix(&prefix)),
        (None, start, end) => Ok(KeyRange { start: start.unwrap_or_default(), end }),
        _ => Err(Problem::new(Code::BAD_PARAMETER, "`prefix` goes without `start` and `end`")),
    }
}

fn order(word: &str) -> Option<Order> {
    match word {
        "asc" => Some(Order::Ascending),
        "desc" => Some(Order::Descending),
        _ => None,
    }
}

fn limit(query: &Query<'_>, limit_max: usize) -> Result<usize, Problem> {
    let Some(raw) = query.raw("limit") else { return Ok(LIMIT.min(limit_max)) };
    let limit = raw.bytes().all(|byte| byte.is_ascii_digit()).then(|| raw.parse().ok()).flatten();
    limit.filter(|limit| (1..=limit_max).contains(limit)).ok_or_else(|| {
        let detail = format!("`limit` must be a number from 1 to {limit_max} (`http.scan.page_entries_max`)");
        Problem::new(Code::BAD_PARAMETER, detail)
    })
}

/// Every entry carries its key, whether that is asked for or not.
fn form(query: &Query<'_>, config: &ViewConfig) -> Result<Form, Problem> {
    let all = Form { value: Some(config.value), origin: Origin::Whole, one_line: false };
    let Some(raw) = query.raw("fields") else { return Ok(all) };
    // A comma may come escaped.
    let text = percent::of_query(raw).unwrap_or_default();
    let words: Vec<&[u8]> = text.split(|byte| *byte == b',').collect();
    if words.iter().any(|word| !FIELDS.iter().any(|field| field.as_bytes() == *word)) {
        return Err(Problem::new(
            Code::BAD_PARAMETER,
            "`fields` must be some of `key`, `value`, `meta`, with commas",
        ));
    }
    let named = |field: &[u8]| words.contains(&field);
    let value = named(b"value").then_some(config.value);
    let origin = if named(b"meta") { Origin::Whole } else { Origin::Untold };
    Ok(Form { value, origin, ..all })
}
