//! Ranges of keys, and the order in which they are walked.

use crate::entry::{self, SlotNumber};

/// Keys in unsigned byte order, from a start up to an end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyRange {
    /// The first key, inclusive.
    pub start: Vec<u8>,
    /// The end, exclusive; none goes on to the last key there is.
    pub end: Option<Vec<u8>>,
}

/// Which way a range is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// From the first key on.
    #[default]
    Ascending,
    /// From the last key back.
    Descending,
}

impl KeyRange {
    /// Returns the range of all keys that start with `prefix`.
    #[must_use]
    pub fn of_prefix(prefix: &[u8]) -> Self {
        // The next prefix of that length; where all bytes are 0xff no key comes after those.
        let mut end = prefix.to_vec();
        while end.last() == Some(&0xff) {
            end.pop();
        }
        let end = end.pop().map(|last| {
            end.push(last + 1);
            end
        });
        Self { start: prefix.to_vec(), end }
    }

    /// Returns the range of one key.
    #[must_use]
    pub fn of_key(key: &[u8]) -> Self {
        Self { start: key.to_vec(), end: Some([key, &[0]].concat()) }
    }

    /// Returns whether no key can lie in the range.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }

    /// Returns the part of the range that is left once `key` was visited.
    #[must_use]
    pub fn after(&self, key: &[u8], order: Order) -> Self {
        match order {
            // The next key there can be.
            Order::Ascending => {
                Self { start: [key, &[0]].concat().max(self.start.clone()), end: self.end.clone() }
            }
            Order::Descending => {
                let end = self.end.as_deref().map_or(key, |end| end.min(key));
                Self { start: self.start.clone(), end: Some(end.to_vec()) }
            }
        }
    }

    /// Returns the part of the range up to `key`, which belongs to it.
    #[must_use]
    pub fn up_to(&self, key: &[u8], order: Order) -> Self {
        match order {
            Order::Ascending => {
                let behind = [key, &[0]].concat();
                let end = self.end.clone().map_or(behind.clone(), |end| end.min(behind));
                Self { start: self.start.clone(), end: Some(end) }
            }
            Order::Descending => Self { start: key.to_vec().max(self.start.clone()), end: self.end.clone() },
        }
    }

    /// Returns the range of storage keys in a slot: start inclusive, end exclusive.
    pub(super) fn in_slot(&self, slot: SlotNumber) -> (Vec<u8>, Vec<u8>) {
        let storage_key = |key: &[u8]| {
            let mut out = Vec::with_capacity(entry::KEY_PREFIX_BYTES + key.len());
            entry::push_key(&mut out, slot, key);
            out
        };
        let end = self.end.as_deref().map(storage_key);
        (storage_key(&self.start), end.unwrap_or_else(|| entry::slot_range(slot).1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contains(range: &KeyRange, key: &[u8]) -> bool {
        *range.start <= *key && range.end.as_ref().is_none_or(|end| *key < **end)
    }

    proptest! {
        #[test]
        fn a_prefix_holds_the_keys_that_start_with_it_and_no_other(
            prefix in proptest::collection::vec(prop_oneof![Just(0xff), Just(0xfe), Just(0)], 0..4),
            key in proptest::collection::vec(prop_oneof![Just(0xff), Just(0xfe), Just(0)], 0..6),
        ) {
            prop_assert_eq!(contains(&KeyRange::of_prefix(&prefix), &key), key.starts_with(&prefix));
        }

        #[test]
        fn what_is_left_after_a_key_is_what_comes_after_it(
            start in proptest::collection::vec(0_u8..3, 0..3),
            end in proptest::option::of(proptest::collection::vec(0_u8..3, 0..3)),
            key in proptest::collection::vec(0_u8..3, 0..4),
            other in proptest::collection::vec(0_u8..3, 0..4),
        ) {
            let range = KeyRange { start, end };
            let inside = contains(&range, &other);
            prop_assert_eq!(contains(&range.after(&key, Order::Ascending), &other), inside && other > key);
            prop_assert_eq!(contains(&range.after(&key, Order::Descending), &other), inside && other < key);
            prop_assert_eq!(contains(&range.up_to(&key, Order::Ascending), &other), inside && other <= key);
            prop_assert_eq!(contains(&range.up_to(&key, Order::Descending), &other), inside && other >= key);
        }
    }
}
