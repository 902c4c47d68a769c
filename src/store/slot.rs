//! Slots and the table that says which of them answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::meta::{Build, PartitionRow, SlotRow};
use crate::entry::SlotNumber;
use crate::interpretation::RULES_LATEST_VALUE;
use crate::partitioner::{Pair, Verified};
use crate::position::{Partition, Position};
use crate::resume::BuildReason;
use crate::time::{Millis, Moment};
use crate::topic_id::TopicId;

/// "Never" for the time a slot was caught up.
const NEVER: i64 = i64::MIN;

/// One build of one partition: where its entries lie, and how far they reach.
#[derive(Debug)]
pub struct Slot {
    number: SlotNumber,
    partition: Partition,
    cluster_id: String,
    topic_id: TopicId,
    build: Build,
    position: AtomicI64,
    in_time: AtomicI64,
    caught_up_at: AtomicI64,
    /// When this process made or found the slot, and how many milliseconds after that it was current last.
    found: Instant,
    current_after: AtomicU64,
    /// Touched by those who write the slot alone; readers see it through the table's locator.
    ledger: Mutex<Ledger>,
}

/// What only those who write a slot need to know of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ledger {
    pub(super) epoch: Option<(i32, Position)>,
    pub(super) verified: Verified,
    pub(super) staged: Option<Position>,
}

impl Slot {
    pub(super) fn from_row(number: SlotNumber, row: SlotRow) -> Self {
        Self {
            number,
            partition: row.partition,
            cluster_id: row.cluster_id,
            topic_id: row.topic_id,
            build: row.build,
            position: AtomicI64::new(row.position.get()),
            in_time: AtomicI64::new(row.in_time.unwrap_or(row.position).get()),
            caught_up_at: AtomicI64::new(row.caught_up_at.map_or(NEVER, Millis::get)),
            found: Instant::now(),
            current_after: AtomicU64::new(0),
            ledger: Mutex::new(Ledger { epoch: row.epoch, verified: row.verified, staged: row.staged }),
        }
    }

    pub(super) fn row(&self) -> SlotRow {
        let ledger = self.ledger.lock().clone();
        SlotRow {
            partition: self.partition,
            cluster_id: self.cluster_id.clone(),
            topic_id: self.topic_id,
            rules: RULES_LATEST_VALUE,
            position: self.position(),
            in_time: Some(self.in_time()),
            epoch: ledger.epoch,
            caught_up_at: self.caught_up_at(),
            verified: ledger.verified,
            build: self.build.clone(),
            staged: ledger.staged,
        }
    }

    /// Returns the number under which the slot's entries lie.
    #[must_use]
    pub fn number(&self) -> SlotNumber {
        self.number
    }

    /// Returns the partition the slot was built from.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// Returns the cluster the slot was built from.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Returns the incarnation of the topic the slot was built from.
    #[must_use]
    pub fn topic_id(&self) -> TopicId {
        self.topic_id
    }

    /// Returns why and over which offsets the slot was built.
    #[must_use]
    pub fn build(&self) -> &Build {
        &self.build
    }

    /// Returns the next offset to read: everything below it is applied and readable.
    #[must_use]
    pub fn position(&self) -> Position {
        Position::new(self.position.load(Ordering::Acquire))
    }

    /// Returns how far the slot was read while no tombstone before can have been compacted away unread.
    #[must_use]
    pub fn in_time(&self) -> Position {
        Position::new(self.in_time.load(Ordering::Acquire))
    }

    /// Takes notice that what lies before `position` was read in time.
    pub fn set_in_time(&self, position: Position) {
        self.in_time.fetch_max(position.get(), Ordering::AcqRel);
    }

    /// Returns the last time the slot was known to hold everything the log held.
    #[must_use]
    pub fn caught_up_at(&self) -> Option<Millis> {
        match self.caught_up_at.load(Ordering::Acquire) {
            NEVER => None,
            at => Some(Millis::new(at)),
        }
    }

    /// Takes notice that at `at` the log held nothing beyond what is applied now. A clock that was set back is
    /// believed: a time in the future would hide an outage.
    pub fn set_caught_up_at(&self, at: Millis) {
        self.caught_up_at.store(at.get(), Ordering::Release);
    }

