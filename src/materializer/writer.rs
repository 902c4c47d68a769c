//! The writer thread: applies batches, and does the small work that only the writer may do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender, never, select};
use tokio_util::sync::CancellationToken;

use super::reader::Filled;
use crate::batch::Batch;
use crate::entry::SlotNumber;
use crate::position::{Partition, Position};
use crate::progress::{Progress, TroubleCode};
use crate::store::{BuildPlan, Error, RowEdit, Store, Writer};
use crate::view::{is_complete, telling};

/// How often a write that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often what changed without a record is written down.
const HOUSEKEEPING: Duration = Duration::from_secs(5);
/// How often unheld slots are dropped while there is something to do: a rebuild takes disk until then.
const SWEEPING: Duration = Duration::from_millis(200);

/// A topic of large values has many of them: said again after this.
const SAY_TOO_LARGE: Duration = Duration::from_secs(10 * 60);

/// Work besides batches: little, and answered when done.
pub(super) enum Work {
    /// Make fresh slots; answers with each one's number and where to start reading.
    Build(Vec<BuildPlan>, Sender<Vec<(Partition, SlotNumber, Position)>>),
    /// Let the slot being filled answer, if it is far enough; answers whether it does.
    Promote(Partition, Sender<bool>),
    /// Change what is decided of partitions.
    Decide(Vec<(Partition, RowEdit)>, Sender<()>),
    /// Apply the batches that were handed over before; answers then.
    Settle(Sender<()>),
    /// Drop everything of a partition that the topic does not have any more; answers when done.
    Drop(Partition, Sender<()>),
    /// The topic has this many partitions now.
    Grow(u32),
}

/// The writer's ends of its channels.
pub(super) struct Ports {
    pub(super) filled: Receiver<Filled>,
    pub(super) emptied: Sender<Batch>,
    pub(super) work: Receiver<Work>,
}

/// Owner of the store's write side.
pub(super) struct WriteLoop {
    store: Writer,
    progress: Arc<Progress>,
    ports: Ports,
    arena: usize,
    /// When it was last said that a value was too large to keep.
    too_large_said: Option<Instant>,
    stop: CancellationToken,
}

impl WriteLoop {
    pub(super) fn new(
        store: Writer,
        progress: Arc<Progress>,
        ports: Ports,
        arena: usize,
        stop: CancellationToken,
    ) -> Self {
        telling::begin(progress.changes(), &store.store().table());
        Self { store, progress, ports, arena, too_large_said: None, stop }
    }

    /// Applies batches until the readers and the coordinator are gone, then closes the store.
    pub(super) fn run(mut self) -> anyhow::Result<()> {
        let (mut filled, mut work) = (self.ports.filled.clone(), self.ports.work.clone());
        let (mut reading, mut steered) = (true, true);
        let (mut kept, mut swept) = (Instant::now(), Instant::now());
        while reading || steered {
            select! {
                recv(work) -> asked => match asked {
                    Ok(asked) => self.work(asked)?,
                    Err(_) => (steered, work) = (false, never()),
                },
                recv(filled) -> handed => match handed {
                    Ok(filled) => self.apply(filled)?,
                    Err(_) => (reading, filled) = (false, never()),
                },
                default(HOUSEKEEPING) => {}
            }
            if kept.elapsed() >= HOUSEKEEPING {
                self.retry(Writer::checkpoint)?;
                self.note_complete()?;
                kept = Instant::now();
            }
            if swept.elapsed() >= SWEEPING {
                self.retry(Writer::sweep)?;
                swept = Instant::now();
            }
        }
        let store = Arc::clone(self.store.store());
        self.store.close().inspect_err(|error| leave_word(&store, error)).context("closing the store")
    }

    fn apply(&mut self, filled: Filled) -> anyhow::Result<()> {
        let Filled { mut batch, staged } = filled;
        let begun = Instant::now();
        self.store.set_behind(self.is_behind());
        let told = telling::before(&self.store.store().table(), &batch);
        // Order matters: no position is written before what leads there.
        self.retry(|store| store.take_over(&staged))?;
        self.retry(|store| store.apply(&mut batch))?;
        self.wake(&batch);
        telling::applied(self.progress.changes(), &told, &mut batch);
        let metrics = self.progress.metrics();
        metrics.batch_seconds.observe(begun.elapsed().as_secs_f64());
        for advance in batch.advances() {
            metrics.records.inc_by(advance.records);
            metrics.bytes.inc_by(advance.bytes);
            metrics.null_keys.inc_by(advance.null_keys);
            metrics.values_too_large.inc_by(advance.too_large);
            self.progress.want(advance.partition).count(advance.slot, advance.records);
        }
        self.mind_too_large(&batch);
        let reached: Vec<_> = batch.advances().iter().map(|advance| advance.partition).collect();
        for partition in reached {
            self.promote_first(partition)?;
        }
        batch.clear(self.arena);
        // The readers are gone only when the process is ending.
        let _ = self.ports.emptied.send(batch);
        Ok(())
    }

    /// Of several partitions, some have not caught up since the process started.
    fn is_behind(&self) -> bool {
        let wanted = self.progress.partitions();
        wanted.len() > 1 && !wanted.values().all(|known| known.caught_up())
    }

    /// Order matters: what wakes somebody can be read by now.
    fn wake(&self, batch: &Batch) {
        let (table, waiters) = (self.store.store().table(), self.progress.waiters());
        let serving = batch.advances().iter().filter_map(|advance| table.serving().get(&advance.partition));
        waiters.reached(serving.map(|slot| (slot.partition(), slot.position())));
        waiters.changed(batch.changed_keys());
    }

