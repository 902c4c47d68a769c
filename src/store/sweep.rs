//! Slots that answer no more: what they take on the disk is freed.

use std::sync::Arc;

use rocksdb::WriteBatch;

use super::error::Result;
use super::meta;
use super::slot::Slot;
use super::writer::Writer;
use crate::entry::{self, SlotNumber};

impl Writer {
    /// Drops the entries of slots that no reader holds any more; returns how many slots that were.
    ///
    /// After an error they are dropped by the next call. What lies in files of their own is freed also where the disk
    /// is full, and before the store takes writes again: then nothing but a line of the list of files is written.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    pub fn sweep(&mut self) -> Result<usize> {
        let dropped: Vec<_> =
            self.retired.iter().filter(|slot| !is_held(slot)).map(|slot| slot.number()).collect();
        if dropped.is_empty() {
            return Ok(0);
        }
        // Order matters: a full disk takes no write before there is room.
        for number in &dropped {
            self.delete_files(*number)?;
        }
        let mut write = WriteBatch::default();
        for number in &dropped {
            let (start, end) = entry::slot_range(*number);
            write.delete_range(&start, &end);
            write.delete(meta::slot_key(*number));
        }
        self.store.db.write(write)?;
        self.retired.retain(|slot| !dropped.contains(&slot.number()));
        Ok(dropped.len())
    }

    /// Deletes the files that hold nothing but `dropped` and its neighbours that are dropped too: a file at the border
    /// of two slots goes with the last of them.
    fn delete_files(&self, dropped: SlotNumber) -> Result<()> {
        let table = self.store.table();
        let retired = self.retired.iter().filter(|slot| is_held(slot));
        let held = || table.slots().chain(retired.clone()).map(|slot| slot.number());
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

/// Returns whether somebody reads a slot that was retired.
fn is_held(slot: &Arc<Slot>) -> bool {
    Arc::strong_count(slot) > 1
}
