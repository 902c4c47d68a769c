//! The documented file `config/statusquo.toml` and the code say the same.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

const SHIPPED: &str = include_str!("../../../config/statusquo.toml");

/// The keys the file must fill in, because they have no default.
const REQUIRED: [&str; 2] = ["kafka.bootstrap", "views.users.topic"];

/// Returns the values of a file by key; librdkafka properties count as one key.
fn values(text: &str) -> BTreeMap<String, Value> {
    fn collect(path: &str, value: Value, found: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(table) if path != "kafka.properties" => {
                for (key, value) in table {
                    collect(&suggest::join(path, &key), value, found);
                }
            }
            value => drop(found.insert(path.to_owned(), value)),
        }
    }
    let mut found = BTreeMap::new();
    collect("", toml::from_str(text).unwrap(), &mut found);
    found
}

/// Returns the default of a key as the JSON Schema tells it.
fn default(key: &str) -> Option<Value> {
    let mut schema = schema();
    for segment in key.split('.') {
        let below = match schema.get("patternProperties").and_then(Value::as_object) {
            Some(any_name) => any_name.values().next(),
            None => schema.get("properties").and_then(|keys| keys.get(segment)),
        };
        schema = below.unwrap_or_else(|| panic!("{key} is not in the schema")).clone();
    }
    schema.get("default").filter(|default| !default.is_null()).cloned()
}

/// Turns every `#key = value` into `key = value`; prose has a space after its `#`.
fn uncommented() -> String {
    let key = |rest: &str| rest.starts_with(|first: char| first.is_ascii_lowercase() || first == '"');
    let line = |line: &'static str| match line.strip_prefix('#') {
        Some(rest) if key(rest) => rest,
        _ => line,
    };
    SHIPPED.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_file_loads_as_it_is_and_equals_the_defaults() {
    let shipped = Start::with(SHIPPED).config();

    assert_eq!(format!("{shipped:?}"), format!("{:?}", Start::with(SMALLEST).config()));
}

#[test]
fn the_file_has_every_key_of_the_code_and_no_other() {
    let in_file: Vec<_> = values(&uncommented()).into_keys().collect();
    let keys = Shape::of_config().keys().into_iter();
    let mut in_code: Vec<_> = keys.map(|key| key.replace("<name>", "users")).collect();
    in_code.sort();

    assert_eq!(in_file, in_code);
}

#[test]
fn every_value_in_the_file_is_the_default_and_what_has_none_is_commented_out() {
    let in_force = values(SHIPPED);
    for key in values(&uncommented()).keys().filter(|key| !REQUIRED.contains(&key.as_str())) {
        assert_eq!(in_force.get(key), default(key).as_ref(), "{key}");
    }
}
