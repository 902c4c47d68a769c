//! Stretches of a range that are walked on their own, where most of it is deleted.
//!
//! RocksDB does not tell how far it came when it gives up among deleted keys. So the range is cut: what lies behind the
//! cut is walked later, and that nothing lies before it is known once a walk gets there.

use super::range::{KeyRange, Order};

/// Shortest stretch: keys that share their first 128 bytes are not told apart.
const BITS_MAX: usize = 8 * 128;

/// How long the next stretch is: a share of all keys there can be, as `2^-bits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Zero for everything.
    bits: usize,
}

impl Stretch {
    /// All of the range.
    pub(super) const WHOLE: Self = Self { bits: 0 };

    pub(super) fn is_shortest(self) -> bool {
        self.bits == BITS_MAX
    }

    /// Returns a shorter one: the keys next to where the walk is, or half of what it was.
    pub(super) fn shorter(self, rest: &KeyRange, order: Order) -> Self {
        let bits = match self.bits {
            0 => 8 * (edge(rest, order).len() + 1),
            bits => bits + 1,
        };
        Self { bits: bits.min(BITS_MAX) }
    }

    /// Returns one of twice the length.
    pub(super) fn longer(self) -> Self {
        Self { bits: self.bits.saturating_sub(1) }
    }

    /// Returns the last key that belongs to it, in the order of the walk; none where it is all of the range.
    pub(super) fn last(self, rest: &KeyRange, order: Order) -> Option<Vec<u8>> {
        if self.bits == 0 {
            return None;
        }
        let from = edge(rest, order);
        match order {
            Order::Ascending => {
                let last = moved(from, self.bits, u8::wrapping_add, |sum, step| sum < step)?;
                rest.end.as_ref().is_none_or(|end| last < *end).then_some(last)
            }
            Order::Descending => {
                let unbounded = rest.end.is_none();
                let borrows = |rest: u8, step: u8| rest > u8::MAX - step;
                let last = match moved(from, self.bits, u8::wrapping_sub, borrows) {
                    // From behind all keys there are.
                    None if unbounded => vec![u8::MAX; self.bits.div_ceil(8)],
                    last => last?,
                };
                (last > rest.start).then_some(last)
            }
        }
    }
}

/// Returns where the walk begins.
fn edge(rest: &KeyRange, order: Order) -> &[u8] {
    match order {
        Order::Ascending => &rest.start,
        Order::Descending => rest.end.as_deref().unwrap_or_default(),
    }
}

/// Returns the key that lies `2^-bits` away, where keys are fractions, cut to so many bits; none if there is none.
fn moved(
    key: &[u8],
    bits: usize,
    step_by: impl Fn(u8, u8) -> u8,
    carries: impl Fn(u8, u8) -> bool,
) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = key.iter().copied().chain(std::iter::repeat(0)).take(bits.div_ceil(8)).collect();
    let mut step = 0x80_u8 >> ((bits - 1) % 8);
    if let Some(last) = out.last_mut() {
        *last &= !(step - 1);
    }
    for byte in out.iter_mut().rev() {
        *byte = step_by(*byte, step);
        if !carries(*byte, step) {
            return Some(out);
        }
        step = 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn last(bits: usize, start: &[u8], end: Option<&[u8]>, order: Order) -> Option<Vec<u8>> {
        let rest = KeyRange { start: start.to_vec(), end: end.map(<[u8]>::to_vec) };
        Stretch { bits }.last(&rest, order)
    }

    #[test]
    fn a_stretch_ends_a_share_of_all_keys_further_on() {
        assert_eq!(last(8, b"", None, Order::Ascending), Some(vec![0x01]));
        assert_eq!(last(1, b"\x12\x34", None, Order::Ascending), Some(vec![0x80]));
        assert_eq!(last(12, b"\x12\x34", None, Order::Ascending), Some(vec![0x12, 0x40]));
        assert_eq!(last(16, b"\x12\xff\x07", None, Order::Ascending), Some(vec![0x13, 0x00]));
        assert_eq!(last(24, b"\x12", None, Order::Ascending), Some(vec![0x12, 0x00, 0x01]));
        assert_eq!(last(8, b"\xff", None, Order::Ascending), None);
        assert_eq!(last(8, b"\x12", Some(b"\x13"), Order::Ascending), None);
        assert_eq!(last(8, b"", Some(b"\x12\x34"), Order::Descending), Some(vec![0x11]));
        assert_eq!(last(16, b"", Some(b"\x12"), Order::Descending), Some(vec![0x11, 0xff]));
        assert_eq!(last(8, b"", None, Order::Descending), Some(vec![0xff]));
        assert_eq!(last(8, b"", Some(b"\x00\x05"), Order::Descending), None);
        assert_eq!(last(8, b"\x11", Some(b"\x12"), Order::Descending), None);
    }

    proptest! {
        #[test]
        fn a_stretch_leads_on_and_stays_within_the_range(
            start in proptest::collection::vec(any::<u8>(), 0..4),
            end in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..4)),
            bits in 0_usize..40,
        ) {
            let range = KeyRange { start, end };
            prop_assume!(!range.is_empty());
            for order in [Order::Ascending, Order::Descending] {
                if let Some(last) = (Stretch { bits }).last(&range, order) {
                    prop_assert!(last > range.start && range.end.as_ref().is_none_or(|end| last < *end));
                }
            }
        }
    }
}
