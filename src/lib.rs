//! The current state of Kafka topics, over HTTP.

pub mod app;
pub mod batch;
pub mod cli;
pub mod config;
pub mod demo;
pub mod entry;
pub mod http;
pub mod interpretation;
pub mod kafka;
pub mod materializer;
pub mod metrics;
pub mod page;
pub mod partitioner;
pub mod position;
pub mod progress;
pub mod record;
pub mod resume;
pub mod source;
pub mod store;
pub mod supervisor;
pub mod telemetry;
pub mod time;
pub mod topic_id;
pub mod view;
