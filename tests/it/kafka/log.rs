//! Reads a topic back, with no code of the service.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::TestKafka;
use super::record::LogRecord;
use crate::eventually::within;

/// Bound on reading a whole topic of a test.
const READ_DEADLINE: Duration = Duration::from_secs(60);

impl TestKafka {
    /// Reads every partition of a topic from its log start to its end, as a fresh read_committed reader sees it.
    /// Offsets ascend within each partition.
    pub fn read(&self, topic: &str) -> Vec<LogRecord> {
        let mut list = TopicPartitionList::new();
        for (partition, start) in self.log_starts(topic) {
            list.add_partition_offset(topic, partition, Offset::Offset(start)).expect("an offset");
        }
        let consumer = self.reader();
        consumer.assign(&list).expect("an assignment");

        let mut records = Vec::new();
        let mut unfinished: BTreeSet<i32> = list.elements().iter().map(|each| each.partition()).collect();
        let finished = within(READ_DEADLINE, Duration::ZERO, || {
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => records.push(copy(&message)),
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(unfinished.remove(&partition)),
                // Of several nodes one may be down.
                Some(Err(error)) if is_unreachable(&error) => {}
                Some(Err(error)) => panic!("{topic} cannot be read: {error}"),
                None => {}
            }
            unfinished.is_empty().then_some(())
        });
        assert!(finished.is_some(), "{topic} has no end in partitions {unfinished:?}");
        records
    }

    fn reader(&self) -> BaseConsumer {
        let mut config = self.client();
        // librdkafka wants a group to assign; nothing is committed to it.
        config.set("group.id", "oracle").set("enable.auto.commit", "false");
        config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
        config.set("auto.offset.reset", "error").set("check.crcs", "true");
        config.set("fetch.wait.max.ms", "10");
        config.create().expect("a consumer")
    }
}

fn is_unreachable(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure};
    matches!(error.rdkafka_error_code(), Some(AllBrokersDown | BrokerTransportFailure))
}

fn copy(message: &BorrowedMessage<'_>) -> LogRecord {
    LogRecord {
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
    }
}
