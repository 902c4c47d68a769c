//! A Kafka in memory, for the demo.

use std::fmt;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::demo_topic::error_of;
use super::error::Error;

/// One broker in this process; it goes with the value.
///
/// It knows no compaction, no admin requests and no topic ids, and keeps the last 5 MiB of a partition.
pub struct MockKafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl MockKafka {
    /// Starts the broker with one topic on it.
    ///
    /// # Errors
    /// What librdkafka says when it cannot listen.
    pub fn start(topic: &str, partitions: u32) -> Result<Self, Error> {
        let cluster = MockCluster::new(1).map_err(|error| error_of(&error, topic))?;
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        cluster.create_topic(topic, partitions, 1).map_err(|error| error_of(&error, topic))?;
        Ok(Self { cluster })
    }

    /// Returns `host:port` of the broker.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}

impl fmt::Debug for MockKafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockKafka").finish_non_exhaustive()
    }
}
