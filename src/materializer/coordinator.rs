//! The coordinator thread: asks the cluster, decides where each partition is read, tells when it is current.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tokio_util::sync::CancellationToken;

use super::mirror::Mirror;
use super::reader::{Command, PartitionFailure};
use super::writer::Work;
use crate::kafka::{Cluster, Error, PartitionLog, TopicState};
use crate::position::{Partition, Position};
use crate::progress::{TopicFacts, TroubleCode};
use crate::resume::{BuildReason, Decision, Facts, Stored, decide};
use crate::source::Failure;
use crate::store::{BuildPlan, Slot, SlotTable};
use crate::time::Millis;
use crate::view::View;

/// How often positions are compared with the ends that were observed.
const GLANCE: Duration = Duration::from_millis(20);
/// How long a partition that failed rests before it is read again.
const REST: Duration = Duration::from_secs(5);
/// How long the last mirror may take when the process ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// The coordinator's ends of its channels.
pub(super) struct Ports {
    pub(super) commands: Sender<Command>,
    pub(super) failures: Receiver<PartitionFailure>,
    pub(super) work: Sender<Work>,
}

/// How often things are done.
pub(super) struct Rhythm {
    pub(super) poll: Duration,
    /// None where positions are not mirrored.
    pub(super) mirror: Option<Duration>,
}

/// Steers one view.
pub(super) struct Coordinator {
    view: Arc<View>,
    cluster: Arc<Cluster>,
    ports: Ports,
    rhythm: Rhythm,
    mirror: Option<Mirror>,
    /// Shared with the reader: whether all partitions have caught up.
    following: Arc<AtomicBool>,
    /// Partitions being read, or resting after a failure until then.
    reading: BTreeMap<Partition, Option<Instant>>,
    /// An end offset that was observed and is not reached yet, and when it was observed.
    ahead: BTreeMap<Partition, (Millis, Position)>,
    stop: CancellationToken,
}

impl Coordinator {
    pub(super) fn new(
        view: Arc<View>,
        cluster: Arc<Cluster>,
        ports: Ports,
        rhythm: Rhythm,
        following: Arc<AtomicBool>,
        stop: CancellationToken,
    ) -> Self {
        let incarnation = view.store().identity().incarnation;
        let topic = view.config().topic.clone();
        let mirror =
            rhythm.mirror.map(|interval| Mirror::new(Arc::clone(&cluster), &topic, incarnation, interval));
        let (reading, ahead) = (BTreeMap::new(), BTreeMap::new());
        Self { view, cluster, ports, rhythm, mirror, following, reading, ahead, stop }
    }

    /// Steers until asked to stop, then mirrors the last positions.
    pub(super) fn run(mut self) -> anyhow::Result<()> {
        let table = self.view.store().table();
        for partition in table.serving().keys().chain(table.building().keys()) {
            self.view.progress().want(*partition);
        }
        drop(table);
        while !self.stop.is_cancelled() {
            self.observe()?;
            let next = Instant::now() + self.rhythm.poll;
            while Instant::now() < next && !self.stop.is_cancelled() && self.glance()? {}
        }
        self.say_farewell();
        Ok(())
    }

    /// Asks the cluster once and acts on the answer.
    fn observe(&mut self) -> anyhow::Result<()> {
        // Order matters: a position taken after the question could be beyond the end offset of the answer.
        let table = self.view.store().table();
        let before: BTreeMap<_, _> = all_slots(&table).map(|slot| (slot.number(), slot.position())).collect();
        let state = match self.cluster.observe(&self.view.config().topic) {
            Ok(state) => state,
            Err(error) => {
                self.lose(&error);
                return Ok(());
            }
        };
        self.regain(&state);
        self.take_notice(&state)?;
        let mut plans = Vec::new();
        for (partition, log) in &state.partitions {
            self.view.progress().want(*partition).set_log(log.start, log.end);
            // The slot being filled is the one that is read; the serving one rests until the swap.
            let slot = table.building().get(partition).or_else(|| table.serving().get(partition));
            let stored = slot.map(|slot| Stored {
                cluster_id: slot.cluster_id(),
                topic_id: slot.topic_id(),
                position: before.get(&slot.number()).copied().unwrap_or_default(),
            });
            let facts = Facts {
                cluster_id: &state.cluster_id,
                topic_id: state.topic_id,
                log_start: log.start,
                end_offset: log.end,
            };
            match decide(stored, &facts) {
                Decision::Continue => self.go_on(*partition, slot)?,
                Decision::Build(reason) => plans.push(self.plan(&state, *partition, *log, reason)),
                Decision::Halt => {}
            }
        }
        // Order matters: slots out of the table are dropped once nobody holds it, this thread included.
        drop(table);
        self.build(plans)?;
        for (partition, log) in &state.partitions {
            self.ahead.entry(*partition).or_insert((state.observed_at, log.end));
        }
        self.compare_positions();
        Ok(())
    }

