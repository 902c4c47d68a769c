//! Entries as they are printed.

use std::borrow::Cow;
use std::io::Write;

use clap::ValueEnum;
use comfy_table::CellAlignment;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::exit::{Exit, Failure};
use super::output;
use super::status_table::{Column, grid};

/// Rows of a table that are laid out together.
const ROWS: usize = 1000;
/// Characters of a key or a value that a table shows.
const CHARACTERS: usize = 80;
const COLUMNS: [Column; 5] = [
    ("KEY", CellAlignment::Left),
    ("VALUE", CellAlignment::Left),
    ("PARTITION", CellAlignment::Right),
    ("OFFSET", CellAlignment::Right),
    ("TIMESTAMP", CellAlignment::Left),
];

/// Form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people; long values are cut
    Table,
    /// One JSON document
    Json,
    /// A line of JSON for each
    Ndjson,
}

/// Prints entries as they come.
#[derive(Debug)]
pub(super) struct Printer<W> {
    out: W,
    form: Form,
    count: u64,
    rows: Vec<Vec<String>>,
    /// Widths of the columns so far; none before the first rows are laid out.
    widths: Option<Vec<u16>>,
}

/// What a table shows of an entry.
#[derive(Debug, Deserialize)]
struct Entry<'a> {
    key: Option<String>,
    key_base64: Option<String>,
    #[serde(borrow, default, deserialize_with = "present")]
    value: Option<&'a RawValue>,
    value_base64: Option<String>,
    value_too_large: Option<u64>,
    partition: i32,
    offset: i64,
    timestamp: Option<String>,
}

impl<W: Write> Printer<W> {
    pub(super) fn new(out: W, form: Form) -> Self {
        Self { out, form, count: 0, rows: Vec::new(), widths: None }
    }

    /// Returns how many entries there were so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Prints an entry, as the service wrote it.
    ///
    /// # Errors
    /// That of an output that cannot be written, and of an entry that is none.
    pub(super) fn push(&mut self, entry: &[u8]) -> anyhow::Result<()> {
        let first = self.count == 0;
        self.count += 1;
        match self.form {
            Form::Table => {
                self.rows.push(row(serde_json::from_slice(entry).map_err(|_| unreadable())?));
                if self.rows.len() >= ROWS { self.lay_out() } else { Ok(()) }
            }
            Form::Json => {
                self.write(if first { b"[\n" } else { b",\n" })?;
                self.write(entry.trim_ascii_end())
            }
            Form::Ndjson => {
                self.write(&one_line(entry))?;
                self.write(b"\n")
            }
        }
    }

    /// Has everything so far appear.
    ///
    /// # Errors
    /// As [`Printer::push`].
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        if !self.rows.is_empty() {
            self.lay_out()?;
        }
        self.out.flush().map_err(output::unwritable)
    }

    /// Prints what belongs behind the last entry.
    ///
    /// # Errors
    /// As [`Printer::push`].
    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        match self.form {
            Form::Table => self.lay_out()?,
            Form::Json if self.count == 0 => self.write(b"[]\n")?,
            Form::Json => self.write(b"\n]\n")?,
            Form::Ndjson => {}
        }
        self.flush()
    }

    /// Columns keep the widths they have had, so that the next rows stand below the last ones.
    fn lay_out(&mut self) -> anyhow::Result<()> {
        let ruler = self.widths.take();
        let head: Vec<String> = match &ruler {
            Some(widths) => widths.iter().map(|width| "x".repeat((*width).into())).collect(),
            None => COLUMNS.iter().map(|column| column.0.to_owned()).collect(),
        };
        let (lines, widths) = grid(&COLUMNS, &head, self.rows.drain(..));
        self.widths = Some(widths);
        let text: String = lines.into_iter().skip(ruler.is_some().into()).collect();
        self.write(text.as_bytes())
    }

    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.out.write_all(bytes).map_err(output::unwritable)
    }
}

/// In valid JSON a line break stands between tokens only, where a space means the same.
fn one_line(entry: &[u8]) -> Cow<'_, [u8]> {
    let (entry, breaks) = (entry.trim_ascii_end(), |byte: &u8| matches!(byte, b'\n' | b'\r'));
    match entry.iter().any(breaks) {
        true => entry.iter().map(|byte| if breaks(byte) { b' ' } else { *byte }).collect(),
        false => Cow::Borrowed(entry),
    }
}

/// The value `null` is one.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(value: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(value).map(Some)
}

