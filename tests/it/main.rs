//! Integration tests: the real binary against a real Apache Kafka.
//!
//! A test is a sentence about behaviour. It starts a [`kafka::TestKafka`] and a [`kafka::TestTopic`], runs the
//! service as an [`app::TestApp`] and compares it with a [`fold::Fold`], which shares no code with the service.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that meets the unexpected stops, and says where"
)]

#[allow(dead_code, reason = "the harness is a vocabulary: a word may wait for its first test")]
mod app;
#[allow(dead_code, reason = "the harness is a vocabulary: a word may wait for its first test")]
mod eventually;
#[allow(dead_code, reason = "the harness is a vocabulary: a word may wait for its first test")]
mod fold;
#[allow(dead_code, reason = "the harness is a vocabulary: a word may wait for its first test")]
mod kafka;
#[allow(dead_code, reason = "the harness is a vocabulary: a word may wait for its first test")]
mod process;

mod bad_batch;
mod brokers;
mod browser;
mod cli;
mod clusters;
mod conformance;
mod content;
mod copied;
#[path = "../fixtures/corpus/lines.rs"]
mod corpus;
mod crash;
mod damage;
mod demo;
mod disk_full;
mod examples;
mod fixture;
mod ghosts;
mod growth;
mod hostile;
mod lifecycle;
mod metrics;
mod mirror;
mod outage;
mod packaging;
mod read_after;
mod readme;
mod rebuild_cli;
mod rebuild_crash;
mod recreate;
mod refusal;
mod replicas;
mod reset;
mod restore;
mod rights;
mod scan_cli;
mod scans;
mod slow_clients;
mod slow_link;
mod stored;
mod three_nodes;
mod warned;
mod watch;
mod watch_cli;
