//! Records of one topic, fetched by a client of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::types::RDKafkaErrorCode as Code;

use super::error::{self, Error};
use super::{client, ffi};
use crate::config::sections::KafkaConfig;
use crate::position::{Offset, Partition, Position};
use crate::record::Record;
use crate::source::{Event, Fatal, Source};

/// The partitions of one topic, assigned one by one at given positions.
pub struct KafkaSource {
    client: ffi::Client,
    topic: String,
    assigned: BTreeSet<Partition>,
}

impl KafkaSource {
    /// Makes a client for `topic`; it connects in the background and waits for brokers as long as it takes.
    ///
    /// # Errors
    /// [`Error::Property`] when librdkafka refuses the configuration.
    pub fn new(config: &KafkaConfig, topic: &str, role: &str) -> Result<Self, Error> {
        let (client, _) = client::new(config, role)?;
        Ok(Self { client, topic: topic.to_owned(), assigned: BTreeSet::new() })
    }
}

impl Source for KafkaSource {
    fn assign(&mut self, partition: Partition, position: Position) -> Result<(), Fatal> {
        self.unassign(partition)?;
        self.client.assign(&self.topic, partition, position.get(), None).map_err(Fatal)?;
        self.assigned.insert(partition);
        Ok(())
    }

    fn unassign(&mut self, partition: Partition) -> Result<(), Fatal> {
        if self.assigned.remove(&partition) {
            self.client.unassign(&self.topic, partition).map_err(Fatal)?;
        }
        Ok(())
    }

    fn poll(&mut self, wait: Duration, sink: &mut dyn FnMut(Event<'_>)) -> Result<(), Fatal> {
        let mut fatal = None;
        let assigned = &self.assigned;
        self.client.take(wait, |message| match message.error() {
            Some(Code::Fatal) => fatal = Some(Fatal(message.reason())),
            _ if !message.has_partition() || !assigned.contains(&message.partition()) => {}
            None => deliver(&message, sink),
            Some(Code::PartitionEOF) => {
                let position = Position::new(message.offset());
                sink(Event::End { partition: message.partition(), position });
            }
            Some(code) => {
                let failure = error::failure(code, message.reason());
                sink(Event::Failed { partition: message.partition(), failure });
            }
        });
        fatal.map_or(Ok(()), Err)
    }
}

fn deliver(message: &ffi::Message<'_>, sink: &mut dyn FnMut(Event<'_>)) {
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
    }));
}
