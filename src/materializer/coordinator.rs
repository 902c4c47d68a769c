//! The coordinator thread: asks the cluster, decides where each partition is read, tells when it is current.
//!
//! It works by levels, not by edges: each round compares what is with what should be and does what is missing,
//! so a restart or a missed event changes nothing.

mod ailments;
mod building;
mod conflicts;
mod group;
mod requests;
mod settings;
mod space;
mod steering;
mod warnings;

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tokio_util::sync::CancellationToken;

use self::conflicts::Survey;
use super::mirror::Mirror;
use super::pace::Pace;
use super::reader::{Command, PartitionFailure};
use super::writer::Work;
use crate::config::sections::{Config, OnCorruption, RebuildConfig};
use crate::entry::SlotNumber;
use crate::kafka::{Cluster, Error, TopicSettings, TopicState};
use crate::position::{Partition, Position};
use crate::progress::{TopicFacts, TroubleCode};
use crate::store::{RowEdit, Slot};
use crate::time::Moment;
use crate::view::View;

/// How often positions are compared with the ends that were observed.
const GLANCE: Duration = Duration::from_millis(20);
/// How soon the cluster is asked again after a reader failed: the reason may be that the topic changed.
const HURRY: Duration = Duration::from_millis(100);

/// The coordinator's ends of the channels to one reader.
pub(super) struct ReaderPort {
    pub(super) commands: Sender<Command>,
    pub(super) failures: Receiver<PartitionFailure>,
    pub(super) pace: Arc<Pace>,
}

/// The coordinator's ends of its channels.
pub(super) struct Ports {
    /// Follows the slots that serve, and fills the first ones.
    pub(super) live: ReaderPort,
    /// Fills slots beside those that serve.
    pub(super) builder: ReaderPort,
    pub(super) work: Sender<Work>,
}

/// How often and how much.
pub(super) struct Rhythm {
    poll: Duration,
    /// None where positions are not mirrored.
    mirror: Option<Duration>,
    rebuild: RebuildConfig,
    /// Bytes a store holds in memory before they are on the disk.
    write_buffer: u64,
    on_corruption: OnCorruption,
}

/// One of the two readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Live,
    Builder,
}

/// What a reader does about a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Reads it into this slot.
    Into(SlotNumber),
    /// Rests after a failure until then.
    Resting(Instant),
}

/// Steers one view.
pub(super) struct Coordinator {
    view: Arc<View>,
    cluster: Arc<Cluster>,
    ports: Ports,
    rhythm: Rhythm,
    mirror: Option<Mirror>,
    live: BTreeMap<Partition, Reading>,
    builder: BTreeMap<Partition, Reading>,
    /// Slots that were found fit to be read on since the process started, and when that was last.
    followed: BTreeMap<SlotNumber, Moment>,
    /// Slots a reader found to hold records that the log no longer holds.
    rewritten: BTreeSet<SlotNumber>,
    /// Slots whose position a reader was told is not within the log.
    refused: BTreeSet<SlotNumber>,
    /// An end offset that was observed and is not reached yet, and when it was observed.
    ahead: BTreeMap<Partition, (Moment, Position)>,
    /// Where a slot stood when it last moved, and when that was; of slots that are read for a round.
    moved: BTreeMap<SlotNumber, (Position, Instant)>,
    /// Slots that could not be read on, with their partition and where they stood.
    ailing: BTreeMap<SlotNumber, (Partition, Position)>,
    /// Partitions whose log could not be asked for last time.
    silent: BTreeSet<Partition>,
    /// When the cluster was asked last, and how long after that it is asked again.
    observed: Instant,
    observe_after: Duration,
    survey: Survey,
    settings: TopicSettings,
    settings_at: Option<Instant>,
    /// A hand-over that did not come about is tried again after this.
    hand_over_after: Instant,
    started: Instant,
    /// When RocksDB began to hold writes back.
    held_since: Cell<Option<Instant>>,
    stop: CancellationToken,
}

