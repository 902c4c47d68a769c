//! Records gathered for one write, with the positions they lead to.

use std::cmp::Ordering;
use std::time::{Duration, Instant};

use crate::entry::{self, KEY_PREFIX_BYTES, SlotNumber};
use crate::interpretation::Change;
use crate::position::{Partition, Position};
use crate::record::Record;

/// Changes in arrival order and, per partition, the position they lead to.
///
/// The only way to write entries: data never travels without its position. Keys and values are copied once,
/// in their stored form, into an arena that is used again for the next batch.
#[derive(Debug)]
pub struct Batch {
    arena: Vec<u8>,
    rows: Vec<Row>,
    advances: Vec<Advance>,
    opened: Option<Instant>,
    keep_headers: bool,
    value_bytes_max: u64,
}

/// How far one partition gets by a batch.
#[derive(Debug, Clone)]
pub struct Advance {
    /// Partition of the topic.
    pub partition: Partition,
    /// Slot the changes belong to.
    pub slot: SlotNumber,
    /// Next offset to read after this batch.
    pub position: Position,
    /// Position right after the last record, and the leader epoch of that same record.
    pub last: Option<(Position, Option<i32>)>,
    /// Records read, skipped ones included.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Records without a key.
    pub null_keys: u64,
    /// Records whose value is larger than the view keeps.
    pub too_large: u64,
}

/// The last change of one key in a batch, in stored form.
#[derive(Debug, Clone, Copy)]
pub struct StoredChange<'a> {
    /// Slot the key belongs to.
    pub slot: SlotNumber,
    /// `[0x01][slot][key]`.
    pub storage_key: &'a [u8],
    /// `[header][value]`; of a delete the marker that may have to be kept.
    pub stored: &'a [u8],
    /// The key has no value any more.
    pub deletes: bool,
    /// Position right after the record that caused the change.
    pub position: Position,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    /// First eight bytes of the user's key: most comparisons end here.
    head: u64,
    slot: SlotNumber,
    start: u32,
    key_end: u32,
    end: u32,
    deletes: bool,
    position: Position,
}

impl Batch {
    /// Makes an empty batch with room for `bytes`; `keep_headers` says whether record headers are stored.
    #[must_use]
    pub fn new(bytes: usize, keep_headers: bool) -> Self {
        let arena = Vec::with_capacity(bytes);
        let value_bytes_max = u64::MAX;
        Self { arena, rows: Vec::new(), advances: Vec::new(), opened: None, keep_headers, value_bytes_max }
    }

    /// Bounds the values that are kept; of a larger one only its length is.
    #[must_use]
    pub fn with_value_bytes_max(self, value_bytes_max: u64) -> Self {
        Self { value_bytes_max, ..self }
    }

    /// Adds a change and moves its partition behind the record that caused it.
    pub fn push(&mut self, slot: SlotNumber, record: &Record<'_>, change: Change<'_>) {
        let start = self.arena.len();
        let (key, value) = match change {
            Change::Upsert { key, value } => (key, Some(value)),
            Change::Delete { key } => (key, None),
        };
        entry::push_key(&mut self.arena, slot, key);
        let key_end = self.arena.len();
        let headers = if self.keep_headers { record.headers } else { &[] };
        let too_large = value.map(|value| value.len() as u64).filter(|bytes| *bytes > self.value_bytes_max);
        match (value, too_large) {
            (Some(_), Some(bytes)) => {
                entry::push_too_large(&mut self.arena, record.offset, record.timestamp, headers, bytes);
            }
            (Some(value), None) => {
                entry::push_entry(&mut self.arena, record.offset, record.timestamp, headers, value);
            }
            (None, _) => entry::push_marker(&mut self.arena, record.offset, record.timestamp),
        }
        self.rows.push(Row {
            head: head(key),
            slot,
            start: index(start),
            key_end: index(key_end),
            end: index(self.arena.len()),
            deletes: value.is_none(),
            position: record.offset.next(),
        });
        self.advance(slot, record).too_large += u64::from(too_large.is_some());
    }

    /// Moves a partition behind a record that changes nothing.
    pub fn skip(&mut self, slot: SlotNumber, record: &Record<'_>) {
        self.advance(slot, record).null_keys += u64::from(record.key.is_none());
    }

    /// Moves a partition to `position` over offsets that hold no data.
    pub fn reach(&mut self, slot: SlotNumber, partition: Partition, position: Position) {
        let advance = self.advance_of(slot, partition);
        advance.position = advance.position.max(position);
    }