    fn take_notice(&self, state: &TopicState) -> anyhow::Result<()> {
        let progress = self.view.progress();
        let partitions = u32::try_from(state.partitions.len()).unwrap_or(u32::MAX);
        if progress.topic().is_some_and(|known| known.partitions < partitions) {
            progress.record_event(
                "partitions-added",
                None,
                format!("the topic has {partitions} partitions now"),
            );
        }
        progress.set_topic(TopicFacts {
            cluster_id: state.cluster_id.clone(),
            topic_id: state.topic_id,
            topic_id_derived: state.topic_id_derived,
            partitions,
        });
        self.ports.work.send(Work::Grow(partitions)).context("the writer is gone")
    }

    /// Reads a partition on where its slot stands, unless it is being read or rests.
    fn go_on(&mut self, partition: Partition, slot: Option<&Arc<Slot>>) -> anyhow::Result<()> {
        let due =
            self.reading.get(&partition).is_none_or(|rest| rest.is_some_and(|until| until <= Instant::now()));
        let Some(slot) = slot.filter(|_| due) else { return Ok(()) };
        let known = self.view.progress().want(partition);
        if known.counted().is_none() {
            known.start_count(Millis::now());
        }
        let (number, position) = (slot.number(), slot.position());
        tracing::debug!(view = %self.view.name(), partition, %position, "reading on");
        self.reading.insert(partition, None);
        let command = Command::Follow { partition, slot: number, position };
        self.ports.commands.send(command).context("the reader is gone")
    }

    fn plan(
        &self,
        state: &TopicState,
        partition: Partition,
        log: PartitionLog,
        reason: BuildReason,
    ) -> BuildPlan {
        if reason != BuildReason::FirstStart {
            let detail = format!("log start {}, end offset {}", log.start, log.end);
            self.view.progress().record_event(reason.as_str(), Some(partition), detail);
            tracing::warn!(view = %self.view.name(), partition, reason = reason.as_str(), "rebuilding the partition");
        }
        BuildPlan {
            partition,
            partitions: u32::try_from(state.partitions.len()).unwrap_or(u32::MAX),
            cluster_id: state.cluster_id.clone(),
            topic_id: state.topic_id,
            low: log.start,
            high: log.end,
            observed_at: state.observed_at,
            reason,
        }
    }

    /// Makes fresh slots and reads their partitions from the log start.
    fn build(&mut self, plans: Vec<BuildPlan>) -> anyhow::Result<()> {
        if plans.is_empty() {
            return Ok(());
        }
        let (answer, started) = bounded(1);
        for plan in &plans {
            self.view.progress().want(plan.partition).start_count(Millis::now());
            self.ahead.remove(&plan.partition);
        }
        self.ports.work.send(Work::Build(plans, answer)).context("the writer is gone")?;
        for (partition, slot, position) in started.recv().context("the writer is gone")? {
            self.reading.insert(partition, None);
            let command = Command::Follow { partition, slot, position };
            self.ports.commands.send(command).context("the reader is gone")?;
        }
        Ok(())
    }

    /// Looks at what the reader reports and at the positions, for a moment; false when the reader is gone.
    fn glance(&mut self) -> anyhow::Result<bool> {
        match self.ports.failures.recv_timeout(GLANCE) {
            Ok((partition, failure)) => self.rest(partition, failure),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(false),
        }
        self.compare_positions();
        self.mirror_positions()?;
        Ok(true)
    }

    /// A partition the source gave up is never forgotten: it is read again after a rest.
    fn rest(&mut self, partition: Partition, failure: Failure) {
        let (code, reason) = match failure {
            Failure::Gone => {
                self.reading.remove(&partition);
                return;
            }
            // The next observation sees where the log is and decides.
            Failure::OutOfRange(reason) => (TroubleCode::OutOfRange, reason),
            Failure::Unauthorized(reason) => (TroubleCode::Unauthorized, reason),
            Failure::Other(reason) => (TroubleCode::Undeliverable, reason),
        };
        self.reading.insert(partition, Some(Instant::now() + REST));
        let progress = self.view.progress();
        if progress.want(partition).set_trouble(code, reason.clone()) {
            progress.record_event(code.as_str(), Some(partition), reason.clone());
            tracing::error!(view = %self.view.name(), partition, reason, "a partition cannot be read, will try again");
        }
    }

