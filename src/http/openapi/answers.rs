//! Answers that several paths share, as the documents describe them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::schema::{AdditionalProperties, Schema};
use utoipa::openapi::{
    ArrayBuilder, ContentBuilder, KnownFormat, Object, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder,
    SchemaFormat, Type, schema,
};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

use super::{Schemas, headers};
use crate::http::ops::{OPEN_METRICS, TEXT, Verdict};
use crate::http::representation::Representation;

/// A value: 200.
pub(in crate::http) struct Found;

/// Events without an end: 200.
pub(in crate::http) struct Events;

/// The client holds the current one: 304.
pub(in crate::http) struct NotModified;

/// A document like this one: 200.
pub(in crate::http) struct OpenApiDocument;

/// What a probe found: 200 or 503.
pub(in crate::http) struct Probe;

/// The metrics: 200.
pub(in crate::http) struct Metrics;

const OF_DATA: [&str; 7] = [
    "ETag",
    "Record-Partition",
    "Record-Offset",
    "Record-Timestamp",
    "View-Position",
    "View-Status",
    "Preference-Applied",
];

impl IntoResponses for Found {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let description = "The value, in the form that was agreed upon. `json`, `text` and `raw` are the bytes as \
            produced: a view whose `value` is `json` does not check that they are JSON.";
        let mut response = ResponseBuilder::new().description(description);
        for name in Representation::NAMES {
            if let Some(representation) = Representation::named(name) {
                let (schema, example) = form(representation);
                let content = ContentBuilder::new().schema(Some(schema)).example(Some(example)).build();
                response = response.content(representation.content_type(), content);
            }
        }
        answer("200", response.build(), &OF_DATA)
    }
}

impl IntoResponses for Events {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let description = "Server-Sent Events: `put`, `delete`, `synced`, `bookmark` and `reset`, each with a JSON \
            object as its data. Who comes back with `Last-Event-ID`, without `Prefer: wait`, and has to wait is sent an \
            empty stream, and comes back again.";
        let example = "retry: 2000\n\nevent: put\ndata: {\"key\":\"u1\",\"value\":{\"name\":\"Ada\"},\"partition\":3,\
            \"offset\":99017}\n\nevent: synced\nid: v1=0:5,3:99017;t=k3Qz7pWx;b=9c2f41d07be6a953\ndata: \
            {\"count\":1}\n\n";
        let content = ContentBuilder::new().schema(Some(event())).example(Some(json!(example))).build();
        let response = ResponseBuilder::new().description(description).content("text/event-stream", content);
        answer("200", response.build(), &["View-Status", "Preference-Applied", "X-Accel-Buffering"])
    }
}

impl IntoResponses for NotModified {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        answer("304", Response::new("The client holds the current value; there is no body."), &OF_DATA)
    }
}

impl IntoResponses for OpenApiDocument {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let schema = ObjectBuilder::new().schema_type(Type::Object).required("openapi");
        let content = ContentBuilder::new().schema(Some(schema)).example(Some(json!({"openapi": "3.1.0"})));
        let response =
            ResponseBuilder::new().description("The document.").content("application/json", content.build());
        answer("200", response.build(), &[])
    }
}

impl IntoResponses for Probe {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let text = |example: &str| {
            ContentBuilder::new().schema(Some(Object::with_type(Type::String))).example(Some(json!(example)))
        };
        let verdict = || ContentBuilder::new().schema(Some(Ref::from_schema_name("ProbeVerdict"))).build();
        let passed = ResponseBuilder::new()
            .description("Yes.")
            .content(TEXT, text("ok\n").build())
            .content("application/json", verdict());
        let failed = ResponseBuilder::new()
            .description("No; the body says why.")
            .content(TEXT, text("users: restoring: 41 % of the offsets are read\n").build())
            .content("application/json", verdict());
        let mut responses = answer("200", passed.build(), &[]);
        responses.extend(answer("503", failed.build(), &[]));
        responses
    }
}

