//! Transactions of a test.

use std::sync::atomic::{AtomicU32, Ordering};

use rdkafka::producer::Producer;

use super::REQUEST_TIMEOUT;
use super::producer::{Partitioner, TestProducer};
use super::record::{LogRecord, Record};
use super::topic::TestTopic;

/// An open transaction.
#[must_use = "a transaction without a verdict stays open on the node"]
pub struct Transaction<'t> {
    topic: &'t TestTopic<'t>,
    producer: TestProducer,
    written: Vec<LogRecord>,
}

impl<'t> Transaction<'t> {
    pub(super) fn begin(topic: &'t TestTopic<'t>, partitioner: Partitioner) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let mut client = topic.kafka().client();
        client.set("transactional.id", format!("tests-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let producer = TestProducer::create(client, partitioner);
        producer.native().init_transactions(REQUEST_TIMEOUT * 3).expect("a transaction coordinator");
        producer.native().begin_transaction().expect("a transaction");
        Self { topic, producer, written: Vec::new() }
    }

    /// Sends a value.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.send(Record::put(key, value));
    }

    /// Sends a tombstone.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) {
        self.send(Record::delete(key));
    }

    /// Sends a record.
    pub fn send(&mut self, record: Record) {
        if let Some(key) = &record.key {
            self.topic.know_key(key);
        }
        self.producer.send(self.topic.name(), record);
    }

    /// Waits until the records are in the log; they stay invisible to read_committed readers.
    pub fn flush(&mut self) {
        self.written.extend(self.producer.flush());
    }

    /// Makes the records visible; returns them.
    pub fn commit(mut self) -> Vec<LogRecord> {
        self.flush();
        self.producer.native().commit_transaction(REQUEST_TIMEOUT).expect("a commit");
        self.topic.committed(&self.written);
        self.written
    }

    /// Makes the records invisible for good, although they are in the log; returns them.
    pub fn abort(mut self) -> Vec<LogRecord> {
        self.flush();
        self.producer.native().abort_transaction(REQUEST_TIMEOUT).expect("an abort");
        self.written
    }
}
