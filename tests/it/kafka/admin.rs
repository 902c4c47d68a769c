//! What the fixture asks of a node, through librdkafka.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::{REQUEST_TIMEOUT, START_DEADLINE, TestKafka};
use crate::eventually::{eventually, within};

/// The outcome of an operation on one topic.
type Outcome = Result<(), RDKafkaErrorCode>;

impl TestKafka {
    /// Returns the settings of every client of the fixture.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap());
        // A restarted node is found again at once.
        config.set("reconnect.backoff.ms", "20").set("reconnect.backoff.max.ms", "100");
        config
    }

    /// Waits until the node would create a topic: its controller leads, its broker is registered and unfenced.
    pub(super) fn wait_until_it_answers(&self) {
        let replicas = i32::try_from(self.nodes.len()).expect("a count of nodes");
        let probe = NewTopic::new("probe", 1, TopicReplication::Fixed(replicas));
        let options = AdminOptions::new().validate_only(true).request_timeout(Some(Duration::from_secs(2)));
        let answered = within(START_DEADLINE, Duration::from_millis(20), || {
            self.nodes.iter().for_each(|node| node.lock().unwrap().assert_alive());
            outcome(block_on(self.admin().create_topics([&probe], &options))).ok()
        });
        assert!(answered.is_some(), "no answer within {START_DEADLINE:?}\n{}", self.node().last_words());
    }

    /// Creates a topic and waits until every partition has a leader.
    pub(super) fn create_topic(&self, name: &str, partitions: i32, configs: &BTreeMap<String, String>) {
        self.create(name, partitions, TopicReplication::Fixed(1), configs);
    }

    /// Creates a topic whose partitions lie on these nodes, the first of which leads.
    pub(super) fn create_topic_on(&self, name: &str, nodes: &[&[i32]], configs: &BTreeMap<String, String>) {
        let partitions = i32::try_from(nodes.len()).expect("a count of partitions");
        self.create(name, partitions, TopicReplication::Variable(nodes), configs);
    }

    fn create(
        &self,
        name: &str,
        partitions: i32,
        replication: TopicReplication<'_>,
        configs: &BTreeMap<String, String>,
    ) {
        let mut topic = NewTopic::new(name, partitions, replication);
        for (key, value) in configs {
            topic = topic.set(key, value);
        }
        // A topic of that name may still be on its way out.
        eventually(REQUEST_TIMEOUT, &format!("topic {name} created"), || {
            match outcome(block_on(self.admin().create_topics([&topic], &options()))) {
                Ok(()) => Some(()),
                // A node of a new cluster may be known and not take part yet.
                Err(RDKafkaErrorCode::TopicAlreadyExists | RDKafkaErrorCode::InvalidReplicaAssignment) => {
                    None
                }
                Err(error) => panic!("topic {name} cannot be created: {error}"),
            }
        });
        self.wait_for_partitions(name, partitions);
    }

    /// Deletes a topic and waits until the node no longer knows it.
    pub fn delete_topic(&self, name: &str) {
        outcome(block_on(self.admin().delete_topics(&[name], &options())))
            .expect("a topic that can be deleted");
        self.wait_for_partitions(name, 0);
    }

    pub(super) fn add_partitions(&self, name: &str, count: i32) {
        let count = usize::try_from(count).expect("a count of partitions");
        let partitions = NewPartitions::new(name, count);
        outcome(block_on(self.admin().create_partitions([&partitions], &options())))
            .expect("more partitions");
        self.wait_for_partitions(name, i32::try_from(count).expect("a count of partitions"));
    }

    /// Replaces the settings of a topic.
    pub(super) fn replace_configs(&self, name: &str, configs: &BTreeMap<String, String>) {
        let mut change = AlterConfig::new(ResourceSpecifier::Topic(name));
        for (key, value) in configs {
            change = change.set(key, value);
        }
        let results = block_on(self.admin().alter_configs([&change], &options())).expect("an answer");
        results[0].as_ref().expect("settings the node accepts");
    }

    /// Deletes the records of a partition below an offset.
    pub(super) fn delete_records(&self, name: &str, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(name, partition, Offset::Offset(offset)).expect("an offset");
        // The node takes a moment to learn that the topic's policy allows it.
        eventually(REQUEST_TIMEOUT, &format!("records of {name} deleted"), || {
            let answer = block_on(self.admin().delete_records(&list, &options())).expect("an answer");
            match answer.elements()[0].error() {
                Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PolicyViolation) => None,
                Err(error) => panic!("records of {name} cannot be deleted: {error}"),
                Ok(()) => Some(()),
            }
        });
    }

    /// Returns the node that leads a partition, if any.
    pub fn leader(&self, name: &str, partition: i32) -> Option<i32> {
        let metadata = self.observer().fetch_metadata(Some(name), REQUEST_TIMEOUT).ok()?;
        let partitions = metadata.topics().first()?.partitions();
        let leader = partitions.iter().find(|known| known.id() == partition)?.leader();
        (leader >= 0).then_some(leader)
    }

    /// Waits until `node` leads a partition.
    pub fn wait_for_leader(&self, name: &str, partition: i32, node: i32) {
        eventually(START_DEADLINE, &format!("node {node} leads {name}-{partition}"), || {
            (self.leader(name, partition) == Some(node)).then_some(())
        });
    }

    /// Waits until each partition of a topic has as many replicas in sync.
    pub fn wait_until_in_sync(&self, name: &str, replicas: usize) {
        eventually(START_DEADLINE, &format!("{replicas} replicas of {name}"), || {
            let metadata = self.observer().fetch_metadata(Some(name), REQUEST_TIMEOUT).ok()?;
            let mut partitions = metadata.topics().first()?.partitions().iter();
            partitions.all(|partition| partition.isr().len() == replicas).then_some(())
        });
    }

    /// Returns the number of partitions of a topic; 0 if it does not exist.
    pub fn partition_count(&self, name: &str) -> i32 {
        let metadata = self.observer().fetch_metadata(Some(name), REQUEST_TIMEOUT).expect("metadata");
        let led = |topic: &rdkafka::metadata::MetadataTopic| {
            topic.error().is_none() && topic.partitions().iter().all(|partition| partition.leader() >= 0)
        };
        let partitions =
            metadata.topics().iter().filter(|topic| led(topic)).map(|topic| topic.partitions().len());
        i32::try_from(partitions.sum::<usize>()).expect("a count of partitions")
    }

    /// Returns where a read_committed reader of each partition ends: the last stable offset.
    pub fn end_offsets(&self, name: &str) -> BTreeMap<i32, i64> {
        let mut list = TopicPartitionList::new();
        for partition in 0..self.partition_count(name) {
            list.add_partition_offset(name, partition, Offset::End).expect("an offset");
        }
        let end = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
            element.error()?;
            Ok((element.partition(), element.offset().to_raw().expect("an end offset")))
        };
        eventually(REQUEST_TIMEOUT, &format!("end offsets of {name}"), || {
            let ends = self.observer().offsets_for_times(list.clone(), REQUEST_TIMEOUT);
            match ends.and_then(|ends| ends.elements().iter().map(end).collect()) {
                Ok(ends) => Some(ends),
                // The client may not know yet who leads a partition that was made, or a node that was started, just now.
                Err(error) => match error.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::NotLeaderForPartition | RDKafkaErrorCode::UnknownLeaderEpoch) => {
                        None
                    }
                    _ => panic!("end offsets of {name}: {error}"),
                },
            }
        })
    }

    /// Returns the offset of the first record each partition may still hold.
    pub fn log_starts(&self, name: &str) -> BTreeMap<i32, i64> {
        let start = |partition| {
            let marks =
                self.observer().fetch_watermarks(name, partition, REQUEST_TIMEOUT).expect("watermarks");
            (partition, marks.0)
        };
        (0..self.partition_count(name)).map(start).collect()
    }

    /// Returns what a group has committed for a topic: offset and metadata by partition.
    pub fn committed(&self, group: &str, topic: &str) -> BTreeMap<i32, (i64, String)> {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().expect("a client");
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, self.partition_count(topic) - 1);
        let committed = consumer.committed_offsets(list, REQUEST_TIMEOUT).expect("committed offsets");
        let elements = committed.elements();
        let known = elements.iter().filter_map(|element| match element.offset() {
            Offset::Offset(offset) => Some((element.partition(), (offset, element.metadata().to_owned()))),
            _ => None,
        });
        known.collect()
    }

    fn wait_for_partitions(&self, name: &str, count: i32) {
        eventually(REQUEST_TIMEOUT, &format!("{count} partitions of {name}"), || {
            (self.partition_count(name) == count).then_some(())
        });
    }

    fn admin(&self) -> &AdminClient<DefaultClientContext> {
        self.admin.get_or_init(|| self.client().create().expect("an admin client"))
    }

    /// Returns a client that never fetches records, so no request waits behind a long poll.
    fn observer(&self) -> &BaseConsumer {
        let create = || self.client().set("isolation.level", "read_committed").create().expect("a client");
        self.observer.get_or_init(create)
    }
}

/// Runs a future of librdkafka; its own threads complete it.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future)
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT)).operation_timeout(Some(REQUEST_TIMEOUT))
}

fn outcome(answer: KafkaResult<Vec<Result<String, (String, RDKafkaErrorCode)>>>) -> Outcome {
    match answer {
        Ok(results) => results.into_iter().try_for_each(|result| result.map(drop).map_err(|(_, code)| code)),
        Err(error) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown)),
    }
}
