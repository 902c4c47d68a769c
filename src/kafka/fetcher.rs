//! One client that fetches partitions of one incarnation of a topic.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::types::RDKafkaErrorCode as Code;
use tokio_util::sync::CancellationToken;

use super::cluster::{Cluster, TopicIdQuestion};
use super::error::{self, Error};
use super::{client, ffi};
use crate::config::sections::KafkaConfig;
use crate::position::{Offset, Partition, Position};
use crate::record::Record;
use crate::source::{Event, Failure, Start};
use crate::topic_id::TopicId;

/// How long a broker may take to tell the topic's id, which takes it some milliseconds. A client that never got an
/// answer leaves twice that to the next, so none is replaced for ever on a slow line.
const PATIENCE: Duration = Duration::from_secs(1);

/// A client that is not used for another incarnation: it would go on at old offsets and wait for old epochs.
pub(super) struct Fetcher {
    /// Order matters: messages go before the client they belong to.
    held: VecDeque<ffi::Message>,
    client: ffi::Client,
    topic: String,
    topic_id: TopicId,
    /// What is fetched, and where it would be begun now: behind what was delivered.
    assigned: BTreeMap<Partition, Start>,
    proof: Proof,
}

/// What is known of the topic that is fetched from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is the one that is wanted.
    Same,
    /// Not known yet: nothing may be delivered.
    Open,
    /// It is another one, or there is none.
    Gone,
    /// This client will not get to know: who told it of the topic does not repeat it.
    Lost(String),
    /// It may not be asked.
    Unauthorized(String),
}

/// Proves that what was fetched belongs to the wanted incarnation.
///
/// When a topic is recreated the client goes on with the new one, at the old offsets, and says nothing. It learns
/// the new topic's id from an answer for metadata. So after each such answer the broker that gave it is asked for
/// the id. A broker never goes back to an older state, and an id never comes back: if it still says the wanted
/// id, so did every answer it gave before.
///
/// Nobody else can vouch for a broker that is gone. Then only another client helps, which knows nothing of it.
struct Proof {
    cluster: Arc<Cluster>,
    unasked: BTreeSet<i32>,
    asked: Option<(i32, TopicIdQuestion)>,
    begun: Instant,
    /// How long an answer is waited for.
    patience: Duration,
    /// Whether there was one.
    answered: bool,
}

impl Fetcher {
    pub(super) fn new(
        config: &KafkaConfig,
        topic: &str,
        role: &str,
        topic_id: TopicId,
        cluster: &Arc<Cluster>,
    ) -> Result<Self, Error> {
        let client = client::new(config, role, CancellationToken::new(), &Arc::default())?;
        let proof = Proof::new(cluster);
        let (held, assigned) = (VecDeque::new(), BTreeMap::new());
        Ok(Self { held, client, topic: topic.to_owned(), topic_id, assigned, proof })
    }

    pub(super) fn topic_id(&self) -> TopicId {
        self.topic_id
    }

    pub(super) fn has(&self, partition: Partition) -> bool {
        self.assigned.contains_key(&partition)
    }

    /// Goes on with this client, in its initial state, where another one left off.
    pub(super) fn going_on_from(mut self, stuck: &Self) -> Result<Self, Error> {
        stuck.assigned.iter().try_for_each(|(partition, start)| self.assign(*partition, *start))?;
        if !stuck.proof.answered {
            self.proof.patience = (stuck.proof.patience * 2).min(self.proof.cluster.timeout);
        }
        Ok(self)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.assigned.is_empty()
    }

    pub(super) fn into_assigned(self) -> impl Iterator<Item = Partition> {
        self.assigned.into_keys()
    }

    pub(super) fn assign(&mut self, partition: Partition, start: Start) -> Result<(), Error> {
        self.unassign(partition)?;
        let (offset, epoch) = match start.epoch {
            // Between the two lie no records; read again, they show whether that is still so.
            Some((epoch, after)) => (after, Some(epoch)),
            None => (start.position, None),
        };
        self.client.assign(&self.topic, partition, offset.get(), epoch).map_err(Error::Other)?;
        self.assigned.insert(partition, start);
        Ok(())
    }

    pub(super) fn unassign(&mut self, partition: Partition) -> Result<(), Error> {
        if self.assigned.remove(&partition).is_some() {
            self.held.retain(|message| message.partition() != partition);
            self.client.unassign(&self.topic, partition).map_err(Error::Other)?;
        }
        Ok(())
    }

