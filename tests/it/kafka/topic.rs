//! A topic of a test, and what is known about its log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::TestKafka;
use super::producer::{Partitioner, TestProducer};
use super::record::{LogRecord, Record};
use super::transaction::Transaction;
use crate::fold::Fold;

/// Describes a topic; one partition and `cleanup.policy=compact` unless told otherwise.
pub struct TopicBuilder<'k> {
    kafka: &'k TestKafka,
    name: String,
    partitions: i32,
    partitioner: Partitioner,
    configs: BTreeMap<String, String>,
}

impl<'k> TopicBuilder<'k> {
    pub(super) fn new(kafka: &'k TestKafka, prefix: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let configs = BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
        Self { kafka, name, partitions: 1, partitioner: Partitioner::Murmur2, configs }
    }

    /// Sets the number of partitions.
    pub fn partitions(mut self, count: i32) -> Self {
        self.partitions = count;
        self
    }

    /// Sets how keys are spread over partitions; Java's way unless told otherwise.
    pub fn partitioner(mut self, partitioner: Partitioner) -> Self {
        self.partitioner = partitioner;
        self
    }

    /// Sets a property of the topic.
    pub fn config(mut self, key: &str, value: &str) -> Self {
        self.configs.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Prepares the topic for [`TestTopic::compact_now`]: tiny segments, tombstones that are soon dropped.
    pub fn fast_compaction(self) -> Self {
        let settings = [
            ("segment.ms", "100"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("delete.retention.ms", "100"),
            ("min.compaction.lag.ms", "0"),
        ];
        settings.iter().fold(self, |builder, (key, value)| builder.config(key, value))
    }

    /// Creates the topic under exactly this name, which exists on another node.
    pub fn create_named(mut self, name: &str) -> TestTopic<'k> {
        name.clone_into(&mut self.name);
        self.create()
    }

    /// Creates the topic with a partition on each of these sets of nodes; the first of a set leads.
    pub fn create_on(self, nodes: &[&[i32]]) -> TestTopic<'k> {
        self.kafka.create_topic_on(&self.name, nodes, &self.configs);
        self.created()
    }

    /// Creates the topic.
    pub fn create(self) -> TestTopic<'k> {
        self.kafka.create_topic(&self.name, self.partitions, &self.configs);
        self.created()
    }

    fn created(self) -> TestTopic<'k> {
        let state = State {
            producer: TestProducer::create(self.kafka.client(), self.partitioner),
            configs: self.configs,
            log: Vec::new(),
            past: Vec::new(),
            keys: BTreeSet::new(),
        };
        TestTopic {
            kafka: self.kafka,
            name: self.name,
            partitioner: self.partitioner,
            state: Mutex::new(state),
        }
    }
}

/// A topic and everything that was written to it through this value.
pub struct TestTopic<'k> {
    kafka: &'k TestKafka,
    name: String,
    partitioner: Partitioner,
    state: Mutex<State>,
}

struct State {
    producer: TestProducer,
    configs: BTreeMap<String, String>,
    /// Acknowledged and committed records since the log began.
    log: Vec<LogRecord>,
    /// What the log was before it was cut off, or the topic deleted.
    past: Vec<Vec<LogRecord>>,
    /// Every key ever sent, also by aborted transactions and to deleted topics of this name.
    keys: BTreeSet<Vec<u8>>,
}

