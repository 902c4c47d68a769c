//! Where to read a partition from: one pure decision, made at the start and again while running.

use serde::{Deserialize, Serialize};

use crate::position::Position;
use crate::topic_id::TopicId;

/// Why a slot is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildReason {
    /// There was no state of this partition.
    FirstStart,
    /// The topic was deleted and created again.
    TopicRecreated,
    /// Records between the position and the log start are gone, and with them perhaps tombstones.
    Truncated,
    /// The log ends before the position: it was overwritten.
    LogRewritten,
}

/// What is stored of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    /// Cluster the slot was built from.
    pub cluster_id: &'a str,
    /// Incarnation of the topic the slot was built from.
    pub topic_id: TopicId,
    /// Next offset to read, taken before the cluster was asked.
    pub position: Position,
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
}

/// What to do with a partition.
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
        }
    }
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
    if stored.position > facts.end_offset {
        return Decision::Build(BuildReason::LogRewritten);
    }
    Decision::Continue
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: TopicId = TopicId::new([1; 16]);

    fn decided(stored: (&str, TopicId, i64), facts: (&str, TopicId, i64, i64)) -> Decision {
        let stored = Stored { cluster_id: stored.0, topic_id: stored.1, position: Position::new(stored.2) };
        let facts = Facts {
            cluster_id: facts.0,
            topic_id: facts.1,
            log_start: Position::new(facts.2),
            end_offset: Position::new(facts.3),
        };
        decide(Some(stored), &facts)
    }

    #[test]
    fn every_state_of_the_log_has_its_decision() {
        let other = TopicId::new([2; 16]);
        let rows = [
            (("c", TOPIC, 5), ("c", TOPIC, 0, 9), Decision::Continue),
            (("c", TOPIC, 0), ("c", TOPIC, 0, 0), Decision::Continue),
            (("c", TOPIC, 9), ("c", TOPIC, 9, 9), Decision::Continue),
            (("c", TOPIC, 5), ("c", TOPIC, 6, 9), Decision::Build(BuildReason::Truncated)),
            (("c", TOPIC, 10), ("c", TOPIC, 0, 9), Decision::Build(BuildReason::LogRewritten)),
            (("c", TOPIC, 5), ("c", other, 0, 3), Decision::Build(BuildReason::TopicRecreated)),
            (("c", TOPIC, 5), ("c", other, 0, 9), Decision::Build(BuildReason::TopicRecreated)),
            (("c", TOPIC, 5), ("d", other, 0, 9), Decision::Halt),
        ];
        for (stored, facts, decision) in rows {
            assert_eq!(decided(stored, facts), decision, "{stored:?} {facts:?}");
        }
    }

    #[test]
    fn without_a_state_the_log_is_read_from_its_start() {
        let facts = Facts {
            cluster_id: "c",
            topic_id: TOPIC,
            log_start: Position::new(3),
            end_offset: Position::new(9),
        };
        assert_eq!(decide(None, &facts), Decision::Build(BuildReason::FirstStart));
    }
}
