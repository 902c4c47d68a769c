//! What a batch asks for, read from the body of its request.

use std::borrow::Cow;

use http::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::config::sections::ViewConfig;
use crate::http::code::Code;
use crate::http::json_body::{self, Whole};
use crate::http::key::KeyEncoding;
use crate::http::problem::Problem;
use crate::http::query;
use crate::http::representation::Representation;
use crate::room::Share;

/// Bound on the keys of one batch.
pub(in crate::http) const KEYS_MAX: usize = 1000;
const MEMBERS: [&str; 3] = ["keys", "enc", "format"];

/// What a batch asks for.
#[derive(Debug)]
pub(super) struct Batch {
    /// The keys as they were written.
    pub(super) names: Vec<String>,
    /// Their bytes.
    pub(super) keys: Vec<Vec<u8>>,
    /// The form that was asked for.
    pub(super) representation: Representation,
    /// What names and keys take in memory: a batch may wait for long.
    _room: Share,
}

/// What a batch asks for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BatchRequest)]
pub(super) struct Members {
    /// The keys, at most 1000; they are answered in this order.
    #[schema(example = json!(["u1", "u2"]))]
    keys: Vec<String>,
    /// How they are written; the view's description names the default.
    #[schema(example = "utf8")]
    enc: Option<String>,
    /// Form of the items; default `entry`.
    #[schema(example = "entry")]
    format: Option<String>,
}

impl Batch {
    /// Reads a body.
    ///
    /// # Errors
    /// `bad-body`, `bad-key`, `content-too-large`, `value-not-representable`, `overloaded`.
    pub(super) fn parse(config: &ViewConfig, body: Whole) -> Result<Self, Problem> {
        let bytes = &body.bytes;
        let members = json_body::is_object(bytes).then(|| serde_json::from_slice(bytes).ok()).flatten();
        let Members { keys: names, enc, format } = members.ok_or_else(|| misread(bytes))?;
        if names.len() > KEYS_MAX {
            let detail = format!("a batch has at most {KEYS_MAX} keys");
            return Err(Problem::new(Code::CONTENT_TOO_LARGE, detail));
        }
        let encoding = word("enc", enc, &KeyEncoding::NAMES, KeyEncoding::named)?;
        let encoding = encoding.unwrap_or_else(|| KeyEncoding::of(config.key));
        let format = word("format", format, &Representation::NAMES, Representation::named)?;
        let format = format.unwrap_or(Representation::Entry);
        let representation = Representation::negotiate(config.value, Some(format), &HeaderMap::new())?;
        let bytes = |name: &String| encoding.decode_text(Cow::Borrowed(name.as_bytes())).map(Cow::into_owned);
        let keys = names.iter().map(bytes).collect::<Result<Vec<_>, _>>()?;
        let pairs = names.iter().zip(&keys);
        let kept =
            pairs.map(|(name, key)| size_of_val(name) + name.len() + size_of_val(key) + key.len()).sum();
        let room = body.into_room_of(kept)?;
        Ok(Self { names, keys, representation, _room: room })
    }
}

fn word<T>(
    member: &str,
    given: Option<String>,
    words: &[&'static str],
    meaning: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let Some(given) = given else { return Ok(None) };
    let unknown =
        || Problem::new(Code::BAD_BODY, format!("`{member}` must be one of {}", query::listed(words)));
    meaning(&given).map(Some).ok_or_else(unknown)
}

/// Looks for what is wrong with a body. Nothing of it is repeated: it holds keys.
fn misread(body: &[u8]) -> Problem {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return Problem::new(
            Code::BAD_BODY,
            "the body must be a JSON object such as `{\"keys\":[\"u1\",\"u2\"]}`",
        );
    };
    let unknown = members.keys().find(|name| !MEMBERS.contains(&name.as_str()));
    let detail = match unknown {
        Some(unknown) => format!(
            "unknown member: the body takes {}{}",
            query::listed(&MEMBERS),
            query::did_you_mean(unknown, &MEMBERS)
        ),
        None if !members.contains_key("keys") => "the member `keys` is missing".to_owned(),
        None => {
            "`keys` must be a list of strings; `enc` and `format` are words; each is given once".to_owned()
        }
    };
    Problem::new(Code::BAD_BODY, detail)
}
