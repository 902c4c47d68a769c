//! Slots that answer no more: what they take on the disk is freed.

use std::sync::Arc;

use rocksdb::WriteBatch;

use super::error::Result;
use super::meta;
use super::writer::Writer;
use crate::entry::{self, SlotNumber};

impl Writer {
    /// Drops the entries of slots that no reader holds any more; returns how many slots that were.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    pub fn sweep(&mut self) -> Result<usize> {
        let before = self.retired.len();
        while let Some(at) = self.retired.iter().position(|slot| Arc::strong_count(slot) == 1) {
            let Some(slot) = self.retired.get(at) else { break };
            let (start, end) = entry::slot_range(slot.number());
            let mut write = WriteBatch::default();
            write.delete_range(&start, &end);
            write.delete(meta::slot_key(slot.number()));
            self.store.db.write(write)?;
            self.delete_files(slot.number())?;
            self.retired.swap_remove(at);
        }
        Ok(before - self.retired.len())
    }

    /// Deletes the files that hold nothing but `dropped` and its neighbours that were dropped before: a file at the
    /// border of two slots goes with the second one.
    fn delete_files(&self, dropped: SlotNumber) -> Result<()> {
        let table = self.store.table();
        let held = || table.slots().chain(&self.retired).map(|slot| slot.number());
        let below = held().filter(|number| *number < dropped).max();
        let above = held().filter(|number| *number > dropped).min();
        let first = below.map_or(SlotNumber(0), |number| SlotNumber(number.0 + 1));
        let above = above.map_or(self.counters.next_slot, |number| number.0);
        let last = SlotNumber(above.saturating_sub(1));
        // Files go up to the bound and including it, and the end is where the next slot holds the empty key.
        let last = [entry::slot_range(last).0.as_slice(), &[0xff; 16]].concat();
        Ok(self.store.db.delete_file_in_range(entry::slot_range(first).0, last)?)
    }
}
