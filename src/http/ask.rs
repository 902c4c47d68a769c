//! What a look-up asks for, read from the raw URL and the headers.

use std::borrow::Cow;

use http::{HeaderMap, Uri};

use super::code::Code;
use super::consistency::Demand;
use super::key::KeyEncoding;
use super::percent::{self, BadEscape};
use super::problem::Problem;
use super::query::Query;
use super::representation::Representation;
use crate::config::sections::ViewConfig;

/// Segments of `/v1/views/{view}/keys/{key}`, counted from the empty one before the first slash.
const VIEW_SEGMENT: usize = 3;
const KEY_SEGMENT: usize = 5;
/// Segments of `/admin/v1/views/{view}/rebuild` and `/admin/v1/operations/{id}`.
const ADMIN_VIEW_SEGMENT: usize = 4;
const OPERATION_SEGMENT: usize = 4;

/// What a look-up asks for.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    /// Bytes of the key.
    pub(super) key: Cow<'a, [u8]>,
    /// Form of the answer.
    pub(super) representation: Representation,
    /// What is asked of the state that answers.
    pub(super) demand: Demand,
    /// Headers of the request, for its conditions.
    pub(super) headers: &'a HeaderMap,
}

impl<'a> Ask<'a> {
    /// Reads a request with the key in the path.
    pub(super) fn by_path(
        config: &ViewConfig,
        uri: &'a Uri,
        headers: &'a HeaderMap,
    ) -> Result<Self, Problem> {
        let query = Query::parse(uri.query(), &["enc", "format", "read_after", "max_staleness", "allow"])?;
        let key = percent::of_path(segment(uri, KEY_SEGMENT));
        Self::read(config, &query, key, headers)
    }

    /// Reads a request with the key in the query.
    pub(super) fn by_query(
        config: &ViewConfig,
        uri: &'a Uri,
        headers: &'a HeaderMap,
    ) -> Result<Self, Problem> {
        let query =
            Query::parse(uri.query(), &["key", "enc", "format", "read_after", "max_staleness", "allow"])?;
        let missing = || Problem::new(Code::BAD_PARAMETER, "the parameter `key` is missing");
        let key = percent::of_query(query.raw("key").ok_or_else(missing)?);
        Self::read(config, &query, key, headers)
    }

    fn read(
        config: &ViewConfig,
        query: &Query<'_>,
        key: Result<Cow<'a, [u8]>, BadEscape>,
        headers: &'a HeaderMap,
    ) -> Result<Self, Problem> {
        let encoding = query.word("enc", &KeyEncoding::NAMES, KeyEncoding::named)?;
        let key = encoding.unwrap_or_else(|| KeyEncoding::of(config.key)).decode(key)?;
        let format = query.word("format", &Representation::NAMES, Representation::named)?;
        let representation = Representation::negotiate(config.value, format, headers)?;
        let demand = Demand::read(headers, query)?;
        Ok(Self { key, representation, demand, headers })
    }
}

/// Returns the view that a path below `/v1/views/` names; empty when that is no text.
pub(super) fn view_name(uri: &Uri) -> Cow<'_, str> {
    text(segment(uri, VIEW_SEGMENT))
}

/// Returns the view that a path below `/admin/v1/views/` names; empty when that is no text.
pub(super) fn admin_view_name(uri: &Uri) -> Cow<'_, str> {
    text(segment(uri, ADMIN_VIEW_SEGMENT))
}

/// Returns the operation that a path below `/admin/v1/operations/` names, as it stands there.
pub(super) fn operation(uri: &Uri) -> &str {
    segment(uri, OPERATION_SEGMENT)
}

fn text(segment: &str) -> Cow<'_, str> {
    match percent::of_path(segment) {
        Ok(Cow::Borrowed(name)) => std::str::from_utf8(name).unwrap_or_default().into(),
        Ok(Cow::Owned(name)) => String::from_utf8(name).unwrap_or_default().into(),
        Err(BadEscape) => "".into(),
    }
}

/// The path is never normalised: a segment is what stands between two slashes.
fn segment(uri: &Uri, number: usize) -> &str {
    uri.path().split('/').nth(number).unwrap_or_default()
}
