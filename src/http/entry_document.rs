//! Entries as JSON: the one writer for documents, items of lists and lines of streams.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use memchr::{memchr2, memchr2_iter};
use serde::de::IgnoredAny;

use super::code::Code;
use super::decimal;
use super::key::KeyEncoding;
use crate::config::sections::{ValueFormat, ViewConfig};
use crate::record::TimestampKind;
use crate::store::{self, Entry, EntryRef, TooLarge};

/// Bytes of a document beside key and value, roughly.
const FRAME_BYTES: usize = 192;
/// Nesting of a value that is copied into a document; common parsers give up at 128, and the document adds some.
const DEPTH_MAX: usize = 100;

/// What is written of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// How the value is written; none leaves it out.
    pub(super) value: Option<ValueFormat>,
    /// How much is told about where the value comes from.
    pub(super) origin: Origin,
    /// An item ends with its line: nothing within may break it.
    pub(super) one_line: bool,
}

/// How much is told about where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nothing.
    Untold,
    /// Partition and offset.
    Place,
    /// Timestamp and record headers as well.
    Whole,
}

/// Writes the document of `entry`; a JSON value is copied into it byte for byte.
///
/// # Errors
/// As [`Entry::headers`].
pub(super) fn write(config: &ViewConfig, key: &[u8], entry: &Entry) -> Result<Bytes, store::Error> {
    let entry = entry.borrowed();
    let form = Form { value: Some(config.value), origin: Origin::Whole, one_line: false };
    let mut out = Vec::with_capacity(FRAME_BYTES + key.len() + entry.value().map_or(0, <[u8]>::len));
    push_item(&mut out, form, KeyEncoding::of(config.key), key, &entry)?;
    Ok(out.into())
}

/// Appends an object of key and entry.
///
/// # Errors
/// As [`EntryRef::headers`].
pub(super) fn push_item(
    out: &mut Vec<u8>,
    form: Form,
    encoding: KeyEncoding,
    key: &[u8],
    entry: &EntryRef<'_>,
) -> Result<(), store::Error> {
    push_key(out, encoding, key);
    push_members(out, form, entry)?;
    out.push(b'}');
    Ok(())
}

/// Appends the members of an entry to an object that has some already.
///
/// # Errors
/// As [`EntryRef::headers`].
pub(super) fn push_members(out: &mut Vec<u8>, form: Form, entry: &EntryRef<'_>) -> Result<(), store::Error> {
    if let Some(format) = form.value {
        out.push(b',');
        match entry.value() {
            Ok(value) => push_value(out, format, form.one_line, value),
            Err(TooLarge { bytes }) => {
                push_text(out, format_args!("\"value_too_large\":{bytes}"));
                push_error(out, Code::VALUE_TOO_LARGE, "the view keeps no value of this size");
            }
        }
    }
    if form.origin == Origin::Untold {
        return Ok(());
    }
    out.extend_from_slice(b",\"partition\":");
    decimal::write(entry.slot.partition().into(), |digits| out.extend_from_slice(digits));
    out.extend_from_slice(b",\"offset\":");
    decimal::write(entry.header.offset.get(), |digits| out.extend_from_slice(digits));
    if form.origin == Origin::Whole {
        push_time(out, entry);
        push_headers(out, entry)?;
    }
    Ok(())
}

/// Begins an object with its key.
pub(super) fn push_key(out: &mut Vec<u8>, encoding: KeyEncoding, key: &[u8]) {
    match encoding.document_text(key) {
        Some(text) => {
            out.extend_from_slice(b"{\"key\":");
            push_string(out, &text);
        }
        None => {
            out.extend_from_slice(b"{\"key_base64\":");
            push_base64(out, key);
        }
    }
}

/// Values are not validated on the way in: what is not what it should be goes out as base64, and says so.
fn push_value(out: &mut Vec<u8>, format: ValueFormat, one_line: bool, value: &[u8]) {
    let text = std::str::from_utf8(value).ok();
    match (format, text) {
        (ValueFormat::Json, Some(json)) if is_embeddable(json) => {
            out.extend_from_slice(b"\"value\":");
            let start = out.len();
            out.extend_from_slice(value);
            if one_line {
                join_lines(out.get_mut(start..).unwrap_or_default());
            }
        }
        (ValueFormat::Text, Some(text)) => {
            out.extend_from_slice(b"\"value\":");
            push_string(out, text);
        }
        _ => {
            out.extend_from_slice(b"\"value_base64\":");
            push_base64(out, value);
            let code = Code::VALUE_NOT_REPRESENTABLE;
            match format {
                ValueFormat::Json => push_error(out, code, "the value is not JSON a document can hold"),
                ValueFormat::Text => push_error(out, code, "the value is not UTF-8"),
                ValueFormat::Bytes => {}
            }
        }
    }
}

/// Appends the member that says why there is no value.
fn push_error(out: &mut Vec<u8>, code: &Code, detail: &str) {
    push_text(out, format_args!(",\"error\":{{\"code\":\"{}\",\"detail\":\"{detail}\"}}", code.name));
}

/// Returns whether a document stays readable with `json` in it.
fn is_embeddable(json: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(json).is_ok() && !is_too_deep(json.as_bytes())
}

/// Looks at valid JSON only. Few values have enough brackets to be looked at closely.
fn is_too_deep(json: &[u8]) -> bool {
    if memchr2_iter(b'[', b'{', json).nth(DEPTH_MAX).is_none() {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    json.iter().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEPTH_MAX
    })
}

