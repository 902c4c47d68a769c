//! How sizes, durations and addresses are written in the configuration.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// The `format` of a size in the JSON Schema.
pub(super) const SIZE: &str = "size";
/// The `format` of a duration in the JSON Schema; JSON Schema's own `duration` is the ISO 8601 one.
pub(super) const TIMESPAN: &str = "timespan";
/// The `format` of a socket address in the JSON Schema.
pub(super) const ADDRESS: &str = "socket-address";

macro_rules! schema_of_text {
    ($(#[$doc:meta])* $name:ident, $schema:tt) => {
        $(#[$doc])*
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

schema_of_text!(
    /// A number of bytes, or a number with a unit such as `64MiB`.
    Size,
    { "type": ["string", "integer"], "format": SIZE, "examples": ["64MiB"] }
);

schema_of_text!(
    /// A number with a unit such as `30s`; several may follow each other.
    Timespan,
    { "type": "string", "format": TIMESPAN, "examples": ["500ms", "30s", "5m"] }
);

schema_of_text!(
    /// An IP address and a port.
    Address,
    { "type": "string", "format": ADDRESS, "examples": ["127.0.0.1:8080", "[::1]:8080"] }
);

/// Sizes in text that loses no byte: `64MiB`, or `1000B` where no larger unit divides it.
pub(super) mod size {
    use bytesize::ByteSize;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Reads a number of bytes or a text with a unit.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
        ByteSize::deserialize(deserializer)
    }

    /// Writes a text that reads back as the same number of bytes.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives the signature")]
    pub fn serialize<S: Serializer>(size: &ByteSize, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&exact(*size))
    }

    /// Returns the size in the largest unit that divides it.
    pub fn exact(size: ByteSize) -> String {
        let bytes = size.as_u64();
        [(bytesize::GIB, "GiB"), (bytesize::MIB, "MiB"), (bytesize::KIB, "KiB")]
            .into_iter()
            .find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit))
            .map_or_else(|| format!("{bytes}B"), |(unit, name)| format!("{}{name}", bytes / unit))
    }
}

/// Sizes that may be left out.
pub(super) mod optional_size {
    use bytesize::ByteSize;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Reads a number of bytes or a text with a unit.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ByteSize>, D::Error> {
        Option::deserialize(deserializer)
    }

    /// Writes a text that reads back as the same number of bytes.
    #[allow(clippy::ref_option, reason = "serde gives the signature")]
    pub fn serialize<S: Serializer>(size: &Option<ByteSize>, serializer: S) -> Result<S::Ok, S::Error> {
        match size {
            Some(size) => super::size::serialize(size, serializer),
            None => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytesize::ByteSize;

    use super::*;

    #[test]
    fn a_size_reads_back_as_the_same_number_of_bytes() {
        for (bytes, text) in [(0, "0B"), (1000, "1000B"), (16_777_217, "16777217B"), (67_108_864, "64MiB")] {
            assert_eq!(size::exact(ByteSize(bytes)), text);
            assert_eq!(text.parse::<ByteSize>().unwrap(), ByteSize(bytes));
        }
    }
}
