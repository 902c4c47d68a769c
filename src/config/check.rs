//! Compares one source of values with the shape of the configuration.

use std::collections::BTreeMap;

use ::config::{Value, ValueKind};

use super::layer::{Layer, Table};
use super::leaf;
use super::origin::Origin;
use super::problem::Problems;
use super::redaction;
use super::shape::Shape;
use super::suggest::{self, join};
use super::view_name::ViewName;

/// Reports what is wrong in a layer and returns the rest of it, every value of the type its key takes.
///
/// Nothing here stops at the first problem: a wrong value is reported and left out.
pub(super) fn check(layer: Layer, root: &Shape, problems: &mut Problems) -> Layer {
    let Layer { origin, table } = layer;
    let table = match root {
        Shape::Section(keys) => Check { origin: &origin, root, problems }.section("", keys, table),
        _ => Table::new(),
    };
    Layer { origin, table }
}

struct Check<'a> {
    origin: &'a Origin,
    root: &'a Shape,
    problems: &'a mut Problems,
}

impl Check<'_> {
    fn section(&mut self, path: &str, keys: &BTreeMap<String, Shape>, table: Table) -> Table {
        let mut kept = Table::new();
        for (key, value) in sorted(table) {
            match keys.get(&key) {
                Some(shape) => {
                    let value = self.value(&join(path, &key), shape, value);
                    kept.extend(value.map(|value| (key, value)));
                }
                None => self.unknown(path, keys, &key),
            }
        }
        kept
    }

    fn value(&mut self, path: &str, shape: &Shape, value: Value) -> Option<Value> {
        let kind = match (shape, value.kind) {
            // `key:` without a value in YAML sets nothing, and must not wipe out what an earlier file set.
            (_, ValueKind::Nil) => return None,
            (Shape::Section(keys), ValueKind::Table(table)) => {
                ValueKind::Table(self.section(path, keys, table))
            }
            (Shape::Views(view), ValueKind::Table(table)) => ValueKind::Table(self.views(path, view, table)),
            (Shape::Properties, ValueKind::Table(table)) => ValueKind::Table(self.properties(path, table)),
            (Shape::Leaf(leaf), kind) => match leaf.read(path, kind) {
                Ok(kind) => kind,
                Err(what) => return self.wrong(path, what),
            },
            (_, kind) => {
                let what = format!("is a section, but {} is given", leaf::name_of(&kind));
                return self.wrong(path, what);
            }
        };
        Some(Value::new(Some(&self.origin.to_string()), kind))
    }

    fn views(&mut self, path: &str, view: &Shape, table: Table) -> Table {
        let mut kept = Table::new();
        for (name, value) in sorted(table) {
            let path = join(path, &name);
            match name.parse::<ViewName>() {
                Ok(_) => kept.extend(self.value(&path, view, value).map(|value| (name, value))),
                Err(error) => drop(self.wrong(&path, error.to_string())),
            }
        }
        kept
    }

    fn properties(&mut self, path: &str, table: Table) -> Table {
        let mut kept = Table::new();
        for (name, value) in sorted(table) {
            match property(&name, value.kind) {
                Ok(Some(text)) => {
                    kept.insert(name, Value::new(Some(&self.origin.to_string()), text));
                }
                Ok(None) => {}
                Err(what) => drop(self.wrong(&join(path, &name), what)),
            }
        }
        kept
    }

    fn unknown(&mut self, section: &str, keys: &BTreeMap<String, Shape>, key: &str) {
        let meant = suggest::key(self.root, section, keys.keys().map(String::as_str), key);
        let question = suggest::question(meant.map(|meant| self.origin.spell(&meant)));
        self.wrong(&join(section, key), format!("is not a key of the configuration{question}"));
    }

    fn wrong(&mut self, path: &str, what: impl Into<String>) -> Option<Value> {
        self.problems.push(path, what, Some(self.origin.to_string()));
        None
    }
}

/// Reads the value of a librdkafka property, which is text; numbers and switches have one spelling as text.
fn property(name: &str, value: ValueKind) -> Result<Option<String>, String> {
    match value {
        ValueKind::Nil => Ok(None),
        _ if name.is_empty() => Err("needs the name of a librdkafka property".to_owned()),
        ValueKind::String(text) => Ok(Some(text)),
        ValueKind::Boolean(value) if !redaction::is_secret(name) => Ok(Some(value.to_string())),
        ValueKind::I64(value) if !redaction::is_secret(name) => Ok(Some(value.to_string())),
        ValueKind::Table(_) => {
            Err(format!("is a section: quote the dots of a property, like \"{name}.…\" = \"…\""))
        }
        value => Err(format!("takes text, not {}: put it in quotes", leaf::name_of(&value))),
    }
}

/// The order of the problems must not change from run to run.
fn sorted(table: Table) -> BTreeMap<String, Value> {
    table.into_iter().collect()
}
