//! The current state of Kafka topics, over HTTP.

pub mod config;