fn unreadable() -> Failure {
    Failure::new(Exit::Failed, "the answer holds no entries; is this the address of a statusquo?")
}

fn row(entry: Entry<'_>) -> Vec<String> {
    let key = entry.key.unwrap_or_else(|| format!("base64:{}", entry.key_base64.unwrap_or_default()));
    let value = match (entry.value, entry.value_base64) {
        (Some(value), _) => value.get().to_owned(),
        (None, Some(base64)) => format!("base64:{base64}"),
        (None, None) => not_kept(entry.value_too_large),
    };
    vec![
        shown(&key),
        shown(&value),
        entry.partition.to_string(),
        entry.offset.to_string(),
        entry.timestamp.unwrap_or_default(),
    ]
}

/// Says in place of a value that the view does not keep one of that size.
pub(super) fn not_kept(bytes: Option<u64>) -> String {
    bytes.map_or_else(String::new, |bytes| format!("(too large to keep: {bytes} bytes)"))
}

/// What could steer a terminal becomes a space; what is long is cut.
fn shown(text: &str) -> String {
    let mut characters = text.chars().map(|each| if each.is_control() { ' ' } else { each });
    let mut shown: String = characters.by_ref().take(CHARACTERS).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed<'a>(form: Form, entries: impl IntoIterator<Item = &'a str>) -> String {
        let mut printer = Printer::new(Vec::new(), form);
        entries.into_iter().for_each(|entry| printer.push(entry.as_bytes()).unwrap());
        printer.end().unwrap();
        String::from_utf8(printer.out).unwrap()
    }

    #[test]
    fn a_table_shows_keys_and_values_that_are_no_text_and_cuts_long_ones() {
        let long = "x".repeat(200);
        let items = [
            r#"{"key":"u1","value":{"a":1},"partition":3,"offset":7,"timestamp":"2026-11-23T08:25:22.123Z"}"#
                .to_owned(),
            r#"{"key_base64":"/w==","value_base64":"AA==","partition":0,"offset":12}"#.to_owned(),
            format!(r#"{{"key":"tab\there","value":"{long}","partition":0,"offset":1}}"#),
            r#"{"key":"nothing","value":null,"partition":0,"offset":3}"#.to_owned(),
            r#"{"key":"large","value_too_large":70000,"partition":0,"offset":2}"#.to_owned(),
        ];
        let text = printed(Form::Table, items.iter().map(String::as_str));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("KEY") && lines[0].ends_with("TIMESTAMP"), "{text}");
        assert!(lines[1].contains(r#"{"a":1}"#) && lines[1].ends_with("2026-11-23T08:25:22.123Z"), "{text}");
        assert!(lines[2].starts_with("base64:/w==") && lines[2].contains("base64:AA=="), "{text}");
        assert!(
            lines[3].starts_with("tab here") && lines[3].contains("xx…") && lines[3].len() < 130,
            "{text}"
        );
        assert!(lines[4].starts_with("nothing") && lines[4].contains(" null "), "{text}");
        assert!(lines[5].contains("(too large to keep: 70000 bytes)"), "{text}");
    }

    #[test]
    fn a_long_table_has_one_head_and_keeps_its_columns() {
        let entry = r#"{"key":"u1","value":"wide","partition":3,"offset":7,"timestamp":"t"}"#;
        let text = printed(Form::Table, std::iter::repeat_n(entry, 2 * ROWS + 1));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[0].matches("KEY").count()), (2 * ROWS + 2, 1));
        assert!(lines[1..].iter().all(|line| *line == lines[1]), "{text}");
    }

    #[test]
    fn entries_keep_their_bytes_in_one_document_and_on_one_line_each() {
        let entries = ["{\"key\":\"a\",\"value\":{\n\"n\": 1.0e5}}", "{\"key\":\"b\"}\n"];
        assert_eq!(
            printed(Form::Json, entries),
            "[\n{\"key\":\"a\",\"value\":{\n\"n\": 1.0e5}},\n{\"key\":\"b\"}\n]\n"
        );
        assert_eq!(
            printed(Form::Ndjson, entries),
            "{\"key\":\"a\",\"value\":{ \"n\": 1.0e5}}\n{\"key\":\"b\"}\n"
        );
        assert_eq!((printed(Form::Json, []), printed(Form::Ndjson, [])), ("[]\n".into(), String::new()));
        assert!(printed(Form::Table, []).starts_with("KEY"));
    }
}
