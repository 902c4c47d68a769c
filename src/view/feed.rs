//! What one watcher is told: what there is, then every change of it.
//!
//! A feed follows the steps of the view, and beside them walks over what is stored, in pieces. It holds neither a
//! snapshot nor a slot between two pieces, so a slow reader costs nothing but its place.
//!
//! Invariant: a value is read from the store after the step that made it known, when it is told or by another feed
//! that told it before (`recent`). So it is at least as new as that step, and later steps of the same record are
//! passed over (`ahead`). Entries of a slot that the feed does not follow yet are left out: the step that leads
//! there has the partition walked anew.

mod ahead;
mod recent;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use self::recent::Recent;

use self::ahead::Ahead;
use self::walk::Walk;
use super::View;
use crate::position::{Offset, Partition, Position};
use crate::progress::{Applied, Builds, Joined, Known, Moved, Reached, Reason, Step};
use crate::room::Room;
use crate::store::{self, Entry, KeyRange, Slot, SlotTable};

/// Steps that are looked at in one go.
const STEPS: usize = 256;
/// What is told in one go.
const UPDATES: usize = 256;
const BYTES: usize = 64 * 1024;

/// What a watcher wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The keys.
    pub keys: KeyRange,
    /// Whether what there is already is wanted too, and not only what changes.
    pub snapshots: bool,
}

/// What a watcher's client knows already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// What it was told in an earlier watch.
    Known(Known),
    /// Something that cannot be built upon.
    Lost(Reason),
}

/// The client cannot be told all that happened, and does not want to begin anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// One thing a watcher is told.
#[derive(Debug)]
pub enum Update {
    /// A key has this value.
    Put {
        /// The key.
        key: Vec<u8>,
        /// Its value.
        entry: Entry,
    },
    /// A key has no value any more.
    Delete {
        /// The key.
        key: Vec<u8>,
        /// The partition whose record led to this.
        partition: Partition,
        /// The offset of that record.
        offset: Offset,
    },
    /// What the client knows of these partitions, or of all, does not count any more.
    Reset {
        /// Why.
        reason: Reason,
        /// The partitions; none for all.
        partitions: Option<BTreeSet<Partition>>,
    },
    /// The client knows all there is.
    Synced {
        /// Values it was told since the walk began.
        count: u64,
    },
}

/// What one watcher is told.
#[derive(Debug)]
pub struct Feed {
    view: Arc<View>,
    wanted: Wanted,
    /// Number of the step to look at next.
    next: u64,
    /// Changes of that step, and of no other, that are done.
    done: usize,
    /// Partitions that moved in a step below are where they are known to be.
    until: u64,
    reached: BTreeMap<Partition, Reached>,
    builds: Builds,
    room: Arc<Room>,
    ahead: Ahead,
    walk: Option<Walk>,
    told: Told,
}

/// What is about to be told.
#[derive(Debug, Default)]
struct Told {
    updates: Vec<Update>,
    bytes: usize,
}

impl Feed {
    /// Begins to tell what happens to `view`; what it remembers meanwhile takes up `room`.
    ///
    /// # Errors
    /// [`Gone`] when the client would have to begin anew, and wants changes only.
    pub fn new(view: &Arc<View>, room: &Arc<Room>, wanted: Wanted, before: &Before) -> Result<Self, Gone> {
        let changes = view.progress().changes();
        let joined = match before {
            Before::Known(known) => changes.rejoin(known),
            Before::Nothing | Before::Lost(_) => changes.join(),
        };
        let (begins_anew, snapshots) = (matches!(before, Before::Lost(_)), wanted.snapshots);
        if (begins_anew || !joined.lost.is_empty()) && !snapshots {
            return Err(Gone);
        }
        let lost = joined.lost.clone();
        let entangled = joined.entangled || !view.store().table().has_one_place_per_key();
        let mut feed = Self {
            view: Arc::clone(view),
            wanted,
            next: joined.from,
            done: 0,
            until: joined.until,
            reached: joined.reached,
            builds: joined.builds,
            room: Arc::clone(room),
            ahead: Ahead::new(room),
            walk: None,
            told: Told::default(),
        };
        match before {
            Before::Nothing => feed.walk_all(),
            Before::Lost(reason) => feed.begin_anew(*reason),
            Before::Known(_) => feed.begin_anew_with(lost, entangled),
        }
        Ok(feed)
    }

