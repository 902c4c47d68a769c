//! Walking the entries of several slots as one, in the order of their keys.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::Arc;

use rocksdb::{DBRawIterator, ErrorKind, ReadOptions};

use super::error::{Error, Result};
use super::found::{EntryRef, Rank};
use super::range::{KeyRange, Order};
use super::slot::Slot;
use super::stretch::Stretch;
use crate::entry::{EntryHeader, KEY_PREFIX_BYTES};

/// Keys without a value that are passed in one step: a walk over any number of them must be possible to leave.
const PASSED_MAX: u32 = 1000;
/// Deleted keys that are still stored and that RocksDB passes in one go: a few milliseconds' worth.
pub(super) const SKIPPED_MAX: u64 = 10_000;
/// What is read of a file at once where much of it is going to be read. RocksDB of itself reads block by block.
const AHEAD_BYTES: usize = 32 * 1024;

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
    way: Way<'a>,
    /// Sources that stand at a key, the next one on top; boxed, because they change places at every step.
    waiting: BinaryHeap<(Head, Box<Source<'a>>)>,
    /// The source whose key was handed out last.
    current: Option<Box<Source<'a>>>,
    hidden: u64,
}

/// How a walk goes.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) snapshot: &'a rocksdb::Snapshot<'a>,
    pub(super) order: Order,
    pub(super) extent: Extent,
    /// Deleted keys that RocksDB passes in one go.
    pub(super) skipped_max: u64,
}

/// One slot, and the key the walk has come to in it.
pub(super) struct Source<'a> {
    rows: DBRawIterator<'a>,
    slot: &'a Arc<Slot>,
    order: Order,
    key: Vec<u8>,
    /// None at the end of a stretch: the key is not stored, and nothing before it.
    header: Option<EntryHeader>,
    /// What the rows lie in.
    rest: KeyRange,
    stretch: Stretch,
}

/// How a key begins, so that most comparisons need not look at it: the next one in the order of the walk is the greatest.
type Head = u64;

/// Why there is no row.
enum Stop {
    End,
    /// Too many deleted keys.
    GivenUp,
}

impl Extent {
    pub(super) fn reading(self) -> ReadOptions {
        let mut read = ReadOptions::default();
        read.fill_cache(self == Self::Page);
        if self == Self::Whole {
            read.set_readahead_size(AHEAD_BYTES);
            // It looks every block up, to spare reading those that the cache has.
            read.set_auto_readahead_size(false);
        }
        read
    }
}

impl<'a> Way<'a> {
    fn rows(&self, slot: &Slot, range: &KeyRange, skipped_max: u64) -> DBRawIterator<'a> {
        let (start, end) = range.in_slot(slot.number());
        let mut read = self.extent.reading();
        read.set_iterate_lower_bound(start);
        read.set_iterate_upper_bound(end);
        read.set_max_skippable_internal_keys(skipped_max);
        let mut rows = self.snapshot.raw_iterator_opt(read);
        match self.order {
            Order::Ascending => rows.seek_to_first(),
            Order::Descending => rows.seek_to_last(),
        }
        rows
    }

    /// Comes to the first key of what is left of a slot, or to the end of a stretch without one; none where nothing is
    /// left. `key` is only room.
    pub(super) fn open(
        &self,
        slot: &'a Arc<Slot>,
        mut rest: KeyRange,
        mut stretch: Stretch,
        key: Vec<u8>,
    ) -> Result<Option<Box<Source<'a>>>> {
        let mut passed = None;
        loop {
            let last = stretch.last(&rest, self.order);
            let part = last.as_ref().map(|last| rest.up_to(last, self.order));
            // The shortest there is takes what it takes.
            let skipped_max = if stretch.is_shortest() { 0 } else { self.skipped_max };
            let rows = self.rows(slot, part.as_ref().unwrap_or(&rest), skipped_max);
            if rows.valid() {
                let mut source = self.source(rows, slot, key, rest, stretch);
                source.read()?;
                return Ok(Some(source));
            }
            match (stop(&rows, slot)?, last) {
                (Stop::End, None) => return Ok(None),
                (Stop::End, Some(last)) => {
                    (rest, stretch) = (rest.after(&last, self.order), stretch.longer());
                    passed = Some(last);
                }
                (Stop::GivenUp, _) => {
                    stretch = stretch.shorter(&rest, self.order);
                    if let Some(key) = passed {
                        return Ok(Some(self.source(rows, slot, key, rest, stretch)));
                    }
                }
            }
        }
    }

    fn source(
        &self,
        rows: DBRawIterator<'a>,
        slot: &'a Arc<Slot>,
        key: Vec<u8>,
        rest: KeyRange,
        stretch: Stretch,
    ) -> Box<Source<'a>> {
        Box::new(Source { rows, slot, order: self.order, key, header: None, rest, stretch })
    }
}

