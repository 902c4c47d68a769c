//! One view as the read side sees it: look-ups, condition, status.

mod condition;
pub mod feed;
mod many;
mod operation;
mod status;
pub mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

pub use condition::{Condition, NotReady, State, is_complete};
pub use many::Moment;
pub use operation::{NotBegun, OperationState, OperationStatus};
pub use status::{PartitionStatus, RebuildStatus, RestoreStatus, ViewStatus, WarningStatus, WithheldStatus};

use self::feed::Recent;
use crate::config::sections::ViewConfig;
use crate::config::view_name::ViewName;
use crate::position::{Partition, Position};
use crate::progress::{OperationId, Progress, TroubleCode};
use crate::store::{self, Entry, Slot, SlotTable, Store};
use crate::topic_id::TopicTag;

/// How long a computed condition is good for: what goes into it is observed about once a second.
const CONDITION_AGE: Duration = Duration::from_millis(100);
/// Attempts at a miss while the places to look at are changing.
const MISS_ATTEMPTS: usize = 8;

/// All views of the process by name.
pub type Views = BTreeMap<ViewName, Arc<View>>;

/// One view.
#[derive(Debug)]
pub struct View {
    name: ViewName,
    config: ViewConfig,
    store: Arc<Store>,
    progress: Arc<Progress>,
    max_staleness: Duration,
    condition: ArcSwap<(Instant, Condition)>,
    /// What those who watch have read.
    recent: Recent,
}

/// Outcome of a look-up that could be answered.
#[derive(Debug, Clone)]
pub enum LookUp {
    /// The key has a value; it reflects at least its partition up to the entry's position.
    Found(Entry),
    /// The key had no value at these positions.
    Absent(Positions),
}

/// How far an answer reaches: next offset to read, per partition, of one incarnation of the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Positions {
    /// Incarnation of the topic; none when no partition is served.
    pub topic: Option<TopicTag>,
    /// Next offset to read, by partition.
    pub partitions: Vec<(Partition, Position)>,
}

