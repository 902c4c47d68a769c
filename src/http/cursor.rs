//! Where a walk by pages goes on: opaque to clients, made of nothing the service would have to remember.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::code::Code;
use super::problem::Problem;
use crate::store::{KeyRange, Order};

/// First byte of a cursor.
const VERSION: u8 = 1;
/// Bytes of the checksum after it.
const SUM_BYTES: usize = 4;

/// The walk a cursor belongs to: it leads on in no other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) view: &'a str,
    pub(super) topic: &'a str,
    pub(super) range: &'a KeyRange,
    pub(super) order: Order,
}

impl Walk<'_> {
    /// Returns the cursor that leads on behind `key`.
    pub(super) fn cursor(&self, key: &[u8]) -> String {
        let mut bytes = Vec::with_capacity(1 + SUM_BYTES + key.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.sum(key));
        bytes.extend_from_slice(key);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Returns what is left of the range behind the key of a cursor, which anybody may have made up.
    ///
    /// # Errors
    /// `bad-cursor`.
    pub(super) fn rest(&self, cursor: &[u8]) -> Result<KeyRange, Problem> {
        let key = self.key(cursor).ok_or_else(|| {
            let detail =
                "the cursor is not one of this walk: send it unchanged, with the same range and order";
            Problem::new(Code::BAD_CURSOR, detail)
        })?;
        Ok(self.range.after(&key, self.order))
    }

    fn key(&self, cursor: &[u8]) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (sum, key) = rest.split_at_checked(SUM_BYTES)?;
        (*version == VERSION && *sum == self.sum(key)).then(|| key.to_vec())
    }

    /// Tells a cursor that was mangled, or taken from another walk, from one that was not. It keeps nobody from
    /// making one: with any key a walk stays within its range.
    fn sum(&self, key: &[u8]) -> [u8; SUM_BYTES] {
        let order = match self.order {
            Order::Ascending => b"a",
            Order::Descending => b"d",
        };
        let (end_known, end) = match &self.range.end {
            Some(end) => (b"e", end.as_slice()),
            None => (b"n", &[][..]),
        };
        let mut hasher = crc32fast::Hasher::new();
        for part in
            [self.view.as_bytes(), self.topic.as_bytes(), order, end_known, &self.range.start, end, key]
        {
            // With the length of each, so that no two walks are the same bytes.
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        hasher.finalize().to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn walk(range: &KeyRange) -> Walk<'_> {
        Walk { view: "users", topic: "profiles", range, order: Order::Ascending }
    }

    proptest! {
        #[test]
        fn a_cursor_leads_on_behind_its_key(key: Vec<u8>, start: Vec<u8>, end: Option<Vec<u8>>) {
            let range = KeyRange { start, end };
            for order in [Order::Ascending, Order::Descending] {
                let walk = Walk { order, ..walk(&range) };
                prop_assert_eq!(walk.rest(walk.cursor(&key).as_bytes()).unwrap(), range.after(&key, order));
            }
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(cursor: Vec<u8>) {
            let range = KeyRange::default();
            prop_assert_eq!(walk(&range).rest(&cursor).unwrap_err().code(), Code::BAD_CURSOR);
        }

        #[test]
        fn a_cursor_with_one_bit_turned_is_refused(key: Vec<u8>, bit: prop::sample::Index) {
            let range = KeyRange::default();
            let mut bytes = URL_SAFE_NO_PAD.decode(walk(&range).cursor(&key)).unwrap();
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let turned = URL_SAFE_NO_PAD.encode(bytes);
            prop_assert_eq!(walk(&range).rest(turned.as_bytes()).unwrap_err().code(), Code::BAD_CURSOR);
        }
    }

    #[test]
    fn a_cursor_of_another_walk_is_refused() {
        let all = KeyRange::default();
        let (ab, a_b) =
            (KeyRange::of_prefix(b"ab"), KeyRange { start: b"a".to_vec(), end: Some(b"b".to_vec()) });
        let own = walk(&all);
        let cursor = own.cursor(b"k");
        for other in [
            Walk { view: "orders", ..own },
            Walk { topic: "profiles2", ..own },
            Walk { order: Order::Descending, ..own },
            Walk { range: &ab, ..own },
            Walk { range: &a_b, ..own },
        ] {
            assert_eq!(other.rest(cursor.as_bytes()).unwrap_err().code(), Code::BAD_CURSOR, "{other:?}");
        }
        assert!(own.rest(cursor.as_bytes()).is_ok());
        for mangled in [format!("{cursor}="), format!("{cursor}A"), cursor[1..].to_owned(), String::new()] {
            assert!(own.rest(mangled.as_bytes()).is_err(), "{mangled}");
        }
    }
}
