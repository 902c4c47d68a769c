//! Answers about many keys, each out of one snapshot.

use super::{LookUpError, Positions, View};
use crate::store::{Entry, Snapshot};

/// What an answer out of a snapshot reflects, exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// How far every partition was applied.
    pub positions: Positions,
    /// Swaps that readers could see by then.
    pub generation: u64,
}

impl View {
    /// Takes a snapshot of a view that is whole.
    ///
    /// # Errors
    /// [`LookUpError::Restoring`] until every wanted partition has caught up once.
    pub fn snapshot(&self) -> Result<Snapshot<'_>, LookUpError> {
        let snapshot = self.store.snapshot()?;
        if self.is_complete(snapshot.table()) { Ok(snapshot) } else { Err(LookUpError::Restoring) }
    }

    /// Takes a snapshot for look-ups: of a view that was whole once. See [`View::find_all`].
    ///
    /// # Errors
    /// [`LookUpError::Restoring`] until every wanted partition has caught up once.
    pub fn snapshot_for_hits(&self) -> Result<Snapshot<'_>, LookUpError> {
        let snapshot = self.store.snapshot()?;
        let whole = self.is_complete(snapshot.table()) || snapshot.table().was_complete();
        if whole { Ok(snapshot) } else { Err(LookUpError::Restoring) }
    }

    /// Looks keys up in a snapshot; what was found is in the order of the keys.
    ///
    /// # Errors
    /// [`LookUpError::Restoring`] for a miss while an added partition has not caught up once: it may hold the key.
    pub fn find_all<K: AsRef<[u8]>>(
        &self,
        snapshot: &Snapshot<'_>,
        keys: &[K],
    ) -> Result<Vec<Option<Entry>>, LookUpError> {
        let complete = self.is_complete(snapshot.table());
        let found = snapshot.find_all(keys)?;
        if !complete && found.iter().any(Option::is_none) {
            return Err(LookUpError::Restoring);
        }
        Ok(found)
    }
}

impl Moment {
    /// Reads the moment of a snapshot.
    #[must_use]
    pub fn of(snapshot: &Snapshot<'_>) -> Self {
        let table = snapshot.table();
        let position = |partition| snapshot.positions().get(&partition).copied().unwrap_or_default();
        let slots = table.serving().iter().map(|(partition, slot)| (slot, position(*partition)));
        Self { positions: Positions::of_slots(slots), generation: table.generation() }
    }
}