    /// Takes notice that at that moment the log held nothing beyond what is applied now.
    pub fn set_current(&self, seen: Moment) {
        let after = u64::try_from(seen.measured.saturating_duration_since(self.found).as_millis());
        self.current_after.store(after.unwrap_or(u64::MAX), Ordering::Release);
        self.set_caught_up_at(seen.at);
    }

    /// Returns how long ago the slot was known to hold everything the log held; none if it never was.
    #[must_use]
    pub fn age(&self, now: Moment) -> Option<Duration> {
        // A wall clock that was set back would call fresh what is old. So it is at least what was measured.
        let current_after = Duration::from_millis(self.current_after.load(Ordering::Acquire));
        let measured = now.measured.saturating_duration_since(self.found).saturating_sub(current_after);
        self.caught_up_at().map(|at| now.at.since(at).max(measured))
    }

    /// Returns the leader epoch of the last record applied and the position right after that record.
    #[must_use]
    pub fn epoch(&self) -> Option<(i32, Position)> {
        self.ledger.lock().epoch
    }

    /// Returns whether answers would go back in time if this build took over from a slot.
    #[must_use]
    pub fn is_behind(&self, serving: &Self) -> bool {
        // Of another log, or one that was rewritten, the old position says nothing.
        let same_log = self.topic_id == serving.topic_id && self.build.reason != BuildReason::LogRewritten;
        same_log && self.position() < serving.position()
    }

    pub(super) fn ledger(&self) -> parking_lot::MutexGuard<'_, Ledger> {
        self.ledger.lock()
    }

    /// Order matters: called after the write that made the data readable, forwards only.
    pub(super) fn publish(&self, position: Position) {
        self.position.fetch_max(position.get(), Ordering::AcqRel);
    }
}

/// Which slots answer and which are being filled; a snapshot that readers hold while they answer.
#[derive(Debug, Clone, Default)]
pub struct SlotTable {
    pub(super) serving: BTreeMap<Partition, Arc<Slot>>,
    pub(super) building: BTreeMap<Partition, Arc<Slot>>,
    pub(super) rows: BTreeMap<Partition, PartitionRow>,
    pub(super) generation: u64,
    pub(super) was_complete: bool,
    /// Some partition of several has not caught up since the process started: where its records lead is not known.
    pub(super) behind: bool,
    locator: Locator,
}

/// Where a key can lie, as far as the records of the serving slots tell.
#[derive(Debug, Clone, Default)]
struct Locator {
    /// Each pair with the partitions it explains; partition `p` is bit `p % 64` of word `p / 64`.
    pairs: Vec<(Pair, Vec<u64>)>,
    /// Partitions with a record no pair explains: always asked.
    unexplained: Vec<Partition>,
}

impl SlotTable {
    /// Returns all slots: those that answer, then those that are being filled.
    pub fn slots(&self) -> impl Iterator<Item = &Arc<Slot>> {
        self.serving.values().chain(self.building.values())
    }

    /// Returns the slots that answer, by partition.
    #[must_use]
    pub fn serving(&self) -> &BTreeMap<Partition, Arc<Slot>> {
        &self.serving
    }

    /// Returns the slots that are being filled, by partition.
    #[must_use]
    pub fn building(&self) -> &BTreeMap<Partition, Arc<Slot>> {
        &self.building
    }

    /// Returns what is decided of a partition; defaults where nothing is stored.
    #[must_use]
    pub fn row(&self, partition: Partition) -> PartitionRow {
        self.rows.get(&partition).copied().unwrap_or_default()
    }

    /// Returns how many swaps readers could see so far.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns whether every wanted partition was served at some time.
    #[must_use]
    pub fn was_complete(&self) -> bool {
        self.was_complete
    }

