//! Parameters of requests, as the documents describe them.

use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Required, Type};

use crate::http::key::KeyEncoding;
use crate::http::representation::Representation;

macro_rules! parameters {
    ($($(#[doc = $doc:literal])+ $parameter:ident = $place:ident $need:ident $name:literal $schema:expr, $example:expr;)+) => {$(
        $(#[doc = $doc])+
        pub(in crate::http) struct $parameter;

        impl IntoParams for $parameter {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                let parameter = ParameterBuilder::new()
                    .name($name)
                    .parameter_in(ParameterIn::$place)
                    .required(parameters!(@ $need))
                    .description(Some(concat!($($doc),+).trim()))
                    .schema(Some($schema))
                    .example(Some(json!($example)));
                vec![parameter.build()]
            }
        }
    )+};
    (@ required) => { Required::True };
    (@ optional) => { Required::False };
}

parameters! {
    /// Name of the view; `/v1/views` lists them.
    View = Path required "view" text(1), "users";
    /// The key, percent-encoded: one segment of the path.
    Key = Path required "key" text(1), "u1";
    /// The key, percent-encoded; a plus is a space. It may be empty.
    KeyInQuery = Query required "key" text(0), "u1";
    /// How the key is written; the view's description names the default.
    Enc = Query optional "enc" words(&KeyEncoding::NAMES), "utf8";
    /// Form of the value; goes before `Accept`.
    Format = Query optional "format" words(&Representation::NAMES), "entry";
    /// The keys that begin with this; goes without `start` and `end`.
    Prefix = Query optional "prefix" text(0), "u";
    /// The first key, inclusive.
    Start = Query optional "start" text(0), "u1";
    /// The end, exclusive.
    End = Query optional "end" text(0), "u9";
    /// Which way the keys are walked, in unsigned byte order.
    Order = Query optional "order" words(&["asc", "desc"]), "asc";
    /// Some of `key`, `value`, `meta`, with commas; default all. The key always comes.
    Fields = Query optional "fields" text(0), "key,value,meta";
    /// Entries of a page.
    Limit = Query optional "limit" number(1), 100;
    /// Goes on behind a page: out of `next`, unchanged.
    Cursor = Query optional "cursor" text(1), "AclCq7V1MQ";
    /// Entity tags the client holds, or `*`: the answer is 304 if the current one is among them.
    IfNoneMatch = Header optional "If-None-Match" text(0), "\"k3Qz7pWx.3.99017.1795422322123.j\"";
    /// Answered only when these records are applied: a `View-Position`, or `<partition>:<offset>`.
    ReadAfter = Header optional "Read-After" text(0), "v1=0:5,3:99017;t=k3Qz7pWx";
    /// The same as `Read-After`.
    ReadAfterInQuery = Query optional "read_after" text(0), "3:99017";
    /// `latest` asks the brokers how far the log reaches, and waits until all of that is applied.
    ReadConsistency = Header optional "Read-Consistency" words(&["latest"]), "latest";
    /// How long the request would wait for what it asks for, in seconds; other preferences are passed over.
    Prefer = Header optional "Prefer" text(0), "wait=10";
    /// Refuse to answer from a view that is staler.
    MaxStaleness = Query optional "max_staleness" text(0), "5s";
    /// Answer even from a view that has not caught up once; a miss is refused all the same.
    Allow = Query optional "allow" words(&["restoring"]), "restoring";
    /// Watch this key only, percent-encoded.
    WatchKey = Query optional "key" text(0), "u1";
    /// Watch the keys that start with this only, percent-encoded; not with `key`.
    WatchPrefix = Query optional "prefix" text(0), "u";
    /// Whether what there is already is told too (`snapshot`), or only what changes (`none`).
    Initial = Query optional "initial" words(&["snapshot", "none"]), "snapshot";
    /// `entry` adds timestamp and headers to each value, `raw` writes it as base64.
    WatchFormat = Query optional "format" words(&Representation::NAMES), "entry";
    /// Id of the last event that came: the watch goes on there.
    LastEventId = Header optional "Last-Event-ID" text(0), "v1=0:5,3:99017;t=k3Qz7pWx;b=9c2f41d07be6a953";
    /// The same as `Last-Event-ID`, which goes before it; a `View-Position` will do.
    WatchFrom = Query optional "from" text(0), "v1=0:5,3:99017;t=k3Qz7pWx;b=9c2f41d07be6a953";
    /// Id of the request, at most 64 visible ASCII characters; it is kept.
    RequestId = Header optional "X-Request-Id" text(0), "8f2c41d07be6a953";
    /// Code of a problem.
    ProblemCode = Path required "code" text(1), "key-not-found";
    /// Id of an operation, as `Location` named it.
    OperationId = Path required "id" text(1), "5f0c2f4be6a84c0d9a6d1f0e7c0b1a52";
    /// Asks for JSON instead of text; it needs no value.
    Verbose = Query optional "verbose" text(0), "";
}

/// What can be asked of the state that answers.
pub(in crate::http) struct Consistency;

impl IntoParams for Consistency {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        [ConsistencyOfLists::into_params(&place), Allow::into_params(&place)].concat()
    }
}

/// What can be asked of the state that answers about many keys.
pub(in crate::http) struct ConsistencyOfLists;

impl IntoParams for ConsistencyOfLists {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        [
            ReadAfter::into_params(&place),
            ReadAfterInQuery::into_params(&place),
            ReadConsistency::into_params(&place),
            Prefer::into_params(&place),
            MaxStaleness::into_params(&place),
        ]
        .concat()
    }
}

fn text(length_min: usize) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).min_length((length_min > 0).then_some(length_min))
}

fn number(least: u32) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(least))
}

fn words(names: &[&'static str]) -> ObjectBuilder {
    text(0).enum_values(Some(names.iter().map(|name| Value::from(*name))))
}
