//! The sources of values: files, environment variables, flags.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use ::config::{ConfigError, FileFormat, Format, Source, Value, ValueKind};

use super::origin::{Origin, PREFIX};
use super::problem::Problems;
use super::text_file;

/// A table of the `config` crate.
pub(super) type Table = ::config::Map<String, Value>;

/// More than any configuration a person keeps; keeps out a log or an image given by mistake.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// librdkafka properties that are written with an underscore; in all others it stands for a dot.
const WITH_UNDERSCORE: [&str; 2] = ["log_level", "enabled_events"];

/// The values of one file, one environment variable or one flag.
///
/// Every value knows its origin, so that a problem found later can still name it.
#[derive(Clone)]
pub(super) struct Layer {
    pub(super) origin: Origin,
    pub(super) table: Table,
}

impl Layer {
    /// Reads a file, YAML if its name says so and else TOML, or reports why not.
    pub(super) fn of_file(path: &Path, problems: &mut Problems) -> Option<Self> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let format = match extension.to_lowercase().as_str() {
            "yaml" | "yml" => FileFormat::Yaml,
            _ => FileFormat::Toml,
        };
        let parsed = text_file::read(path, FILE_BYTES_MAX)
            .and_then(|text| format.parse(None, &text).map_err(|error| syntax(&text, error.as_ref())));
        match parsed {
            Ok(table) => Some(Self { origin: Origin::File(path.to_owned()), table }),
            Err(what) => {
                problems.push(path.display().to_string(), what, None);
                None
            }
        }
    }

    /// Takes the variables that are ours, in the order of their names; an empty one counts as not set.
    pub(super) fn of_variables(
        variables: impl Iterator<Item = (String, String)>,
        views: &BTreeSet<String>,
        problems: &mut Problems,
    ) -> Vec<Self> {
        let ours = variables.filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty());
        let mut names: BTreeMap<Vec<String>, String> = BTreeMap::new();
        let mut layers = Vec::new();
        for (name, value) in ours.collect::<BTreeMap<_, _>>() {
            let path = path_of(&name, views);
            let origin = Origin::Variable(name.clone());
            if value.contains(char::REPLACEMENT_CHARACTER) {
                problems.push(path.join("."), "is not valid UTF-8", Some(origin.to_string()));
            } else if let Some(other) = names.insert(path.clone(), name) {
                let what = format!("is set by {other} as well: keep one of the two");
                problems.push(path.join("."), what, Some(origin.to_string()));
            } else {
                layers.push(Self::of_value(origin, path, value));
            }
        }
        layers
    }

    /// Takes a `--set key=value` flag.
    pub(super) fn of_flag(key: &str, value: &str) -> Self {
        let origin = Origin::Flag(key.to_owned());
        let path = match key.strip_prefix("kafka.properties.") {
            Some(property) => properties_path(property.trim_matches('"').to_owned()),
            None => key.split('.').map(str::to_owned).collect(),
        };
        Self::of_value(origin, path, value.to_owned())
    }

    fn of_value(origin: Origin, path: Vec<String>, text: String) -> Self {
        let mut path = path.into_iter().rev();
        let last = path.next().unwrap_or_default();
        let text = Value::new(None, text);
        let nest = |value, key| Table::from_iter([(key, Value::new(None, ValueKind::Table(value)))]);
        Self { origin, table: path.fold(Table::from_iter([(last, text)]), nest) }
    }

    /// Returns the names of the views this layer says something about.
    pub(super) fn views(&self) -> Vec<String> {
        match self.table.get("views").map(|views| &views.kind) {
            Some(ValueKind::Table(views)) => views.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Table, ConfigError> {
        Ok(self.table.clone())
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values may be secrets.
        f.debug_struct("Layer").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Returns the key an environment variable names: `__` separates, capitals do not matter.
fn path_of(name: &str, views: &BTreeSet<String>) -> Vec<String> {
    let name = name.strip_prefix(PREFIX).unwrap_or(name).to_lowercase();
    let segments: Vec<&str> = name.split("__").collect();
    match segments.as_slice() {
        ["kafka", "properties", property] if WITH_UNDERSCORE.contains(property) => {
            properties_path((*property).to_owned())
        }
        ["kafka", "properties", property @ ..] if !property.is_empty() => {
            properties_path(property.join(".").replace('_', "."))
        }
        ["views", view, rest @ ..] => {
            let view = known_view(view, views);
            ["views", view].iter().chain(rest).map(|segment| (*segment).to_owned()).collect()
        }
        segments => segments.iter().map(|segment| (*segment).to_owned()).collect(),
    }
}

/// Finds the view that a variable can only name with underscores, where the files leave no doubt.
fn known_view<'a>(name: &'a str, views: &'a BTreeSet<String>) -> &'a str {
    if views.contains(name) {
        return name;
    }
    let mut alike = views.iter().filter(|view| view.replace('-', "_") == name);
    match (alike.next(), alike.next()) {
        (Some(only), None) => only,
        _ => name,
    }
}

fn properties_path(property: String) -> Vec<String> {
    vec!["kafka".to_owned(), "properties".to_owned(), property]
}

/// Says where and what, without the line itself: it may hold a secret.
fn syntax(text: &str, error: &(dyn std::error::Error + 'static)) -> String {
    let Some(error) = error.downcast_ref::<toml::de::Error>() else {
        return error.to_string().lines().next().unwrap_or("cannot be parsed").to_owned();
    };
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => {
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            format!("line {line}, column {column}: {}", error.message())
        }
        None => error.message().to_owned(),
    }
}
