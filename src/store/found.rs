//! What reads find: entries, and which of several records of one key counts.

use std::sync::Arc;

use bytes::Bytes;

use super::error::{Error, Result};
use super::slot::Slot;
use crate::entry::{EntryHeader, SlotNumber};
use crate::position::{Offset, Partition, Position};
use crate::record::Header;
use crate::time::Millis;

/// The current value of a key, as stored.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What the header says: offset, timestamp.
    pub header: EntryHeader,
    /// The slot that answered.
    pub slot: Arc<Slot>,
    /// The slot's position just before the entry was read; out of a snapshot, the position of the snapshot.
    pub position: Position,
    stored: Bytes,
}

/// An entry apart from its slot, which it does not keep from being swept.
#[derive(Debug)]
pub struct Apart {
    header: EntryHeader,
    slot: SlotNumber,
    position: Position,
    stored: Bytes,
}

/// The current value of a key, borrowed from where it was read.
#[derive(Debug, Clone, Copy)]
pub struct EntryRef<'a> {
    /// What the header says: offset, timestamp.
    pub header: EntryHeader,
    /// The slot that answered.
    pub slot: &'a Arc<Slot>,
    stored: &'a [u8],
}

/// The view bounds values, and this one was larger: the key exists, its value was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value has {bytes} bytes, more than the view keeps")]
pub struct TooLarge {
    /// Bytes of the value as it was produced.
    pub bytes: u64,
}

/// Where a key lives in several partitions the greatest rank counts: the newest timestamp, then the higher
/// offset, then the higher partition.
pub(super) type Rank = (Millis, Offset, Partition);

impl Entry {
    /// Reads the stored form of an entry of `slot`, which stood at `position`.
    pub(super) fn parse(stored: &[u8], slot: &Arc<Slot>, position: Position) -> Result<Self> {
        let EntryRef { header, .. } = EntryRef::parse(stored, slot)?;
        Ok(Self { header, slot: Arc::clone(slot), position, stored: Bytes::copy_from_slice(stored) })
    }

    /// Returns how many bytes of memory what is stored takes.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        self.stored.len()
    }

    /// Returns the entry apart from its slot; both share what is stored.
    #[must_use]
    pub fn apart(&self) -> Apart {
        let Self { header, ref slot, position, ref stored } = *self;
        Apart { header, slot: slot.number(), position, stored: stored.clone() }
    }

    /// Returns the entry as a reference to what it holds.
    #[must_use]
    pub fn borrowed(&self) -> EntryRef<'_> {
        EntryRef { header: self.header, slot: &self.slot, stored: &self.stored }
    }

    /// Returns the value, byte for byte as it was produced.
    ///
    /// # Errors
    /// [`TooLarge`] when it was not kept.
    pub fn value(&self) -> std::result::Result<Bytes, TooLarge> {
        self.borrowed().value().map(|value| self.stored.slice_ref(value))
    }

    /// Returns the record headers that were kept.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when they are cut off.
    pub fn headers(&self) -> Result<Vec<Header<'_>>> {
        self.borrowed().headers()
    }
}

impl Apart {
    /// Joins the entry with its slot again; none if that is another one.
    #[must_use]
    pub fn in_slot(&self, slot: &Arc<Slot>) -> Option<Entry> {
        let Self { header, position, ref stored, .. } = *self;
        let slot = (self.slot == slot.number()).then(|| Arc::clone(slot))?;
        Some(Entry { header, slot, position, stored: stored.clone() })
    }

    /// Returns how many bytes of memory what is stored takes.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        self.stored.len()
    }
}

impl<'a> EntryRef<'a> {
    /// Reads the stored form of an entry of `slot`.
    pub(super) fn parse(stored: &'a [u8], slot: &'a Arc<Slot>) -> Result<Self> {
        let header = EntryHeader::parse(stored);
        let header = header.map_err(|error| Error::corrupt(error).in_slot(slot.number()))?;
        Ok(Self::parsed(header, stored, slot))
    }

    /// Joins an entry of `slot` with the header that was read from its stored form.
    pub(super) fn parsed(header: EntryHeader, stored: &'a [u8], slot: &'a Arc<Slot>) -> Self {
        Self { header, slot, stored }
    }

    /// Returns what is stored of it: header and value.
    pub(super) fn stored(&self) -> &'a [u8] {
        self.stored
    }

    /// Returns the value, byte for byte as it was produced.
    ///
    /// # Errors
    /// [`TooLarge`] when it was not kept.
    pub fn value(&self) -> std::result::Result<&'a [u8], TooLarge> {
        match self.header.too_large {
            Some(bytes) => Err(TooLarge { bytes }),
            None => Ok(self.stored.get(self.header.value_start()..).unwrap_or_default()),
        }
    }

    /// Returns the record headers that were kept.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when they are cut off.
    pub fn headers(&self) -> Result<Vec<Header<'a>>> {
        let damaged = |error| Error::corrupt(error).in_slot(self.slot.number());
        self.header.headers(self.stored).map_err(damaged)
    }

    pub(super) fn rank(&self) -> Rank {
        (self.header.timestamp.at, self.header.offset, self.slot.partition())
    }
}

/// The newest of the entries of one key, found one after the other.
#[derive(Debug, Default)]
pub(super) struct Newest(Option<Entry>);

impl Newest {
    pub(super) fn offer(&mut self, found: Option<Entry>) {
        let rank = |entry: &Option<Entry>| entry.as_ref().map(|entry| entry.borrowed().rank());
        if rank(&found) > rank(&self.0) {
            self.0 = found;
        }
    }

    /// Returns the value of the key; none where the newest of its records is a tombstone.
    pub(super) fn visible(self) -> Option<Entry> {
        self.0.filter(|entry| !entry.header.marker)
    }
}
