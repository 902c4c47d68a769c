//! One moment of a store: data, positions and the table they belong to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rocksdb::{DEFAULT_COLUMN_FAMILY_NAME, ReadOptions};
use serde::Deserialize;

use super::Store;
use super::entries::{Entries, Extent, SKIPPED_MAX, Way};
use super::error::{Error, Result};
use super::found::{Entry, Newest};
use super::meta;
use super::range::{KeyRange, Order};
use super::slot::{Slot, SlotTable};
use crate::entry::{self, KEY_PREFIX_BYTES};
use crate::position::{Partition, Position};

/// One moment of a store. What it finds is exactly what was applied up to its positions.
///
/// The slots it reads are not swept while it lives, and RocksDB keeps what was overwritten since: hold it briefly.
pub struct Snapshot<'s> {
    store: &'s Store,
    snapshot: rocksdb::Snapshot<'s>,
    table: Arc<SlotTable>,
    positions: BTreeMap<Partition, Position>,
}

/// What a snapshot needs of the row of a slot.
#[derive(Deserialize)]
struct Reached {
    position: Position,
}

impl Store {
    /// Takes a snapshot.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the bookkeeping is damaged.
    pub fn snapshot(&self) -> Result<Snapshot<'_>> {
        loop {
            let table = self.table();
            let snapshot = self.db.snapshot();
            // Order matters: readers learn from the table where to look before there is something to find, so
            // a table that is current after the snapshot was taken knows all places the snapshot has.
            if self.is_current(&table) {
                let mut taken = Snapshot { store: self, snapshot, table, positions: BTreeMap::new() };
                taken.positions = taken.read_positions()?;
                return Ok(taken);
            }
        }
    }
}

impl<'s> Snapshot<'s> {
    /// Returns the table of slots the snapshot reads.
    #[must_use]
    pub fn table(&self) -> &Arc<SlotTable> {
        &self.table
    }

    /// Returns the position of every serving slot at the moment of the snapshot: everything below it is in the
    /// snapshot, nothing else is.
    #[must_use]
    pub fn positions(&self) -> &BTreeMap<Partition, Position> {
        &self.positions
    }

    /// Looks `key` up, as [`Store::find`] does.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when stored bytes are damaged.
    pub fn find(&self, key: &[u8]) -> Result<Option<Entry>> {
        Ok(self.find_all(&[key])?.pop().flatten())
    }

    /// Looks keys up, as [`Store::find`] does; what was found is in the order of the keys.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when stored bytes are damaged.
    pub fn find_all<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Vec<Option<Entry>>> {
        let mut places: Vec<(Vec<u8>, &Arc<Slot>, usize)> = Vec::with_capacity(keys.len());
        for (number, key) in keys.iter().map(AsRef::as_ref).enumerate() {
            self.table.locate(key, |slot| {
                let mut storage_key = Vec::with_capacity(KEY_PREFIX_BYTES + key.len());
                entry::push_key(&mut storage_key, slot.number(), key);
                places.push((storage_key, slot, number));
                Ok::<_, Error>(())
            })?;
        }
        // In the order in which they lie: keys of one block are read together.
        places.sort_unstable_by(|(one, ..), (other, ..)| one.cmp(other));
        let missing = || Error::corrupt("the database has no default column family");
        let family = self.store.db.cf_handle(DEFAULT_COLUMN_FAMILY_NAME).ok_or_else(missing)?;
        let storage_keys = places.iter().map(|(storage_key, ..)| storage_key.as_slice());
        let read = self.store.db.batched_multi_get_cf_opt(family, storage_keys, true, &self.reading());
        let mut newest: Vec<Newest> = std::iter::repeat_with(Newest::default).take(keys.len()).collect();
        for (pinned, (_, slot, number)) in read.into_iter().zip(places) {
            let Some(pinned) = pinned.map_err(|error| Error::from(error).in_slot(slot.number()))? else {
                continue;
            };
            let position = self.positions.get(&slot.partition()).copied().unwrap_or_default();
            let found = Entry::parse(&pinned, slot, position)?;
            if let Some(newest) = newest.get_mut(number) {
                newest.offer(Some(found));
            }
        }
        Ok(newest.into_iter().map(Newest::visible).collect())
    }

    /// Walks the entries of a range in the order of their keys, each key once, as [`Store::find`] would find it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when stored bytes are damaged.
    pub fn entries(&self, range: &KeyRange, order: Order, extent: Extent) -> Result<Entries<'_>> {
        self.entries_in_steps(range, order, extent, SKIPPED_MAX)
    }

    /// The same, with steps that pass so many deleted keys that are still stored.
    pub(super) fn entries_in_steps(
        &self,
        range: &KeyRange,
        order: Order,
        extent: Extent,
        skipped_max: u64,
    ) -> Result<Entries<'_>> {
        let way = Way { snapshot: &self.snapshot, order, extent, skipped_max };
        Entries::new(self.table.serving().values(), range, way)
    }

    fn reading(&self) -> ReadOptions {
        let mut read = ReadOptions::default();
        read.set_snapshot(&self.snapshot);
        read
    }

    fn read_positions(&self) -> Result<BTreeMap<Partition, Position>> {
        let read = self.reading();
        let position = |(partition, slot): (&Partition, &Arc<Slot>)| {
            let row = meta::get_at::<Reached>(&self.store.db, &read, &meta::slot_key(slot.number()))?;
            let row = row.ok_or_else(|| Error::corrupt("a slot's row is missing"))?;
            Ok((*partition, row.position))
        };
        self.table.serving().iter().map(position).collect()
    }
}

impl fmt::Debug for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("positions", &self.positions).finish_non_exhaustive()
    }
}
