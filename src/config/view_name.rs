//! The name of a view.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Names a view in the configuration, in URLs and in the data directory.
///
/// It matches `[a-z0-9][a-z0-9_-]{0,62}`, so it is one safe segment of a path everywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ViewName(String);

/// The length that fits a DNS label, so that a view may name a host or a volume.
const LENGTH_MAX: usize = 63;

/// A text is not the name of a view.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the name of a view: write 1 to 63 of a-z, 0-9, `-` and `_`, the first a letter or a digit"
)]
pub struct InvalidViewName(String);

impl ViewName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_legal(name: &str) -> bool {
    let letter_or_digit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= LENGTH_MAX
        && name.bytes().next().is_some_and(letter_or_digit)
        && name.bytes().all(|byte| letter_or_digit(byte) || matches!(byte, b'-' | b'_'))
}

impl TryFrom<String> for ViewName {
    type Error = InvalidViewName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        if is_legal(&name) { Ok(Self(name)) } else { Err(InvalidViewName(name)) }
    }
}

impl FromStr for ViewName {
    type Err = InvalidViewName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        name.to_owned().try_into()
    }
}

impl From<ViewName> for String {
    fn from(name: ViewName) -> Self {
        name.0
    }
}

impl fmt::Display for ViewName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for ViewName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ViewName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl JsonSchema for ViewName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ViewName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_digits_dashes_and_underscores_name_a_view() {
        for name in ["users", "7", "user-profiles_v2", &"x".repeat(63)] {
            assert_eq!(name.parse::<ViewName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_is_no_safe_path_segment_is_refused() {
        for name in ["", "-users", "_users", "Users", "a.b", "a/b", "..", "a b", "é", &"x".repeat(64)] {
            assert!(name.parse::<ViewName>().is_err(), "{name:?} was accepted");
        }
    }

    #[test]
    fn the_error_shows_the_name_and_the_rule() {
        let error = serde_json::from_str::<ViewName>(r#""User Profiles""#).unwrap_err().to_string();

        assert!(error.contains(r#""User Profiles" is not the name of a view: write"#), "{error}");
    }
}