    /// A partition whose position has passed an observed end was current when that end was observed.
    fn compare_positions(&mut self) {
        let table = self.view.store().table();
        let progress = self.view.progress();
        self.ahead.retain(|partition, (observed_at, end)| {
            let Some(slot) = table.serving().get(partition).filter(|slot| slot.position() >= *end) else {
                return true;
            };
            // A slot that rests beside its successor does not get newer, however far its position once was.
            if !table.building().contains_key(partition) {
                slot.set_caught_up_at(*observed_at);
            }
            let known = progress.want(*partition);
            known.set_caught_up();
            if let Some(over) = known.clear_trouble() {
                progress.record_event("recovered", Some(*partition), over.detail);
                tracing::info!(view = %self.view.name(), partition, "the partition can be read again");
            }
            false
        });
        let wanted = progress.partitions();
        let all = !wanted.is_empty() && wanted.values().all(|known| known.caught_up());
        self.following.store(all, Ordering::Relaxed);
    }

    fn mirror_positions(&mut self) -> anyhow::Result<()> {
        let Some(mirror) = self.mirror.as_mut().and_then(|mirror| mirror.is_time().then_some(mirror)) else {
            return Ok(());
        };
        let positions = serving_positions(&self.view.store().table());
        if !mirror.moved(&positions) {
            return Ok(());
        }
        let (answer, seq) = bounded(1);
        let partitions = positions.keys().copied().collect();
        self.ports.work.send(Work::MirrorSeq(partitions, answer)).context("the writer is gone")?;
        mirror.commit(seq.recv().context("the writer is gone")?, positions);
        Ok(())
    }

    fn lose(&self, error: &Error) {
        let (progress, code) = (self.view.progress(), error.trouble());
        if progress.set_trouble(code, error.to_string()) {
            progress.record_event(code.as_str(), None, error.to_string());
            tracing::warn!(view = %self.view.name(), %error, "cannot follow the topic, will try again");
        }
    }

    /// Ends the trouble of a topic that could not be followed, unless it is the wrong one.
    fn regain(&self, state: &TopicState) {
        let table = self.view.store().table();
        let foreign = all_slots(&table)
            .any(|slot| slot.cluster_id() != state.cluster_id && slot.topic_id() != state.topic_id);
        if foreign {
            return self.halt(state);
        }
        let ours = |code| {
            use TroubleCode::{BrokerUnreachable, TopicMissing, Unauthorized, WrongCluster};
            matches!(code, BrokerUnreachable | TopicMissing | Unauthorized | WrongCluster)
        };
        if let Some(over) = self.view.progress().clear_trouble(ours) {
            self.view.progress().record_event("source-back", None, over.detail);
            tracing::info!(view = %self.view.name(), "the topic can be followed");
        }
    }

    fn halt(&self, state: &TopicState) {
        let detail = format!(
            "the brokers belong to cluster {}, the stored view to another; check kafka.bootstrap, or move the \
             view's directory away to start over",
            state.cluster_id
        );
        if self.view.progress().set_trouble(TroubleCode::WrongCluster, detail.clone()) {
            self.view.progress().record_event(TroubleCode::WrongCluster.as_str(), None, detail.clone());
            tracing::error!(view = %self.view.name(), detail, "the view is halted");
        }
    }

    /// The reader hands over its last batch meanwhile; what is mirrored is never ahead of the data.
    fn say_farewell(&mut self) {
        while self.ports.failures.recv_timeout(FAREWELL).is_ok() {}
        let positions = serving_positions(&self.view.store().table());
        let reachable = self.view.progress().trouble().is_none();
        let Some(mirror) = self.mirror.as_mut().filter(|_| reachable) else { return };
        mirror.settle(FAREWELL);
        let (answer, seq) = bounded(1);
        let partitions = positions.keys().copied().collect();
        if positions.is_empty() || self.ports.work.send(Work::MirrorSeq(partitions, answer)).is_err() {
            return;
        }
        if let Ok(seq) = seq.recv_timeout(FAREWELL) {
            mirror.commit(seq, positions);
            mirror.settle(FAREWELL);
        }
    }
}

fn all_slots(table: &SlotTable) -> impl Iterator<Item = &Arc<Slot>> {
    table.serving().values().chain(table.building().values())
}

fn serving_positions(table: &SlotTable) -> BTreeMap<Partition, Position> {
    table.serving().iter().map(|(partition, slot)| (*partition, slot.position())).collect()
}