    /// Returns the pairs by which keys are found, each with the number of partitions it explains.
    pub fn pairs(&self) -> impl Iterator<Item = (Pair, usize)> + '_ {
        let ones = |words: &Vec<u64>| words.iter().map(|word| word.count_ones() as usize).sum();
        self.locator.pairs.iter().map(move |(pair, words)| (*pair, ones(words)))
    }

    /// Returns whether some partition has to be asked for every key.
    #[must_use]
    pub fn has_unexplained(&self) -> bool {
        !self.locator.unexplained.is_empty()
    }

    /// Returns whether no key can lie in two of the slots that answer: one pair explains all their records.
    #[must_use]
    pub fn has_one_place_per_key(&self) -> bool {
        // Where the number of partitions has changed, each pair of a partition explains some records only.
        let mut counts = self.locator.pairs.iter().map(|(pair, _)| pair.partitions);
        let first = counts.next();
        counts.all(|count| Some(count) == first)
            && self.pairs().any(|(_, partitions)| partitions == self.serving.len())
    }

    /// Returns whether keys can lie in more than one partition.
    #[must_use]
    pub fn has_several_places(&self) -> bool {
        self.serving.len() > 1 && (self.has_unexplained() || self.locator.pairs.len() > 1)
    }

    /// Calls `visit` with each serving slot that can hold `key`, each once.
    pub(super) fn locate<'t, E>(
        &'t self,
        key: &[u8],
        mut visit: impl FnMut(&'t Arc<Slot>) -> Result<(), E>,
    ) -> Result<(), E> {
        // Few pairs remain once records were seen, so a linear look-back beats a set.
        let mut asked: [Partition; 16] = [-1; 16];
        let mut count = 0;
        for (pair, partitions) in &self.locator.pairs {
            let partition = pair.partition(key);
            if !holds(partitions, partition) || asked.iter().take(count).any(|seen| *seen == partition) {
                continue;
            }
            if let Some(slot) = self.serving.get(&partition) {
                visit(slot)?;
            }
            if let Some(place) = asked.get_mut(count) {
                *place = partition;
                count += 1;
            }
        }
        for partition in &self.locator.unexplained {
            if let Some(slot) = self.serving.get(partition) {
                visit(slot)?;
            }
        }
        Ok(())
    }

    /// Returns whether another partition can hold `key` as well, now or once it is read: then a tombstone in
    /// `slot` has to be kept.
    pub(super) fn may_lie_elsewhere(&self, key: &[u8], slot: &Slot) -> bool {
        let own = slot.partition();
        if self.behind {
            return true;
        }
        if self.slots().all(|other| other.partition() == own) {
            return false;
        }
        let leads_away = |(pair, partitions): &(Pair, Vec<u64>)| {
            let partition = pair.partition(key);
            partition != own && (holds(partitions, partition) || !self.serving.contains_key(&partition))
        };
        // Of a slot that is being filled, this one or another, the records that tell may be still to come.
        !self.building.is_empty() || self.has_unexplained() || self.locator.pairs.iter().any(leads_away)
    }

    /// Returns the table with its locator made anew from the slots' ledgers.
    pub(super) fn relocated(mut self) -> Self {
        let mut locator = Locator::default();
        for (partition, slot) in &self.serving {
            let ledger = slot.ledger();
            let Some(pairs) = ledger.verified.pairs() else {
                locator.unexplained.push(*partition);
                continue;
            };
            for pair in pairs {
                let at = locator.pairs.iter().position(|(known, _)| *known == pair);
                let at = at.unwrap_or_else(|| {
                    locator.pairs.push((pair, Vec::new()));
                    locator.pairs.len() - 1
                });
                if let Some((_, partitions)) = locator.pairs.get_mut(at) {
                    insert(partitions, *partition);
                }
            }
        }
        self.locator = locator;
        self
    }
}

fn bit(partition: Partition) -> (usize, u64) {
    let number = partition.unsigned_abs() as usize;
    (number / 64, 1 << (number % 64))
}

fn holds(partitions: &[u64], partition: Partition) -> bool {
    let (word, bit) = bit(partition);
    partitions.get(word).is_some_and(|bits| bits & bit != 0)
}

fn insert(partitions: &mut Vec<u64>, partition: Partition) {
    let (word, bit) = bit(partition);
    if partitions.len() <= word {
        partitions.resize(word + 1, 0);
    }
    if let Some(bits) = partitions.get_mut(word) {
        *bits |= bit;
    }
}
