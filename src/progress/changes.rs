//! The last things that happened to a view, for those who watch it.
//!
//! Only which keys changed is kept, in a bounded ring; whoever wants a value reads the store, and so never gets
//! one that is older than what the ring says. Nobody is waited for: a reader that is too slow finds the oldest
//! steps gone.

mod join;
mod lineage;
mod step;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

pub use join::{Joined, Known};
pub use lineage::Builds;
pub use step::{Applied, Moved, Reached, Reason, Step};

use self::lineage::Lineage;
use crate::config::sections::WatchConfig;
use crate::entry::SlotNumber;
use crate::position::{Partition, Position};

/// What the ring may take up.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Changed keys.
    pub changes: usize,
    /// Bytes, about.
    pub bytes: usize,
}

/// The last steps of one view.
#[derive(Debug)]
pub struct Changes {
    ring: Mutex<Ring>,
    bounds: Bounds,
    /// Number of the step that comes next.
    next: watch::Sender<u64>,
}

/// The oldest steps that were asked for are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow;

#[derive(Debug, Default)]
struct Ring {
    steps: VecDeque<Arc<Step>>,
    /// Number of the oldest step.
    first: u64,
    changes: usize,
    bytes: usize,
    serving: BTreeMap<Partition, Serving>,
    lineage: Lineage,
    /// A partition is gone whose keys may have lain in others too.
    entangled: bool,
}

/// The slot that answers for a partition.
#[derive(Debug, Clone, Copy)]
struct Serving {
    slot: SlotNumber,
    /// Number of the builds with which it began to answer.
    since: u64,
    /// How it came to answer; none if it did so when the process started.
    reason: Option<Reason>,
    entangled: bool,
    /// From here on the ring holds every change of the slot.
    held_from: Position,
    /// Where the last change of the slot led; where it began to answer if there was none since.
    changed: Position,
    /// How far the steps lead.
    position: Position,
}

impl Bounds {
    /// Takes the bounds of `config`.
    #[must_use]
    pub fn of(config: &WatchConfig) -> Self {
        let bytes = usize::try_from(config.changes_bytes_max.as_u64()).unwrap_or(usize::MAX);
        Self { changes: config.changes_max, bytes }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self::of(&WatchConfig::default())
    }
}

impl Default for Changes {
    fn default() -> Self {
        Self::new(Bounds::default())
    }
}

impl Changes {
    /// Makes a ring that takes up no more than `bounds`.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { ring: Mutex::default(), bounds, next: watch::Sender::new(0) }
    }

    /// Takes notice of the slots that answer as the process starts, and how far they are.
    pub fn begin(&self, serving: impl Iterator<Item = (Partition, Reached)>, builds: Builds) {
        let mut ring = self.ring.lock();
        let since = ring.lineage.add(builds);
        for (partition, Reached { slot, position }) in serving {
            let (held_from, changed) = (position, position);
            let known = Serving { slot, since, reason: None, entangled: false, held_from, changed, position };
            ring.serving.insert(partition, known);
        }
    }

    /// Adds what one write changed.
    ///
    /// Order matters: called when what changed can be read.
    pub fn applied(&self, applied: impl IntoIterator<Item = Applied>) {
        let mut ring = self.ring.lock();
        for mut applied in applied {
            let serving = ring.serving.get_mut(&applied.partition());
            let Some(serving) = serving.filter(|serving| serving.slot == applied.slot()) else { continue };
            serving.position = applied.position();
            if !applied.is_empty() {
                applied.set_after(std::mem::replace(&mut serving.changed, applied.position()));
                ring.push(Step::Applied(applied), self.bounds);
            }
        }
        self.announce(&ring);
    }

    /// Adds that another slot answers for a partition, or none any more.
    ///
    /// Order matters: called when answers come from there.
    pub fn moved(&self, moved: Moved) {
        let Moved { partition, to, reason, entangled, builds } = moved;
        let mut ring = self.ring.lock();
        let since = ring.lineage.add(builds);
        match to {
            None => {
                ring.serving.remove(&partition);
                ring.entangled |= entangled;
            }
            Some(Reached { slot, position }) => {
                let (reason, held_from, changed) = (Some(reason), position, position);
                let serving = Serving { slot, since, reason, entangled, held_from, changed, position };
                ring.serving.insert(partition, serving);
            }
        }
        ring.push(Step::Moved(moved), self.bounds);
        self.announce(&ring);
    }

    /// Returns up to `most` steps from number `from` on.
    ///
    /// # Errors
    /// [`Overflow`] when the first of them is gone.
    pub fn since(&self, from: u64, most: usize) -> Result<Vec<Arc<Step>>, Overflow> {
        let ring = self.ring.lock();
        let skip = from.checked_sub(ring.first).ok_or(Overflow)?;
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        Ok(ring.steps.iter().skip(skip).take(most).map(Arc::clone).collect())
    }

    /// Leads somebody who has looked at all steps below number `from` over what changed nothing since.
    pub fn pass_over(&self, from: u64, reached: &mut BTreeMap<Partition, Reached>) {
        let ring = self.ring.lock();
        if from != ring.next() {
            return;
        }
        for (partition, reached) in reached {
            let serving = ring.serving.get(partition).filter(|serving| serving.slot == reached.slot);
            reached.position = serving.map_or(reached.position, |serving| serving.position);
        }
    }

    /// Returns the number of the step that comes next, and tells when it grows.
    #[must_use]
    pub fn next(&self) -> watch::Receiver<u64> {
        self.next.subscribe()
    }

    fn announce(&self, ring: &Ring) {
        let next = ring.next();
        self.next.send_if_modified(|known| std::mem::replace(known, next) != next);
    }
}

impl Ring {
    fn next(&self) -> u64 {
        self.first + self.steps.len() as u64
    }

    fn push(&mut self, step: Step, bounds: Bounds) {
        self.changes += step.count();
        self.bytes += step.bytes();
        self.steps.push_back(Arc::new(step));
        while self.changes > bounds.changes || self.bytes > bounds.bytes {
            let Some(oldest) = self.steps.pop_front() else { break };
            self.first += 1;
            self.changes -= oldest.count();
            self.bytes -= oldest.bytes();
            self.let_go(&oldest);
        }
    }

    fn let_go(&mut self, oldest: &Step) {
        let Step::Applied(applied) = oldest else { return };
        let serving = self.serving.get_mut(&applied.partition());
        if let Some(serving) = serving.filter(|serving| serving.slot == applied.slot()) {
            serving.held_from = applied.position();
        }
    }
}

#[cfg(test)]
#[path = "changes/tests.rs"]
mod tests;
