//! The store of one view: entries, bookkeeping and positions in one RocksDB.
//!
//! One column family, so that data and position can never part. The writer is the only one to write; readers
//! take the slot table once and answer from it.

mod damage;
mod error;
mod identity;
mod meta;
mod open;
mod options;
mod slot;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use rocksdb::{DB, ReadOptions};

pub use error::{Error, Result};
pub use identity::{FORMAT, Identity};
pub use meta::{Build, PartitionRow};
pub use open::Opened;
pub use options::Resources;
pub use slot::{Slot, SlotTable};
pub use writer::{BuildPlan, RowEdit, Writer};

use crate::entry::{self, EntryHeader, KEY_PREFIX_BYTES};
use crate::position::{Partition, Position};
use crate::record::Header;

/// The read side of a view's store, shared by all readers.
pub struct Store {
    db: DB,
    dir: PathBuf,
    identity: Identity,
    table: ArcSwap<SlotTable>,
}

/// The current value of a key, as stored.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What the header says: offset, timestamp.
    pub header: EntryHeader,
    /// The slot that answered.
    pub slot: Arc<Slot>,
    /// The slot's position just before the entry was read.
    pub position: Position,
    stored: Bytes,
}

/// Sizes of a store, estimated by RocksDB.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sizes {
    /// Keys, deleted ones not yet compacted away included.
    pub keys_estimated: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Bytes of memtables in memory.
    pub memtable_bytes: u64,
    /// Bytes of compaction still to be done.
    pub pending_compaction_bytes: u64,
}

thread_local! {
    /// Making read options costs an allocation per look-up.
    static READ: ReadOptions = ReadOptions::default();
}

impl Store {
    /// Returns the table of slots as it is now; hold it for the whole of one answer.
    #[must_use]
    pub fn table(&self) -> Arc<SlotTable> {
        self.table.load_full()
    }

    /// Returns whether `table` is still the current one.
    #[must_use]
    pub fn is_current(&self, table: &Arc<SlotTable>) -> bool {
        Arc::ptr_eq(&self.table.load(), table)
    }

    /// Returns what names this store.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns the directory of the store.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Looks `key` up in every serving slot that can hold it.
    ///
    /// Where a key lives in two partitions the record with the newest timestamp wins, then the higher offset,
    /// then the higher partition.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when stored bytes are damaged.
    pub fn find(&self, table: &SlotTable, key: &[u8]) -> Result<Option<Entry>> {
        let mut best: Option<Entry> = None;
        table.locate(key, |slot| {
            let found = self.get(slot, key)?;
            if found.as_ref().map(Entry::rank) > best.as_ref().map(Entry::rank) {
                best = found;
            }
            Ok::<_, Error>(())
        })?;
        Ok(best.filter(|entry| !entry.header.marker))
    }

    /// Reads `key` from one slot.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when stored bytes are damaged.
    pub fn get(&self, slot: &Arc<Slot>, key: &[u8]) -> Result<Option<Entry>> {
        // Order matters: the position is read first, so the entry is at least as new as it says.
        let position = slot.position();
        let mut storage_key = Vec::with_capacity(KEY_PREFIX_BYTES + key.len());
        entry::push_key(&mut storage_key, slot.number(), key);
        let damaged = |error: Error| error.in_slot(slot.number());
        let read = READ.with(|options| self.db.get_pinned_opt(&storage_key, options));
        let Some(pinned) = read.map_err(|error| damaged(error.into()))? else {
            return Ok(None);
        };
        let header = EntryHeader::parse(&pinned).map_err(|error| damaged(Error::corrupt(error)))?;
        let stored = Bytes::copy_from_slice(&pinned);
        Ok(Some(Entry { header, slot: Arc::clone(slot), position, stored }))
    }

    /// Has the next start move this store aside and restore it; for damage the write side meets.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::NoSpace`] when that cannot be written down.
    pub fn mark_damaged(&self, detail: &str) -> Result<()> {
        damage::write(&self.dir, detail)
    }

    /// Returns sizes as RocksDB estimates them; zero where it cannot tell.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let number = |name| self.db.property_int_value(name).ok().flatten().unwrap_or_default();
        Sizes {
            keys_estimated: number("rocksdb.estimate-num-keys"),
            disk_bytes: number("rocksdb.total-sst-files-size"),
            memtable_bytes: number("rocksdb.cur-size-all-mem-tables"),
            pending_compaction_bytes: number("rocksdb.estimate-pending-compaction-bytes"),
        }
    }
}

impl Entry {
    /// Returns the value, byte for byte as it was produced.
    #[must_use]
    pub fn value(&self) -> Bytes {
        self.stored.slice(self.header.value_start()..)
    }

    /// Returns the record headers that were kept.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when they are cut off.
    pub fn headers(&self) -> Result<Vec<Header<'_>>> {
        let damaged = |error| Error::corrupt(error).in_slot(self.slot.number());
        self.header.headers(&self.stored).map_err(damaged)
    }

    fn rank(&self) -> (crate::time::Millis, crate::position::Offset, Partition) {
        (self.header.timestamp.at, self.header.offset, self.slot.partition())
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