    /// Returns whether nothing has been added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.advances.is_empty()
    }

    /// Returns the number of changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns the bytes of the stored forms.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.arena.len()
    }

    /// Returns how long ago the first record was added; zero when empty.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.opened.map_or(Duration::ZERO, |opened| opened.elapsed())
    }

    /// Returns how far each partition gets.
    #[must_use]
    pub fn advances(&self) -> &[Advance] {
        &self.advances
    }

    /// Returns the users' keys that change, as often as they do.
    pub fn changed_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.rows.iter().map(|row| row.change(&self.arena).key())
    }

    /// Sorts by storage key and hands the last change of each key to `visit`, in key order.
    pub fn last_changes<'a, E>(
        &'a mut self,
        mut visit: impl FnMut(StoredChange<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let arena = &self.arena;
        // Order matters: among equal keys the arena start tells the order of arrival.
        self.rows.sort_unstable_by(|a, b| a.compare_keys(b, arena).then(a.start.cmp(&b.start)));
        let mut rows = self.rows.iter().peekable();
        while let Some(row) = rows.next() {
            if rows.peek().is_some_and(|next| row.compare_keys(next, arena) == Ordering::Equal) {
                continue;
            }
            visit(row.change(arena))?;
        }
        Ok(())
    }

    /// Forgets the changes of a slot, which were written elsewhere; how far its partition gets stays.
    pub fn forget_changes(&mut self, slot: SlotNumber) {
        self.rows.retain(|row| row.slot != slot);
        if self.rows.is_empty() {
            (self.arena, self.rows) = (Vec::new(), Vec::new());
        }
    }

    /// Empties the batch; the memory is kept unless one huge record made it grow far beyond `bytes`.
    pub fn clear(&mut self, bytes: usize) {
        self.arena.clear();
        if self.arena.capacity() > bytes.saturating_mul(2) {
            self.arena.shrink_to(bytes);
        }
        self.rows.clear();
        self.advances.clear();
        self.opened = None;
    }

    fn advance(&mut self, slot: SlotNumber, record: &Record<'_>) -> &mut Advance {
        let next = record.offset.next();
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        let advance = self.advance_of(slot, record.partition);
        advance.position = advance.position.max(next);
        advance.last = Some((next, record.leader_epoch));
        advance.records += 1;
        advance.bytes += bytes as u64;
        advance
    }

    fn advance_of(&mut self, slot: SlotNumber, partition: Partition) -> &mut Advance {
        self.opened.get_or_insert_with(Instant::now);
        let known = self.advances.iter().rposition(|advance| advance.slot == slot);
        let at = known.unwrap_or(self.advances.len());
        if known.is_none() {
            self.advances.push(Advance {
                partition,
                slot,
                position: Position::ZERO,
                last: None,
                records: 0,
                bytes: 0,
                null_keys: 0,
                too_large: 0,
            });
        }
        #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.advances[at]
    }
}

impl Row {
    fn compare_keys(&self, other: &Self, arena: &[u8]) -> Ordering {
        self.slot
            .cmp(&other.slot)
            .then(self.head.cmp(&other.head))
            .then_with(|| self.storage_key(arena).cmp(other.storage_key(arena)))
    }

    #[expect(clippy::indexing_slicing, reason = "the row's bounds were taken from this arena")]
    fn storage_key<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        &arena[self.start as usize..self.key_end as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "the row's bounds were taken from this arena")]
    fn change<'a>(&self, arena: &'a [u8]) -> StoredChange<'a> {
        let stored = &arena[self.key_end as usize..self.end as usize];
        let (slot, deletes, position) = (self.slot, self.deletes, self.position);
        StoredChange { slot, storage_key: self.storage_key(arena), stored, deletes, position }
    }
}

impl<'a> StoredChange<'a> {
    /// Returns the user's key.
    #[must_use]
    pub fn key(&self) -> &'a [u8] {
        self.storage_key.get(KEY_PREFIX_BYTES..).unwrap_or_default()
    }
}

/// Shorter keys are padded with zeros: equal heads fall through to the comparison of the whole keys.
fn head(key: &[u8]) -> u64 {
    let mut head = [0; 8];
    let length = key.len().min(8);
    if let (Some(to), Some(from)) = (head.get_mut(..length), key.get(..length)) {
        to.copy_from_slice(from);
    }
    u64::from_be_bytes(head)
}

/// Invariant: an arena stays below 4 GiB, since a batch ends at its byte bound and Kafka bounds a record at 2 GiB.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or_else(|_| unreachable!("a batch of more than 4 GiB"))
}

#[cfg(test)]
#[path = "batch/tests.rs"]
mod tests;