/// In valid JSON a line break stands between tokens only, where a space means the same.
fn join_lines(mut json: &mut [u8]) {
    while let Some(at) = memchr2(b'\n', b'\r', json) {
        let (line, rest) = json.split_at_mut(at + 1);
        line.last_mut().into_iter().for_each(|end| *end = b' ');
        json = rest;
    }
}

fn push_time(out: &mut Vec<u8>, entry: &EntryRef<'_>) {
    let timestamp = entry.header.timestamp;
    let kind = match timestamp.kind {
        TimestampKind::None => return,
        TimestampKind::Create => "create",
        TimestampKind::LogAppend => "log-append",
    };
    if let Some(at) = timestamp.at.rfc3339_ascii() {
        for piece in [b",\"timestamp\":\"", &at[..], b"\",\"timestamp_type\":\"", kind.as_bytes(), b"\""] {
            out.extend_from_slice(piece);
        }
    }
}

fn push_headers(out: &mut Vec<u8>, entry: &EntryRef<'_>) -> Result<(), store::Error> {
    let mut separator: &[u8] = b",\"headers\":[[";
    let mut end: &[u8] = b"";
    for (name, value) in entry.headers()? {
        out.extend_from_slice(separator);
        push_string(out, &String::from_utf8_lossy(name));
        out.push(b',');
        match value {
            Some(value) => push_base64(out, value),
            None => out.extend_from_slice(b"null"),
        }
        separator = b"],[";
        end = b"]]";
    }
    out.extend_from_slice(end);
    Ok(())
}

fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
    out.push(b'"');
}

/// Appends a JSON string.
pub(super) fn push_string(out: &mut Vec<u8>, text: &str) {
    // Cannot fail: a string has a JSON form, and a vector takes it.
    let _ = serde_json::to_writer(out, text);
}

/// Appends text as it is.
pub(super) fn push_text(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Cannot fail: a vector takes it.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sections::KeyFormat;

    fn value(format: ValueFormat, value: &[u8]) -> String {
        let mut out = Vec::new();
        push_value(&mut out, format, false, value);
        String::from_utf8(out).unwrap()
    }

    fn key(format: KeyFormat, key: &[u8]) -> String {
        let mut out = Vec::new();
        push_key(&mut out, KeyEncoding::of(format), key);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_copied_and_what_is_no_json_becomes_base64() {
        let odd = r#" {"a":1.0, "a":12345678901234567890123, "u":"\u00e9"} "#;
        assert_eq!(value(ValueFormat::Json, odd.as_bytes()), format!("\"value\":{odd}"));
        for broken in [&b""[..], b"{", b"{}{}", b"\xff", b"\"\xff\"", b"NaN"] {
            assert!(value(ValueFormat::Json, broken).starts_with("\"value_base64\":"), "{broken:?}");
        }
    }

    #[test]
    fn text_is_a_string_and_bytes_are_base64() {
        assert_eq!(value(ValueFormat::Text, b"a\"\n"), r#""value":"a\"\n""#);
        assert_eq!(value(ValueFormat::Text, b""), r#""value":"""#);
        assert!(
            value(ValueFormat::Text, b"\xff").starts_with(r#""value_base64":"/w==","error":{"code":"value-"#)
        );
        assert_eq!(value(ValueFormat::Bytes, b"a"), r#""value_base64":"YQ==""#);
    }

    #[test]
    fn a_value_nested_too_deeply_for_the_readers_of_a_document_becomes_base64() {
        let nested = |depth| ["[".repeat(depth), "]".repeat(depth)].concat();
        let in_a_string = format!("[\"\\\"{}\"]", "[".repeat(200));
        let wide = format!("[{}[]]", "[],".repeat(200));
        for fine in [nested(DEPTH_MAX), in_a_string, wide] {
            assert_eq!(value(ValueFormat::Json, fine.as_bytes()), format!("\"value\":{fine}"));
        }
        for deep in [nested(DEPTH_MAX + 1), nested(100_000), format!("[\"[\",{}]", nested(DEPTH_MAX))] {
            assert!(value(ValueFormat::Json, deep.as_bytes()).starts_with("\"value_base64\":"));
        }
    }

    #[test]
    fn a_line_stays_one_line_and_means_the_same() {
        let pretty = "{\n  \"a\":\r\n \"b\\n\",\t\"c\": 1.0\n}\n";
        let mut out = Vec::new();
        push_value(&mut out, ValueFormat::Json, true, pretty.as_bytes());
        let line = String::from_utf8(out).unwrap();
        assert!(!line.contains(['\n', '\r']), "{line}");
        let meaning = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(meaning(&format!("{{{line}}}"))["value"], meaning(pretty));
    }

    #[test]
    fn a_key_is_written_as_its_format_says() {
        assert_eq!(key(KeyFormat::String, b"u\"1"), r#"{"key":"u\"1""#);
        assert_eq!(key(KeyFormat::String, b"\xff"), r#"{"key_base64":"/w==""#);
        assert_eq!(key(KeyFormat::Bytes, b"a"), r#"{"key_base64":"YQ==""#);
        assert_eq!(key(KeyFormat::I64, &(-7_i64).to_be_bytes()), r#"{"key":"-7""#);
        assert_eq!(key(KeyFormat::I64, b"short"), r#"{"key_base64":"c2hvcnQ=""#);
        assert_eq!(key(KeyFormat::I32, &258_i32.to_be_bytes()), r#"{"key":"258""#);
        let uuid = r#"{"key":"00000000-0000-0000-0000-000000000000""#;
        assert_eq!(key(KeyFormat::Uuid, &[0; 16]), uuid);
    }
}
