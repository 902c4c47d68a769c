//! The demo's own topic and its producer; the service itself never writes to Kafka.

use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode as Code;
use tokio::runtime::{Builder, Runtime};

use super::error::Error;

/// Bound on creating and deleting the topic.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a full queue is served before the record is offered again.
const QUEUE_WAIT: Duration = Duration::from_millis(20);
/// Bound on what is still queued when the producer ends; it is a demo's.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// A compacted topic on a real Kafka. If it was made here it is deleted with the value.
pub struct DemoTopic {
    name: String,
    admin: AdminClient<DefaultClientContext>,
    runtime: Runtime,
    created: bool,
}

/// Writes records of the demo, with the partitioner of Java's producer.
pub struct DemoProducer {
    producer: BaseProducer,
    topic: String,
}

impl DemoTopic {
    /// Creates the topic if there is none.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when no broker answers, [`Error::Unauthorized`] when topics may not be created.
    pub fn create(bootstrap: &str, name: &str, partitions: u32) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::Other(error.to_string()))?;
        let admin: AdminClient<_> = config(bootstrap).create().map_err(|error| error_of(&error, name))?;
        let mut topic = Self { name: name.to_owned(), admin, runtime, created: false };
        topic.created = topic.create_missing(partitions)?;
        Ok(topic)
    }

    /// Returns whether the topic was made here.
    #[must_use]
    pub fn created(&self) -> bool {
        self.created
    }

    fn create_missing(&self, partitions: u32) -> Result<bool, Error> {
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        // The broker knows how many replicas are usual there.
        let topic = NewTopic::new(&self.name, partitions, TopicReplication::Fixed(-1))
            .set("cleanup.policy", "compact");
        let outcome = self.runtime.block_on(self.admin.create_topics([&topic], &options()));
        match one(outcome, &self.name) {
            Ok(()) => Ok(true),
            Err(Code::TopicAlreadyExists) => Ok(false),
            Err(code) => Err(Error::of(code, code.to_string(), &self.name)),
        }
    }
}

impl Drop for DemoTopic {
    fn drop(&mut self) {
        if !self.created {
            return;
        }
        let outcome = self.runtime.block_on(self.admin.delete_topics(&[&self.name], &options()));
        if let Err(code) = one(outcome, &self.name) {
            tracing::warn!(topic = self.name, error = %code, "the topic of the demo could not be deleted");
        }
    }
}

impl DemoProducer {
    /// Makes a producer; it connects in the background.
    ///
    /// # Errors
    /// [`Error::Property`] when librdkafka refuses the address.
    pub fn new(bootstrap: &str, topic: &str) -> Result<Self, Error> {
        let mut config = config(bootstrap);
        // Compressed, the Kafka in memory keeps more of it.
        config.set("compression.type", "lz4").set("linger.ms", "5").set("partitioner", "murmur2_random");
        let producer = config.create().map_err(|error| error_of(&error, topic))?;
        Ok(Self { producer, topic: topic.to_owned() })
    }

    /// Queues one record, a tombstone if there is no value; waits while the queue is full and `goes_on` holds.
    ///
    /// # Errors
    /// When the record cannot be queued at all.
    pub fn send(&self, key: &str, value: Option<&str>, goes_on: impl Fn() -> bool) -> Result<(), Error> {
        let mut record = BaseRecord::to(&self.topic).key(key);
        if let Some(value) = value {
            record = record.payload(value);
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((error, back)) if error.rdkafka_error_code() == Some(Code::QueueFull) => {
                    if !goes_on() {
                        return Ok(());
                    }
                    self.producer.poll(QUEUE_WAIT);
                    record = back;
                }
                Err((error, _)) => return Err(error_of(&error, &self.topic)),
            }
        }
    }

    /// Serves delivery reports for at most `wait`; without it the queue stays full.
    pub fn poll(&self, wait: Duration) {
        self.producer.poll(wait);
    }
}

impl Drop for DemoProducer {
    fn drop(&mut self) {
        // What cannot be delivered now is lost with the demo.
        let _ = self.producer.flush(FLUSH_TIMEOUT);
    }
}

impl fmt::Debug for DemoTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoTopic")
            .field("name", &self.name)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DemoProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoProducer").field("topic", &self.topic).finish_non_exhaustive()
    }
}

pub(super) fn error_of(error: &KafkaError, topic: &str) -> Error {
    match (error, error.rdkafka_error_code()) {
        (KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_), _) => {
            Error::Property(error.to_string())
        }
        (_, Some(code)) => Error::of(code, error.to_string(), topic),
        (_, None) => Error::Other(error.to_string()),
    }
}

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("client.id", "statusquo-demo");
    config
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ADMIN_TIMEOUT)).operation_timeout(Some(ADMIN_TIMEOUT))
}

/// The outcome of an admin request about one topic.
fn one(outcome: Result<Vec<rdkafka::admin::TopicResult>, KafkaError>, topic: &str) -> Result<(), Code> {
    match outcome {
        Ok(results) => results.into_iter().try_for_each(|result| result.map(drop).map_err(|(_, code)| code)),
        Err(error) => {
            tracing::debug!(topic, error = %error, "admin request failed");
            Err(error.rdkafka_error_code().unwrap_or(Code::Fail))
        }
    }
}
