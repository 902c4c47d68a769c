//! How the bytes of a key are written in a URL.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use uuid::Uuid;

use super::code::Code;
use super::percent::BadEscape;
use super::problem::Problem;
use crate::config::sections::KeyFormat;

/// Longest key that can be asked for by URL; a URL of more than 64 KiB does not get through the parser.
pub(super) const KEY_BYTES_MAX: usize = 8 * 1024;

/// Padding is tolerated; bits that no byte needs must be zero, so that no two texts mean the same key.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How the bytes of a key are written in a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyEncoding {
    Utf8,
    Base64Url,
    Hex,
    I32,
    I64,
    Uuid,
}

impl KeyEncoding {
    /// Names of all encodings, as `enc` takes them.
    pub(super) const NAMES: [&'static str; 6] = ["utf8", "base64url", "hex", "i32", "i64", "uuid"];

    /// Returns the encoding of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "utf8" => Self::Utf8,
            "base64url" => Self::Base64Url,
            "hex" => Self::Hex,
            "i32" => Self::I32,
            "i64" => Self::I64,
            "uuid" => Self::Uuid,
            _ => return None,
        })
    }

    /// Returns the name, as `enc` takes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Base64Url => "base64url",
            Self::Hex => "hex",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::Uuid => "uuid",
        }
    }

    /// Returns the encoding that a view uses unless told otherwise.
    pub(super) fn of(format: KeyFormat) -> Self {
        match format {
            KeyFormat::String | KeyFormat::Json => Self::Utf8,
            KeyFormat::Bytes => Self::Base64Url,
            KeyFormat::I32 => Self::I32,
            KeyFormat::I64 => Self::I64,
            KeyFormat::Uuid => Self::Uuid,
        }
    }

    /// Returns the bytes of the key that percent-decoded `text` stands for.
    ///
    /// # Errors
    /// `bad-key` or `uri-too-long`.
    pub(super) fn decode(self, text: Result<Cow<'_, [u8]>, BadEscape>) -> Result<Cow<'_, [u8]>, Problem> {
        let escapes = "a percent sign is not followed by two hex digits";
        let key = self.decode_text(text.map_err(|BadEscape| Problem::new(Code::BAD_KEY, escapes))?)?;
        if key.len() > KEY_BYTES_MAX {
            let detail = format!("a key in a URL has at most {KEY_BYTES_MAX} bytes");
            return Err(Problem::new(Code::URI_TOO_LONG, detail));
        }
        Ok(key)
    }

    /// Returns the bytes of the key that `text` stands for, however many they are.
    ///
    /// # Errors
    /// `bad-key`.
    pub(super) fn decode_text(self, text: Cow<'_, [u8]>) -> Result<Cow<'_, [u8]>, Problem> {
        let key = match self {
            Self::Utf8 => std::str::from_utf8(&text).is_ok().then_some(text),
            Self::Base64Url => BASE64URL.decode(&text).ok().map(Cow::Owned),
            Self::Hex => hex(&text).map(Cow::Owned),
            Self::I32 => decimal(&text).map(|number: i32| Cow::Owned(number.to_be_bytes().to_vec())),
            Self::I64 => decimal(&text).map(|number: i64| Cow::Owned(number.to_be_bytes().to_vec())),
            Self::Uuid => uuid(&text).map(|uuid| Cow::Owned(uuid.as_bytes().to_vec())),
        };
        key.ok_or_else(|| Problem::new(Code::BAD_KEY, self.rule()))
    }

    /// Returns the text of a key in a document; none when the key is not of this encoding.
    pub(super) fn document_text(self, key: &[u8]) -> Option<Cow<'_, str>> {
        match self {
            Self::Utf8 => std::str::from_utf8(key).ok().map(Cow::Borrowed),
            Self::I32 => Some(i32::from_be_bytes(key.try_into().ok()?).to_string().into()),
            Self::I64 => Some(i64::from_be_bytes(key.try_into().ok()?).to_string().into()),
            Self::Uuid => Some(Uuid::from_slice(key).ok()?.to_string().into()),
            Self::Base64Url | Self::Hex => None,
        }
    }

    fn rule(self) -> &'static str {
        match self {
            Self::Utf8 => "the key is not UTF-8; ask for such a key with `enc=base64url` or `enc=hex`",
            Self::Base64Url => "the key is not base64url (A-Z a-z 0-9 - _, unused bits zero)",
            Self::Hex => "the key is not hex: two digits per byte",
            Self::I32 => "the key is not a decimal number of 32 bits, such as -7 (no plus, no leading zeros)",
            Self::I64 => "the key is not a decimal number of 64 bits, such as -7 (no plus, no leading zeros)",
            Self::Uuid => "the key is not a UUID: 32 hex digits, with hyphens as 8-4-4-4-12 or without",
        }
    }
}

fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// One text per number: what the number is written as, and nothing else.
fn decimal<N: std::str::FromStr + ToString>(text: &[u8]) -> Option<N> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok().filter(|number: &N| number.to_string() == text)
}

fn uuid(text: &[u8]) -> Option<Uuid> {
    matches!(text.len(), 32 | 36).then(|| Uuid::try_parse_ascii(text).ok())?
}

#[cfg(test)]
mod tests;
