//! What the write side of a view knows beyond its store; the read side and the probes look at it.

mod changes;
mod count;
mod kinds;
mod log_ends;
mod rebuilds;
mod trouble;
mod waiters;
mod warnings;
mod withheld;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};

pub use changes::{Applied, Bounds, Builds, Changes, Joined, Known, Moved, Overflow, Reached, Reason, Step};
pub use count::Count;
pub(crate) use kinds::kinds;
pub use log_ends::{Answer, LogEnd, LogEnds, Question, Questions, Unknown};
pub use rebuilds::{Operation, OperationId, Rebuilds, Running};
pub use trouble::{Trouble, TroubleCode};
pub use waiters::{Place, Waiters};
pub use warnings::{Warning, WarningCode, Warnings};
pub use withheld::{Withheld, Withholding};

use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use utoipa::ToSchema;

use self::trouble::Cell;
use crate::entry::SlotNumber;
use crate::metrics::WriteMetrics;
use crate::position::{Partition, Position};
use crate::time::Millis;
use crate::topic_id::TopicId;

/// Events kept per view.
const EVENTS_MAX: usize = 20;

/// Progress of one view.
#[derive(Debug, Default)]
pub struct Progress {
    /// The partitions this view is wanted to hold; data, not a range.
    partitions: RwLock<Arc<BTreeMap<Partition, Arc<PartitionProgress>>>>,
    topic: RwLock<Option<TopicFacts>>,
    /// Each has a thread that writes it, and neither ends the other's.
    source_trouble: Cell,
    store_trouble: Cell,
    warnings: Warnings,
    conflicts: Count,
    events: Mutex<VecDeque<Event>>,
    rebuilds: Rebuilds,
    waiters: Waiters,
    log_ends: Questions,
    changes: Changes,
    /// How long the topic keeps tombstones, in milliseconds; zero before that is known.
    tombstones_kept: AtomicU64,
    metrics: WriteMetrics,
}

/// Progress of one partition.
#[derive(Debug, Default)]
pub struct PartitionProgress {
    log_start: AtomicI64,
    end_offset: AtomicI64,
    known: AtomicBool,
    caught_up: AtomicBool,
    /// The slot whose records are counted: the one begun last.
    slot: AtomicU32,
    records: AtomicU64,
    started_at: AtomicI64,
    trouble: Cell,
    /// Apart from other trouble: it ends with a fresh slot, not when something can be read again.
    damage: Cell,
    withholding: Withholding,
}

/// What the cluster says of the topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFacts {
    /// Id of the cluster.
    pub cluster_id: String,
    /// Id of the topic.
    pub topic_id: TopicId,
    /// Whether the id was derived from names, because the broker knows none.
    pub topic_id_derived: bool,
    /// Partitions the topic has.
    pub partitions: u32,
}

/// Something that happened to a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Event {
    /// When, RFC 3339.
    #[schema(example = "2026-11-23T08:25:22.123Z")]
    pub at: String,
    /// Stable word in kebab-case.
    #[schema(example = "restored")]
    pub kind: &'static str,
    /// Partition it happened to; none for the whole view.
    #[schema(value_type = Option<i32>, example = 3)]
    pub partition: Option<Partition>,
    /// For people.
    pub detail: String,
}

