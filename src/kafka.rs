//! Kafka: the only place with types of the client library.

mod client;
mod cluster;
pub mod demo_topic;
mod error;
mod fetcher;
mod ffi;
pub mod mock;
mod observe;
mod properties;
mod source;

pub use cluster::{Cluster, Commit, CommitRow, TopicSettings};
pub use error::Error;
pub use observe::{PartitionLog, TopicState};
pub use properties::check;
pub use source::KafkaSource;