impl Rhythm {
    pub(super) fn new(config: &Config) -> Self {
        let mirror = config.mirror.enabled.then_some(config.mirror.interval);
        let (poll, on_corruption) = (config.kafka.poll_interval, config.store.on_corruption);
        let write_buffer = config.store.write_buffer.as_u64();
        Self { poll, mirror, rebuild: config.rebuild.clone(), write_buffer, on_corruption }
    }
}

impl Coordinator {
    pub(super) fn new(
        view: Arc<View>,
        cluster: Arc<Cluster>,
        ports: Ports,
        rhythm: Rhythm,
        stop: CancellationToken,
    ) -> Self {
        let incarnation = view.store().identity().incarnation;
        let topic = view.config().topic.clone();
        let mirror =
            rhythm.mirror.map(|interval| Mirror::new(Arc::clone(&cluster), &topic, incarnation, interval));
        Self {
            view,
            cluster,
            ports,
            rhythm,
            mirror,
            live: BTreeMap::new(),
            builder: BTreeMap::new(),
            followed: BTreeMap::new(),
            rewritten: BTreeSet::new(),
            refused: BTreeSet::new(),
            ahead: BTreeMap::new(),
            moved: BTreeMap::new(),
            ailing: BTreeMap::new(),
            silent: BTreeSet::new(),
            observed: Instant::now(),
            observe_after: Duration::ZERO,
            survey: Survey::new(),
            settings: TopicSettings::default(),
            settings_at: None,
            hand_over_after: Instant::now(),
            started: Instant::now(),
            held_since: Cell::new(None),
            stop,
        }
    }

    /// Steers until asked to stop, then mirrors the last positions.
    pub(super) fn run(mut self) -> anyhow::Result<()> {
        for slot in self.view.store().table().slots() {
            self.view.progress().want(slot.partition());
        }
        match self.rounds() {
            // When all end, the others may be gone before this thread has seen why.
            Err(_) if self.stop.is_cancelled() => {}
            ended => ended?,
        }
        self.say_farewell();
        Ok(())
    }

    fn rounds(&mut self) -> anyhow::Result<()> {
        while !self.stop.is_cancelled() {
            self.observe()?;
            self.observed = Instant::now();
            self.observe_after = self.rhythm.poll;
            while self.observed.elapsed() < self.observe_after
                && !self.stop.is_cancelled()
                && self.glance()?
            {}
        }
        Ok(())
    }

    /// Asks the cluster once and acts on the answer.
    fn observe(&mut self) -> anyhow::Result<()> {
        // Order matters: a position taken after the question could be beyond the end offset of the answer.
        let before = self.view.store().table().slots().map(|slot| (slot.number(), slot.position())).collect();
        let topic = self.view.config().topic.clone();
        match self.cluster.observe(&topic).and_then(|state| self.refresh_settings().map(|()| state)) {
            Ok(state) => {
                if let Some((code, detail)) = self.forbids(&state) {
                    return self.halt(code, &detail);
                }
                self.regain();
                self.take_notice(&state)?;
                self.steer(&state, &before)
            }
            // Who stops waits for no answer.
            Err(_) if self.stop.is_cancelled() => Ok(()),
            Err(error) => {
                self.lose(&error);
                // Nothing arrives while nobody answers: patience begins anew.
                self.moved.clear();
                Ok(())
            }
        }
    }

    fn take_notice(&self, state: &TopicState) -> anyhow::Result<()> {
        let progress = self.view.progress();
        let partitions = state.partition_count();
        if progress.topic().is_some_and(|known| known.partitions < partitions) {
            let detail = format!("the topic has {partitions} partitions now");
            tracing::info!(view = %self.view.name(), partitions, "the topic has more partitions");
            progress.record_event("partitions-added", None, detail);
        }
        progress.set_topic(TopicFacts {
            cluster_id: state.cluster_id.clone(),
            topic_id: state.topic_id,
            topic_id_derived: state.topic_id_derived,
            partitions,
        });
        self.ports.work.send(Work::Grow(partitions)).context("the writer is gone")
    }

