//! What a watch asks for, read from the raw query and the headers.

use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::event_id;
use crate::config::sections::{ValueFormat, ViewConfig};
use crate::http::code::Code;
use crate::http::consistency::Demand;
use crate::http::entry_document::{Form, Origin};
use crate::http::key::KeyEncoding;
use crate::http::percent;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::representation::Representation;
use crate::progress::Known;
use crate::store::KeyRange;
use crate::topic_id::TopicTag;
use crate::view::feed::Wanted;

const PARAMETERS: &[&str] =
    &["key", "prefix", "enc", "initial", "format", "from", "read_after", "max_staleness"];
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What a watch asks for.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) wanted: Wanted,
    pub(super) form: Form,
    /// How keys are written, in the query as in the events.
    pub(super) encoding: KeyEncoding,
    pub(super) from: From,
    /// What is asked of the state it begins with.
    pub(super) demand: Demand,
    /// The client comes back by itself, to the same URL: what it asks for may be outdated.
    pub(super) comes_back: bool,
}

/// Where a client was cut off.
#[derive(Debug)]
pub(super) enum From {
    /// It begins.
    Start,
    /// In the midst of being told what there is.
    Nowhere,
    /// It knows this, of the topic of that tag if it says so.
    Known(Known, Option<TopicTag>),
}

impl Ask {
    pub(super) fn read(config: &ViewConfig, uri: &Uri, headers: &HeaderMap) -> Result<Self, Problem> {
        let query = Query::parse(uri.query(), PARAMETERS)?;
        let encoding = query.word("enc", &KeyEncoding::NAMES, KeyEncoding::named)?;
        let encoding = encoding.unwrap_or_else(|| KeyEncoding::of(config.key));
        let snapshots = query.word("initial", &["snapshot", "none"], |word| match word {
            "snapshot" => Some(true),
            "none" => Some(false),
            _ => None,
        })?;
        let wanted = Wanted { keys: keys(&query, encoding)?, snapshots: snapshots.unwrap_or(true) };
        let (from, demand) = (from(&query, headers)?, Demand::read(headers, &query)?);
        let comes_back = last_event_id(headers).is_some();
        Ok(Self { wanted, form: form(&query, config)?, encoding, from, demand, comes_back })
    }
}

fn keys(query: &Query<'_>, encoding: KeyEncoding) -> Result<KeyRange, Problem> {
    let decode = |raw| encoding.decode(percent::of_query(raw));
    match (query.raw("key"), query.raw("prefix")) {
        (None, None) => Ok(KeyRange::default()),
        (Some(key), None) => Ok(KeyRange::of_key(&decode(key)?)),
        (None, Some(prefix)) => Ok(KeyRange::of_prefix(&decode(prefix)?)),
        (Some(_), Some(_)) => {
            Err(Problem::new(Code::BAD_PARAMETER, "`key` and `prefix` are both given; keep one"))
        }
    }
}

fn form(query: &Query<'_>, config: &ViewConfig) -> Result<Form, Problem> {
    let named = query.word("format", &Representation::NAMES, Representation::named)?;
    let available = Representation::available(config.value);
    if named.is_some_and(|named| !available.contains(&named)) {
        let names = available.iter().map(|one| one.name()).collect();
        let detail = "values of this view have no such representation";
        return Err(Problem::new(Code::VALUE_NOT_REPRESENTABLE, detail).available(names));
    }
    let value = match named {
        Some(Representation::Raw) => ValueFormat::Bytes,
        _ => config.value,
    };
    let origin = if named == Some(Representation::Entry) { Origin::Whole } else { Origin::Place };
    Ok(Form { value: Some(value), origin, one_line: true })
}

fn last_event_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(LAST_EVENT_ID).filter(|id| !id.is_empty())
}

/// The header goes first: a client that comes back by itself sends it to the same URL.
fn from(query: &Query<'_>, headers: &HeaderMap) -> Result<From, Problem> {
    let id = match last_event_id(headers) {
        Some(id) => Some(id.to_str().unwrap_or_default().into()),
        None => query.text("from")?,
    };
    let Some(id) = id else { return Ok(From::Start) };
    let read = event_id::parse(&id).map_err(|detail| Problem::new(Code::BAD_POSITION, detail))?;
    Ok(read.map_or(From::Nowhere, |(known, tag)| From::Known(known, tag)))
}
