//! Where a watcher begins: with what its client knows already, as far as the ring reaches back.

use std::collections::{BTreeMap, BTreeSet};

use super::{Builds, Changes, Reached, Reason, Ring, Serving};
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
        ring.join(ring.next())
    }

    /// Returns where a watcher begins whose client has watched before.
    #[must_use]
    pub fn rejoin(&self, known: &Known) -> Joined {
        let ring = self.ring.lock();
        // Steps that are known already are passed over one by one; there are few beside their keys.
        let mut joined = ring.join(ring.first);
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
        joined
    }
}

impl Ring {
    fn join(&self, from: u64) -> Joined {
        let reached = |serving: &Serving| Reached { slot: serving.slot, position: serving.position };
        let reached =
            self.serving.iter().map(|(partition, serving)| (*partition, reached(serving))).collect();
        let builds = self.lineage.last();
        Joined { from, until: self.next(), reached, builds, lost: BTreeMap::new(), entangled: false }
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