impl Progress {
    /// Makes the progress of a view that nothing is known of yet, with room for changes within `bounds`.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { changes: Changes::new(bounds), ..Self::default() }
    }

    /// Returns the partitions the view is wanted to hold.
    #[must_use]
    pub fn partitions(&self) -> Arc<BTreeMap<Partition, Arc<PartitionProgress>>> {
        Arc::clone(&self.partitions.read())
    }

    /// Returns the progress of `partition`, which belongs to the wanted ones from now on.
    pub fn want(&self, partition: Partition) -> Arc<PartitionProgress> {
        if let Some(known) = self.partitions.read().get(&partition) {
            return Arc::clone(known);
        }
        let known = Arc::clone(Arc::make_mut(&mut self.partitions.write()).entry(partition).or_default());
        // What a view needs to be complete is another question now.
        self.waiters.wake_all();
        known
    }

    /// Takes notice that the topic has no such partition any more.
    pub fn forget(&self, partition: Partition) {
        Arc::make_mut(&mut self.partitions.write()).remove(&partition);
        self.waiters.wake_all();
    }

    /// Returns what the cluster said of the topic last.
    #[must_use]
    pub fn topic(&self) -> Option<TopicFacts> {
        self.topic.read().clone()
    }

    /// Takes notice of what the cluster says of the topic.
    pub fn set_topic(&self, facts: TopicFacts) {
        *self.topic.write() = Some(facts);
    }

    /// Returns what is wrong with the view as a whole. The store goes first, for nothing helps before it writes; but not
    /// where nothing is to be written.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        let source = self.source_trouble.get();
        match source.as_ref().is_some_and(|trouble| trouble.code.leaves_nothing_to_write()) {
            true => source,
            false => self.store_trouble.get().or(source),
        }
    }

    /// Returns every trouble there is: of the view as a whole, and of each of its partitions.
    #[must_use]
    pub fn troubles(&self) -> Vec<TroubleCode> {
        let of_view = [&self.source_trouble, &self.store_trouble].map(Cell::get);
        let partitions = self.partitions();
        let of_partitions = partitions.values().flat_map(|known| [known.trouble(), known.damage()]);
        of_view.into_iter().chain(of_partitions).flatten().map(|trouble| trouble.code).collect()
    }

    /// Records trouble of the view; returns whether it is another kind than before, which is an event.
    pub fn set_trouble(&self, code: TroubleCode, detail: String) -> bool {
        let cell = if code.is_of_store() { &self.store_trouble } else { &self.source_trouble };
        let news = cell.set(code, detail.clone());
        if news {
            self.record_event(code.as_str(), None, detail);
        }
        news
    }

    /// Takes notice that the topic can be followed; returns what was wrong, whose end is an event.
    pub fn end_source_trouble(&self) -> Option<Trouble> {
        self.end_trouble(&self.source_trouble, "source-back")
    }

    /// Takes notice that the store writes; returns what was wrong, whose end is an event.
    pub fn end_store_trouble(&self) -> Option<Trouble> {
        self.end_trouble(&self.store_trouble, "storage-recovered")
    }

    fn end_trouble(&self, cell: &Cell, event: &'static str) -> Option<Trouble> {
        let over = cell.clear()?;
        self.record_event(event, None, over.detail.clone());
        Some(over)
    }

    /// Returns the last events, oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().iter().cloned().collect()
    }

    /// Adds an event; the oldest goes when there are too many.
    pub fn record_event(&self, kind: &'static str, partition: Option<Partition>, detail: String) {
        let at = Millis::now().rfc3339().unwrap_or_default();
        let mut events = self.events.lock();
        if events.len() == EVENTS_MAX {
            events.pop_front();
        }
        events.push_back(Event { at, kind, partition, detail });
    }

    /// Returns how long the topic keeps tombstones; none before that is known.
    #[must_use]
    pub fn tombstones_kept_ms(&self) -> Option<u64> {
        Some(self.tombstones_kept.load(Ordering::Relaxed)).filter(|kept| *kept > 0)
    }

    /// Takes notice of how long the topic keeps tombstones.
    pub fn set_tombstones_kept_ms(&self, kept: u64) {
        self.tombstones_kept.store(kept, Ordering::Relaxed);
    }

    /// Returns the conditions the view lives with.
    #[must_use]
    pub fn warnings(&self) -> &Warnings {
        &self.warnings
    }

    /// Takes notice of a condition; returns whether it is news, which is an event. The detail may change while it lasts.
    pub fn warn(&self, code: WarningCode, partition: Option<Partition>, detail: String) -> bool {
        let news = self.warnings.raise(code, partition, detail.clone());
        if news {
            self.record_event(code.as_str(), partition, detail);
        }
        news
    }

    /// Takes notice that a condition does not hold; returns whether it did, which is an event.
    pub fn end_warning(&self, code: WarningCode, partition: Option<Partition>) -> bool {
        let over = self.warnings.end(code, partition);
        if let Some(over) = &over {
            self.record_event("warning-over", partition, format!("{}: {}", code.as_str(), over.detail));
        }
        over.is_some()
    }

    /// Returns how many keys have a value that a newer record in another partition hides.
    #[must_use]
    pub fn conflicts(&self) -> &Count {
        &self.conflicts
    }

    /// Returns the rebuilds that were asked for.
    #[must_use]
    pub fn rebuilds(&self) -> &Rebuilds {
        &self.rebuilds
    }

    /// Returns the requests that wait for a position or a key.
    #[must_use]
    pub fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    /// Returns where requests ask how far the log reaches.
    #[must_use]
    pub fn log_ends(&self) -> &Questions {
        &self.log_ends
    }

    /// Returns the last things that happened, for those who watch the view.
    #[must_use]
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Returns the counters of the write side.
    #[must_use]
    pub fn metrics(&self) -> &WriteMetrics {
        &self.metrics
    }
}