    /// Looks at what the readers report and at the positions, for a moment; false when a reader is gone.
    fn glance(&mut self) -> anyhow::Result<bool> {
        match self.ports.live.failures.recv_timeout(GLANCE) {
            Ok(failed) => self.rest(Role::Live, failed),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(false),
        }
        for role in [Role::Live, Role::Builder] {
            while let Ok(failed) = self.port(role).failures.try_recv() {
                self.rest(role, failed);
            }
        }
        self.compare_positions();
        self.mind_held_writes();
        self.finish_builds()?;
        self.mind_requests()?;
        self.mind_the_group()?;
        self.mind_mirror();
        self.mind_quarantine();
        self.count_conflicts();
        Ok(true)
    }

    fn lose(&self, error: &Error) {
        let (progress, code) = (self.view.progress(), error.trouble());
        if progress.set_trouble(code, error.to_string()) {
            tracing::warn!(view = %self.view.name(), %error, "cannot follow the topic, will try again");
        }
    }

    /// Returns why the topic may not be followed: it is another one on another cluster, or its policy is refused.
    fn forbids(&self, state: &TopicState) -> Option<(TroubleCode, String)> {
        let foreign =
            |slot: &Arc<Slot>| slot.cluster_id() != state.cluster_id && slot.topic_id() != state.topic_id;
        if !self.view.store().table().slots().any(foreign) {
            return self.refused().map(|detail| (TroubleCode::PolicyMismatch, detail));
        }
        let detail = format!(
            "the brokers belong to cluster {}, the stored view to another; check kafka.bootstrap, or move the view's \
             directory away to start over",
            state.cluster_id
        );
        Some((TroubleCode::WrongCluster, detail))
    }

    /// Ends the trouble of a topic that could not be followed.
    fn regain(&self) {
        if self.view.progress().end_source_trouble().is_some() {
            tracing::info!(view = %self.view.name(), "the topic can be followed");
        }
    }

    /// Touches nothing: what this topic has is no concern of the view.
    fn halt(&mut self, code: TroubleCode, detail: &str) -> anyhow::Result<()> {
        for role in [Role::Live, Role::Builder] {
            let partitions: Vec<_> = self.reading(role).keys().copied().collect();
            partitions.into_iter().try_for_each(|partition| self.leave(role, partition))?;
        }
        if self.view.progress().set_trouble(code, detail.to_owned()) {
            tracing::error!(view = %self.view.name(), code = code.as_str(), detail, "the view is halted");
        }
        Ok(())
    }

    fn port(&self, role: Role) -> &ReaderPort {
        match role {
            Role::Live => &self.ports.live,
            Role::Builder => &self.ports.builder,
        }
    }

    fn reading(&mut self, role: Role) -> &mut BTreeMap<Partition, Reading> {
        match role {
            Role::Live => &mut self.live,
            Role::Builder => &mut self.builder,
        }
    }

    /// Has the writer do something and waits for its answer.
    fn ask<T>(&self, work: impl FnOnce(Sender<T>) -> Work) -> anyhow::Result<T> {
        let (answer, answered) = bounded(1);
        self.ports.work.send(work(answer)).context("the writer is gone")?;
        loop {
            match answered.recv_timeout(GLANCE) {
                Ok(answer) => return Ok(answer),
                // What the writer waits for may be the disk.
                Err(RecvTimeoutError::Timeout) => self.mind_held_writes(),
                Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the writer is gone"),
            }
        }
    }

    fn decide_rows(&self, edits: Vec<(Partition, RowEdit)>) -> anyhow::Result<()> {
        if edits.is_empty() {
            return Ok(());
        }
        self.ask(|answer| Work::Decide(edits, answer))
    }
}
