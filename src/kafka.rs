//! Kafka: the only place with types of the client library.

mod client;
mod cluster;
pub mod demo_topic;
mod error;
mod fetcher;
mod ffi;
pub mod mock;
mod properties;
mod source;

pub use cluster::{Cluster, Commit, CommitRow, PartitionLog, TopicSettings, TopicState};
pub use error::Error;
pub use properties::check;
pub use source::KafkaSource;
