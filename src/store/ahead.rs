//! A long walk on a thread of its own, ahead of what is made of the entries.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::entries::{Extent, Step};
use super::error::{Error, Result};
use super::found::EntryRef;
use super::range::{KeyRange, Order};
use super::slot::SlotTable;
use super::snapshot::Snapshot;
use crate::entry::EntryHeader;
use crate::position::Partition;

/// Bytes that are handed on at once; an entry may make it more. Smaller pieces wake the other thread more often.
const PIECE_BYTES: usize = 128 * 1024;
/// Pieces that wait for the other thread.
const PIECES_AHEAD: usize = 2;

/// Entries of a walk, each a key and what is stored.
#[derive(Default)]
struct Piece {
    bytes: Vec<u8>,
    rows: Vec<Row>,
    /// Deleted keys were passed behind them.
    passed: bool,
}

struct Row {
    key_bytes: usize,
    stored_bytes: usize,
    header: EntryHeader,
    partition: Partition,
}

impl Snapshot<'_> {
    /// Walks a range as [`Snapshot::entries`] does, with a thread that reads ahead while `visit` works: on keys and
    /// entries, or on nothing, where a bounded number of deleted keys was passed. It can end the walk with an error.
    ///
    /// # Errors
    /// Those of `visit`, and [`Error::Corrupt`] when stored bytes are damaged.
    pub fn visit<E: From<Error>>(
        &self,
        range: &KeyRange,
        order: Order,
        mut visit: impl FnMut(Option<(&[u8], EntryRef<'_>)>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        thread::scope(|scope| {
            let (sent, received) = sync_channel(PIECES_AHEAD);
            let read = move || self.read_ahead(range, order, &sent);
            let reader = thread::Builder::new().name("read-ahead".to_owned()).spawn_scoped(scope, read);
            reader.map_err(|error| Error::Refused { detail: format!("no thread to read ahead: {error}") })?;
            // Order matters: a visitor that has had enough drops what is received, and that ends the reader.
            let pieces: Receiver<Result<Piece>> = received;
            pieces.into_iter().try_for_each(|piece| piece?.show(self.table(), &mut visit))
        })
    }

    /// Nobody is told where the visitor has had enough.
    fn read_ahead(&self, range: &KeyRange, order: Order, pieces: &SyncSender<Result<Piece>>) {
        let mut piece = Piece::default();
        let read = self.entries(range, order, Extent::Whole).and_then(|mut entries| {
            loop {
                match entries.step()? {
                    Step::Entry(key, entry) => piece.push(key, &entry),
                    Step::Passed(_) => piece.passed = true,
                    Step::End => return Ok(()),
                }
                // Where keys were passed at once: the visitor may want to leave.
                let ends = piece.passed || piece.bytes.len() >= PIECE_BYTES;
                if ends && pieces.send(Ok(std::mem::take(&mut piece))).is_err() {
                    return Ok(());
                }
            }
        });
        // Order matters: what was read before the damage comes before it.
        let _ = pieces.send(Ok(piece));
        if let Err(error) = read {
            let _ = pieces.send(Err(error));
        }
    }
}

impl Piece {
    fn push(&mut self, key: &[u8], entry: &EntryRef<'_>) {
        if self.rows.is_empty() {
            self.bytes.reserve(PIECE_BYTES + PIECE_BYTES / 4);
        }
        let stored = entry.stored();
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(stored);
        let (header, partition) = (entry.header, entry.slot.partition());
        self.rows.push(Row { key_bytes: key.len(), stored_bytes: stored.len(), header, partition });
    }

    fn show<E: From<Error>>(
        &self,
        table: &SlotTable,
        visit: &mut impl FnMut(Option<(&[u8], EntryRef<'_>)>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut rest = self.bytes.as_slice();
        for row in &self.rows {
            let (key, behind) = rest.split_at(row.key_bytes);
            let (stored, behind) = behind.split_at(row.stored_bytes);
            rest = behind;
            let of_no_slot = || Error::corrupt("an entry was read of a partition that has no slot");
            let slot = table.serving().get(&row.partition).ok_or_else(of_no_slot)?;
            visit(Some((key, EntryRef::parsed(row.header, stored, slot))))?;
        }
        if self.passed { visit(None) } else { Ok(()) }
    }
}
