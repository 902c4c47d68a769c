//! Entries that one feed of a view has read, for the others that are about to tell the same.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Entry, Offset, Slot};
use crate::store::Apart;

/// What they may take up, about, by view.
pub(super) const BYTES_MAX: usize = 4 * 1024 * 1024;
/// Larger ones are read as quickly as they are sent.
pub(super) const ENTRY_BYTES_MAX: usize = 64 * 1024;
/// Bytes an entry takes up here beside its key and what is stored, about.
const FRAME_BYTES: usize = 192;

/// The entries that were read last, by key.
///
/// No slot is kept from being swept by them.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Read>);

#[derive(Debug, Default)]
struct Read {
    entries: HashMap<Vec<u8>, Apart>,
    bytes: usize,
}

impl Recent {
    /// Returns the entry of a key in a slot, if one was read that is at least as new as the record at `offset`.
    pub(super) fn get(&self, key: &[u8], slot: &Arc<Slot>, offset: Offset) -> Option<Entry> {
        let entry = self.0.lock().entries.get(key)?.in_slot(slot)?;
        (entry.header.offset >= offset).then_some(entry)
    }

    /// Remembers an entry that was read.
    pub(super) fn note(&self, key: &[u8], entry: &Entry) {
        let bytes = bytes(key, entry.stored_bytes());
        if bytes > ENTRY_BYTES_MAX {
            return;
        }
        let mut read = self.0.lock();
        // Whoever lags behind the others reads for itself.
        let full = (read.bytes + bytes > BYTES_MAX).then(|| std::mem::take(&mut *read));
        read.bytes += bytes;
        if let Some(before) = read.entries.insert(key.to_vec(), entry.apart()) {
            read.bytes -= self::bytes(key, before.stored_bytes());
        }
        drop(read);
        drop(full);
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.lock().bytes
    }
}

fn bytes(key: &[u8], stored: usize) -> usize {
    key.len() + stored + FRAME_BYTES
}
