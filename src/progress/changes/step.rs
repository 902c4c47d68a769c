//! What happens to a view, step by step.

use std::ops::Range;

use super::Builds;
use crate::entry::SlotNumber;
use crate::position::{Offset, Partition, Position};

/// Bytes a step takes up beside its keys, about.
const STEP_BYTES: usize = 160;

/// One thing that happened to a view.
#[derive(Debug)]
pub enum Step {
    /// Keys of a partition changed.
    Applied(Applied),
    /// Another slot answers for a partition, or none any more.
    Moved(Moved),
}

/// What one write changed in the slot that answers for a partition: every key once, in key order.
#[derive(Debug)]
pub struct Applied {
    partition: Partition,
    slot: SlotNumber,
    /// Where the step before of this slot led, or where the slot began to answer.
    after: Position,
    position: Position,
    rows: Vec<Row>,
    keys: Vec<u8>,
}

/// The end of a key, and the record that changed it.
#[derive(Debug)]
struct Row {
    end: usize,
    offset: Offset,
}

/// A partition whose entries come from elsewhere now, or that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// The partition.
    pub partition: Partition,
    /// Where its entries are now; none where the partition is gone.
    pub to: Option<Reached>,
    /// How it came about.
    pub reason: Reason,
    /// Some keys may lie in other partitions as well: what this one held says which of their values counted.
    pub entangled: bool,
    /// The builds that answer from now on.
    pub builds: Builds,
}

/// How far a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The slot.
    pub slot: SlotNumber,
    /// Everything below is applied.
    pub position: Position,
}

/// Why what a watcher knows of a partition may be wrong: it has to begin anew there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The partition was built anew from the same topic.
    Rebuilt,
    /// The topic was deleted and created again.
    TopicRecreated,
    /// The topic has more partitions than before.
    PartitionAdded,
    /// What the watcher knows lies further back than what is kept, or is of another service.
    Gap,
    /// The watcher was too slow.
    Overflow,
}

impl Reason {
    /// Returns the stable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rebuilt => "rebuilt",
            Self::TopicRecreated => "topic-recreated",
            Self::PartitionAdded => "partition-added",
            Self::Gap => "gap",
            Self::Overflow => "overflow",
        }
    }
}

impl Applied {
    /// Makes a step that leads the slot to `position`.
    #[must_use]
    pub fn new(partition: Partition, slot: SlotNumber, position: Position) -> Self {
        Self { partition, slot, after: Position::ZERO, position, rows: Vec::new(), keys: Vec::new() }
    }

    /// Adds a key that the record at `offset` changed; keys come in their order.
    pub fn push(&mut self, key: &[u8], offset: Offset) {
        self.keys.extend_from_slice(key);
        self.rows.push(Row { end: self.keys.len(), offset });
    }

    /// Takes its place after the step that led the slot to `position`.
    pub(super) fn set_after(&mut self, position: Position) {
        self.after = position;
    }

    /// Returns from where on somebody has to know the slot to miss nothing before this step.
    pub(super) fn after(&self) -> Position {
        self.after
    }

    /// Returns the partition.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// Returns the slot that was written to.
    #[must_use]
    pub fn slot(&self) -> SlotNumber {
        self.slot
    }

    /// Returns the position the slot got to.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Returns how many keys changed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns whether no key changed: the position went over records that change nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the key of that number and the offset of the record that changed it.
    #[must_use]
    pub fn change(&self, number: usize) -> Option<(&[u8], Offset)> {
        let row = self.rows.get(number)?;
        let start = number.checked_sub(1).and_then(|before| self.rows.get(before)).map_or(0, |row| row.end);
        Some((self.keys.get(start..row.end)?, row.offset))
    }

    /// Returns the numbers of the changed keys from `start` on and below `end`.
    #[must_use]
    pub fn within(&self, start: &[u8], end: Option<&[u8]>) -> Range<usize> {
        let first = self.count_below(start);
        first..end.map_or(self.len(), |end| self.count_below(end)).max(first)
    }

    /// Returns how many of the changed keys come before `key`.
    fn count_below(&self, key: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.change(middle).is_some_and(|(changed, _)| changed < key) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

impl Step {
    /// Returns how many changes the step counts for.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Applied(applied) => applied.len(),
            Self::Moved(_) => 1,
        }
    }

    /// Returns about how much memory the step takes up.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Applied(applied) => {
                STEP_BYTES + applied.keys.capacity() + applied.rows.capacity() * size_of::<Row>()
            }
            Self::Moved(_) => STEP_BYTES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_by_number_and_by_range() {
        let mut applied = Applied::new(0, SlotNumber(1), Position::new(9));
        for (number, key) in [&b""[..], b"a", b"ab", b"b"].into_iter().enumerate() {
            applied.push(key, Offset::new(i64::try_from(number).unwrap()));
        }
        assert_eq!(applied.change(2), Some((&b"ab"[..], Offset::new(2))));
        assert_eq!(applied.change(4), None);
        assert_eq!(applied.within(b"", None), 0..4);
        assert_eq!(applied.within(b"a", Some(b"b")), 1..3);
        assert_eq!(applied.within(b"c", None), 4..4);
        assert_eq!(applied.within(b"b", Some(b"a")), 3..3);
    }
}
