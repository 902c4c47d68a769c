//! What the cluster says of a topic: its id, its partitions, and how far their logs reach.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use rdkafka::types::RDKafkaErrorCode as Code;

use super::cluster::Cluster;
use super::error::Error;
use super::ffi::{self, EndKind, LogOffset};
use crate::config::sections::Isolation;
use crate::position::{Partition, Position};
use crate::progress::{LogEnd, LogEnds};
use crate::time::Moment;
use crate::topic_id::TopicId;

/// What the cluster ids of librdkafka's mock start with.
const MOCK_CLUSTER: &str = "mockCluster";
/// How often a question is asked again because the topic was recreated meanwhile.
const TRIES: usize = 3;

/// What the cluster says of a topic at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// When it was asked: records produced later may be beyond the end offsets.
    pub observed_at: Moment,
    /// Id of the cluster.
    pub cluster_id: String,
    /// Id of the topic.
    pub topic_id: TopicId,
    /// Whether that id is a stand-in, because the broker knows none.
    pub topic_id_derived: bool,
    /// Partitions and the ends of their logs.
    pub partitions: BTreeMap<Partition, PartitionLog>,
    /// Partitions whose log could not be asked for, and why.
    pub silent: BTreeMap<Partition, Error>,
}

/// The ends of a partition's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionLog {
    /// First offset.
    pub start: Position,
    /// Next offset a reader will get to see.
    pub end: Position,
    /// Next offset that will be given out; beyond `end` while a transaction is open.
    pub written: Position,
    /// Leader epoch of the broker that told the end; none of one that knows none.
    pub epoch: Option<i32>,
}

/// A topic as it was described.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    /// None where brokers tell no ids.
    id: Option<TopicId>,
    /// All partitions, and whether each has a leader to ask.
    partitions: BTreeMap<Partition, bool>,
}

type Offsets = BTreeMap<Partition, Result<LogOffset, (Code, String)>>;

impl TopicState {
    /// Returns how many partitions the topic has.
    #[must_use]
    pub fn partition_count(&self) -> u32 {
        u32::try_from(self.partitions.len() + self.silent.len()).unwrap_or(u32::MAX)
    }

    /// Returns the partitions the topic has.
    pub fn all(&self) -> impl Iterator<Item = &Partition> {
        self.partitions.keys().chain(self.silent.keys())
    }
}

impl Shape {
    fn led(&self) -> impl Iterator<Item = Partition> + '_ {
        self.partitions.iter().filter(|(_, led)| **led).map(|(partition, _)| *partition)
    }
}

impl Cluster {
    /// Asks for everything that decides where and how far to read.
    ///
    /// # Errors
    /// [`Error`] says what to do; each question is bounded by `kafka.request_timeout`.
    pub fn observe(&self, topic: &str) -> Result<TopicState, Error> {
        let observed_at = Moment::now();
        let observed = self.try_observe(topic, observed_at);
        // Errors that the client reports by itself wait in its queue.
        self.client().serve();
        if observed.is_ok() {
            self.last_error.clear();
        }
        self.note_answer(
            topic,
            match &observed {
                Ok(state) => state.silent.is_empty(),
                Err(error) => matches!(error, Error::TopicMissing(_) | Error::Unauthorized(_)),
            },
        );
        observed.map_err(|error| self.last_error.explain(error, topic))
    }

