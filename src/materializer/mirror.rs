//! Positions mirrored to the consumer group, signed, for lag tools and operators.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::kafka::{Cluster, Commit, CommitRow, Error};
use crate::position::{Partition, Position};

/// A group's offsets expire after a week without a commit: said again twice a day.
const REPEAT: Duration = Duration::from_secs(12 * 60 * 60);

/// Mirrors the positions of one view.
pub(super) struct Mirror {
    cluster: Arc<Cluster>,
    topic: String,
    incarnation: Uuid,
    interval: Duration,
    next: Instant,
    repeated: Instant,
    /// What the group holds, as far as commits were confirmed.
    known: BTreeMap<Partition, Position>,
    on_its_way: Option<(Commit, BTreeMap<Partition, Position>)>,
    failing: bool,
}

impl Mirror {
    pub(super) fn new(cluster: Arc<Cluster>, topic: &str, incarnation: Uuid, interval: Duration) -> Self {
        let (topic, now) = (topic.to_owned(), Instant::now());
        let (known, on_its_way) = (BTreeMap::new(), None);
        let next = now + interval;
        Self { cluster, topic, incarnation, interval, next, repeated: now, known, on_its_way, failing: false }
    }

    /// Returns whether a commit may be started: one at a time, so that none lands late.
    pub(super) fn is_time(&mut self) -> bool {
        self.settle(Duration::ZERO);
        self.on_its_way.is_none() && Instant::now() >= self.next
    }

    /// Returns whether the group is to be told of `positions`.
    pub(super) fn moved(&mut self, positions: &BTreeMap<Partition, Position>) -> bool {
        self.next = Instant::now() + self.interval;
        if self.repeated.elapsed() >= REPEAT {
            self.known.clear();
            self.repeated = Instant::now();
        }
        positions != &self.known
    }

    /// Starts to commit `positions` under the number `seq`.
    pub(super) fn commit(&mut self, seq: u64, positions: BTreeMap<Partition, Position>) {
        let rows: Vec<CommitRow> = positions
            .iter()
            .map(|(partition, position)| (*partition, *position, self.signature(seq, *position)))
            .collect();
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
            self.known = positions;
        }
        self.note(outcome);
    }

    /// Says whose position it is: another instance's, or an operator's, has another signature or none.
    fn signature(&self, seq: u64, position: Position) -> String {
        format!("sq1;{};{seq};{position}", self.incarnation)
    }

    fn note(&mut self, outcome: Result<(), Error>) {
        match outcome {
            Ok(()) => self.failing = false,
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::warn!(topic = self.topic, %error, "cannot mirror positions to the group, will try again");
            }
            Err(_) => {}
        }
    }
}
