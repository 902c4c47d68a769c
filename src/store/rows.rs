//! The rows of one slot, a piece at a time.

use std::sync::Arc;

use super::Store;
use super::entries::Extent;
use super::error::{Error, Result};
use super::found::Entry;
use super::range::KeyRange;
use super::slot::Slot;
use crate::entry::KEY_PREFIX_BYTES;

/// Some rows of a slot, in key order, tombstones that were kept included.
#[derive(Debug)]
pub struct Rows {
    /// Each key with what is stored under it.
    pub rows: Vec<(Vec<u8>, Entry)>,
    /// Whether nothing of the range is left after them.
    pub ended: bool,
}

impl Store {
    /// Reads the first rows of one slot in a range: up to `most`, and until they have `bytes`.
    ///
    /// Nothing is held between two pieces. A walk in pieces sees every row that is there throughout.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when stored bytes are damaged.
    pub fn rows(&self, slot: &Arc<Slot>, range: &KeyRange, most: usize, bytes: usize) -> Result<Rows> {
        let position = slot.position();
        let (start, end) = range.in_slot(slot.number());
        let mut read = Extent::Whole.reading();
        read.set_iterate_lower_bound(start);
        read.set_iterate_upper_bound(end);
        let mut iterator = self.db.raw_iterator_opt(read);
        iterator.seek_to_first();
        let (mut rows, mut gathered) = (Vec::new(), 0);
        while let Some((storage_key, stored)) = iterator.item() {
            if rows.len() >= most || gathered >= bytes {
                return Ok(Rows { rows, ended: false });
            }
            gathered += storage_key.len() + stored.len();
            let key = storage_key.get(KEY_PREFIX_BYTES..).unwrap_or_default().to_vec();
            rows.push((key, Entry::parse(stored, slot, position)?));
            iterator.next();
        }
        // Order matters: an iterator that met damage ends like one that is done, and only its status tells.
        iterator.status().map_err(|error| Error::from(error).in_slot(slot.number()))?;
        Ok(Rows { rows, ended: true })
    }
}