    fn try_observe(&self, topic: &str, observed_at: Moment) -> Result<TopicState, Error> {
        // Order matters: the first request makes the client connect at once, which asking for the cluster's id
        // does not.
        let described = of_one_topic(
            || self.describe(topic),
            |shape| {
                let cluster_id = self.cluster_id()?;
                self.connected.store(true, Ordering::Relaxed);
                Ok((cluster_id, self.list(topic, shape, EndKind::Start)?, self.list_ends(topic, shape)?))
            },
        )?;
        let (shape, (cluster_id, mut starts, (mut ends, mut written))) = described;
        let mut log = |partition| {
            let offset = |offsets: &mut Offsets| match offsets.remove(&partition) {
                Some(offset) => offset.map_err(|(code, reason)| Error::of(code, reason, topic)),
                None => Err(Error::Unreachable("the partition has no leader".to_owned())),
            };
            let start = Position::new(offset(&mut starts)?.offset);
            let LogOffset { offset: end, epoch } = offset(&mut ends)?;
            let end = Position::new(end).max(start);
            let written = Position::new(offset(&mut written)?.offset).max(end);
            Ok(PartitionLog { start, end, written, epoch })
        };
        let (mut partitions, mut silent) = (BTreeMap::new(), BTreeMap::new());
        for partition in shape.partitions.into_keys() {
            match log(partition) {
                Ok(log) => drop(partitions.insert(partition, log)),
                // These concern the whole topic.
                Err(error @ (Error::TopicMissing(_) | Error::Unauthorized(_))) => return Err(error),
                Err(error) => drop(silent.insert(partition, error)),
            }
        }
        if partitions.is_empty()
            && let Some((_, error)) = silent.pop_first()
        {
            return Err(error);
        }
        let topic_id = shape.id.unwrap_or_else(|| TopicId::derived(&cluster_id, topic));
        let topic_id_derived = shape.id.is_none();
        Ok(TopicState { observed_at, cluster_id, topic_id, topic_id_derived, partitions, silent })
    }

    /// Asks how far the log of every partition reaches now.
    ///
    /// # Errors
    /// As [`Cluster::observe`].
    pub fn log_ends(&self, topic: &str) -> Result<LogEnds, Error> {
        self.try_log_ends(topic).map_err(|error| self.last_error.explain(error, topic))
    }

    fn try_log_ends(&self, topic: &str) -> Result<LogEnds, Error> {
        let (shape, (visible, written)) =
            of_one_topic(|| self.describe(topic), |shape| self.list_ends(topic, shape))?;
        let topic_id = match shape.id {
            Some(id) => id,
            None => TopicId::derived(&self.cluster_id()?, topic),
        };
        if let Some((partition, _)) = shape.partitions.iter().find(|(_, led)| !**led) {
            return Err(Error::Unreachable(format!("no broker leads partition {partition}")));
        }
        let known = |offsets: Offsets| {
            let known = |(partition, told): (_, Result<LogOffset, _>)| {
                told.map(|told| (partition, Position::new(told.offset)))
            };
            let known = offsets.into_iter().map(known).collect::<Result<BTreeMap<_, _>, _>>();
            known.map_err(|(code, reason)| Error::of(code, reason, topic))
        };
        let (visible, written) = (known(visible)?, known(written)?);
        let end = |(partition, visible): (Partition, Position)| {
            let written = written.get(&partition).copied().unwrap_or(visible);
            (partition, LogEnd { visible, written })
        };
        Ok(LogEnds { topic_id, partitions: visible.into_iter().map(end).collect() })
    }

    fn cluster_id(&self) -> Result<String, Error> {
        let told = self.client().cluster_id(self.patience());
        told.ok_or_else(|| Error::Unreachable("no answer in time".to_owned()))
    }

    /// A partition without a leader would hold up the answer for all.
    fn list(&self, topic: &str, shape: &Shape, kind: EndKind) -> Result<Offsets, Error> {
        if shape.led().next().is_none() {
            return Ok(Offsets::new());
        }
        let rows = self.client().list_offsets(topic, shape.led(), kind, self.timeout);
        let rows = rows.map_err(|(code, reason)| Error::of(code, reason, topic))?;
        Ok(rows.into_iter().collect())
    }

    /// Returns where what can be read ends, and where what is written does.
    fn list_ends(&self, topic: &str, shape: &Shape) -> Result<(Offsets, Offsets), Error> {
        // Order matters: asked for later, the end of the log would be beyond what could be read at the first
        // question without any transaction being open.
        let written = self.list(topic, shape, EndKind::End)?;
        let readable = match self.isolation {
            Isolation::ReadCommitted => self.list(topic, shape, EndKind::CommittedEnd)?,
            Isolation::ReadUncommitted => written.clone(),
        };
        Ok((readable, written))
    }

