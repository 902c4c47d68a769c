//! Where to read a partition from: pure decisions, made at the start and again while running.

pub mod group;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::position::Position;
use crate::topic_id::TopicId;

/// A slot that follows the log is known to be current about once a second. Only an age beyond this is an
/// outage, however short the topic keeps its tombstones.
const OUTAGE: Duration = Duration::from_secs(15);

/// Why a slot is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BuildReason {
    /// There was no state of this partition.
    FirstStart,
    /// The topic was deleted and created again.
    TopicRecreated,
    /// Records between the position and the log start are gone, and with them perhaps tombstones.
    Truncated,
    /// The log ends before the position, or was overwritten from there.
    LogRewritten,
    /// Tombstones may have been compacted away before they were read.
    TombstonesExpired,
    /// An operator set the group's offset back.
    OperatorReset,
    /// Asked for through the admin interface or the command line.
    Requested,
    /// Stored bytes of the slot that answers are damaged.
    StoreDamaged,
}

/// What is stored of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    /// Cluster the slot was built from.
    pub cluster_id: &'a str,
    /// Incarnation of the topic the slot was built from.
    pub topic_id: TopicId,
    /// Next offset to read, taken before the cluster was asked.
    pub position: Position,
    /// How far the slot was read while no tombstone before can have been compacted away unread.
    pub in_time: Position,
    /// How long ago the slot last held everything the log held; of a slot being filled, how long ago that began.
    pub age: Option<Duration>,
    /// Why the slot is being filled; none of a slot that was current since it began to serve.
    pub filling: Option<BuildReason>,
    /// End offset the slot has to reach before it may serve; none of a slot that serves.
    pub target: Option<Position>,
    /// Leader epoch of the last record before the position.
    pub epoch: Option<i32>,
    /// A reader found that the log was overwritten below the position.
    pub rewritten: bool,
    /// A reader was told that the position is not within the log.
    pub refused: bool,
    /// A build that was decided and has not begun.
    pub requested: Option<BuildReason>,
}

/// What the cluster says of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'a> {
    /// Id of the cluster.
    pub cluster_id: &'a str,
    /// Incarnation of the topic.
    pub topic_id: TopicId,
    /// First offset of the log.
    pub log_start: Position,
    /// Next offset a reader will get to see.
    pub end_offset: Position,
    /// Leader epoch of the broker that told the end.
    pub epoch: Option<i32>,
    /// How long the topic keeps tombstones.
    pub tombstones_kept: Duration,
    /// Whether this process has been reading the slot on.
    pub followed: bool,
}

/// What to do with a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Read on at the stored position.
    Continue,
    /// Fill a fresh slot from the log start; what is served goes on being served until then.
    Build(BuildReason),
    /// Touch nothing: this is another cluster, most likely a wrong bootstrap address.
    Halt,
}

impl BuildReason {
    /// Returns the stable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstStart => "first-start",
            Self::TopicRecreated => "topic-recreated",
            Self::Truncated => "truncated",
            Self::LogRewritten => "log-rewritten",
            Self::TombstonesExpired => "tombstones-expired",
            Self::OperatorReset => "operator-reset",
            Self::Requested => "requested",
            Self::StoreDamaged => "store-damaged",
        }
    }

    /// Returns whether the log no longer holds what comes after the slot that serves: it cannot be followed.
    #[must_use]
    pub fn leaves_log(self) -> bool {
        matches!(self, Self::TopicRecreated | Self::Truncated | Self::LogRewritten)
    }
}

/// Returns whether a slot that has been followed, and was current so long ago, may miss tombstones by what it reads now.
#[must_use]
pub fn is_late(age: Duration, tombstones_kept: Duration) -> bool {
    age > tombstones_kept.max(OUTAGE)
}

/// Decides where to read a partition from. The stored position alone says where; commits never do.
#[must_use]
pub fn decide(stored: Option<Stored<'_>>, facts: &Facts<'_>) -> Decision {
    let Some(stored) = stored else { return Decision::Build(BuildReason::FirstStart) };
    if stored.topic_id != facts.topic_id {
        return match stored.cluster_id == facts.cluster_id {
            true => Decision::Build(BuildReason::TopicRecreated),
            false => Decision::Halt,
        };
    }
    if stored.position < facts.log_start {
        return Decision::Build(BuildReason::Truncated);
    }
    if stored.rewritten || stored.is_beyond(facts) {
        return Decision::Build(BuildReason::LogRewritten);
    }
    if stored.missed_tombstones(facts) {
        return Decision::Build(BuildReason::TombstonesExpired);
    }
    stored.requested.map_or(Decision::Continue, Decision::Build)
}

impl Stored<'_> {
    /// In one log the end offset only grows: what lies beyond it was taken from another. But what was read was there
    /// as long as its leader led, so only a later one can have cut it off, and only he or the reader can tell. A
    /// broker that has not heard yet of a new leader tells how far the log reached in its own time.
    fn is_beyond(&self, facts: &Facts<'_>) -> bool {
        let told_by_its_leader = self.epoch.zip(facts.epoch).is_some_and(|(read, told)| told <= read);
        let position = self.position > facts.end_offset && (self.refused || !told_by_its_leader);
        position || self.target.is_some_and(|target| target > facts.end_offset)
    }

    /// A tombstone is kept at least as long after its first cleaning; whoever was current less long ago has
    /// not missed one.
    fn missed_tombstones(&self, facts: &Facts<'_>) -> bool {
        let Some(age) = self.age else { return false };
        let outage = !facts.followed || age > OUTAGE;
        // A build that is already made for this reason and takes longer would never end, unless it was interrupted.
        let second = facts.followed && self.filling == Some(BuildReason::TombstonesExpired);
        outage && age > facts.tombstones_kept && self.in_time < facts.end_offset && !second
    }
}

#[cfg(test)]
#[path = "resume/tests.rs"]
mod tests;