impl IntoResponses for Metrics {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let content = ContentBuilder::new()
            .schema(Some(Object::with_type(Type::String)))
            .example(Some(json!("# TYPE statusquo_lag_records gauge\n# EOF\n")));
        let response =
            ResponseBuilder::new().description("The metrics.").content(OPEN_METRICS, content.build());
        answer("200", response.build(), &[])
    }
}

pub(super) fn answer(
    status: &str,
    mut response: Response,
    names: &[&str],
) -> BTreeMap<String, RefOr<Response>> {
    response.headers.extend(headers::named(names));
    [(status.to_owned(), response.into())].into()
}

/// One event, as those who describe streams of them do.
fn event() -> ObjectBuilder {
    let text =
        |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    ObjectBuilder::new()
        .property(
            "event",
            text("What it tells.").enum_values(Some(["put", "delete", "synced", "bookmark", "reset"])),
        )
        .property("id", text("Where to go on from, as `Last-Event-ID`; not every event has one."))
        .property("data", text("A JSON object.").content_media_type("application/json"))
        .required("event")
        .required("data")
}

fn form(representation: Representation) -> (RefOr<Schema>, Value) {
    match representation {
        Representation::Json => (schema::empty().into(), json!({"name": "Ada"})),
        Representation::Text => (Object::with_type(Type::String).into(), json!("Ada")),
        Representation::Raw => (binary().into(), json!("Ada")),
        Representation::Entry => (Ref::from_schema_name("Entry").into(), entry_example()),
    }
}

fn binary() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
}

fn entry_example() -> Value {
    json!({
        "key": "u1", "value": {"name": "Ada"}, "partition": 3, "offset": 99017,
        "timestamp": "2026-11-23T08:25:22.123Z", "timestamp_type": "create", "headers": [["trace", "MDE="]],
    })
}

/// Returns the schemas that answers of the data listener refer to.
pub(super) fn schemas_of_data() -> Schemas {
    let entry = entry()
        .description(Some("A value, its key, and where they come from."))
        .required("partition")
        .required("offset");
    let mut schemas = super::lists::schemas();
    schemas.push(("Entry".to_owned(), entry.build().into()));
    schemas
}

/// Returns the schemas that answers of the ops listener refer to.
pub(super) fn schemas_of_ops() -> Schemas {
    let mut schemas = vec![("ProbeVerdict".to_owned(), Verdict::schema())];
    Verdict::schemas(&mut schemas);
    schemas
}

/// The document is written by hand, value bytes untouched, and so is its schema.
pub(super) fn entry() -> ObjectBuilder {
    let text =
        |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    let number =
        |description: &str| ObjectBuilder::new().schema_type(Type::Integer).description(Some(description));
    let error = ObjectBuilder::new()
        .description(Some("Why the value is not there as it should be."))
        .property("code", text("Stable code."))
        .property("detail", text("For people."))
        .required("code")
        .required("detail");
    let header = ArrayBuilder::new().min_items(Some(2)).max_items(Some(2)).items(RefOr::T(schema::empty()));
    let headers = ArrayBuilder::new()
        .items(header)
        .description(Some("Name, and value as base64 or null; left out if there are none."));
    ObjectBuilder::new()
        .property("key", text("The key, where it is what `key` of the view says."))
        .property("key_base64", text("The key otherwise."))
        .property("value", schema::empty())
        .property("value_base64", text("The value, where it is not what `value` of the view says."))
        .property("value_too_large", number("Bytes of the value, where the view keeps none of that size."))
        .property("error", error)
        .property("partition", number("Partition of the record."))
        .property("offset", number("Offset of the record."))
        .property("timestamp", text("Timestamp of the record, if it has one."))
        .property("timestamp_type", text("Who set it.").enum_values(Some(["create", "log-append"])))
        .property("headers", headers)
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
}
