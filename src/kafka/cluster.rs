//! Questions about a topic, and the group its positions are mirrored to.
//!
//! Asked through a handle that does not fetch: on a fetching one an answer waits behind the long poll.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use rdkafka::types::RDKafkaErrorCode as Code;
use tokio_util::sync::CancellationToken;

use super::client;
use super::client::LastError;
use super::error::{self, Error};
use super::ffi;
use super::observe::topic_id;
use crate::config::sections::{Isolation, KafkaConfig};
use crate::position::{Partition, Position};
use crate::resume::group::Committed;
use crate::topic_id::TopicId;

/// How long the first answer of a cluster is waited for before it is said that none came.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long no answer comes before the client is replaced.
const PATIENCE: Duration = Duration::from_secs(30);

/// The non-fetching handle of the process.
pub struct Cluster {
    config: KafkaConfig,
    role: String,
    client: RwLock<Arc<ffi::Client>>,
    /// When all was told of a topic last, or given up for lost.
    answered: Mutex<BTreeMap<String, Instant>>,
    stop: CancellationToken,
    pub(super) last_error: Arc<LastError>,
    group: String,
    pub(super) isolation: Isolation,
    pub(super) timeout: Duration,
    /// Brokers before 3.1, and the mock, do not describe topics.
    pub(super) describes: AtomicBool,
    /// Whether any question was answered yet.
    pub(super) connected: AtomicBool,
    /// Whether the group could be read when that was tried last.
    group_answers: AtomicBool,
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
    /// Order matters: a commit goes before the client it belongs to.
    pending: ffi::Pending,
    _client: Arc<ffi::Client>,
    topic: String,
    group: String,
}

/// A question for the id of a topic on its way.
pub(super) struct TopicIdQuestion {
    /// Order matters: a question goes before the client it belongs to.
    pending: ffi::Pending,
    _client: Arc<ffi::Client>,
}

/// One position to commit, with its metadata.
pub type CommitRow = (Partition, Position, String);

impl Cluster {
    /// Makes the handle; it connects in the background. Once `stop` is cancelled no answer is waited for any more,
    /// but for the group's, and that only shortly.
    ///
    /// # Errors
    /// [`Error::Property`] when librdkafka refuses the configuration.
    pub fn new(config: &KafkaConfig, role: &str, stop: CancellationToken) -> Result<Self, Error> {
        let last_error = Arc::default();
        let client = client::new(config, role, stop.clone(), &last_error)?;
        let (isolation, timeout) = (config.isolation, config.request_timeout);
        Ok(Self {
            config: config.clone(),
            role: role.to_owned(),
            client: RwLock::new(Arc::new(client)),
            answered: Mutex::default(),
            stop,
            last_error,
            group: config.group(),
            isolation,
            timeout,
            describes: AtomicBool::new(true),
            connected: AtomicBool::new(false),
            group_answers: AtomicBool::new(false),
        })
    }

    pub(super) fn patience(&self) -> Duration {
        match self.connected.load(Ordering::Relaxed) {
            true => self.timeout,
            false => self.timeout.min(CONNECT_TIMEOUT),
        }
    }

    pub(super) fn client(&self) -> Arc<ffi::Client> {
        Arc::clone(&self.client.read())
    }

    /// A client that lost all its brokers at once never connects again, and one whose brokers were set back takes
    /// what they say of their leaders for outdated. So one that was asked in vain for long is replaced.
    pub(super) fn note_answer(&self, topic: &str, answered: bool) {
        let (mut topics, now) = (self.answered.lock(), Instant::now());
        let last = topics.entry(topic.to_owned()).or_insert(now);
        if answered {
            *last = now;
        } else if last.elapsed() >= PATIENCE {
            match client::new(&self.config, &self.role, self.stop.clone(), &self.last_error) {
                Ok(client) => *self.client.write() = Arc::new(client),
                Err(error) => tracing::warn!(%error, "cannot replace a client that gets no answer"),
            }
            *last = now;
        }
    }

    /// Starts to ask a broker for the id of the topic, to be told within `wait`; none where no ids are told.
    pub(super) fn ask_topic_id(
        &self,
        topic: &str,
        broker: Option<i32>,
        wait: Duration,
    ) -> Result<Option<TopicIdQuestion>, Error> {
        if !self.describes.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let client = self.client();
        let pending = client.ask_description(topic, broker, wait);
        let pending = pending.map_err(|(code, reason)| Error::of(code, reason, topic))?;
        Ok(Some(TopicIdQuestion { pending, _client: client }))
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
        let rights = self.client().topic_rights(topic, self.timeout).map_err(failed)?;
        if rights.is_some_and(|rights| !rights.read) {
            return Err(Error::Unauthorized(format!("READ on topic '{topic}' is missing")));
        }
        if rights.is_some_and(|rights| !rights.describe_configs) {
            return Ok(None);
        }
        let settings = match self.client().topic_settings(topic, self.timeout) {
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
        let rows = self.client().committed(&self.group, topic, partitions, self.timeout);
        self.group_answers.store(rows.is_ok(), Ordering::Relaxed);
        let rows = rows.map_err(failed)?;
        let committed = |(partition, offset, metadata)| {
            (partition, Committed { position: Position::new(offset), metadata })
        };
        Ok(rows.into_iter().map(committed).collect())
    }

    /// Without the right, reading the group would look for its coordinator until the time is over.
    fn check_group(&self) -> Result<(), (Code, String)> {
        match self.client().group_rights(&self.group, self.timeout) {
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
        let client = self.client();
        let pending = client.commit(&self.group, topic, rows, self.timeout);
        let pending = pending.map_err(|(code, reason)| Error::of(code, reason, topic))?;
        Ok(Commit { pending, _client: client, topic: topic.to_owned(), group: self.group.clone() })
    }
}

impl TopicIdQuestion {
    /// Returns the answer once it is there, waiting at most `wait`; no id from a broker that tells none.
    pub(super) fn poll(&self, topic: &str, wait: Duration) -> Option<Result<Option<TopicId>, Error>> {
        let answer = self.pending.description(wait)?;
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
