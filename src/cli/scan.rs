//! `statusquo scan`.

use comfy_table::CellAlignment;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::args::Settings;
use super::client::{Client, Timeouts};
use super::exit::{Exit, Failure};
use super::range_arguments::{ScanArguments, ScanOutput};
use super::status_table::table;
use super::{output, problem, target};
use crate::config::ViewName;

/// Entries the service is asked for at once, if it allows as many.
const PAGE: usize = 1000;
/// Characters of a value that a table shows.
const VALUE_SHOWN: usize = 80;
const COLUMNS: [(&str, CellAlignment); 5] = [
    ("KEY", CellAlignment::Left),
    ("VALUE", CellAlignment::Left),
    ("PARTITION", CellAlignment::Right),
    ("OFFSET", CellAlignment::Right),
    ("TIMESTAMP", CellAlignment::Left),
];

/// What a view says of itself.
#[derive(Debug, Deserialize)]
struct Description {
    limits: Limits,
}

#[derive(Debug, Deserialize)]
struct Limits {
    page_entries_max: usize,
}

/// A page, its items as they came.
#[derive(Debug, Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
    next: Option<String>,
}

/// What a table shows of an entry.
#[derive(Debug, Deserialize)]
struct Entry<'a> {
    key: Option<String>,
    key_base64: Option<String>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    value_base64: Option<String>,
    partition: i32,
    offset: i64,
    timestamp: Option<String>,
}

/// Prints the entries of a range.
pub(super) fn run(arguments: &ScanArguments, settings: &Settings) -> anyhow::Result<Exit> {
    let base = target::data(arguments.target.url.as_deref(), settings)?;
    let client = Client::new(&base, Timeouts::COMMAND)?;
    let page_max = page_max(&client, &arguments.view)?;
    let mut left = arguments.limit as usize;
    let mut path = arguments.range.path(&arguments.view, &[("limit", left.min(page_max).to_string())]);
    let mut rows = Vec::new();
    loop {
        let answer = problem::check(client.get(&path)?)?;
        let page: Page<'_> = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
        let items = &page.items;
        match arguments.output {
            ScanOutput::Table => {
                for item in items {
                    rows.push(row(serde_json::from_str(item.get()).map_err(|_| unreadable())?));
                }
            }
            ScanOutput::Json => output::write(&[&answer.body, &b"\n"[..]].concat())?,
            ScanOutput::Ndjson => {
                output::write(items.iter().map(|item| line(item)).collect::<String>().as_bytes())?;
            }
        }
        left = left.saturating_sub(items.len());
        match page.next {
            Some(next) if left > 0 => path = limited(&next, left.min(page_max)),
            next => {
                if arguments.output == ScanOutput::Table {
                    output::write(table(&COLUMNS, rows.into_iter()).as_bytes())?;
                }
                if next.is_some() {
                    output::note("there are more entries: give a higher --limit, or use `statusquo export`");
                }
                return Ok(Exit::Success);
            }
        }
    }
}

/// Asks for how many entries the service may be asked at once: more is refused.
fn page_max(client: &Client, view: &ViewName) -> anyhow::Result<usize> {
    let answer = problem::check(client.get(&format!("/v1/views/{view}"))?)?;
    let description: Description = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
    Ok(description.limits.page_entries_max.min(PAGE))
}

/// Returns the address of the next page with another limit than that of the page before.
fn limited(next: &str, limit: usize) -> String {
    let (path, query) = next.split_once('?').unwrap_or((next, ""));
    let others = query.split('&').filter(|parameter| !parameter.starts_with("limit="));
    let limit = format!("limit={limit}");
    let query: Vec<&str> = others.chain([limit.as_str()]).collect();
    format!("{path}?{}", query.join("&"))
}

fn unreadable() -> Failure {
    Failure::new(Exit::Failed, "the answer is no page of entries; is this the address of a statusquo?")
}

/// In valid JSON a line break stands between tokens only, where a space means the same.
fn line(item: &RawValue) -> String {
    format!("{}\n", item.get().replace(['\n', '\r'], " "))
}

fn row(entry: Entry<'_>) -> Vec<String> {
    let key = entry.key.unwrap_or_else(|| format!("base64:{}", entry.key_base64.unwrap_or_default()));
    let value = match (entry.value, entry.value_base64) {
        (Some(value), _) => value.get().to_owned(),
        (None, Some(base64)) => format!("base64:{base64}"),
        (None, None) => "(not kept)".to_owned(),
    };
    vec![
        shown(&key),
        shown(&value),
        entry.partition.to_string(),
        entry.offset.to_string(),
        entry.timestamp.unwrap_or_default(),
    ]
}

/// What could steer a terminal becomes a space; what is long is cut.
fn shown(text: &str) -> String {
    let mut characters = text.chars().map(|each| if each.is_control() { ' ' } else { each });
    let mut shown: String = characters.by_ref().take(VALUE_SHOWN).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_shows_keys_and_values_that_are_no_text_and_cuts_long_ones() {
        let long = "x".repeat(200);
        let items = [
            r#"{"key":"u1","value":{"a":1},"partition":3,"offset":7,"timestamp":"2026-11-23T08:25:22.123Z"}"#
                .to_owned(),
            r#"{"key_base64":"/w==","value_base64":"AA==","partition":0,"offset":12}"#.to_owned(),
            format!(r#"{{"key":"tab\there","value":"{long}","partition":0,"offset":1}}"#),
        ];
        let rows = items.iter().map(|item| row(serde_json::from_str(item).unwrap()));
        let text = table(&COLUMNS, rows);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("KEY") && lines[0].ends_with("TIMESTAMP"), "{text}");
        assert!(lines[1].contains(r#"{"a":1}"#) && lines[1].ends_with("2026-11-23T08:25:22.123Z"), "{text}");
        assert!(lines[2].starts_with("base64:/w==") && lines[2].contains("base64:AA=="), "{text}");
        assert!(
            lines[3].starts_with("tab here") && lines[3].contains("xx…") && lines[3].len() < 130,
            "{text}"
        );
    }

    #[test]
    fn the_next_page_is_asked_for_no_more_than_is_left() {
        let next = "/v1/views/users/entries?prefix=limit%3D&limit=1000&cursor=AclC";
        assert_eq!(limited(next, 500), "/v1/views/users/entries?prefix=limit%3D&cursor=AclC&limit=500");
    }

    #[test]
    fn an_entry_is_one_line_and_its_bytes_are_kept() {
        let page = "{\"items\":[{\"key\":\"a\",\"value\":{\n\"n\": 1.0e5}}],\"next\":null}";
        let page: Page<'_> = serde_json::from_str(page).unwrap();
        assert_eq!(line(page.items[0]), "{\"key\":\"a\",\"value\":{ \"n\": 1.0e5}}\n");
    }
}