    fn describe(&self, topic: &str) -> Result<Shape, Error> {
        let failed = |(code, reason)| Error::of(code, reason, topic);
        if !self.connected.load(Ordering::Relaxed) {
            // The mock has no controller, and a description waits for one until it times out.
            self.client().partition_count(topic, self.patience()).map_err(failed)?;
            let cluster_id = self.client().cluster_id(self.patience()).unwrap_or_default();
            self.describes.store(!cluster_id.starts_with(MOCK_CLUSTER), Ordering::Relaxed);
        }
        if self.describes.load(Ordering::Relaxed) {
            match self.client().describe(topic, self.patience()) {
                Ok(described) if !described.partitions.is_empty() => {
                    let id = topic_id(&described);
                    return Ok(Shape { id, partitions: described.partitions.into_iter().collect() });
                }
                Ok(_) => return Err(Error::TopicMissing(topic.to_owned())),
                Err((Code::UnsupportedFeature | Code::UnsupportedVersion, reason)) => {
                    tracing::info!(
                        reason,
                        "the brokers tell no topic ids; a recreated topic may go unnoticed"
                    );
                    self.describes.store(false, Ordering::Relaxed);
                }
                Err(error) => return Err(failed(error)),
            }
        }
        match self.client().partition_count(topic, self.patience()).map_err(failed)? {
            0 => Err(Error::TopicMissing(topic.to_owned())),
            count => {
                let all = 0..Partition::try_from(count).unwrap_or(Partition::MAX);
                Ok(Shape { id: None, partitions: all.map(|partition| (partition, true)).collect() })
            }
        }
    }
}

pub(super) fn topic_id(described: &ffi::Description) -> Option<TopicId> {
    (described.id != [0; 16]).then(|| TopicId::new(described.id))
}

/// Asks something of a topic, and again if it was recreated meanwhile: answers must not mix two topics.
fn of_one_topic<T>(
    mut describe: impl FnMut() -> Result<Shape, Error>,
    mut ask: impl FnMut(&Shape) -> Result<T, Error>,
) -> Result<(Shape, T), Error> {
    let mut before = describe()?;
    for _ in 0..TRIES {
        let answer = ask(&before)?;
        if before.id.is_none() {
            return Ok((before, answer));
        }
        // An id never comes back: the same one after means the same one meanwhile.
        let after = describe()?;
        if after.id == before.id {
            return Ok((before, answer));
        }
        before = after;
    }
    Err(Error::Other("the topic is recreated time and again".to_owned()))
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn shape(id: u8) -> Shape {
        Shape { id: Some(TopicId::new([id; 16])), partitions: [(0, true), (1, false)].into() }
    }

    #[test]
    fn an_answer_that_may_be_of_two_topics_is_asked_for_again() {
        let mut described = [1, 2, 2].map(shape).into_iter();
        let mut asked = Vec::new();
        let answer = of_one_topic(
            || Ok(described.next().unwrap()),
            |shape| {
                asked.push(shape.id);
                Ok(asked.len())
            },
        );
        assert_eq!(answer, Ok((shape(2), 2)));
        assert_eq!(asked, [shape(1).id, shape(2).id]);
    }

    #[test]
    fn only_partitions_with_a_leader_are_asked_for() {
        assert_eq!(shape(1).led().collect::<Vec<_>>(), [0]);
    }

    /// FAULTS row 15.
    #[test]
    fn a_leader_that_hangs_up_has_not_said_where_its_log_ends() {
        use RDKafkaRespErr::{
            RD_KAFKA_RESP_ERR__TRANSPORT as HANGS_UP, RD_KAFKA_RESP_ERR_NO_ERROR as ANSWERS,
        };
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic("t", 1, 1).unwrap();
        let bootstrap = mock.bootstrap_servers();
        let config = crate::config::of_flags(&[("kafka.bootstrap", &bootstrap), ("views.v.topic", "t")]);
        let cluster = Cluster::new(&config.kafka, "test", CancellationToken::new()).unwrap();
        assert!(cluster.observe("t").is_ok());

        // The questions for the start, for what is written and for what can be read.
        for answers in [&[][..], &[ANSWERS], &[ANSWERS, ANSWERS]] {
            mock.request_errors(RDKafkaApiKey::ListOffsets, &[answers, &[HANGS_UP]].concat());
            let observed = cluster.observe("t");
            assert!(matches!(observed, Err(Error::Unreachable(_))), "{}: {observed:?}", answers.len());
        }
        mock.request_errors(RDKafkaApiKey::ListOffsets, &[HANGS_UP]);
        assert!(matches!(cluster.log_ends("t"), Err(Error::Unreachable(_))));
        assert_eq!(cluster.log_ends("t").unwrap().partitions.len(), 1);
    }
}
