//! How much a store holds.

use rocksdb::Range;

use super::Store;
use super::entries::{Extent, Step};
use super::error::Result;
use super::range::{KeyRange, Order};
use super::slot::Slot;
use crate::entry;

/// So many keys are counted whenever somebody asks: a fraction of a millisecond.
const COUNTED_MAX: u64 = 1000;

/// Sizes of a store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sizes {
    /// Keys: counted where they are few, else estimated by RocksDB.
    pub keys_estimated: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Bytes of memtables in memory.
    pub memtable_bytes: u64,
    /// Bytes of compaction still to be done, estimated.
    pub pending_compaction_bytes: u64,
}

impl Store {
    /// Returns the bytes a slot takes on disk, estimated; what is still in memory is not counted.
    #[must_use]
    pub fn slot_bytes(&self, slot: &Slot) -> u64 {
        let (start, end) = entry::slot_range(slot.number());
        self.db.get_approximate_sizes(&[Range::new(&start, &end)]).iter().sum()
    }

    /// Returns the bytes that are free on the disk of the store; none where the system does not tell.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.dir).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Returns its sizes; zero where RocksDB cannot tell.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let number = |name| self.db.property_int_value(name).ok().flatten().unwrap_or_default();
        // Damage is told by those who read a key that is damaged.
        let counted = self.count_few().ok().flatten();
        Sizes {
            keys_estimated: counted.unwrap_or_else(|| number("rocksdb.estimate-num-keys")),
            disk_bytes: number("rocksdb.total-sst-files-size"),
            memtable_bytes: number("rocksdb.cur-size-all-mem-tables"),
            pending_compaction_bytes: number("rocksdb.estimate-pending-compaction-bytes"),
        }
    }

    /// Counts the keys of a complete view; none where they are many, or lie behind many that are deleted.
    ///
    /// RocksDB counts rows: bookkeeping, which is written every few seconds, and every version of a key in a memtable.
    fn count_few(&self) -> Result<Option<u64>> {
        let snapshot = self.snapshot()?;
        if !snapshot.table().was_complete() {
            return Ok(None);
        }
        let mut entries = snapshot.entries(&KeyRange::default(), Order::Ascending, Extent::Page)?;
        for count in 0..=COUNTED_MAX {
            match entries.step()? {
                Step::Entry(..) => {}
                Step::Passed(_) => break,
                Step::End => return Ok(Some(count)),
            }
        }
        Ok(None)
    }
}