/// Why a look-up cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    /// The view has not caught up once: neither a value nor a miss could be trusted.
    #[error("the view is still restoring")]
    Restoring,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl View {
    /// Joins a store and the progress of its write side to a view.
    #[must_use]
    pub fn new(
        name: ViewName,
        config: ViewConfig,
        store: Arc<Store>,
        progress: Arc<Progress>,
        max_staleness: Duration,
    ) -> Self {
        let condition = Condition::of(&store.table(), &progress);
        let condition = ArcSwap::from_pointee((Instant::now(), condition));
        Self { name, config, store, progress, max_staleness, condition, recent: Recent::default() }
    }

    /// Returns the view's name.
    #[must_use]
    pub fn name(&self) -> &ViewName {
        &self.name
    }

    /// Returns the view's configuration.
    #[must_use]
    pub fn config(&self) -> &ViewConfig {
        &self.config
    }

    /// Returns the view's store.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Returns the progress of the view's write side.
    #[must_use]
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Looks a key up.
    ///
    /// # Errors
    /// [`LookUpError::Restoring`] before every wanted partition has caught up once, and for a miss while an
    /// added one has not.
    pub fn look_up(&self, key: &[u8]) -> Result<LookUp, LookUpError> {
        for _ in 0..MISS_ATTEMPTS {
            let table = self.store.table();
            if !table.was_complete() && !self.is_complete(&table) {
                return Err(LookUpError::Restoring);
            }
            if let Some(entry) = self.store.find(&table, key)? {
                return Ok(LookUp::Found(entry));
            }
            let complete = self.is_complete(&table);
            // Order matters: a miss names how far every partition reaches, so the positions are read before
            // the data, and the table that says where to look must still be the current one afterwards.
            let positions = Positions::of(&table);
            if let Some(entry) = self.store.find(&table, key)? {
                return Ok(LookUp::Found(entry));
            }
            // A partition was added and may hold the key: a hit elsewhere counts until it is restored, a miss
            // does not.
            if !complete {
                return Err(LookUpError::Restoring);
            }
            if self.store.is_current(&table) {
                return Ok(LookUp::Absent(positions));
            }
        }
        Err(LookUpError::Restoring)
    }

    /// Looks a key up, in what there is by now where the view has not caught up once.
    ///
    /// # Errors
    /// As [`View::look_up`], but for a hit.
    pub fn look_up_incomplete(&self, key: &[u8]) -> Result<LookUp, LookUpError> {
        match self.look_up(key) {
            Err(LookUpError::Restoring) => {}
            found => return found,
        }
        let found = self.store.find_anywhere(&self.store.table(), key)?;
        found.map(LookUp::Found).ok_or(LookUpError::Restoring)
    }

    /// Returns state, lag and staleness, at most a tenth of a second old.
    #[must_use]
    pub fn condition(&self) -> Condition {
        let cached = self.condition.load();
        let table = self.store.table();
        // A swap shows at once: an answer out of a slot that serves must not call its view restoring.
        if cached.1.generation == table.generation() && cached.0.elapsed() < CONDITION_AGE {
            return cached.1;
        }
        let condition = Condition::of(&table, &self.progress);
        self.condition.store(Arc::new((Instant::now(), condition)));
        condition
    }

    /// Returns whether the view may be asked, or why not.
    ///
    /// # Errors
    /// [`NotReady`] with the reason.
    pub fn ready(&self) -> Result<(), NotReady> {
        condition::ready(&self.store.table(), &self.progress, self.max_staleness)
    }

    /// Returns why a miss says nothing of a key; none where every wanted partition is served.
    #[must_use]
    pub fn unserved(&self) -> Option<NotReady> {
        condition::unserved(&self.store.table(), &self.progress)
    }

    /// Returns the share of the first restore that is done, 0 to 1.
    #[must_use]
    pub fn restored(&self) -> f64 {
        status::restored(self)
    }

    /// Returns the seconds until every wanted partition answers, at most as many as the restore took so far; none where
    /// nothing tells.
    #[must_use]
    pub fn restore_s_max(&self) -> Option<f64> {
        status::restore_s_max(self)
    }

    /// Returns the whole status.
    #[must_use]
    pub fn status(&self) -> ViewStatus {
        status::of(self)
    }

    /// Takes notice of damage that a read met; returns whether it is news.
    ///
    /// What is told of a slot that answers no more is passed over.
    pub fn note_damage(&self, error: &store::Error) -> bool {
        let store::Error::Corrupt { detail, slot: Some(number) } = error else { return true };
        let table = self.store.table();
        let Some(slot) = table.serving().values().find(|slot| slot.number() == *number) else { return false };
        let partition = slot.partition();
        if !self.progress.want(partition).set_damage(detail.clone()) {
            return false;
        }
        let code = TroubleCode::StorageCorruption.as_str();
        self.progress.record_event(code, Some(partition), detail.clone());
        tracing::error!(view = %self.name, partition, code, detail, "the store is damaged");
        true
    }

    /// Asks for fresh states of `partitions`, or of all; what is served goes on being served meanwhile.
    ///
    /// # Errors
    /// [`NotBegun`] with what stands in the way.
    pub fn rebuild(&self, partitions: Option<BTreeSet<Partition>>) -> Result<OperationId, NotBegun> {
        operation::rebuild(self, partitions)
    }

    /// Returns how far a rebuild is that was asked for.
    #[must_use]
    pub fn operation(&self, id: OperationId) -> Option<OperationStatus> {
        operation::status(self, id)
    }

    /// Returns whether every wanted partition has caught up once.
    #[must_use]
    pub fn was_whole(&self) -> bool {
        let table = self.store.table();
        table.was_complete() || self.is_complete(&table)
    }

    fn is_complete(&self, table: &SlotTable) -> bool {
        is_complete(table, &self.progress)
    }
}

impl Positions {
    /// Reads the positions of all serving slots.
    #[must_use]
    pub fn of(table: &SlotTable) -> Self {
        Self::of_slots(table.serving().values().map(|slot| (slot, slot.position())))
    }

    fn of_slots<'t>(slots: impl Iterator<Item = (&'t Arc<Slot>, Position)>) -> Self {
        let mut topic = None;
        // While a recreated topic takes over, an offset of the other incarnation means nothing under this one's tag.
        let taken = slots.filter(|(slot, _)| *topic.get_or_insert(slot.topic_id()) == slot.topic_id());
        let partitions = taken.map(|(slot, position)| (slot.partition(), position)).collect();
        Self { topic: topic.map(|topic| topic.tag()), partitions }
    }
}
