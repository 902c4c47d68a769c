//! The current state of Kafka topics, over HTTP.

pub mod batch;
pub mod entry;
pub mod interpretation;
pub mod partitioner;
pub mod position;
pub mod record;
pub mod source;
pub mod time;
pub mod topic_id;
pub mod config;
pub mod store;
