//! The reader thread: polls the source into batches.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender};
use tokio_util::sync::CancellationToken;

use super::pace::{Pace, Throttle};
use crate::batch::Batch;
use crate::config::sections::BatchConfig;
use crate::entry::SlotNumber;
use crate::interpretation::latest_value;
use crate::position::Partition;
use crate::record::Record;
use crate::source::{Event, Failure, Source, Start};

/// How long a poll waits when nothing is gathered: bounds how late a command is seen.
const IDLE: Duration = Duration::from_millis(100);

/// What the coordinator asks of the reader.
pub(super) enum Command {
    /// Read a partition into a slot, whatever was read of it before.
    Follow {
        /// Partition to read.
        partition: Partition,
        /// Slot its changes belong to.
        slot: SlotNumber,
        /// Where to begin.
        start: Start,
    },
    /// Read a partition no more; answers when all that was read of it has been handed over.
    Leave(Partition, Sender<()>),
}

/// A partition the source gave up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PartitionFailure {
    pub(super) partition: Partition,
    /// Slot it was read into.
    pub(super) slot: SlotNumber,
    pub(super) failure: Failure,
}

/// The reader's ends of its channels.
pub(super) struct Ports {
    pub(super) commands: Receiver<Command>,
    pub(super) failures: Sender<PartitionFailure>,
    pub(super) filled: Sender<Batch>,
    pub(super) empty: Receiver<Batch>,
}

/// Polls one source.
pub(super) struct Reader<S> {
    source: S,
    ports: Ports,
    limits: BatchConfig,
    pace: Arc<Pace>,
    throttle: Throttle,
    slots: BTreeMap<Partition, SlotNumber>,
    stop: CancellationToken,
}

impl<S: Source> Reader<S> {
    pub(super) fn new(
        source: S,
        ports: Ports,
        limits: BatchConfig,
        pace: Arc<Pace>,
        stop: CancellationToken,
    ) -> Self {
        Self { source, ports, limits, pace, throttle: Throttle::new(), slots: BTreeMap::new(), stop }
    }

    /// Reads until asked to stop; what was gathered by then is handed over.
    pub(super) fn run(mut self) -> anyhow::Result<()> {
        let mut batch = self.ports.empty.recv().context("the writer is gone")?;
        let read = self.rounds(&mut batch);
        // When all end, the others may be gone before this thread has seen why.
        match self.stop.is_cancelled() {
            true => self.hand_over(batch).map(drop).or(Ok(())),
            false => read,
        }
    }

    fn rounds(&mut self, batch: &mut Batch) -> anyhow::Result<()> {
        while !self.stop.is_cancelled() {
            while let Ok(command) = self.ports.commands.try_recv() {
                self.hand_over_filled(batch)?;
                self.obey(command);
            }
            match self.throttle.rest(&self.pace) {
                Duration::ZERO => self.poll(batch)?,
                rest => std::thread::sleep(rest.min(self.age_max())),
            }
            if self.is_due(batch) {
                self.hand_over_filled(batch)?;
            }
        }
        Ok(())
    }

    /// Invariant: called with nothing gathered, so that no batch mixes what was read before and after.
    fn obey(&mut self, command: Command) {
        match command {
            Command::Follow { partition, slot, start } => {
                self.slots.insert(partition, slot);
                self.source.assign(partition, start);
            }
            Command::Leave(partition, answer) => {
                self.slots.remove(&partition);
                self.source.unassign(partition);
                let _ = answer.send(());
            }
        }
    }

    fn poll(&mut self, batch: &mut Batch) -> anyhow::Result<()> {
        let wait = if batch.is_empty() { IDLE } else { self.age_max().saturating_sub(batch.age()) };
        let (slots, failures, limits) = (&mut self.slots, &self.ports.failures, &self.limits);
        let (mut failed, mut records) = (Vec::new(), 0);
        self.source.poll(wait, &mut |event| {
            match event {
                Event::Record(record) => {
                    records += 1;
                    gather(batch, slots, &record);
                }
                Event::End { partition, position } => {
                    if let Some(slot) = slots.get(&partition) {
                        batch.reach(*slot, partition, position);
                    }
                }
                Event::Failed { partition, failure } => {
                    // What is read of it from here on would come after a gap.
                    let read = slots.remove(&partition);
                    failed.extend(read.map(|slot| PartitionFailure { partition, slot, failure }));
                }
            }
            if is_full(batch, limits) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        self.throttle.note(&self.pace, records);
        for failure in failed {
            failures.send(failure).context("the coordinator is gone")?;
        }
        Ok(())
    }

    fn is_due(&self, batch: &Batch) -> bool {
        is_full(batch, &self.limits) || (!batch.is_empty() && batch.age() >= self.age_max())
    }

    fn age_max(&self) -> Duration {
        match self.pace.follows() {
            true => self.limits.wait_following,
            false => self.limits.wait_restoring,
        }
    }

    fn hand_over_filled(&self, batch: &mut Batch) -> anyhow::Result<()> {
        let filled = std::mem::replace(batch, Batch::new(0, false));
        *batch = self.hand_over(filled)?;
        Ok(())
    }

    /// Waits while the writer is busy: the source is not polled, and stops fetching.
    fn hand_over(&self, batch: Batch) -> anyhow::Result<Batch> {
        if batch.is_empty() {
            return Ok(batch);
        }
        self.ports.filled.send(batch).ok().context("the writer is gone")?;
        self.ports.empty.recv().context("the writer is gone")
    }
}

fn is_full(batch: &Batch, limits: &BatchConfig) -> bool {
    batch.len() >= limits.records_max || batch.bytes() as u64 >= limits.bytes_max.as_u64()
}

fn gather(batch: &mut Batch, slots: &BTreeMap<Partition, SlotNumber>, record: &Record<'_>) {
    let Some(slot) = slots.get(&record.partition) else { return };
    match latest_value(record) {
        Some(change) => batch.push(*slot, record, change),
        None => batch.skip(*slot, record),
    }
}
