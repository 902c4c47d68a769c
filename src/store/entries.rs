//! Walking the entries of several slots as one, in the order of their keys.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::Arc;

use rocksdb::{DBRawIterator, ReadOptions};

use super::error::{Error, Result};
use super::found::EntryRef;
use super::range::Order;
use super::slot::Slot;
use crate::entry::{EntryHeader, KEY_PREFIX_BYTES};

/// Keys without a value that are passed in one step: a walk over any number of them must be possible to leave.
const PASSED_MAX: u32 = 1000;

/// How much of a range is going to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// A piece that is likely to be asked for again.
    Page,
    /// Possibly everything: the block cache is left to the look-ups.
    Whole,
}

/// What a step of a walk comes to.
#[derive(Debug)]
pub enum Step<'e> {
    /// An entry, and its key.
    Entry(&'e [u8], EntryRef<'e>),
    /// No entry yet: the walk has come as far as this key, which is deleted.
    Passed(&'e [u8]),
    /// The end of the range.
    End,
}

/// A walk over entries; see [`Snapshot::entries`](super::Snapshot::entries).
pub struct Entries<'a> {
    /// Sources that stand at an entry, the next one on top.
    waiting: BinaryHeap<Source<'a>>,
    /// The source whose key was handed out last.
    current: Option<Source<'a>>,
    hidden: u64,
}

/// One slot, and the entry the walk has come to in it.
struct Source<'a> {
    rows: DBRawIterator<'a>,
    slot: &'a Arc<Slot>,
    order: Order,
    key: Vec<u8>,
    header: EntryHeader,
}

impl Extent {
    pub(super) fn reading(self) -> ReadOptions {
        let mut read = ReadOptions::default();
        read.fill_cache(self == Self::Page);
        read
    }
}

impl<'a> Entries<'a> {
    pub(super) fn new(
        slots: impl Iterator<Item = &'a Arc<Slot>>,
        order: Order,
        open: impl Fn(&Slot) -> DBRawIterator<'a>,
    ) -> Result<Self> {
        let mut entries = Self { waiting: BinaryHeap::new(), current: None, hidden: 0 };
        for slot in slots {
            let mut rows = open(slot);
            match order {
                Order::Ascending => rows.seek_to_first(),
                Order::Descending => rows.seek_to_last(),
            }
            entries.wait(Source::at(rows, slot, order, Vec::new())?);
        }
        Ok(entries)
    }

    /// Goes on to the next entry, or past a bounded number of deleted keys where no entry comes before.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when stored bytes are damaged; the walk is over then.
    pub fn step(&mut self) -> Result<Step<'_>> {
        let mut passed = 0;
        if let Some(source) = self.current.take() {
            self.go_on(source)?;
        }
        while let Some(mut newest) = self.waiting.pop() {
            let mut hides = false;
            while self.waiting.peek().is_some_and(|other| other.key == newest.key) {
                let Some(mut other) = self.waiting.pop() else { break };
                if other.entry().rank() > newest.entry().rank() {
                    std::mem::swap(&mut newest, &mut other);
                }
                hides |= !other.header.marker;
                self.go_on(other)?;
            }
            self.hidden += u64::from(hides);
            passed += u32::from(newest.header.marker);
            if newest.header.marker && passed < PASSED_MAX {
                self.go_on(newest)?;
                continue;
            }
            let source = self.current.insert(newest);
            return Ok(match source.header.marker {
                true => Step::Passed(&source.key),
                false => Step::Entry(&source.key, source.entry()),
            });
        }
        Ok(Step::End)
    }

    /// Returns how many of the keys passed so far have a value that a newer record in another partition hides.
    #[must_use]
    pub fn hidden(&self) -> u64 {
        self.hidden
    }

    fn go_on(&mut self, source: Source<'a>) -> Result<()> {
        let Source { mut rows, slot, order, key, .. } = source;
        match order {
            Order::Ascending => rows.next(),
            Order::Descending => rows.prev(),
        }
        self.wait(Source::at(rows, slot, order, key)?);
        Ok(())
    }

    /// Puts a source where its key belongs; one that is at its end is gone.
    fn wait(&mut self, source: Option<Source<'a>>) {
        self.waiting.extend(source);
    }
}

impl<'a> Source<'a> {
    /// Reads key and header of the entry that the rows stand at; none at their end. `key` is only room.
    fn at(
        rows: DBRawIterator<'a>,
        slot: &'a Arc<Slot>,
        order: Order,
        mut key: Vec<u8>,
    ) -> Result<Option<Self>> {
        let Some((storage_key, stored)) = rows.item() else {
            // Order matters: an iterator that met damage ends like one that is done, and only its status tells.
            return rows.status().map(|()| None).map_err(|error| Error::from(error).in_slot(slot.number()));
        };
        key.clear();
        key.extend_from_slice(storage_key.get(KEY_PREFIX_BYTES..).unwrap_or_default());
        let header = EntryRef::parse(stored, slot)?.header;
        Ok(Some(Self { rows, slot, order, key, header }))
    }

    fn entry(&self) -> EntryRef<'_> {
        EntryRef::parsed(self.header, self.rows.value().unwrap_or_default(), self.slot)
    }
}

/// The next one in the order of the walk is the greatest.
impl Ord for Source<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.order {
            Order::Ascending => other.key.cmp(&self.key),
            Order::Descending => self.key.cmp(&other.key),
        }
    }
}

impl PartialOrd for Source<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Source<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Source<'_> {}

impl fmt::Debug for Entries<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}
