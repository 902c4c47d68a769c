//! Questions about a topic, and the group its positions are mirrored to.
//!
//! Asked through a handle that does not fetch: on a fetching one an answer waits behind the long poll.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::types::RDKafkaErrorCode as Code;

use super::client;
use super::client::LastError;
use super::error::{self, Error};
use super::ffi::{self, EndKind};
use crate::config::sections::{Isolation, KafkaConfig};
use crate::position::{Partition, Position};
use crate::progress::{LogEnd, LogEnds};
use crate::resume::group::Committed;
use crate::time::Millis;
use crate::topic_id::TopicId;

/// How long the first answer of a cluster is waited for before it is said that none came.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// What the cluster ids of librdkafka's mock start with.
const MOCK_CLUSTER: &str = "mockCluster";

/// The non-fetching handle of the process.
pub struct Cluster {
    client: ffi::Client,
    last_error: Arc<LastError>,
    group: String,
    isolation: Isolation,
    timeout: Duration,
    /// Brokers before 3.1, and the mock, do not describe topics.
    describes: AtomicBool,
    /// Whether any question was answered yet.
    connected: AtomicBool,
    /// Whether the group could be read when that was tried last.
    group_answers: AtomicBool,
}

/// What the cluster says of a topic at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// When it was asked: records produced later may be beyond the end offsets.
    pub observed_at: Millis,
    /// Id of the cluster.
    pub cluster_id: String,
    /// Id of the topic.
    pub topic_id: TopicId,
    /// Whether that id is a stand-in, because the broker knows none.
    pub topic_id_derived: bool,
    /// Partitions and the ends of their logs.
    pub partitions: BTreeMap<Partition, PartitionLog>,
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
}

/// How a topic is kept; none where the broker does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicSettings {
    /// `cleanup.policy`.
    pub cleanup_policy: Option<String>,
    /// `delete.retention.ms`.
    pub tombstones_kept: Option<Duration>,
}

/// A commit on its way.
pub struct Commit {
    pending: ffi::Pending,
    topic: String,
    group: String,
}

/// A question for the id of a topic on its way.
pub(super) struct TopicIdQuestion(ffi::Pending);

/// One position to commit, with its metadata.
pub type CommitRow = (Partition, Position, String);

impl Cluster {
    /// Makes the handle; it connects in the background.
    ///
    /// # Errors
    /// [`Error::Property`] when librdkafka refuses the configuration.
    pub fn new(config: &KafkaConfig, role: &str) -> Result<Self, Error> {
        let (client, last_error) = client::new(config, role)?;
        let (isolation, timeout) = (config.isolation, config.request_timeout);
        Ok(Self {
            client,
            last_error,
            group: config.group(),
            isolation,
            timeout,
            describes: AtomicBool::new(true),
            connected: AtomicBool::new(false),
            group_answers: AtomicBool::new(false),
        })
    }

    /// Asks for everything that decides where and how far to read.
    ///
    /// # Errors
    /// [`Error`] says what to do; each question is bounded by `kafka.request_timeout`.
    pub fn observe(&self, topic: &str) -> Result<TopicState, Error> {
        let observed_at = Millis::now();
        let observed = self.try_observe(topic, observed_at);
        // Errors that the client reports by itself wait in its queue.
        self.client.serve();
        if observed.is_ok() {
            self.last_error.clear();
        }
        observed.map_err(|error| self.last_error.explain(error, topic))
    }

