//! Keys that were told in a later version than the steps have come to.

use std::collections::HashMap;

use super::{Arc, BTreeMap, Entry, Offset, Partition, Position, Reached, Room};
use crate::room::Share;

/// Bytes a key takes up here beside its own, about.
const KEY_BYTES: usize = 96;

/// Up to which offset what was told of a key reflects a partition, where the steps are not there yet.
///
/// Invariant: steps up to that offset are still to come, in the ring or about to be added. So there are not many
/// more keys here than changes in the ring.
#[derive(Debug)]
pub(super) struct Ahead {
    share: Share,
    keys: HashMap<Vec<u8>, (Partition, Offset)>,
    /// Up to where some key was told that there was no room for: it is told again with its step.
    forgotten: BTreeMap<Partition, Position>,
    /// Steps since it was last looked which keys the steps have passed.
    steps: usize,
}

impl Ahead {
    pub(super) fn new(room: &Arc<Room>) -> Self {
        Self { share: room.share(), keys: HashMap::new(), forgotten: BTreeMap::new(), steps: 0 }
    }

    /// Remembers an entry that was told before its step.
    pub(super) fn note(&mut self, key: &[u8], entry: &Entry, reached: &BTreeMap<Partition, Reached>) {
        let (partition, offset) = (entry.slot.partition(), entry.header.offset);
        if reached.get(&partition).is_some_and(|reached| offset.next() > reached.position) {
            self.note_absent(key, partition, offset);
        }
    }

    /// Remembers that a key was told to be absent.
    pub(super) fn note_absent(&mut self, key: &[u8], partition: Partition, offset: Offset) {
        if let Some(told) = self.keys.get_mut(key) {
            *told = (partition, offset);
        } else if self.share.take(bytes(key)) {
            self.keys.insert(key.to_vec(), (partition, offset));
        } else {
            let forgotten = self.forgotten.entry(partition).or_default();
            *forgotten = offset.next().max(*forgotten);
        }
    }

    /// Returns whether the change of a key by this record is contained in what was told.
    pub(super) fn passes(&mut self, key: &[u8], partition: Partition, offset: Offset) -> bool {
        let Some((told_of, told)) = self.keys.get(key).copied() else { return false };
        if told_of != partition {
            return false;
        }
        if told <= offset {
            self.keys.remove(key);
            self.share.give_back(bytes(key));
        }
        told >= offset
    }

    /// Returns whether a key that this record changed may have been told in a later version.
    pub(super) fn has_forgotten(&self, partition: Partition, offset: Offset) -> bool {
        self.forgotten.get(&partition).is_some_and(|forgotten| offset.next() <= *forgotten)
    }

    /// Forgets the keys that the steps have passed.
    pub(super) fn drop_passed(&mut self, reached: &BTreeMap<Partition, Reached>) {
        let is_ahead = |partition: Partition, position: Position| {
            reached.get(&partition).is_some_and(|reached| position > reached.position)
        };
        self.retain(|partition, offset| is_ahead(partition, offset.next()));
        self.forgotten.retain(|partition, position| is_ahead(*partition, *position));
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
        self.retain(|told_of, _| told_of != partition);
        self.forgotten.remove(&partition);
    }

    fn retain(&mut self, keep: impl Fn(Partition, Offset) -> bool) {
        let mut freed = 0;
        self.keys.retain(|key, (partition, offset)| {
            let kept = keep(*partition, *offset);
            freed += if kept { 0 } else { bytes(key) };
            kept
        });
        self.keys.shrink_to(self.keys.len() * 2);
        self.share.give_back(freed);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

fn bytes(key: &[u8]) -> usize {
    key.len() + KEY_BYTES
}