impl<'a> Entries<'a> {
    pub(super) fn new(
        slots: impl Iterator<Item = &'a Arc<Slot>>,
        range: &KeyRange,
        way: Way<'a>,
    ) -> Result<Self> {
        let mut waiting = BinaryHeap::new();
        for slot in slots {
            let source = way.open(slot, range.clone(), Stretch::WHOLE, Vec::new())?;
            waiting.extend(source.map(|source| (source.head(), source)));
        }
        Ok(Self { way, waiting, current: None, hidden: 0 })
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
        while let Some((head, mut newest)) = self.waiting.pop() {
            let mut hides = false;
            while self.waiting.peek().is_some_and(|(first, other)| *first == head && other.key == newest.key)
            {
                let Some((_, mut other)) = self.waiting.pop() else { break };
                if other.rank() > newest.rank() {
                    std::mem::swap(&mut newest, &mut other);
                }
                hides |= other.header.is_some_and(|header| !header.marker);
                self.go_on(other)?;
            }
            self.hidden += u64::from(hides);
            let is_marker = newest.header.is_some_and(|header| header.marker);
            passed += u32::from(is_marker);
            if is_marker && passed < PASSED_MAX {
                self.go_on(newest)?;
                continue;
            }
            let source = self.current.insert(newest);
            return Ok(match source.entry() {
                Some(entry) if !entry.header.marker => Step::Entry(&source.key, entry),
                _ => Step::Passed(&source.key),
            });
        }
        Ok(Step::End)
    }

    /// Returns how many of the keys passed so far have a value that a newer record in another partition hides.
    #[must_use]
    pub fn hidden(&self) -> u64 {
        self.hidden
    }

    fn go_on(&mut self, source: Box<Source<'a>>) -> Result<()> {
        if let Some(source) = source.next(&self.way)? {
            self.waiting.push((source.head(), source));
        }
        Ok(())
    }
}

/// Order matters: an iterator that met damage ends like one that is done, and only its status tells.
fn stop(rows: &DBRawIterator<'_>, slot: &Slot) -> Result<Stop> {
    match rows.status() {
        Ok(()) => Ok(Stop::End),
        Err(error) if error.kind() == ErrorKind::Incomplete => Ok(Stop::GivenUp),
        Err(error) => Err(Error::from(error).in_slot(slot.number())),
    }
}

impl<'a> Source<'a> {
    /// Reads key and header of the entry that the rows stand at; returns whether there is one.
    fn read(&mut self) -> Result<bool> {
        let Some((storage_key, stored)) = self.rows.item() else { return Ok(false) };
        self.key.clear();
        self.key.extend_from_slice(storage_key.get(KEY_PREFIX_BYTES..).unwrap_or_default());
        self.header = Some(EntryRef::parse(stored, self.slot)?.header);
        Ok(true)
    }

    /// Returns the key the walk has come to, and what is stored under it; nothing at the end of a stretch.
    pub(super) fn row(&self) -> (&[u8], Option<&[u8]>) {
        (&self.key, self.header.and_then(|_| self.rows.value()))
    }

    /// Goes on behind the key; none where nothing is left.
    pub(super) fn next(mut self: Box<Self>, way: &Way<'a>) -> Result<Option<Box<Self>>> {
        if self.header.is_none() {
            return self.open_behind(way, |stretch| stretch);
        }
        match self.order {
            Order::Ascending => self.rows.next(),
            Order::Descending => self.rows.prev(),
        }
        if self.read()? {
            return Ok(Some(self));
        }
        match stop(&self.rows, self.slot)? {
            Stop::End => match self.stretch.last(&self.rest, self.order) {
                None => Ok(None),
                Some(key) => {
                    self.key = key;
                    self.open_behind(way, Stretch::longer)
                }
            },
            Stop::GivenUp => {
                let shorter = self.stretch.shorter(&self.rest.after(&self.key, self.order), self.order);
                self.open_behind(way, |_| shorter)
            }
        }
    }

    fn open_behind(
        self: Box<Self>,
        way: &Way<'a>,
        length: impl Fn(Stretch) -> Stretch,
    ) -> Result<Option<Box<Self>>> {
        let Self { slot, order, key, rest, stretch, .. } = *self;
        way.open(slot, rest.after(&key, order), length(stretch), key)
    }

    fn head(&self) -> Head {
        let mut first = [0; size_of::<Head>()];
        let bytes = self.key.iter().zip(&mut first);
        bytes.for_each(|(byte, place)| *place = *byte);
        match self.order {
            Order::Ascending => !Head::from_be_bytes(first),
            Order::Descending => Head::from_be_bytes(first),
        }
    }

    fn entry(&self) -> Option<EntryRef<'_>> {
        Some(EntryRef::parsed(self.header?, self.rows.value().unwrap_or_default(), self.slot))
    }

    /// A stored key outranks the end of a stretch.
    fn rank(&self) -> Option<Rank> {
        Some(self.entry()?.rank())
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