    fn try_observe(&self, topic: &str, observed_at: Millis) -> Result<TopicState, Error> {
        // Order matters: the first request makes the client connect at once, which asking for the cluster's id
        // does not.
        let (id, count) = self.describe(topic)?;
        let cluster_id = self.client.cluster_id(self.patience());
        let cluster_id = cluster_id.ok_or_else(|| Error::Unreachable("no answer in time".to_owned()))?;
        self.connected.store(true, Ordering::Relaxed);
        let all = || 0..Partition::try_from(count).unwrap_or(Partition::MAX);
        let failed = |(code, reason)| Error::of(code, reason, topic);
        let list = |kind| {
            let rows = self.client.list_offsets(topic, all(), kind, self.timeout).map_err(failed)?;
            Ok::<BTreeMap<_, _>, Error>(rows.into_iter().collect())
        };
        let starts = list(EndKind::Start)?;
        // Order matters: asked for later, the end of the log would be beyond what could be read at the first
        // question without any transaction being open.
        let mut written = list(EndKind::End)?;
        let mut ends = match self.isolation {
            Isolation::ReadCommitted => list(EndKind::CommittedEnd)?,
            Isolation::ReadUncommitted => written.clone(),
        };
        let missing = || Err((Code::UnknownPartition, String::new()));
        let mut partitions = BTreeMap::new();
        for (partition, start) in starts {
            let start = start.map_err(failed)?;
            let end = ends.remove(&partition).unwrap_or_else(missing).map_err(failed)?.max(start);
            let written = written.remove(&partition).unwrap_or_else(missing).map_err(failed)?.max(end);
            let [start, end, written] = [start, end, written].map(Position::new);
            partitions.insert(partition, PartitionLog { start, end, written });
        }
        let topic_id = id.unwrap_or_else(|| TopicId::derived(&cluster_id, topic));
        Ok(TopicState { observed_at, cluster_id, topic_id, topic_id_derived: id.is_none(), partitions })
    }

    /// Asks how far the log of every partition reaches now.
    ///
    /// # Errors
    /// As [`Cluster::observe`].
    pub fn log_ends(&self, topic: &str) -> Result<LogEnds, Error> {
        self.try_log_ends(topic).map_err(|error| self.last_error.explain(error, topic))
    }

    fn try_log_ends(&self, topic: &str) -> Result<LogEnds, Error> {
        let (id, count) = self.describe(topic)?;
        let topic_id = match id {
            Some(id) => id,
            None => TopicId::derived(&self.client.cluster_id(self.patience()).unwrap_or_default(), topic),
        };
        let ends = |kind| {
            let failed = |(code, reason)| Error::of(code, reason, topic);
            let all = 0..Partition::try_from(count).unwrap_or(Partition::MAX);
            let ends = self.client.list_offsets(topic, all, kind, self.timeout).map_err(failed)?;
            let end = |(partition, end): (_, Result<i64, _>)| {
                end.map(|end| (partition, Position::new(end))).map_err(failed)
            };
            ends.into_iter().map(end).collect::<Result<BTreeMap<_, _>, Error>>()
        };
        let written = ends(EndKind::End)?;
        let visible = match self.isolation {
            Isolation::ReadCommitted => ends(EndKind::CommittedEnd)?,
            Isolation::ReadUncommitted => written.clone(),
        };
        let end = |(partition, visible): (Partition, Position)| {
            let written = written.get(&partition).copied().unwrap_or(visible);
            (partition, LogEnd { visible, written })
        };
        Ok(LogEnds { topic_id, partitions: visible.into_iter().map(end).collect() })
    }

    fn patience(&self) -> Duration {
        match self.connected.load(Ordering::Relaxed) {
            true => self.timeout,
            false => self.timeout.min(CONNECT_TIMEOUT),
        }
    }

