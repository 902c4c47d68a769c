//! How much a store holds.

use rocksdb::Range;

use super::Store;
use super::entries::{Extent, SKIPPED_MAX, Step};
use super::error::Result;
use super::range::{KeyRange, Order};
use super::slot::Slot;
use crate::entry;

/// So many keys are counted whenever somebody asks.
const COUNTED_MAX: u64 = 1000;
/// As long as all files take no more than this: a millisecond's worth or two. What memtables hold is not copied.
const COUNTED_BYTES_MAX: u64 = 1024 * 1024;

/// Sizes of a store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sizes {
    /// Keys, estimated: RocksDB counts rows, bookkeeping and every version of a key in a memtable too.
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

    /// Returns whether RocksDB takes no write before memtables are on the disk; who writes waits for that.
    #[must_use]
    pub fn holds_writes(&self) -> bool {
        self.number("rocksdb.is-write-stopped") > 0
    }

    /// Returns its sizes; zero where RocksDB cannot tell.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        Sizes {
            keys_estimated: self.number("rocksdb.estimate-num-keys"),
            disk_bytes: self.number("rocksdb.total-sst-files-size"),
            memtable_bytes: self.number("rocksdb.cur-size-all-mem-tables"),
            pending_compaction_bytes: self.number("rocksdb.estimate-pending-compaction-bytes"),
        }
    }

    /// Counts the keys of a complete view; none where they are many, or it would take long to know.
    ///
    /// # Errors
    /// [`Error::Corrupt`](super::Error::Corrupt) when stored bytes are damaged.
    pub fn count_few(&self) -> Result<Option<u64>> {
        let deletes = ["rocksdb.num-deletes-active-mem-table", "rocksdb.num-deletes-imm-mem-tables"];
        let deleted: u64 = deletes.map(|name| self.number(name)).iter().sum();
        if self.number("rocksdb.total-sst-files-size") > COUNTED_BYTES_MAX || deleted > SKIPPED_MAX {
            return Ok(None);
        }
        let snapshot = self.snapshot()?;
        if !snapshot.table().was_complete() {
            return Ok(None);
        }
        // There are few deleted keys in all: they are passed in one go.
        let mut entries =
            snapshot.entries_in_steps(&KeyRange::default(), Order::Ascending, Extent::Whole, 0)?;
        for count in 0..=COUNTED_MAX {
            match entries.step()? {
                Step::Entry(..) => {}
                Step::Passed(_) => break,
                Step::End => return Ok(Some(count)),
            }
        }
        Ok(None)
    }

    fn number(&self, property: &str) -> u64 {
        self.db.property_int_value(property).ok().flatten().unwrap_or_default()
    }
}
