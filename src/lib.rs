//! The current state of Kafka topics, over HTTP.
//!
//! # The path of a record
//!
//! librdkafka fetches batches of a topic's partitions. The reader thread of a view takes the records out
//! ([`kafka`] implements [`source`]), asks what each one means ([`interpretation`]), and copies the change in its
//! stored form ([`entry`]) into a [`batch`] that also holds the position every record leads to. The writer thread
//! sorts the batch by key, keeps the last change of each, and writes changes and positions as one ([`store`]);
//! only then the new positions are published. A third thread, the coordinator, asks the cluster once a second
//! how far the log reaches and decides where each partition is to be read ([`resume`]): on where its slot
//! stands, or into a fresh slot beside the one that serves. The three live in [`materializer`].
//!
//! A request takes the table of slots as it is, finds the slots that can hold its key ([`partitioner`]), and
//! reads ([`view`], [`http`]). Readers and writers meet in the store and in [`progress`], nowhere else.
//!
//! # The modules, from the bottom
//!
//! A module imports those of lower layers only; `tests/tidy` enforces it.

// 0: words and numbers, what everything may use
pub mod config;
pub mod metrics;
pub mod position;
pub mod room;
pub mod supervisor;
pub mod time;
pub mod topic_id;

// 1: the record, and decisions about it that need nothing else
pub mod partitioner;
pub mod record;
pub mod resume;

// 2: what a record means and how it is stored
pub mod entry;
pub mod interpretation;
pub mod source;

// 3: what is gathered, and how far it is
pub mod batch;
pub mod progress;

// 4: the only places with types of librdkafka and of RocksDB
pub mod kafka;
pub mod store;

// 5: one view as the read side sees it
pub mod view;

// 6: the write side and the read side, which never see each other
pub mod http;
pub mod materializer;
pub mod page;

// 7: assembly
pub mod app;
pub mod telemetry;

// 8 and 9: what a person starts
pub mod demo;

pub mod cli;
