//! The keys of the configuration and what each of them takes, read from its JSON Schema.
//!
//! The types in `sections` are the only place where a key is declared. Whatever has to know the keys (the
//! check for unknown ones, the suggestions, environment variables, the documented file) asks here.

use std::collections::BTreeMap;

use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::leaf::Leaf;
use super::sections::Config;
use super::units;

/// What a key takes.
#[derive(Debug)]
pub(super) enum Shape {
    /// A table with these keys.
    Section(BTreeMap<String, Shape>),
    /// A table whose keys are the names of views.
    Views(Box<Shape>),
    /// A table whose keys are librdkafka properties.
    Properties,
    /// One value.
    Leaf(Leaf),
}

/// Stands for the name of any view in a key.
const ANY_VIEW: &str = "<name>";

/// Returns the JSON Schema of the configuration.
pub(super) fn schema() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Config>();
    // The default is the name of this host: no part of the schema.
    if let Some(Value::Object(instance)) = schema.pointer_mut("/properties/kafka/properties/instance") {
        instance.remove("default");
    }
    schema
}

impl Shape {
    /// Returns the shape of the whole configuration.
    pub(super) fn of_config() -> Self {
        Self::of(schema().as_value())
    }

    fn of(schema: &Value) -> Self {
        if let Some(Value::Object(properties)) = schema.get("properties") {
            let section = properties.iter().map(|(key, schema)| (key.clone(), Self::of(schema)));
            return Self::Section(section.collect());
        }
        let of_any_name = schema.get("patternProperties").and_then(Value::as_object);
        if let Some(view) = of_any_name.and_then(|patterns| patterns.values().next()) {
            return Self::Views(Box::new(Self::of(view)));
        }
        if schema.get("additionalProperties").is_some_and(Value::is_object) {
            return Self::Properties;
        }
        Self::Leaf(leaf(schema))
    }

    /// Returns every key that takes a value, dotted; the name of a view is `<name>`.
    pub(super) fn keys(&self) -> Vec<String> {
        let below = |key: &str, shape: &Self| {
            let keys = shape.keys().into_iter();
            keys.map(|rest| if rest.is_empty() { key.to_owned() } else { format!("{key}.{rest}") })
                .collect::<Vec<_>>()
        };
        match self {
            Self::Section(keys) => keys.iter().flat_map(|(key, shape)| below(key, shape)).collect(),
            Self::Views(view) => below(ANY_VIEW, view),
            Self::Properties | Self::Leaf(_) => vec![String::new()],
        }
    }
}

fn leaf(schema: &Value) -> Leaf {
    let takes = |kind: &str| match schema.get("type") {
        Some(Value::String(only)) => only == kind,
        Some(Value::Array(kinds)) => kinds.iter().any(|one| one == kind),
        _ => false,
    };
    match schema.get("format").and_then(Value::as_str) {
        Some(units::SIZE) => return Leaf::Size,
        Some(units::TIMESPAN) => return Leaf::Timespan,
        Some(units::ADDRESS) => return Leaf::Address,
        _ => {}
    }
    if let Some(Value::Array(variants)) = schema.get("oneOf") {
        let names = variants.iter().filter_map(|variant| variant.get("const")?.as_str());
        return Leaf::Choice(names.map(str::to_owned).collect());
    }
    if takes("boolean") {
        Leaf::Switch
    } else if takes("integer") {
        Leaf::Count
    } else {
        Leaf::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_names_every_key_of_every_section() {
        let keys = Shape::of_config().keys();

        for key in ["data_dir", "kafka.bootstrap", "kafka.properties", "http.listen", "views.<name>.topic"] {
            assert!(keys.contains(&key.to_owned()), "{key} is missing in {keys:?}");
        }
    }

    #[test]
    fn the_schema_does_not_depend_on_the_host() {
        let schema = schema();

        assert!(schema.pointer("/properties/kafka/properties/instance/default").is_none());
        assert!(schema.pointer("/properties/kafka/properties/poll_interval/default").is_some());
    }
}
