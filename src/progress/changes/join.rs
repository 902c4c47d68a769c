//! Where a watcher begins: with what its client knows already, as far as the ring reaches back.

use std::collections::{BTreeMap, BTreeSet};

use super::{Builds, Changes, Reached, Reason, Ring, Serving, Step};
use crate::position::{Partition, Position};

/// What a client knows that has watched before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// How far it knows each partition; of one that is left out it knows nothing.
    pub positions: BTreeMap<Partition, Position>,
    /// The builds it was told about; none where that is not said.
    pub builds: Option<Builds>,
}

/// Where a watcher begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Number of the first step it has to look at.
    pub from: u64,
    /// Number of the step that came next when it began: a partition that moved before is where it is known to be.
    pub until: u64,
    /// How far it is in each partition.
    pub reached: BTreeMap<Partition, Reached>,
    /// The builds that answered then.
    pub builds: Builds,
    /// Partitions of which the client cannot be told all that happened.
    pub lost: BTreeMap<Reason, BTreeSet<Partition>>,
    /// Keys of a lost partition may have lain in others too.
    pub entangled: bool,
}

/// The builds a client knows, by their number in the lineage.
#[derive(Debug, Clone, Copy)]
enum Since {
    Number(u64),
    /// Not those of this process, or too long ago.
    Unknown,
    Untold,
}

impl Changes {
    /// Returns where a watcher begins that knows nothing yet.
    #[must_use]
    pub fn join(&self) -> Joined {
        let ring = self.ring.lock();
        ring.join()
    }

    /// Returns where a watcher begins whose client has watched before.
    #[must_use]
    pub fn rejoin(&self, known: &Known) -> Joined {
        let ring = self.ring.lock();
        let mut joined = ring.join();
        let since = match known.builds {
            Some(builds) => ring.lineage.number(builds).map_or(Since::Unknown, Since::Number),
            None => Since::Untold,
        };
        for (partition, serving) in &ring.serving {
            let position = known.positions.get(partition).copied().unwrap_or_default();
            match serving.loss(position, since) {
                None => {
                    joined.reached.insert(*partition, Reached { slot: serving.slot, position });
                }
                Some(reason) => {
                    // What is there again is not new to a client that knew it.
                    let again = reason == Reason::PartitionAdded && known.positions.contains_key(partition);
                    let reason = if again { Reason::TopicRecreated } else { reason };
                    joined.entangled |= again && ring.entangled;
                    joined.lost.entry(reason).or_default().insert(*partition);
                    joined.entangled |= serving.entangled;
                }
            }
        }
        for partition in known.positions.keys().filter(|partition| !ring.serving.contains_key(partition)) {
            joined.lost.entry(Reason::TopicRecreated).or_default().insert(*partition);
            joined.entangled |= ring.entangled;
        }
        joined.from = ring.first_new(&joined.reached);
        joined
    }
}

impl Ring {
    fn join(&self) -> Joined {
        let reached = |serving: &Serving| Reached { slot: serving.slot, position: serving.position };
        let reached =
            self.serving.iter().map(|(partition, serving)| (*partition, reached(serving))).collect();
        let (next, builds) = (self.next(), self.lineage.last());
        Joined { from: next, until: next, reached, builds, lost: BTreeMap::new(), entangled: false }
    }

    /// Returns the number of the first step that is new to somebody who is that far and can be told all others.
    ///
    /// It is looked for from the end: who was away for a moment begins there, far from the steps that go next.
    /// Steps in between that are known already are passed over one by one; there are few beside their keys.
    fn first_new(&self, reached: &BTreeMap<Partition, Reached>) -> u64 {
        let is_behind = |partition: &Partition, reached: &Reached| {
            self.serving.get(partition).is_some_and(|serving| reached.position < serving.changed)
        };
        let mut behind = reached.clone();
        behind.retain(|partition, reached| is_behind(partition, reached));
        let mut number = self.next();
        for step in self.steps.iter().rev() {
            if behind.is_empty() {
                break;
            }
            number -= 1;
            let Step::Applied(applied) = &**step else { continue };
            let partition = applied.partition();
            if behind.get(&partition).is_some_and(|reached| applied.after() <= reached.position) {
                behind.remove(&partition);
            }
        }
        number
    }
}

impl Serving {
    /// Returns why a client that knows changes below `position` cannot be told all others; none if it can.
    fn loss(&self, position: Position, since: Since) -> Option<Reason> {
        let moved = match since {
            Since::Number(number) => number < self.since,
            // A position alone does not tell of which slot it is, so it counts only where there was no other.
            Since::Untold => self.reason.is_some_and(|reason| reason != Reason::PartitionAdded),
            Since::Unknown => return Some(Reason::Gap),
        };
        if moved {
            return self.reason.or(Some(Reason::Gap));
        }
        (position < self.held_from || position > self.position).then_some(Reason::Gap)
    }
}
