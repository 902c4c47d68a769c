//! Where records come from: Kafka, or a script in tests.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::position::{Partition, Position};
use crate::record::Record;
use crate::topic_id::TopicId;

/// Where to begin with a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Incarnation of the topic: nothing of another one is ever delivered.
    pub topic_id: TopicId,
    /// Next offset to read.
    pub position: Position,
    /// Leader epoch of the last record before that, and the position right after that record: what tells
    /// whether the log was overwritten meanwhile.
    pub epoch: Option<(i32, Position)>,
}

/// What a source reports, in the order it happened within a partition.
#[derive(Debug)]
pub enum Event<'a> {
    /// A record; offsets grow within a partition but may skip numbers.
    Record(Record<'a>),
    /// Nothing more to read for now; everything below `position` was delivered or is no data.
    End {
        /// Partition that was read to its end.
        partition: Partition,
        /// Next offset to read.
        position: Position,
    },
    /// A partition cannot be read on; it is silent until it is assigned anew.
    Failed {
        /// Partition that failed.
        partition: Partition,
        /// Why.
        failure: Failure,
    },
}

/// Why a partition cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The position is below the log start or beyond the end.
    OutOfRange(String),
    /// The log was cut off below what was read, and written anew from there.
    Rewritten(String),
    /// The cluster has no such topic or partition any more; perhaps another one of the same name.
    Gone,
    /// The right to read the topic is missing.
    Unauthorized(String),
    /// Anything else the client reports, such as a batch with a wrong checksum.
    Other(String),
}

/// An ordered stream of records per assigned partition. Whatever goes wrong is told as [`Event::Failed`].
pub trait Source: Send {
    /// Starts to read `partition`; a partition that is being read starts over there.
    fn assign(&mut self, partition: Partition, start: Start);

    /// Stops to read `partition`: no event of it is delivered any more.
    fn unassign(&mut self, partition: Partition);

    /// Hands what has arrived to `sink`, waiting at most `wait` for the first event; at most a few hundred
    /// events a call, so that the caller can look around. After a break the rest is kept for the next call.
    fn poll(&mut self, wait: Duration, sink: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>);
}
