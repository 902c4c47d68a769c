use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;
use crate::http::code::Code;

/// Paths that are pages for people, not part of the interface.
const PAGES: [&str; 3] = ["/docs", "/docs/", "/docs/{*file}"];

fn documents() -> [(&'static str, Value); 2] {
    [("docs/openapi.json", &OF_DATA), ("docs/openapi-ops.json", &OF_OPS)]
        .map(|(name, document)| (name, serde_json::from_slice(document).unwrap()))
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// All operations of a document, with method and path.
fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let items = document["paths"].as_object().unwrap().iter();
    items.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

/// All values below one, itself included.
fn below(value: &Value) -> Vec<&Value> {
    let mut found = vec![value];
    match value {
        Value::Array(items) => found.extend(items.iter().flat_map(below)),
        Value::Object(members) => found.extend(members.values().flat_map(below)),
        _ => {}
    }
    found
}

#[test]
fn the_committed_documents_are_what_the_code_says() {
    for (name, document) in [("docs/openapi.json", &OF_DATA), ("docs/openapi-ops.json", &OF_OPS)] {
        if std::env::var_os("STATUSQUO_WRITE_DOCUMENTS").is_some() {
            fs::write(path(name), &**document).unwrap();
        }
        let committed = fs::read(path(name)).unwrap_or_default();
        assert!(committed == **document, "{name} is out of date: run `make openapi` and commit it");
    }
}

#[test]
fn every_code_of_a_problem_is_among_the_answers_of_some_path() {
    // No path of a document answers with these: they are about all other paths and methods.
    let mut missing: BTreeSet<_> = Code::ALL.iter().map(|code| code.name).collect();
    missing.remove("method-not-allowed");
    for (name, document) in documents() {
        for (at, operation) in operations(&document) {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let examples = &response["content"]["application/problem+json"]["examples"];
                for (code, example) in examples.as_object().into_iter().flatten() {
                    assert_eq!(
                        *status,
                        Code::named(code).unwrap().status.as_u16().to_string(),
                        "{name} {at}"
                    );
                    assert_eq!(example["value"]["code"], *code, "{name} {at}");
                    missing.remove(&**code);
                }
            }
        }
        let listed = &document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
        assert_eq!(listed.as_array().unwrap().len(), Code::ALL.len(), "{name}");
    }
    assert!(missing.is_empty(), "add them to a set of src/http/openapi/problems.rs: {missing:?}");
}

#[test]
fn routes_are_registered_with_their_description_only() {
    let mut files = vec![path("src/http")];
    let mut found = Vec::new();
    while let Some(file) = files.pop() {
        if file.is_dir() {
            files.extend(fs::read_dir(&file).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        if file.components().any(|part| part.as_os_str().to_string_lossy().starts_with("tests")) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let registered =
            text.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        found.extend(registered);
    }
    found.sort();
    assert_eq!(found, PAGES, "give its handler `#[utoipa::path]` and register it with `routes!`");
}

#[test]
fn operations_have_names_of_their_own_and_examples_of_what_they_take() {
    for (name, document) in documents() {
        let mut ids = BTreeSet::new();
        for (at, operation) in operations(&document) {
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name} {at}");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{name} {at}");
            let parameters = operation["parameters"].as_array().unwrap();
            for parameter in parameters {
                assert!(parameter.get("example").is_some(), "{name} {at} {}", parameter["name"]);
            }
            let named = |name: &str| {
                parameters.iter().any(|parameter| parameter["in"] == "path" && parameter["name"] == name)
            };
            for piece in at.split('{').skip(1) {
                assert!(named(piece.split('}').next().unwrap()), "{name} {at}");
            }
        }
    }
}

#[test]
fn what_is_referred_to_is_there() {
    for (name, document) in documents() {
        for reference in below(&document).into_iter().filter_map(|value| value.get("$ref")?.as_str()) {
            assert!(document.pointer(&reference[1..]).is_some(), "{name}: {reference}");
        }
    }
}
