//! Commits of positions to the consumer group, one at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::kafka::{Cluster, Commit, CommitRow, Error};
use crate::position::{Partition, Position};
use crate::resume::group;

/// A group's offsets expire after a week without a commit: said again twice a day.
const REPEAT: Duration = Duration::from_secs(12 * 60 * 60);

/// An operator could have done something between the look at the group and a commit that took this long.
const LATE: Duration = Duration::from_secs(2);

/// What happens in a moment, and perhaps time and again, is one condition until it rested for this long.
pub(super) const PEACE: Duration = Duration::from_secs(10 * 60);

/// Mirrors the positions of one view.
pub(super) struct Mirror {
    /// Order matters: a commit's queue goes before the client it belongs to.
    on_its_way: Option<(Commit, BTreeMap<Partition, Position>)>,
    /// A commit was confirmed, and that is still to be noticed.
    confirmed: bool,
    cluster: Arc<Cluster>,
    topic: String,
    incarnation: Uuid,
    interval: Duration,
    next: Instant,
    repeated: Instant,
    /// When the group was read, of the last commit.
    read: Instant,
    /// What the group holds, as far as commits were confirmed since the process started.
    known: BTreeMap<Partition, Position>,
    /// Where an operator set the group beyond the position, while that is not signed over.
    refused: BTreeMap<Partition, Position>,
    /// Why the group could not be read or written when that was tried last.
    failing: Option<String>,
    /// When another instance's signature was seen last.
    conflict: Option<Instant>,
    /// When a commit was confirmed that took too long, and how long it took.
    late: Option<(Instant, Duration)>,
}

impl Mirror {
    pub(super) fn new(cluster: Arc<Cluster>, topic: &str, incarnation: Uuid, interval: Duration) -> Self {
        let (topic, now) = (topic.to_owned(), Instant::now());
        let (known, on_its_way, confirmed) = (BTreeMap::new(), None, false);
        Self {
            cluster,
            topic,
            incarnation,
            interval,
            next: now,
            repeated: now,
            read: now,
            known,
            refused: BTreeMap::new(),
            on_its_way,
            confirmed,
            failing: None,
            conflict: None,
            late: None,
        }
    }

    /// Returns whether the group may be looked at: not while a commit is on its way, so that none lands late.
    pub(super) fn is_time(&mut self) -> bool {
        self.settle(Duration::ZERO);
        self.on_its_way.is_none() && Instant::now() >= self.next
    }

    /// Puts the next look off by the interval.
    pub(super) fn wait(&mut self) {
        self.next = Instant::now() + self.interval;
    }

    /// Makes the next look due.
    pub(super) fn hurry(&mut self) {
        self.next = Instant::now();
    }

    /// Returns whether this process has signed `partition`.
    pub(super) fn has_signed(&self, partition: Partition) -> bool {
        self.known.contains_key(&partition)
    }

    /// Takes notice that the group was set to `position` in vain; returns whether that is news.
    pub(super) fn refuse(&mut self, partition: Partition, position: Position) -> bool {
        self.refused.insert(partition, position) != Some(position)
    }

    /// Takes notice that another instance signs as well, as was seen then.
    pub(super) fn note_conflict(&mut self, seen: Instant) {
        self.conflict = Some(seen);
    }

    /// Returns whether another instance signs as well.
    pub(super) fn in_conflict(&self) -> bool {
        self.conflict.is_some_and(|at| at.elapsed() <= PEACE)
    }

    /// Returns whether the group is to be told of `positions`.
    pub(super) fn moved(&self, positions: &BTreeMap<Partition, Position>) -> bool {
        positions != &self.known || self.repeated.elapsed() >= REPEAT
    }

    /// Starts to commit `positions` under the number `seq`; the group was read then.
    pub(super) fn commit(&mut self, seq: u64, positions: BTreeMap<Partition, Position>, read: Instant) {
        (self.repeated, self.read) = (Instant::now(), read);
        let signed = |(partition, position): (&Partition, &Position)| {
            (*partition, *position, group::sign(self.incarnation, seq, *position))
        };
        let rows: Vec<CommitRow> = positions.iter().map(signed).collect();
        match self.cluster.commit(&self.topic, &rows) {
            Ok(commit) => self.on_its_way = Some((commit, positions)),
            Err(error) => self.note(Err(error)),
        }
    }

    /// Takes notice of the outcome of the commit on its way, waiting at most `wait`.
    pub(super) fn settle(&mut self, wait: Duration) {
        let Some((commit, _)) = &self.on_its_way else { return };
        let Some(outcome) = commit.poll(wait) else { return };
        if let Some((_, positions)) = self.on_its_way.take().filter(|_| outcome.is_ok()) {
            self.confirm(positions);
        }
        self.note(outcome);
    }

    /// Takes notice that the group holds `positions`.
    pub(super) fn confirm(&mut self, positions: BTreeMap<Partition, Position>) {
        self.known = positions;
        self.refused.clear();
        self.confirmed = true;
        self.note_took(Instant::now(), self.read.elapsed());
    }

    /// Returns whether a commit was confirmed, once.
    pub(super) fn take_confirmed(&mut self) -> bool {
        std::mem::take(&mut self.confirmed)
    }

    /// Takes notice of how long a commit took that was confirmed then.
    pub(super) fn note_took(&mut self, confirmed: Instant, took: Duration) {
        if took >= LATE {
            self.late = Some((confirmed, took));
        }
    }

    /// Returns how long a commit took that was late.
    pub(super) fn late(&self) -> Option<Duration> {
        self.late.filter(|(confirmed, _)| confirmed.elapsed() <= PEACE).map(|(_, took)| took)
    }

    /// Takes notice of whether the group could be read or written; if not, the next look is put off.
    pub(super) fn note(&mut self, outcome: Result<(), Error>) {
        self.failing = outcome.err().map(|error| error.to_string());
        if self.failing.is_some() {
            self.wait();
        }
    }

    /// Returns why positions are not mirrored; none while they are.
    pub(super) fn failing(&self) -> Option<&str> {
        self.failing.as_deref()
    }
}