    /// Returns what is to be told next; nothing when there is no news.
    ///
    /// # Errors
    /// As [`store::Store::find`].
    pub fn advance(&mut self) -> Result<Vec<Update>, store::Error> {
        self.follow()?;
        self.walk_on()?;
        Ok(std::mem::take(&mut self.told).updates)
    }

    /// Returns the number of the step to look at next.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Returns whether a part of the step to look at next is told already.
    #[must_use]
    pub fn is_amid_a_step(&self) -> bool {
        self.done > 0
    }

    /// Returns whether there is more to tell of what is stored already.
    #[must_use]
    pub fn is_walking(&self) -> bool {
        self.walk.as_ref().is_some_and(|walk| !walk.waits)
    }

    /// Returns whether a client that was told everything so far can go on from [`Feed::position`]; amid a step that
    /// is told once more.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.walk.is_none()
    }

    /// Returns the last offset that is known, by partition, and the builds that are.
    pub fn position(&mut self) -> (impl Iterator<Item = (Partition, Offset)> + '_, Builds) {
        self.view.progress().changes().pass_over(self.next, &mut self.reached);
        let last =
            |(partition, reached): (&Partition, &Reached)| Some((*partition, reached.position.last()?));
        (self.reached.iter().filter_map(last), self.builds)
    }

    fn follow(&mut self) -> Result<(), store::Error> {
        let view = Arc::clone(&self.view);
        let Ok(steps) = view.progress().changes().since(self.next, STEPS) else {
            self.begin_anew(Reason::Overflow);
            return Ok(());
        };
        // Order matters: the table is at least as new as the steps.
        let table = view.store().table();
        let drained = steps.len() < STEPS;
        for step in steps {
            match &*step {
                Step::Applied(applied) => {
                    if !self.tell_changes(applied, &table)? {
                        return Ok(());
                    }
                }
                Step::Moved(_) if self.next < self.until => {}
                Step::Moved(moved) if moved.entangled => {
                    self.begin_anew(moved.reason);
                    return Ok(());
                }
                Step::Moved(moved) => self.go_over(moved),
            }
            (self.next, self.done) = (self.next + 1, 0);
        }
        if drained {
            self.ahead.drop_passed(&self.reached);
        }
        Ok(())
    }

    /// Tells what a step changed; returns whether all of it is told.
    fn tell_changes(&mut self, applied: &Applied, table: &SlotTable) -> Result<bool, store::Error> {
        let partition = applied.partition();
        let Some(reached) = self.reached.get(&partition).copied() else { return Ok(true) };
        let serving = table.serving().get(&partition).is_some_and(|slot| slot.number() == reached.slot);
        if applied.slot() != reached.slot || applied.position() <= reached.position || !serving {
            return Ok(true);
        }
        let keys = applied.within(&self.wanted.keys.start, self.wanted.keys.end.as_deref());
        for number in keys.start.max(self.done)..keys.end {
            if self.told.is_full() {
                self.done = number;
                return Ok(false);
            }
            let Some((key, offset)) = applied.change(number) else { continue };
            if offset.next() > reached.position && !self.ahead.passes(key, partition, offset) {
                self.tell(key, partition, offset, table)?;
            }
        }
        let position = applied.position();
        self.reached.insert(partition, Reached { position, ..reached });
        self.ahead.drop_passed_in_time(&self.reached);
        Ok(true)
    }

    /// Tells what a key is after the record at `offset`.
    fn tell(
        &mut self,
        key: &[u8],
        partition: Partition,
        offset: Offset,
        table: &SlotTable,
    ) -> Result<(), store::Error> {
        let (found, absent_at) = self.look_up(key, partition, offset, table)?;
        match found {
            // The client may have been told a later version than this step made, in an earlier watch or in this one.
            None if self.next < self.until || self.ahead.has_forgotten(partition, offset) => {
                let offset = absent_at.unwrap_or(offset).max(offset);
                self.ahead.note_absent(key, partition, offset);
                self.told.push(Update::Delete { key: key.to_vec(), partition, offset });
            }
            None => self.told.push(Update::Delete { key: key.to_vec(), partition, offset }),
            Some(entry) if !self.follows(&entry.slot) => {}
            Some(entry) => {
                if (entry.slot.partition(), entry.header.offset) != (partition, offset) {
                    self.ahead.note(key, &entry, &self.reached);
                }
                self.told.push(Update::Put { key: key.to_vec(), entry });
            }
        }
        Ok(())
    }

    /// Looks a key up, or takes what another feed has read of it, which may be older than what the store has by now.
    ///
    /// That is of no harm unless the client may have been told a later version than the steps have come to, and it is
    /// not kept in mind which.
    fn look_up(
        &self,
        key: &[u8],
        partition: Partition,
        offset: Offset,
        table: &SlotTable,
    ) -> Result<(Option<Entry>, Option<Offset>), store::Error> {
        let told_more = self.next < self.until || self.ahead.has_forgotten(partition, offset);
        if told_more || !table.has_one_place_per_key() {
            return self.find(table, partition, key);
        }
        let (recent, slot) = (&self.view.recent, table.serving().get(&partition));
        if let Some(entry) = slot.and_then(|slot| recent.get(key, slot, offset)) {
            return Ok((Some(entry), None));
        }
        let (found, absent_at) = self.find(table, partition, key)?;
        found.iter().for_each(|entry| recent.note(key, entry));
        Ok((found, absent_at))
    }

    /// Looks a key up, and returns an offset of a partition with it: all records of the key up to there are
    /// reflected, and none that are not lie below.
    fn find(
        &self,
        table: &SlotTable,
        partition: Partition,
        key: &[u8],
    ) -> Result<(Option<Entry>, Option<Offset>), store::Error> {
        let position = || table.serving().get(&partition).and_then(|slot| slot.position().last());
        let mut before = position();
        loop {
            let found = self.view.store().find(table, key)?;
            let after = position();
            // Order matters: between two looks at the same position nothing was published, and at most one
            // write was done: what it wrote over had been published before.
            if found.is_some() || before == after {
                return Ok((found, after));
            }
            before = after;
        }
    }

    fn follows(&self, slot: &Slot) -> bool {
        self.reached.get(&slot.partition()).is_some_and(|reached| reached.slot == slot.number())
    }

    /// Goes over to where a partition has moved.
    fn go_over(&mut self, moved: &Moved) {
        let Moved { partition, to, reason, builds, .. } = *moved;
        self.builds = builds;
        self.ahead.forget(partition);
        match to {
            Some(to) => drop(self.reached.insert(partition, to)),
            None => drop(self.reached.remove(&partition)),
        }
        self.told.push(Update::Reset { reason, partitions: Some([partition].into()) });
        if self.wanted.snapshots {
            let walk = self.walk.get_or_insert_default();
            walk.leave_out(partition);
            if to.is_some() {
                walk.add(partition, reason);
            }
        }
    }

    /// Tells the client to forget all it knows, and begins with what there is now.
    fn begin_anew(&mut self, reason: Reason) {
        let Joined { from, until, reached, builds, .. } = self.view.progress().changes().join();
        (self.next, self.done, self.until) = (from, 0, until);
        (self.reached, self.builds, self.ahead) = (reached, builds, Ahead::new(&self.room));
        self.told.push(Update::Reset { reason, partitions: None });
        self.walk_all();
    }

    /// Tells the client to forget what it knows of lost partitions.
    fn begin_anew_with(&mut self, lost: BTreeMap<Reason, BTreeSet<Partition>>, entangled: bool) {
        // What an added partition holds was never told, so nothing the client knows depends on it.
        let worst = lost.keys().rev().find(|reason| **reason != Reason::PartitionAdded);
        if let Some(reason) = worst.filter(|_| entangled) {
            return self.begin_anew(*reason);
        }
        for (reason, partitions) in lost {
            let walk = self.walk.get_or_insert_default();
            for partition in partitions.iter().filter(|partition| self.reached.contains_key(partition)) {
                walk.add(*partition, reason);
            }
            self.told.push(Update::Reset { reason, partitions: Some(partitions) });
        }
    }

    fn walk_all(&mut self) {
        self.walk = self.wanted.snapshots.then(|| Walk::over(self.reached.keys().copied()));
    }
}

impl Told {
    fn push(&mut self, update: Update) {
        self.bytes += match &update {
            Update::Put { key, entry } => key.len() + entry.value().map_or(0, |value| value.len()),
            Update::Delete { key, .. } => key.len(),
            Update::Reset { .. } | Update::Synced { .. } => 0,
        };
        self.updates.push(update);
    }

    fn is_full(&self) -> bool {
        self.updates.len() >= UPDATES || self.bytes >= BYTES
    }
}

#[cfg(test)]
mod tests;