impl PartitionProgress {
    /// Returns log start and end offset as the cluster said last; none before it was asked.
    #[must_use]
    pub fn log(&self) -> Option<(Position, Position)> {
        let known = self.known.load(Ordering::Acquire);
        let number = |cell: &AtomicI64| Position::new(cell.load(Ordering::Relaxed));
        known.then(|| (number(&self.log_start), number(&self.end_offset)))
    }

    /// Takes notice of log start and end offset.
    pub fn set_log(&self, log_start: Position, end_offset: Position) {
        self.log_start.store(log_start.get(), Ordering::Relaxed);
        self.end_offset.store(end_offset.get(), Ordering::Relaxed);
        self.known.store(true, Ordering::Release);
    }

    /// Returns whether the partition has caught up since the process started.
    #[must_use]
    pub fn caught_up(&self) -> bool {
        self.caught_up.load(Ordering::Acquire)
    }

    /// Takes notice that the partition has caught up.
    pub fn set_caught_up(&self) {
        self.caught_up.store(true, Ordering::Release);
    }

    /// Begins to count the records applied to `slot`.
    pub fn start_count(&self, slot: SlotNumber) {
        self.slot.store(slot.0, Ordering::Relaxed);
        self.records.store(0, Ordering::Relaxed);
        self.started_at.store(Millis::now().get(), Ordering::Release);
    }

    /// Counts records applied to `slot`, if it is the one whose records are counted.
    pub fn count(&self, slot: SlotNumber, records: u64) {
        if self.slot.load(Ordering::Relaxed) == slot.0 {
            self.records.fetch_add(records, Ordering::Relaxed);
        }
    }

    /// Returns the records counted, and since when; none before the partition was started.
    #[must_use]
    pub fn counted(&self) -> Option<(u64, Millis)> {
        match self.started_at.load(Ordering::Acquire) {
            0 => None,
            at => Some((self.records.load(Ordering::Relaxed), Millis::new(at))),
        }
    }

    /// Returns what is wrong with the partition.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.trouble.get()
    }

    /// Records trouble of the partition; returns whether it is another kind than before.
    pub fn set_trouble(&self, code: TroubleCode, detail: String) -> bool {
        self.trouble.set(code, detail)
    }

    /// Returns what an open transaction keeps back.
    #[must_use]
    pub fn withholding(&self) -> &Withholding {
        &self.withholding
    }

    /// Returns what is wrong with the stored bytes of the slot that answers.
    #[must_use]
    pub fn damage(&self) -> Option<Trouble> {
        self.damage.get()
    }

    /// Records damage to the slot that answers; returns whether it is news.
    pub fn set_damage(&self, detail: String) -> bool {
        self.damage.set(TroubleCode::StorageCorruption, detail)
    }

    /// Takes notice that a fresh slot answers; returns what was wrong with the one before.
    pub fn clear_damage(&self) -> Option<Trouble> {
        self.damage.clear()
    }

    /// Ends the trouble of the partition; returns what it was.
    pub fn clear_trouble(&self) -> Option<Trouble> {
        self.trouble.clear()
    }
}

#[cfg(test)]
mod tests;
