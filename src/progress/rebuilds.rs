//! Rebuilds that were asked for: handed to the coordinator, and followed until they are done.
//!
//! They are forgotten with the process. What was asked for is not: the coordinator writes it to the store.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use parking_lot::Mutex;
use serde::Serialize;
use uuid::Uuid;

use crate::position::Partition;
use crate::time::Millis;

/// Operations that can be looked up, the running one included.
const KEPT: usize = 16;

/// Name of an operation; random, so that after a restart an old one is unknown and never another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct OperationId(#[serde(with = "uuid::serde::simple")] Uuid);

/// One rebuild that was asked for.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its name.
    pub id: OperationId,
    /// Partitions that were asked for.
    pub partitions: BTreeSet<Partition>,
    /// Those whose fresh state does not answer yet.
    pub left: BTreeSet<Partition>,
    /// When it was asked for.
    pub requested_at: Millis,
    /// When the last partition went over; none while it runs.
    pub ended_at: Option<Millis>,
}

/// An earlier operation has to end first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running(pub OperationId);

/// The operations of one view, oldest first; at most the last one runs.
#[derive(Debug, Default)]
pub struct Rebuilds(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    operations: VecDeque<Operation>,
    /// The last operation is not in the store yet.
    waiting: bool,
}

impl OperationId {
    /// Reads a name as it stands in a URL.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self).filter(|id| id.to_string() == text)
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl Rebuilds {
    /// Asks for fresh states of `partitions`.
    ///
    /// # Errors
    /// [`Running`] while an earlier operation runs.
    pub fn request(&self, partitions: BTreeSet<Partition>) -> Result<OperationId, Running> {
        let mut queue = self.0.lock();
        if let Some(running) = queue.operations.back().filter(|last| last.ended_at.is_none()) {
            return Err(Running(running.id));
        }
        let id = OperationId(Uuid::new_v4());
        if queue.operations.len() == KEPT {
            queue.operations.pop_front();
        }
        let (left, requested_at) = (partitions.clone(), Millis::now());
        queue.operations.push_back(Operation { id, partitions, left, requested_at, ended_at: None });
        queue.waiting = true;
        Ok(id)
    }

    /// Returns the operation of that name.
    #[must_use]
    pub fn get(&self, id: OperationId) -> Option<Operation> {
        self.0.lock().operations.iter().find(|operation| operation.id == id).cloned()
    }

    /// Returns the operation that runs.
    #[must_use]
    pub fn running(&self) -> Option<Operation> {
        self.0.lock().operations.back().filter(|last| last.ended_at.is_none()).cloned()
    }

    /// Returns the operation that is not in the store yet.
    #[must_use]
    pub fn waiting(&self) -> Option<Operation> {
        let queue = self.0.lock();
        queue.operations.back().filter(|_| queue.waiting).cloned()
    }

    /// Takes notice that the operation is in the store.
    pub fn set_stored(&self) {
        self.0.lock().waiting = false;
    }

    /// Takes notice of partitions that are done; returns the operation if it ended with them.
    pub fn settle(&self, is_done: impl Fn(Partition) -> bool) -> Option<Operation> {
        let mut queue = self.0.lock();
        if queue.waiting {
            return None;
        }
        let running = queue.operations.back_mut().filter(|last| last.ended_at.is_none())?;
        running.left.retain(|partition| !is_done(*partition));
        if !running.left.is_empty() {
            return None;
        }
        running.ended_at = Some(Millis::now());
        Some(running.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_operation_runs_at_a_time_until_its_last_partition_is_done() {
        let rebuilds = Rebuilds::default();
        let first = rebuilds.request([0, 3].into()).unwrap();
        assert_eq!(rebuilds.request([1].into()), Err(Running(first)));
        assert!(rebuilds.settle(|_| true).is_none(), "what is not stored has not begun");
        assert_eq!(rebuilds.waiting().unwrap().id, first);
        rebuilds.set_stored();
        assert!(rebuilds.waiting().is_none());
        assert!(rebuilds.settle(|partition| partition == 0).is_none());
        assert_eq!(rebuilds.get(first).unwrap().left, [3].into());
        // A partition that is rebuilt again later does not take it back.
        let ended = rebuilds.settle(|partition| partition == 3).unwrap();
        assert_eq!((ended.id, ended.partitions), (first, [0, 3].into()));
        assert!(rebuilds.settle(|_| true).is_none() && rebuilds.running().is_none());
        assert!(rebuilds.request([1].into()).is_ok());
    }

    #[test]
    fn only_the_last_operations_are_kept() {
        let rebuilds = Rebuilds::default();
        let mut ids = Vec::new();
        for _ in 0..=KEPT {
            ids.push(rebuilds.request([0].into()).unwrap());
            rebuilds.set_stored();
            rebuilds.settle(|_| true).unwrap();
        }
        let known: Vec<_> = ids.iter().map(|id| rebuilds.get(*id).is_some()).collect();
        assert!(!known[0] && known[1..].iter().all(|known| *known));
    }

    #[test]
    fn a_name_is_read_only_in_its_own_spelling() {
        let id = OperationId(Uuid::new_v4());
        assert_eq!(OperationId::parse(&id.to_string()), Some(id));
        for text in
            ["", "1", &id.0.to_string(), &id.to_string().to_uppercase().replace(char::is_numeric, "A")]
        {
            assert_eq!(OperationId::parse(text), None, "{text}");
        }
    }
}
