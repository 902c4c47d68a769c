//! The `entry` representation: a document of key, value and where they come from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::IgnoredAny;

use super::key::KeyEncoding;
use crate::config::sections::{KeyFormat, ValueFormat, ViewConfig};
use crate::record::TimestampKind;
use crate::store::{self, Entry, TooLarge};

/// Bytes of a document beside key and value, roughly.
const FRAME_BYTES: usize = 192;

/// Writes the document of `entry`; a JSON value is copied into it byte for byte.
///
/// # Errors
/// As [`Entry::headers`].
pub(super) fn write(config: &ViewConfig, key: &[u8], entry: &Entry) -> Result<Bytes, store::Error> {
    let value = entry.value();
    let length = value.as_ref().map_or(0, Bytes::len);
    let mut out = Vec::with_capacity(FRAME_BYTES + key.len() + length);
    push_key(&mut out, config.key, key);
    out.push(b',');
    match value {
        Ok(value) => push_value(&mut out, config.value, &value),
        Err(TooLarge { bytes }) => out.extend_from_slice(format!("\"value_too_large\":{bytes}").as_bytes()),
    }
    let (partition, offset) = (entry.slot.partition(), entry.header.offset);
    out.extend_from_slice(format!(",\"partition\":{partition},\"offset\":{offset}").as_bytes());
    let timestamp = entry.header.timestamp;
    let kind = match timestamp.kind {
        TimestampKind::None => None,
        TimestampKind::Create => Some("create"),
        TimestampKind::LogAppend => Some("log-append"),
    };
    if let (Some(kind), Some(at)) = (kind, timestamp.at.rfc3339()) {
        out.extend_from_slice(format!(",\"timestamp\":\"{at}\",\"timestamp_type\":\"{kind}\"").as_bytes());
    }
    push_headers(&mut out, entry)?;
    out.push(b'}');
    Ok(out.into())
}

fn push_key(out: &mut Vec<u8>, format: KeyFormat, key: &[u8]) {
    match KeyEncoding::of(format).document_text(key) {
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

/// Values are not validated on the way in: what is not what it should be goes out as base64.
fn push_value(out: &mut Vec<u8>, format: ValueFormat, value: &[u8]) {
    let text = std::str::from_utf8(value).ok();
    match (format, text) {
        (ValueFormat::Json, Some(json)) if serde_json::from_str::<IgnoredAny>(json).is_ok() => {
            out.extend_from_slice(b"\"value\":");
            out.extend_from_slice(value);
        }
        (ValueFormat::Text, Some(text)) => {
            out.extend_from_slice(b"\"value\":");
            push_string(out, text);
        }
        _ => {
            out.extend_from_slice(b"\"value_base64\":");
            push_base64(out, value);
        }
    }
}

fn push_headers(out: &mut Vec<u8>, entry: &Entry) -> Result<(), store::Error> {
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

fn push_string(out: &mut Vec<u8>, text: &str) {
    // Cannot fail: a string has a JSON form, and a vector takes it.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(format: ValueFormat, value: &[u8]) -> String {
        let mut out = Vec::new();
        push_value(&mut out, format, value);
        String::from_utf8(out).unwrap()
    }

    fn key(format: KeyFormat, key: &[u8]) -> String {
        let mut out = Vec::new();
        push_key(&mut out, format, key);
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
        assert_eq!(value(ValueFormat::Text, b"\xff"), r#""value_base64":"/w==""#);
        assert_eq!(value(ValueFormat::Bytes, b"a"), r#""value_base64":"YQ==""#);
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
