//! Puts the layers over each other and turns the result into the typed configuration.

use std::collections::{BTreeMap, BTreeSet};

use ::config::{ConfigError, Value, ValueKind};

use super::layer::{Layer, Table};
use super::problem::Problems;
use super::sections::Config;
use super::suggest::join;

/// Where values come from, by key; a key that is not here has its built-in default.
#[derive(Debug, Clone, Default)]
pub struct Sources(BTreeMap<String, String>);

/// Stands in for a required value that is missing, so that the rest can be checked as well.
///
/// Invariant: where one is used there is a problem, so no caller ever sees it.
const PLACEHOLDER: (&str, &str) = ("placeholder:9092", "placeholder");

impl Sources {
    /// Returns where the value of a key comes from, in words, unless it is the built-in default.
    #[must_use]
    pub fn of(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn collect(&mut self, path: &str, value: &Value) {
        match (&value.kind, value.origin()) {
            (ValueKind::Table(table), _) => {
                for (key, value) in table {
                    self.collect(&join(path, key), value);
                }
            }
            (_, Some(origin)) => drop(self.0.insert(path.to_owned(), origin.to_owned())),
            (_, None) => {}
        }
    }
}

/// Merges layers that were checked, the later over the earlier.
///
/// Required keys that are missing are reported if every file could be read, for else they may be in there.
pub(super) fn merge(
    layers: Vec<Layer>,
    files_are_read: bool,
    problems: &mut Problems,
) -> Option<(Config, Sources)> {
    let views: BTreeSet<String> = layers.iter().flat_map(Layer::views).collect();
    let tree = match build(layers, &views) {
        Ok(tree) => tree,
        Err(error) => {
            problems.push("configuration", error.to_string(), None);
            return None;
        }
    };
    let mut sources = Sources::default();
    sources.collect("", &tree);
    if files_are_read {
        report_missing(&sources, &views, problems);
    }
    match serde_path_to_error::deserialize(tree) {
        Ok(config) => Some((config, sources)),
        Err(error) => {
            let key = error.path().to_string();
            let origin = sources.of(&key).map(str::to_owned);
            problems.push(key, error.into_inner().to_string(), origin);
            None
        }
    }
}

fn build(layers: Vec<Layer>, views: &BTreeSet<String>) -> Result<Value, ConfigError> {
    let (bootstrap, topic) = PLACEHOLDER;
    let mut builder = ::config::Config::builder()
        .set_default("views", Table::new())?
        .set_default("kafka.bootstrap", bootstrap)?;
    for view in views {
        builder = builder.set_default(format!("views.{view}.topic"), topic)?;
    }
    for layer in layers {
        builder = builder.add_source(layer);
    }
    Ok(builder.build()?.cache)
}

fn report_missing(sources: &Sources, views: &BTreeSet<String>, problems: &mut Problems) {
    let mut report = |key: &str, what: &str| {
        if sources.of(key).is_none() && !problems.concern(key) {
            problems.push(key, what, None);
        }
    };
    report(
        "kafka.bootstrap",
        "is missing: a file needs `[kafka]` and below it `bootstrap = \"127.0.0.1:9092\"`",
    );
    if views.is_empty() {
        report(
            "views",
            "there are none: a file needs at least one, such as `[views.users]` and below it \
             `topic = \"user-profiles\"`",
        );
    }
    for view in views {
        report(
            &format!("views.{view}.topic"),
            "is missing: name the compacted topic, such as `topic = \"user-profiles\"`",
        );
    }
}