    fn mind_too_large(&mut self, batch: &Batch) {
        let Some(advance) = batch.advances().iter().find(|advance| advance.too_large > 0) else { return };
        if self.too_large_said.is_some_and(|at| at.elapsed() < SAY_TOO_LARGE) {
            return;
        }
        self.too_large_said = Some(Instant::now());
        let (partition, position, values) = (advance.partition, advance.position, advance.too_large);
        let detail = format!("{values} values before position {position} were too large to keep");
        let topic = &self.store.store().identity().topic;
        tracing::warn!(topic, partition, %position, values, "values are larger than max_value_bytes, not kept");
        self.progress.record_event("value-too-large", Some(partition), detail);
    }

    fn work(&mut self, work: Work) -> anyhow::Result<()> {
        match work {
            Work::Build(plans, answer) => {
                let mut started = Vec::with_capacity(plans.len());
                for plan in &plans {
                    let slot = self.retry(|store| store.start_build(plan))?;
                    self.progress.want(plan.partition).start_count(slot.number());
                    started.push((plan.partition, slot.number(), slot.position()));
                }
                // Order matters: nothing answers before every partition is known, whenever the process ends.
                for plan in &plans {
                    // An empty partition has caught up before its first record.
                    self.promote_first(plan.partition)?;
                }
                let _ = answer.send(started);
            }
            Work::Promote(partition, answer) => {
                let promoted = self.promote(partition)?;
                let _ = answer.send(promoted);
            }
            Work::Decide(edits, answer) => {
                self.retry(|store| store.decide(&edits))?;
                let _ = answer.send(());
            }
            Work::Drop(partition, answer) => {
                let before = self.store.store().table();
                self.retry(|store| store.drop_partition(partition))?;
                telling::moved(self.progress.changes(), partition, &before, &self.store.store().table());
                self.progress.forget(partition);
                let _ = answer.send(());
            }
            Work::Settle(answer) => {
                // What was handed over before lies in the channel; more may follow for ever.
                for _ in 0..self.ports.filled.len() {
                    if let Ok(filled) = self.ports.filled.try_recv() {
                        self.apply(filled)?;
                    }
                }
                let _ = answer.send(());
            }
            Work::Grow(partitions) => self.store.grow(partitions),
        }
        Ok(())
    }

    /// Where nothing answers yet, the first slot that may answer does so at once.
    fn promote_first(&mut self, partition: Partition) -> anyhow::Result<()> {
        if self.store.store().table().serving().contains_key(&partition) {
            return Ok(());
        }
        self.promote(partition).map(drop)
    }

    fn promote(&mut self, partition: Partition) -> anyhow::Result<bool> {
        let before = self.store.store().table();
        let promoted = self.retry(|store| store.promote(partition))?;
        if promoted {
            telling::moved(self.progress.changes(), partition, &before, &self.store.store().table());
            let known = self.progress.want(partition);
            known.set_caught_up();
            self.progress.waiters().wake_all();
            if let Some(over) = known.clear_damage() {
                self.progress.record_event("damage-repaired", Some(partition), over.detail);
            }
            let records = known.counted().map_or(0, |(records, _)| records);
            let table = self.store.store().table();
            let reason = table.serving().get(&partition).map_or("", |slot| slot.build().reason.as_str());
            self.progress.record_event("restored", Some(partition), format!("{reason}: {records} records"));
            let topic = &self.store.store().identity().topic;
            tracing::info!(topic, partition, reason, records, "partition restored");
            self.note_complete()?;
        }
        Ok(promoted)
    }

    fn note_complete(&mut self) -> anyhow::Result<()> {
        let table = self.store.store().table();
        match !table.was_complete() && is_complete(&table, &self.progress) {
            true => self.retry(Writer::complete),
            false => Ok(()),
        }
    }

    /// Repeats a write until it works: a full disk is waited out, nothing is skipped. What it lacks may be what a slot
    /// takes whose last reader goes meanwhile.
    fn retry<T>(&mut self, mut write: impl FnMut(&mut Writer) -> Result<T, Error>) -> anyhow::Result<T> {
        loop {
            let error = match write(&mut self.store) {
                Ok(done) => {
                    if self.progress.end_store_trouble().is_some() {
                        tracing::info!(topic = self.store.store().identity().topic, "the store writes again");
                    }
                    return Ok(done);
                }
                Err(error) if error.is_transient() && !self.stop.is_cancelled() => error,
                Err(error) => {
                    leave_word(self.store.store(), &error);
                    return Err(error).context("writing to the store");
                }
            };
            let code = match error {
                Error::NoSpace { .. } => TroubleCode::DiskFull,
                _ => TroubleCode::StorageError,
            };
            self.progress.metrics().write_errors.inc();
            if self.progress.set_trouble(code, error.to_string()) {
                let topic = &self.store.store().identity().topic;
                tracing::error!(topic, %error, "cannot write, will try again");
            }
            std::thread::sleep(RETRY);
            // Where this fails too, the next one says why.
            let _ = self.store.sweep();
        }
    }
}

/// Order matters: the process ends after this, and the next one must not open the same store as if whole.
fn leave_word(store: &Store, error: &Error) {
    let Error::Corrupt { detail, .. } = error else { return };
    let topic = &store.identity().topic;
    tracing::error!(topic, detail, "the store is damaged, the next start replaces it");
    if let Err(error) = store.mark_damaged(detail) {
        tracing::error!(topic, %error, "cannot mark the store as damaged");
    }
}
