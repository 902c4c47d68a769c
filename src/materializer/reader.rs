//! The reader thread: polls the source into batches.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
use crate::store::{Staged, Stager};

/// How long a poll waits when nothing is gathered: bounds how late a command is seen.
const IDLE: Duration = Duration::from_millis(100);

/// How long changes to slots that do not answer are gathered at most: large files of them are cheap.
const GATHERING: Duration = Duration::from_millis(500);
/// A batch of small records is full as well when it has so many that they average fewer bytes.
const GATHERED_BYTES: usize = 256;
/// How long, and how often, it is waited for files to be compacted before there are more.
const CROWDED: Duration = Duration::from_secs(5);
const CROWDED_LOOK: Duration = Duration::from_millis(20);

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

/// What a reader hands to the writer: positions, and the changes that lead there.
pub(super) struct Filled {
    pub(super) batch: Batch,
    /// Changes that are no longer in the batch.
    pub(super) staged: Staged,
}

/// What a batch may hold.
struct Room {
    records: usize,
    bytes: u64,
}

/// The reader's ends of its channels.
pub(super) struct Ports {
    pub(super) commands: Receiver<Command>,
    pub(super) failures: Sender<PartitionFailure>,
    pub(super) filled: Sender<Filled>,
    pub(super) empty: Receiver<Batch>,
}

/// Polls one source.
pub(super) struct Reader<S> {
    source: S,
    ports: Ports,
    limits: BatchConfig,
    pace: Arc<Pace>,
    throttle: Throttle,
    /// Of a reader that only fills slots which do not answer.
    stager: Option<Stager>,
    /// What is read now is for files.
    gathers: bool,
    /// Partitions that were read to their end since they are read.
    ended: BTreeSet<Partition>,
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
        let (throttle, slots) = (Throttle::new(), BTreeMap::new());
        let (stager, gathers, ended) = (None, false, BTreeSet::new());
        Self { source, ports, limits, pace, throttle, stager, gathers, ended, slots, stop }
    }

    /// Has what fills slots that do not answer be handed over as files.
    pub(super) fn with_stager(self, stager: Stager) -> Self {
        Self { stager: Some(stager), gathers: true, ..self }
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
                self.gathers = self.stager.is_some();
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
                self.ended.remove(&partition);
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
        let (room, mut failed, mut records) = (self.room(), Vec::new(), 0);
        let (slots, failures, ended) = (&mut self.slots, &self.ports.failures, &mut self.ended);
        self.source.poll(wait, &mut |event| {
            match event {
                Event::Record(record) => {
                    records += 1;
                    gather(batch, slots, &record);
                }
                Event::End { partition, position } => {
                    ended.insert(partition);
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
            if room.is_full(batch) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        self.throttle.note(&self.pace, records);
        for failure in failed {
            failures.send(failure).context("the coordinator is gone")?;
        }
        Ok(())
    }

    fn is_due(&self, batch: &Batch) -> bool {
        self.room().is_full(batch) || (!batch.is_empty() && batch.age() >= self.age_max())
    }

    /// Returns what a batch may hold.
    fn room(&self) -> Room {
        match &self.stager {
            Some(stager) if self.gathers => Room {
                records: (stager.bytes_max() / GATHERED_BYTES).max(1),
                bytes: stager.bytes_max() as u64,
            },
            _ => Room { records: self.limits.records_max, bytes: self.limits.bytes_max.as_u64() },
        }
    }

    fn age_max(&self) -> Duration {
        match self.pace.follows() {
            true => self.limits.wait_following,
            false if self.gathers && !self.slots.keys().all(|read| self.ended.contains(read)) => GATHERING,
            false => self.limits.wait_restoring,
        }
    }

    fn hand_over_filled(&mut self, batch: &mut Batch) -> anyhow::Result<()> {
        let filled = std::mem::replace(batch, Batch::new(0, false));
        *batch = self.hand_over(filled)?;
        Ok(())
    }

    /// Waits while the writer is busy: the source is not polled, and stops fetching.
    fn hand_over(&mut self, mut batch: Batch) -> anyhow::Result<Batch> {
        if batch.is_empty() {
            return Ok(batch);
        }
        let staged = self.stage(&mut batch);
        self.ports.filled.send(Filled { batch, staged }).ok().context("the writer is gone")?;
        self.ports.empty.recv().context("the writer is gone")
    }

    /// Takes out of the batch what can be handed over as files; what cannot is written as any other.
    fn stage(&mut self, batch: &mut Batch) -> Staged {
        let Some(stager) = &mut self.stager else { return Staged::default() };
        // Builds that have nearly caught up are to catch up soon.
        self.gathers = stager.is_far(batch);
        let staged = stager.stage(batch).unwrap_or_else(|error| {
            tracing::warn!(%error, "changes of a rebuild cannot be staged as files, they are written one by one");
            Staged::default()
        });
        let begun = Instant::now();
        while stager.is_crowded() && begun.elapsed() < CROWDED && !self.stop.is_cancelled() {
            std::thread::sleep(CROWDED_LOOK);
        }
        staged
    }
}

impl Room {
    fn is_full(&self, batch: &Batch) -> bool {
        batch.len() >= self.records || batch.bytes() as u64 >= self.bytes
    }
}

fn gather(batch: &mut Batch, slots: &BTreeMap<Partition, SlotNumber>, record: &Record<'_>) {
    let Some(slot) = slots.get(&record.partition) else { return };
    match latest_value(record) {
        Some(change) => batch.push(*slot, record, change),
        None => batch.skip(*slot, record),
    }
}
