//! The walk over what is stored, partition by partition, key by key.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{BYTES, Feed, Partition, Reason, UPDATES, Update};
use crate::store::{self, Entry, KeyRange, Order, Rows, Slot, SlotTable};

/// How long partitions are walked over for one piece, about: not all of them have something to tell.
const PIECE_TIME: Duration = Duration::from_millis(5);

/// How far a walk has come.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Partitions still to be walked over.
    left: VecDeque<Partition>,
    /// How far the first of them was walked over.
    after: Option<Vec<u8>>,
    /// Partitions whose tombstones have to be told: clients know keys that these outrank.
    outranking: BTreeSet<Partition>,
    count: u64,
    /// The partition has moved, and the step that leads there is still to come.
    pub(super) waits: bool,
}

impl Walk {
    pub(super) fn over(partitions: impl Iterator<Item = Partition>) -> Self {
        Self { left: partitions.collect(), ..Self::default() }
    }

    pub(super) fn add(&mut self, partition: Partition, reason: Reason) {
        self.left.push_back(partition);
        if reason == Reason::PartitionAdded {
            self.outranking.insert(partition);
        }
    }

    pub(super) fn leave_out(&mut self, partition: Partition) {
        if self.left.front() == Some(&partition) {
            self.after = None;
        }
        self.left.retain(|left| *left != partition);
        self.outranking.remove(&partition);
        self.waits = false;
    }

    fn rest(&self, keys: &KeyRange) -> KeyRange {
        self.after.as_ref().map_or_else(|| keys.clone(), |after| keys.after(after, Order::Ascending))
    }
}

impl Feed {
    /// Tells a piece of what is stored, if a walk is going on.
    pub(super) fn walk_on(&mut self) -> Result<(), store::Error> {
        let Some(mut walk) = self.walk.take() else { return Ok(()) };
        let table = self.view.store().table();
        walk.waits = false;
        let began = Instant::now();
        while let Some(partition) = walk.left.front().copied() {
            let slot = table.serving().get(&partition).filter(|slot| self.follows(slot));
            let Some(slot) = slot else {
                walk.waits = true;
                break;
            };
            if self.told.is_full() || began.elapsed() >= PIECE_TIME {
                break;
            }
            self.walk_over(&mut walk, slot, &table)?;
            if walk.after.is_some() {
                break;
            }
        }
        if walk.left.is_empty() {
            self.told.push(Update::Synced { count: walk.count });
        } else {
            self.walk = Some(walk);
        }
        Ok(())
    }

    /// Walks over a piece of a partition.
    fn walk_over(
        &mut self,
        walk: &mut Walk,
        slot: &Arc<Slot>,
        table: &SlotTable,
    ) -> Result<(), store::Error> {
        let keys = walk.rest(&self.wanted.keys);
        let Rows { rows, after } = self.view.store().rows(slot, &keys, UPDATES, BYTES)?;
        if after.is_none() {
            walk.left.pop_front();
        }
        walk.after = after;
        let only_here = table.has_one_place_per_key();
        for (key, row) in rows {
            let (marker, offset) = (row.header.marker, row.header.offset);
            match if only_here { visible(row) } else { self.view.store().find(table, &key)? } {
                // The walk over the partition it is in tells it.
                Some(entry) if entry.slot.number() != slot.number() => {}
                Some(entry) => {
                    walk.count += 1;
                    self.ahead.note(&key, &entry, &self.reached);
                    self.told.push(Update::Put { key, entry });
                }
                None if marker && walk.outranking.contains(&slot.partition()) => {
                    let partition = slot.partition();
                    self.told.push(Update::Delete { key, partition, offset });
                }
                None => {}
            }
        }
        Ok(())
    }
}

fn visible(row: Entry) -> Option<Entry> {
    (!row.header.marker).then_some(row)
}
