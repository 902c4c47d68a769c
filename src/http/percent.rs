//! Strict percent-decoding, bytes to bytes.

use std::borrow::Cow;

/// A `%` that is not followed by two hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadEscape;

/// Decodes a segment of a path, where `+` is a plus.
pub(super) fn of_path(raw: &str) -> Result<Cow<'_, [u8]>, BadEscape> {
    decode(raw.as_bytes(), b'+')
}

/// Decodes a name or a value of a query, where `+` is a space.
pub(super) fn of_query(raw: &str) -> Result<Cow<'_, [u8]>, BadEscape> {
    decode(raw.as_bytes(), b' ')
}

fn decode(raw: &[u8], plus: u8) -> Result<Cow<'_, [u8]>, BadEscape> {
    if !raw.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex_digit(bytes.next())? << 4 | hex_digit(bytes.next())?,
            b'+' => plus,
            _ => byte,
        });
    }
    Ok(Cow::Owned(decoded))
}

fn hex_digit(byte: Option<u8>) -> Result<u8, BadEscape> {
    let digit = char::from(byte.ok_or(BadEscape)?).to_digit(16).ok_or(BadEscape)?;
    u8::try_from(digit).map_err(|_| BadEscape)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_become_bytes_once() {
        for (raw, bytes) in [
            ("plain", &b"plain"[..]),
            ("a%2Fb%2fc", b"a/b/c"),
            ("%00%ff%7F", b"\0\xff\x7f"),
            ("%252F", b"%2F"),
            ("..%2f..", b"../.."),
            ("", b""),
            ("ü", "ü".as_bytes()),
        ] {
            assert_eq!(of_path(raw).unwrap(), bytes, "{raw}");
            assert_eq!(of_query(raw).unwrap(), bytes, "{raw}");
        }
    }

    #[test]
    fn a_plus_is_a_plus_in_a_path_and_a_space_in_a_query() {
        assert_eq!(of_path("a+b%2B").unwrap(), &b"a+b+"[..]);
        assert_eq!(of_query("a+b%2B").unwrap(), &b"a b+"[..]);
    }

    #[test]
    fn a_broken_escape_is_refused() {
        for raw in ["%", "%a", "a%", "%zz", "%1g", "%+1", "% 1", "%%41", "%u0041", "%é"] {
            assert_eq!(of_path(raw), Err(BadEscape), "{raw}");
            assert_eq!(of_query(raw), Err(BadEscape), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_decoded_or_refused_without_a_panic(raw in ".{0,40}") {
            let _ = (of_path(&raw), of_query(&raw));
        }
    }
}
