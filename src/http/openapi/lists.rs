//! Answers about many keys, as the documents describe them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::IntoResponses;
use utoipa::openapi::schema::{AdditionalProperties, SchemaType};
use utoipa::openapi::{
    ArrayBuilder, Content, ContentBuilder, Object, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type,
};

use super::Schemas;
use super::answers::{answer, entry};

/// What was found of some keys: 200.
pub(in crate::http) struct Looked;

/// A page, or a whole range: 200.
pub(in crate::http) struct Scanned;

const HEADERS: [&str; 3] = ["View-Position", "View-Status", "Preference-Applied"];

impl IntoResponses for Looked {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let item = json!({"key": "u1", "found": true, "etag": "\"k3Qz7pWx.3.99017.1795422322123.e\"", "value": {"name": "Ada"},
            "partition": 3, "offset": 99017});
        let response = response(
            "What was found, in the order of the keys, as of exactly `position`.",
            "Batch",
            &json!({"items": [item, {"key": "u2", "found": false}], "position": "v1=3:99199;t=k3Qz7pWx", "generation": 7}),
        );
        answer("200", response, &HEADERS)
    }
}

impl IntoResponses for Scanned {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let item = json!({"key": "u1", "value": {"name": "Ada"}, "partition": 3, "offset": 99017});
        let next = "/v1/views/users/entries?limit=1&cursor=AclCq7V1MQ";
        let response = response(
            "A page in the order of the keys, as of exactly `position`; or the whole range.",
            "Page",
            &json!({"items": [item], "next": next, "position": "v1=3:99199;t=k3Qz7pWx", "generation": 7}),
        );
        answer("200", response, &[&HEADERS[..], &["Link"]].concat())
    }
}

/// A document, or a line for each of its items and a last one that says that it was the last.
fn response(description: &str, schema: &str, example: &Value) -> Response {
    let items = example.get("items").and_then(Value::as_array);
    let count = items.map_or(0, Vec::len);
    let last = json!({"end": true, "count": count, "position": example.get("position"), "generation": 7});
    let lines: String = items.into_iter().flatten().chain([&last]).map(|line| format!("{line}\n")).collect();
    ResponseBuilder::new()
        .description(description)
        .content("application/json", content(Ref::from_schema_name(schema), example))
        .content("application/x-ndjson", content(Object::with_type(Type::String), &json!(lines)))
        .build()
}

fn content(schema: impl Into<RefOr<utoipa::openapi::Schema>>, example: &Value) -> Content {
    ContentBuilder::new().schema(Some(schema)).example(Some(example.clone())).build()
}

/// Returns the schemas that these answers refer to.
pub(super) fn schemas() -> Schemas {
    let text =
        |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    let or_null = |description: &str| {
        let both = SchemaType::from_iter([Type::String, Type::Null]);
        ObjectBuilder::new().schema_type(both).description(Some(description))
    };
    let list = |item: &str| {
        let position = "What the answer reflects, exactly; null where nothing is applied.";
        let generation = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .description(Some("Grows with every partition that goes over to a fresh state."));
        ObjectBuilder::new()
            .property("items", ArrayBuilder::new().items(Ref::from_schema_name(item)))
            .property("position", or_null(position))
            .property("generation", generation)
            .required("items")
            .required("position")
            .required("generation")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
    };
    let found = ObjectBuilder::new()
        .schema_type(Type::Boolean)
        .description(Some("Whether the key has a value; if not, there is nothing else."));
    let batch_item = entry()
        .description(Some("A key of a batch, and what was found."))
        .property("found", found)
        .property("etag", text("Entity tag of a look-up of the same `format`."))
        .required("key")
        .required("found");
    let page =
        list("Item").property("next", or_null("Where the next page is; null on the last.")).required("next");
    vec![
        (
            "Item".to_owned(),
            entry().description(Some("An entry with the `fields` that were asked for.")).build().into(),
        ),
        ("BatchItem".to_owned(), batch_item.build().into()),
        ("Batch".to_owned(), list("BatchItem").build().into()),
        ("Page".to_owned(), page.build().into()),
    ]
}
