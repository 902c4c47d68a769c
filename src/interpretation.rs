//! What a record means for a view.

use crate::record::Record;

/// Number of the rules a slot was built by; other rules need another slot.
pub const RULES_LATEST_VALUE: u32 = 0;

/// What happens to one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// The key has this value from now on.
    Upsert {
        /// Key bytes.
        key: &'a [u8],
        /// Value bytes; may be empty.
        value: &'a [u8],
    },
    /// The key has no value any more.
    Delete {
        /// Key bytes.
        key: &'a [u8],
    },
}

/// Interprets a record as the latest value of its key; none for a record without a key.
#[must_use]
pub fn latest_value<'a>(record: &Record<'a>) -> Option<Change<'a>> {
    let key = record.key?;
    Some(match record.value {
        Some(value) => Change::Upsert { key, value },
        None => Change::Delete { key },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Offset;
    use crate::record::{Timestamp, TimestampKind};
    use crate::time::Millis;

    fn record<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Record<'a> {
        let timestamp = Timestamp { at: Millis::new(0), kind: TimestampKind::Create };
        Record {
            partition: 0,
            offset: Offset::new(0),
            leader_epoch: None,
            timestamp,
            key,
            value,
            headers: &[],
        }
    }

    #[test]
    fn only_a_null_value_deletes() {
        assert_eq!(latest_value(&record(Some(b"k"), None)), Some(Change::Delete { key: b"k" }));
        let empty = Change::Upsert { key: b"k", value: b"" };
        assert_eq!(latest_value(&record(Some(b"k"), Some(b""))), Some(empty));
        let json_null = Change::Upsert { key: b"k", value: b"null" };
        assert_eq!(latest_value(&record(Some(b"k"), Some(b"null"))), Some(json_null));
    }

    #[test]
    fn an_empty_key_is_a_key_and_a_null_key_is_none() {
        assert!(latest_value(&record(Some(b""), None)).is_some());
        assert_eq!(latest_value(&record(None, Some(b"v"))), None);
    }
}
