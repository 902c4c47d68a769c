//! The rows of one slot, a piece at a time.

use std::sync::Arc;

use super::Store;
use super::entries::{Extent, SKIPPED_MAX, Way};
use super::error::Result;
use super::found::Entry;
use super::range::{KeyRange, Order};
use super::slot::Slot;
use super::stretch::Stretch;

/// Some rows of a slot, in key order, tombstones that were kept included.
#[derive(Debug)]
pub struct Rows {
    /// Each key with what is stored under it.
    pub rows: Vec<(Vec<u8>, Entry)>,
    /// How far the walk has come, which need not be a key that is stored; none at the end of the range.
    pub after: Option<Vec<u8>>,
}

impl Store {
    /// Reads the first rows of one slot in a range: up to `most`, until they have `bytes`, and past a bounded number
    /// of deleted keys.
    ///
    /// Nothing is held between two pieces. A walk in pieces sees every row that is there throughout.
    ///
    /// # Errors
    /// [`Error::Corrupt`](super::Error::Corrupt) when stored bytes are damaged.
    pub fn rows(&self, slot: &Arc<Slot>, range: &KeyRange, most: usize, bytes: usize) -> Result<Rows> {
        let position = slot.position();
        let snapshot = self.db.snapshot();
        let (order, extent) = (Order::Ascending, Extent::Whole);
        let way = Way { snapshot: &snapshot, order, extent, skipped_max: SKIPPED_MAX };
        let mut source = way.open(slot, range.clone(), Stretch::WHOLE, Vec::new())?;
        let (mut rows, mut gathered) = (Vec::new(), 0);
        while let Some(at) = source {
            let (key, stored) = at.row();
            if let Some(stored) = stored {
                gathered += key.len() + stored.len();
                rows.push((key.to_vec(), Entry::parse(stored, slot, position)?));
            }
            if stored.is_none() || rows.len() >= most || gathered >= bytes {
                return Ok(Rows { rows, after: Some(key.to_vec()) });
            }
            source = at.next(&way)?;
        }
        Ok(Rows { rows, after: None })
    }
}