impl TestTopic<'_> {
    /// Returns the name of the topic.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the node the topic lives on.
    pub fn kafka(&self) -> &TestKafka {
        self.kafka
    }

    /// Writes a value and waits for the acknowledgement.
    pub fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> LogRecord {
        self.write(Record::put(key, value))
    }

    /// Writes a tombstone and waits for the acknowledgement.
    pub fn delete(&self, key: impl AsRef<[u8]>) -> LogRecord {
        self.write(Record::delete(key))
    }

    /// Writes a value to a partition and waits for the acknowledgement.
    pub fn put_to(&self, partition: i32, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> LogRecord {
        self.write(Record::put(key, value).to(partition))
    }

    /// Writes a record and waits for its acknowledgement, and for everything sent before.
    pub fn write(&self, record: Record) -> LogRecord {
        let mut state = self.state();
        state.send(&self.name, record);
        state.flush().pop().expect("the record just sent")
    }

    /// Sends a record and does not wait; [`flush`](Self::flush) does.
    pub fn send(&self, record: Record) {
        self.state().send(&self.name, record);
    }

    /// Waits until everything sent is acknowledged; returns it in the order it was sent.
    pub fn flush(&self) -> Vec<LogRecord> {
        self.state().flush()
    }

    /// Writes many records at full speed and waits for all acknowledgements.
    pub fn write_all(&self, records: impl IntoIterator<Item = Record>) -> Vec<LogRecord> {
        let mut state = self.state();
        records.into_iter().for_each(|record| state.send(&self.name, record));
        state.flush()
    }

    /// Writes records as a producer that places keys in another way, and waits for all acknowledgements.
    pub fn write_by(&self, partitioner: Partitioner, records: impl IntoIterator<Item = Record>) {
        let mut other = TestProducer::create(self.kafka.client(), partitioner);
        let mut state = self.state();
        for record in records {
            state.keys.extend(record.key.clone());
            other.send(&self.name, record);
        }
        state.log.extend(other.flush());
    }

    /// Writes a record in a batch that is packed by a codec, and waits for its acknowledgement.
    pub fn write_packed(&self, codec: &str, record: Record) -> LogRecord {
        let mut client = self.kafka.client();
        client.set("compression.type", codec);
        let mut packing = TestProducer::create(client, self.partitioner);
        let mut state = self.state();
        state.keys.extend(record.key.clone());
        packing.send(&self.name, record);
        let written = packing.flush();
        state.log.extend_from_slice(&written);
        written.into_iter().next().expect("the record")
    }

    /// Returns a producer of its own, for a thread that waits for nobody else; [`fold`](Self::fold) does not know
    /// what it sends.
    pub fn producer(&self) -> TestProducer {
        TestProducer::create(self.kafka.client(), self.partitioner)
    }

    /// Begins a transaction. Its records count once it is committed; dropped without a verdict it stays open
    /// on the node until its timeout and holds back what read_committed readers see.
    pub fn begin(&self) -> Transaction<'_> {
        Transaction::begin(self, self.partitioner)
    }

    /// Returns the state of the topic as far as it was written here; the oracle of a test.
    pub fn fold(&self) -> Fold {
        let state = self.state();
        let mut fold = Fold::of_records(&state.log);
        fold.know_keys(state.keys.iter().cloned());
        fold
    }

    /// Deletes the records of a partition below an offset.
    ///
    /// Kafka refuses that where the policy is `compact` alone, so the policy allows it for a moment, as an
    /// operator would do it.
    pub fn delete_records(&self, partition: i32, offset: i64) {
        let policy = self.config("cleanup.policy").unwrap_or_default();
        self.configure("cleanup.policy", "compact,delete");
        self.kafka.delete_records(&self.name, partition, offset);
        self.configure("cleanup.policy", &policy);
        self.state().cut(|record| record.partition != partition || record.offset >= offset);
    }

    /// Takes notice that the node has lost the records of a partition from an offset on.
    pub fn lost(&self, partition: i32, offset: i64) {
        self.state().cut(|record| record.partition != partition || record.offset < offset);
    }

    /// Returns the log as far as it was written here, after those that it was before.
    pub fn logs(&self) -> Vec<Vec<LogRecord>> {
        let state = self.state();
        state.past.iter().chain([&state.log]).cloned().collect()
    }

    /// Deletes the topic.
    pub fn drop_topic(&self) {
        self.kafka.delete_topic(&self.name);
        self.state().cut(|_| false);
    }

    /// Deletes the topic and creates an empty one of the same name: another log under another topic id.
    pub fn recreate(&self) {
        self.recreate_with(self.partition_count());
    }

    /// Deletes the topic and creates an empty one of the same name with another number of partitions.
    pub fn recreate_with(&self, partitions: i32) {
        self.drop_topic();
        self.create_again(partitions);
    }

    /// Creates the topic after [`drop_topic`](Self::drop_topic), empty.
    pub fn create_again(&self, partitions: i32) {
        let mut state = self.state();
        self.kafka.create_topic(&self.name, partitions, &state.configs);
        state.producer = TestProducer::create(self.kafka.client(), self.partitioner);
    }

    /// Grows the topic to `count` partitions; keys written later may go to another partition than before.
    pub fn add_partitions(&self, count: i32) {
        self.kafka.add_partitions(&self.name, count);
        // A new producer knows the new count at once.
        self.state().producer = TestProducer::create(self.kafka.client(), self.partitioner);
    }

    /// Changes a property of the topic.
    pub fn configure(&self, key: &str, value: &str) {
        let mut state = self.state();
        state.configs.insert(key.to_owned(), value.to_owned());
        self.kafka.replace_configs(&self.name, &state.configs);
    }

    /// Returns a property the topic was given.
    pub(super) fn config(&self, key: &str) -> Option<String> {
        self.state().configs.get(key).cloned()
    }

    /// Returns the number of partitions.
    pub fn partition_count(&self) -> i32 {
        self.kafka.partition_count(&self.name)
    }

    /// Takes over the records of a committed transaction.
    pub(super) fn committed(&self, records: &[LogRecord]) {
        self.state().log.extend_from_slice(records);
    }

    /// Remembers a key that some record had.
    pub(super) fn know_key(&self, key: &[u8]) {
        self.state().keys.insert(key.to_vec());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn send(&mut self, topic: &str, record: Record) {
        self.keys.extend(record.key.clone());
        self.producer.send(topic, record);
    }

    fn cut(&mut self, is_kept: impl Fn(&LogRecord) -> bool) {
        let left = self.log.iter().filter(|record| is_kept(record)).cloned().collect();
        self.past.push(std::mem::replace(&mut self.log, left));
    }

    fn flush(&mut self) -> Vec<LogRecord> {
        let written = self.producer.flush();
        self.log.extend_from_slice(&written);
        written
    }
}
