//! The store of one view: entries, bookkeeping and positions in one RocksDB.
//!
//! One column family, so that data and position can never part. The writer is the only one to write; readers
//! take the slot table once and answer from it.

mod ahead;
mod damage;
mod entries;
mod error;
mod found;
mod identity;
mod markers;
mod meta;
mod open;
mod options;
mod range;
mod rows;
mod sizes;
mod slot;
mod snapshot;
mod staged;
mod stretch;
mod sweep;
mod tidy;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rocksdb::{DB, Options, ReadOptions};

pub use entries::{Entries, Extent, Step};
pub use error::{Error, Result};
pub use found::{Apart, Entry, EntryRef, TooLarge};
pub use identity::{FORMAT, Identity};
pub use meta::{Build, PartitionRow};
pub use open::Opened;
pub use options::Resources;
pub use range::{KeyRange, Order};
pub use rows::Rows;
pub use sizes::Sizes;
pub use slot::{Slot, SlotTable};
pub use snapshot::Snapshot;
pub use staged::{Staged, Stager};
pub use writer::{BuildPlan, RowEdit, Writer};

use self::found::Newest;
use crate::entry::{self, KEY_PREFIX_BYTES};

/// The read side of a view's store, shared by all readers.
pub struct Store {
    db: DB,
    /// What the database was opened with: its files are written so, whoever writes them.
    options: Options,
    dir: PathBuf,
    identity: Identity,
    /// Shared with the compactions.
    table: Arc<ArcSwap<SlotTable>>,
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
        let mut newest = Newest::default();
        table.locate(key, |slot| {
            newest.offer(self.get(slot, key)?);
            Ok::<_, Error>(())
        })?;
        Ok(newest.visible())
    }

    /// Looks `key` up in all there is: in partitions that do not answer yet in the slot that is being filled.
    ///
    /// # Errors
    /// As [`Store::find`].
    pub fn find_anywhere(&self, table: &SlotTable, key: &[u8]) -> Result<Option<Entry>> {
        let (mut newest, serving) = (Newest::default(), table.serving());
        let filling = table.building().iter().filter(|(partition, _)| !serving.contains_key(partition));
        for slot in serving.values().chain(filling.map(|(_, slot)| slot)) {
            newest.offer(self.get(slot, key)?);
        }
        Ok(newest.visible())
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
        let read = READ.with(|options| self.db.get_pinned_opt(&storage_key, options));
        let pinned = read.map_err(|error| Error::from(error).in_slot(slot.number()))?;
        pinned.map(|stored| Entry::parse(&stored, slot, position)).transpose()
    }

    /// Has the next start move this store aside and restore it; for damage the write side meets.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::NoSpace`] when that cannot be written down.
    pub fn mark_damaged(&self, detail: &str) -> Result<()> {
        damage::write(&self.dir, detail)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
