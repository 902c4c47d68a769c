//! Producing records and learning where they went.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;

use super::admin::block_on;
use super::record::{LogRecord, Record};

/// Bound on the acknowledgement of what was sent; a restart of the node fits into it.
const FLUSH_DEADLINE: Duration = Duration::from_secs(60);

/// Which partition a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitioner {
    /// What Java producers do.
    Murmur2,
    /// What librdkafka does by default; it sends the empty key anywhere.
    Crc32,
}

impl Partitioner {
    fn name(self) -> &'static str {
        match self {
            Self::Murmur2 => "murmur2_random",
            Self::Crc32 => "consistent_random",
        }
    }
}

/// A producer that keeps what it sends in order, and in memory until it is acknowledged.
pub struct TestProducer {
    native: FutureProducer,
    pending: Vec<(Record, DeliveryFuture)>,
}

impl TestProducer {
    /// Creates a producer; `client` holds at least the address of the node.
    pub fn create(mut client: ClientConfig, partitioner: Partitioner) -> Self {
        client.set("enable.idempotence", "true");
        client.set("partitioner", partitioner.name());
        // The default of 5 ms is for throughput; most tests wait for single records.
        client.set("linger.ms", "0");
        // How large a record may be is for the topic to say.
        client.set("message.max.bytes", "100000000");
        client.set("message.timeout.ms", FLUSH_DEADLINE.as_millis().to_string());
        Self { native: client.create().expect("a producer"), pending: Vec::new() }
    }

    /// Returns the native producer, for transactions.
    pub fn native(&self) -> &FutureProducer {
        &self.native
    }

    /// Sends a record and does not wait.
    pub fn send(&mut self, topic: &str, record: Record) {
        loop {
            let mut native = FutureRecord::<[u8], [u8]>::to(topic).headers(record.native_headers());
            native.key = record.key.as_deref();
            native.payload = record.value.as_deref();
            native.partition = record.partition;
            native.timestamp = record.timestamp_ms;
            match self.native.send_result(native) {
                Ok(delivery) => return self.pending.push((record, delivery)),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    self.native.flush(FLUSH_DEADLINE).expect("room in the queue");
                }
                Err((error, _)) => panic!("a record of {topic} was refused: {error}"),
            }
        }
    }

    /// Waits until everything is acknowledged; returns the records in the order they were sent.
    pub fn flush(&mut self) -> Vec<LogRecord> {
        self.native.flush(FLUSH_DEADLINE).expect("records that are acknowledged");
        block_on(async {
            let mut written = Vec::with_capacity(self.pending.len());
            for (record, delivery) in self.pending.drain(..) {
                let delivery = delivery.await.expect("a producer that lives");
                let delivery = delivery.map_err(|(error, _)| error).expect("a record that is acknowledged");
                written.push(LogRecord {
                    partition: delivery.partition,
                    offset: delivery.offset,
                    timestamp_ms: delivery.timestamp.to_millis().unwrap_or(-1),
                    key: record.key,
                    value: record.value,
                });
            }
            written
        })
    }
}