    pub(super) fn poll(
        &mut self,
        wait: Duration,
        sink: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<Standing, Error> {
        if self.held.is_empty() {
            self.client.take(wait, &mut self.held);
        }
        // Order matters: an answer that came after the messages does not concern them, one before them does.
        let metadata = self.client.take_metadata_brokers();
        // Asked also when nothing arrived: the broker may be gone by the time something does.
        let wait = if self.held.is_empty() { Duration::ZERO } else { wait };
        let standing = self.proof.standing(metadata, &self.topic, self.topic_id, wait);
        if standing == Standing::Same {
            while let Some(message) = self.held.pop_front() {
                if self.deliver(&message, sink)?.is_break() {
                    break;
                }
            }
        }
        Ok(standing)
    }

    fn deliver(
        &mut self,
        message: &ffi::Message,
        sink: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let error = message.error();
        if error == Some(Code::Fatal) {
            return Err(Error::Other(message.reason()));
        }
        let partition = message.partition();
        let start = self.assigned.get_mut(&partition).filter(|_| message.has_partition());
        let Some(start) = start else { return Ok(ControlFlow::Continue(())) };
        let failure = match error {
            None if message.offset() < start.position.get() => {
                let reason =
                    format!("there is a record at offset {}, where there was none", message.offset());
                Failure::Rewritten(reason)
            }
            None => {
                let position = Offset::new(message.offset()).next();
                let epoch = message.leader_epoch().map(|epoch| (epoch, position));
                *start = Start { position, epoch, ..*start };
                return Ok(deliver_record(message, sink));
            }
            Some(Code::PartitionEOF) => {
                start.position = start.position.max(Position::new(message.offset()));
                return Ok(sink(Event::End { partition, position: Position::new(message.offset()) }));
            }
            Some(code) => error::failure(code, message.reason(), &self.topic),
        };
        self.unassign(partition)?;
        Ok(sink(Event::Failed { partition, failure }))
    }
}

impl Proof {
    fn new(cluster: &Arc<Cluster>) -> Self {
        Self {
            cluster: Arc::clone(cluster),
            unasked: BTreeSet::new(),
            asked: None,
            begun: Instant::now(),
            patience: PATIENCE.min(cluster.timeout),
            answered: false,
        }
    }

    fn standing(
        &mut self,
        metadata: BTreeSet<i32>,
        topic: &str,
        wanted: TopicId,
        wait: Duration,
    ) -> Standing {
        self.unasked.extend(metadata);
        loop {
            let (broker, question) = match self.asked.take() {
                Some(asked) => asked,
                None => {
                    let Some(broker) = self.unasked.pop_first() else { return Standing::Same };
                    match self.cluster.ask_topic_id(topic, (broker >= 0).then_some(broker), self.patience) {
                        Ok(Some(question)) => (broker, question),
                        // Without ids nothing can be proven, and nobody waits for it.
                        Ok(None) => continue,
                        Err(error) => return self.again(broker, error, wait),
                    }
                }
            };
            match question.poll(topic, wait) {
                Some(Ok(Some(id))) if id != wanted => return Standing::Gone,
                Some(Ok(_)) => self.answered = true,
                Some(Err(error)) => return self.again(broker, error, wait),
                None => {
                    self.asked = Some((broker, question));
                    return Standing::Open;
                }
            }
        }
    }

    fn again(&mut self, broker: i32, error: Error, wait: Duration) -> Standing {
        match error {
            Error::TopicMissing(_) => Standing::Gone,
            Error::Unauthorized(reason) => Standing::Unauthorized(reason),
            error if self.begun.elapsed() >= self.patience => {
                Standing::Lost(format!("broker {broker} does not tell the topic's id: {error}"))
            }
            error => {
                tracing::debug!(broker, %error, "cannot ask for the topic's id, will try again");
                self.unasked.insert(broker);
                std::thread::sleep(wait);
                Standing::Open
            }
        }
    }
}

fn deliver_record(
    message: &ffi::Message,
    sink: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut headers = Vec::new();
    message.headers(&mut headers);
    sink(Event::Record(Record {
        partition: message.partition(),
        offset: Offset::new(message.offset()),
        leader_epoch: message.leader_epoch(),
        timestamp: message.timestamp(),
        key: message.key(),
        value: message.value(),
        headers: &headers,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody listens there.
    fn cluster() -> (KafkaConfig, Arc<Cluster>) {
        let flags = [("kafka.bootstrap", "127.0.0.1:1"), ("views.v.topic", "t")];
        let config = crate::config::of_flags(&flags).kafka;
        let cluster = Cluster::new(&config, "test", CancellationToken::new()).unwrap();
        (config, Arc::new(cluster))
    }

    #[test]
    fn a_broker_that_is_gone_and_told_of_the_topic_costs_the_client() {
        let mut proof = Proof::new(&cluster().1);
        proof.patience = Duration::from_millis(20);
        let mut told = BTreeSet::from([7]);
        let mut stand = || {
            proof.standing(std::mem::take(&mut told), "t", TopicId::new([1; 16]), Duration::from_millis(5))
        };
        let standing = (0..1000).map(|_| stand()).find(|standing| *standing != Standing::Open);
        assert!(matches!(&standing, Some(Standing::Lost(why)) if why.contains("broker 7")), "{standing:?}");
    }

    #[test]
    fn a_client_that_never_got_an_answer_leaves_more_patience_to_the_next() {
        let (config, cluster) = cluster();
        let make = || Fetcher::new(&config, "t", "test", TopicId::new([1; 16]), &cluster).unwrap();
        let mut stuck = make();
        for factor in [2, 4, 8, 10, 10] {
            stuck = make().going_on_from(&stuck).unwrap();
            assert_eq!(stuck.proof.patience, PATIENCE * factor, "never beyond kafka.request_timeout");
        }
        stuck.proof.answered = true;
        assert_eq!(make().going_on_from(&stuck).unwrap().proof.patience, PATIENCE);
    }
}
