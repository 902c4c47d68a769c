//! A source that exists only while something is read from it: rebuilds are rare, a client costs memory.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::position::{Partition, Position};
use crate::source::{Event, Fatal, Source};

/// Makes its source at the first partition and drops it after the last.
pub(super) struct OnDemand<S, F> {
    make: F,
    source: Option<S>,
    partitions: BTreeSet<Partition>,
}

impl<S: Source, F: FnMut() -> Result<S, Fatal> + Send> OnDemand<S, F> {
    pub(super) fn new(make: F) -> Self {
        Self { make, source: None, partitions: BTreeSet::new() }
    }
}

impl<S: Source, F: FnMut() -> Result<S, Fatal> + Send> Source for OnDemand<S, F> {
    fn assign(&mut self, partition: Partition, position: Position) -> Result<(), Fatal> {
        self.partitions.insert(partition);
        match &mut self.source {
            Some(source) => source.assign(partition, position),
            None => self.source.insert((self.make)()?).assign(partition, position),
        }
    }

    fn unassign(&mut self, partition: Partition) -> Result<(), Fatal> {
        self.partitions.remove(&partition);
        if self.partitions.is_empty() {
            self.source = None;
        }
        self.source.as_mut().map_or(Ok(()), |source| source.unassign(partition))
    }

    fn poll(&mut self, wait: Duration, sink: &mut dyn FnMut(Event<'_>)) -> Result<(), Fatal> {
        if let Some(source) = &mut self.source {
            return source.poll(wait, sink);
        }
        std::thread::sleep(wait);
        Ok(())
    }
}
