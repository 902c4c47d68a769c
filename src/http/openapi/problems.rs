//! Sets of problems that a path can answer with, as the documents describe them.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::{Schemas, headers};
use crate::http::code::Code;
use crate::http::problem::{Document, Problem};

/// What any path can answer with.
const ALWAYS: [&Code; 2] = [Code::INTERNAL, Code::OVERLOADED];

macro_rules! problems {
    ($($(#[doc = $doc:literal])+ $set:ident = $($code:ident)* ;)+) => {$(
        $(#[doc = $doc])+
        pub(in crate::http) struct $set;

        impl IntoResponses for $set {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                responses(&[$(Code::$code),*])
            }
        }
    )+};
}

problems! {
    /// Paths that pass over what they do not know.
    Anywhere = ;
    /// Paths that take no parameters.
    OfDocuments = BAD_PARAMETER;
    /// Paths that name one thing.
    OfProblems = BAD_PARAMETER NOT_FOUND;
    /// Paths about a view.
    OfViews = BAD_PARAMETER VIEW_NOT_FOUND;
    /// Look-ups.
    OfLookUps = BAD_KEY BAD_PARAMETER BAD_POSITION KEY_NOT_FOUND VIEW_NOT_FOUND NOT_ACCEPTABLE VALUE_NOT_REPRESENTABLE
        POSITION_FOREIGN URI_TOO_LONG STORAGE_ERROR STORAGE_CORRUPTION VALUE_TOO_LARGE VIEW_RESTORING VIEW_STALE SOURCE_LOST
        SHUTTING_DOWN POSITION_NOT_REACHED;
    /// Batches.
    OfBatches = BAD_KEY BAD_PARAMETER BAD_POSITION BAD_BODY VIEW_NOT_FOUND NOT_ACCEPTABLE VALUE_NOT_REPRESENTABLE CONTENT_TOO_LARGE
        POSITION_FOREIGN UNSUPPORTED_MEDIA_TYPE STORAGE_ERROR STORAGE_CORRUPTION VIEW_RESTORING VIEW_STALE SOURCE_LOST
        SHUTTING_DOWN POSITION_NOT_REACHED;
    /// Scans.
    OfScans = BAD_KEY BAD_PARAMETER BAD_POSITION BAD_CURSOR VIEW_NOT_FOUND NOT_ACCEPTABLE POSITION_FOREIGN
        CONTENT_TOO_LARGE URI_TOO_LONG STORAGE_ERROR STORAGE_CORRUPTION VIEW_RESTORING VIEW_STALE SOURCE_LOST SHUTTING_DOWN
        POSITION_NOT_REACHED;
    /// Watches.
    OfWatches = BAD_KEY BAD_PARAMETER BAD_POSITION VIEW_NOT_FOUND NOT_ACCEPTABLE VALUE_NOT_REPRESENTABLE POSITION_FOREIGN
        POSITION_GONE URI_TOO_LONG VIEW_RESTORING VIEW_STALE SOURCE_LOST SHUTTING_DOWN POSITION_NOT_REACHED;
    /// Asking for a rebuild.
    OfRebuilds = BAD_PARAMETER BAD_BODY UNAUTHENTICATED FORBIDDEN VIEW_NOT_FOUND REBUILD_RUNNING WRONG_CLUSTER
        CONTENT_TOO_LARGE UNSUPPORTED_MEDIA_TYPE VIEW_RESTORING;
    /// Asking how far an operation is.
    OfOperations = BAD_PARAMETER UNAUTHENTICATED FORBIDDEN NOT_FOUND;
}

/// One answer per status, with an example for each code.
fn responses(codes: &[&'static Code]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<&'static Code>> = BTreeMap::new();
    for code in codes.iter().chain(&ALWAYS) {
        by_status.entry(code.status.as_u16()).or_default().push(code);
    }
    let may_wait = codes.contains(&Code::POSITION_NOT_REACHED);
    let described = |(status, codes): (u16, Vec<_>)| (status.to_string(), response(&codes, may_wait).into());
    by_status.into_iter().map(described).collect()
}

/// A path that `may_wait` says in any answer what it granted.
fn response(codes: &[&'static Code], may_wait: bool) -> Response {
    let lines: Vec<_> =
        codes.iter().map(|code| format!("`{}`: {}. {}", code.name, code.title, code.meaning)).collect();
    let mut names: Vec<_> = codes.iter().flat_map(|code| more_headers(code)).collect();
    names.extend(may_wait.then_some("Preference-Applied"));
    let mut response = ResponseBuilder::new()
        .description(lines.join("\n\n"))
        .content("application/problem+json", content(codes))
        .build();
    response.headers.extend(headers::named(&names));
    response
}

fn content(codes: &[&'static Code]) -> Content {
    let examples = codes.iter().map(|code| {
        let example: Value =
            serde_json::from_slice(&Problem::new(code, code.meaning).body("8f2c41d07be6a953"))
                .unwrap_or_default();
        (code.name, ExampleBuilder::new().summary(code.title).value(Some(example)).build())
    });
    let schema = Ref::from_schema_name("Problem");
    ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples).build()
}

fn more_headers(code: &Code) -> Vec<&'static str> {
    let mut names = if code.retryable { vec!["Retry-After"] } else { Vec::new() };
    names.extend(match code.name {
        "key-not-found" | "position-not-reached" => &["View-Position", "View-Status"][..],
        "view-restoring" | "view-stale" | "source-lost" => &["View-Status"],
        "value-too-large" => &["ETag", "Record-Partition", "Record-Offset", "View-Position", "View-Status"],
        "rebuild-running" => &["Location"],
        "unauthenticated" => &["WWW-Authenticate"],
        _ => &[],
    });
    names
}

/// Returns the schemas that the answers refer to.
pub(super) fn schemas() -> Schemas {
    let mut schemas = vec![("Problem".to_owned(), Document::schema())];
    Document::schemas(&mut schemas);
    schemas
}