    fn describe(&self, topic: &str) -> Result<(Option<TopicId>, usize), Error> {
        let failed = |(code, reason)| Error::of(code, reason, topic);
        if !self.connected.load(Ordering::Relaxed) {
            // The mock has no controller, and a description waits for one until it times out.
            self.client.partition_count(topic, self.patience()).map_err(failed)?;
            let cluster_id = self.client.cluster_id(self.patience()).unwrap_or_default();
            self.describes.store(!cluster_id.starts_with(MOCK_CLUSTER), Ordering::Relaxed);
        }
        if self.describes.load(Ordering::Relaxed) {
            match self.client.describe(topic, self.patience()) {
                Ok(described) if described.partitions > 0 => {
                    return Ok((topic_id(&described), described.partitions));
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
        match self.client.partition_count(topic, self.patience()).map_err(failed)? {
            0 => Err(Error::TopicMissing(topic.to_owned())),
            count => Ok((None, count)),
        }
    }

    /// Starts to ask a broker for the id of the topic; none where no ids are told.
    pub(super) fn ask_topic_id(
        &self,
        topic: &str,
        broker: Option<i32>,
    ) -> Result<Option<TopicIdQuestion>, Error> {
        if !self.describes.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let asked = self.client.ask_description(topic, broker, self.timeout);
        asked
            .map(|asked| Some(TopicIdQuestion(asked)))
            .map_err(|(code, reason)| Error::of(code, reason, topic))
    }

    /// Returns how the topic is cleaned and how long it keeps tombstones; none without the right to know.
    ///
    /// # Errors
    /// When no broker answers.
    pub fn settings(&self, topic: &str) -> Result<Option<TopicSettings>, Error> {
        if !self.describes.load(Ordering::Relaxed) {
            return Ok(Some(TopicSettings::default()));
        }
        let failed = |(code, reason)| Error::of(code, reason, topic);
        let rights = self.client.topic_rights(topic, self.timeout).map_err(failed)?;
        if rights.is_some_and(|rights| !rights.read) {
            return Err(Error::Unauthorized(format!("READ on topic '{topic}' is missing")));
        }
        if rights.is_some_and(|rights| !rights.describe_configs) {
            return Ok(None);
        }
        let settings = match self.client.topic_settings(topic, self.timeout) {
            // Brokers answer with nothing where the right is missing.
            Ok(settings) if settings.is_empty() => return Ok(None),
            Ok(settings) => settings,
            Err((Code::TopicAuthorizationFailed, _)) => return Ok(None),
            Err((Code::UnsupportedFeature | Code::UnsupportedVersion, _)) => BTreeMap::new(),
            Err(error) => return Err(failed(error)),
        };
        let millis = |name: &str| settings.get(name)?.parse().ok().map(Duration::from_millis);
        Ok(Some(TopicSettings {
            cleanup_policy: settings.get("cleanup.policy").cloned(),
            tombstones_kept: millis("delete.retention.ms"),
        }))
    }

    /// Returns what the group holds of each partition; partitions without a commit are left out.
    ///
    /// # Errors
    /// When no broker answers, or the right to read the group is missing.
    pub fn committed(
        &self,
        topic: &str,
        partitions: impl Iterator<Item = Partition>,
    ) -> Result<BTreeMap<Partition, Committed>, Error> {
        let failed = |(code, reason)| error::of_group(code, reason, topic, &self.group);
        if self.describes.load(Ordering::Relaxed) && !self.group_answers.load(Ordering::Relaxed) {
            self.check_group().map_err(failed)?;
        }
        let rows = self.client.committed(topic, partitions, self.timeout);
        self.group_answers.store(rows.is_ok(), Ordering::Relaxed);
        let rows = rows.map_err(failed)?;
        let committed = |(partition, offset, metadata)| {
            (partition, Committed { position: Position::new(offset), metadata })
        };
        Ok(rows.into_iter().map(committed).collect())
    }

    /// Without the right, reading the group would look for its coordinator until the time is over.
    fn check_group(&self) -> Result<(), (Code, String)> {
        match self.client.group_rights(&self.group, self.timeout) {
            Ok(Some(rights)) if !rights.read => {
                Err((Code::GroupAuthorizationFailed, "it may only be described".to_owned()))
            }
            Ok(_) | Err((Code::UnsupportedFeature | Code::UnsupportedVersion, _)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Starts to commit positions to the group. Poll the commit to its end before another is started: a late
    /// one would overwrite what an operator did meanwhile.
    ///
    /// # Errors
    /// When the commit cannot even be sent.
    pub fn commit(&self, topic: &str, rows: &[CommitRow]) -> Result<Commit, Error> {
        let rows = rows
            .iter()
            .map(|(partition, position, signature)| (*partition, position.get(), signature.as_str()));
        let pending = self.client.commit(topic, rows);
        let pending = pending.map_err(|(code, reason)| Error::of(code, reason, topic))?;
        Ok(Commit { pending, topic: topic.to_owned(), group: self.group.clone() })
    }
}

fn topic_id(described: &ffi::Description) -> Option<TopicId> {
    (described.id != [0; 16]).then(|| TopicId::new(described.id))
}

impl TopicIdQuestion {
    /// Returns the answer once it is there, waiting at most `wait`; no id from a broker that tells none.
    pub(super) fn poll(&self, topic: &str, wait: Duration) -> Option<Result<Option<TopicId>, Error>> {
        let answer = self.0.description(wait)?;
        let error = |(code, reason)| Error::of(code, reason, topic);
        Some(answer.map(|described| topic_id(&described)).map_err(error))
    }
}

impl Commit {
    /// Returns the outcome once it is known, waiting at most `wait`.
    #[must_use]
    pub fn poll(&self, wait: Duration) -> Option<Result<(), Error>> {
        let outcome = self.pending.outcome(wait)?;
        Some(outcome.map_err(|(code, reason)| error::of_group(code, reason, &self.topic, &self.group)))
    }
}
