//! A record as it comes from the log.

use crate::position::{Offset, Partition};
use crate::time::Millis;

/// One record of one partition, borrowed from the buffer it was fetched into.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Partition the record was read from.
    pub partition: Partition,
    /// The record's own number in its partition.
    pub offset: Offset,
    /// Leader epoch under which the record was written; none when the broker did not say.
    pub leader_epoch: Option<i32>,
    /// When the record was made or appended.
    pub timestamp: Timestamp,
    /// Key bytes; none for a record without a key. An empty key is a key.
    pub key: Option<&'a [u8]>,
    /// Value bytes; none for a tombstone. An empty value is data.
    pub value: Option<&'a [u8]>,
    /// Headers, in the order the producer set them.
    pub headers: Headers<'a>,
}

/// When a record was made or appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    /// The time itself.
    pub at: Millis,
    /// Who set it.
    pub kind: TimestampKind,
}

/// Who set a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampKind {
    /// The record carries no time (message format 0).
    None,
    /// The producer.
    Create,
    /// The broker, on appending.
    LogAppend,
}

/// One header of a record: name and value; the value may be null.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// Headers of a record, in the order the producer set them.
pub type Headers<'a> = &'a [Header<'a>];
