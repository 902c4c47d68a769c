//! Keys that were told in a later version than the steps have come to.

use std::collections::HashMap;

use super::{BTreeMap, Entry, Offset, Partition, Reached};

/// Up to which offset what was told of a key reflects a partition, where the steps are not there yet.
///
/// Invariant: steps up to that offset are still to come, in the ring or about to be added. So there are not many
/// more keys here than changes in the ring.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    keys: HashMap<Vec<u8>, (Partition, Offset)>,
    /// Steps since it was last looked which keys the steps have passed.
    steps: usize,
}

impl Ahead {
    /// Remembers an entry that was told before its step.
    pub(super) fn note(&mut self, key: &[u8], entry: &Entry, reached: &BTreeMap<Partition, Reached>) {
        let (partition, offset) = (entry.slot.partition(), entry.header.offset);
        if reached.get(&partition).is_some_and(|reached| offset.next() > reached.position) {
            self.keys.insert(key.to_vec(), (partition, offset));
        }
    }

    /// Remembers that a key was told to be absent.
    pub(super) fn note_absent(&mut self, key: &[u8], partition: Partition, offset: Offset) {
        self.keys.insert(key.to_vec(), (partition, offset));
    }

    /// Returns whether the change of a key by this record is contained in what was told.
    pub(super) fn passes(&mut self, key: &[u8], partition: Partition, offset: Offset) -> bool {
        let Some((told_of, told)) = self.keys.get(key).copied() else { return false };
        if told_of != partition {
            return false;
        }
        if told <= offset {
            self.keys.remove(key);
        }
        told >= offset
    }

    /// Forgets the keys that the steps have passed.
    pub(super) fn drop_passed(&mut self, reached: &BTreeMap<Partition, Reached>) {
        self.keys.retain(|_, (partition, offset)| {
            reached.get(partition).is_some_and(|reached| offset.next() > reached.position)
        });
        self.steps = 0;
    }

    /// The same, so rarely that it costs little.
    pub(super) fn drop_passed_in_time(&mut self, reached: &BTreeMap<Partition, Reached>) {
        self.steps += 1;
        if self.steps > self.keys.len() {
            self.drop_passed(reached);
        }
    }

    /// Forgets what was told of a partition.
    pub(super) fn forget(&mut self, partition: Partition) {
        self.keys.retain(|_, (told_of, _)| *told_of != partition);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}
