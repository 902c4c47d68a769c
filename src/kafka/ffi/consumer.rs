//! Fetching: assign partitions, take messages in batches.

use std::collections::VecDeque;
use std::ffi::{CStr, c_void};
use std::ptr::{self, NonNull};
use std::time::Duration;

use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as sys;

use super::{Client, PartitionList, c_string, code, millis, take_error, text};
use crate::record::{Timestamp, TimestampKind};
use crate::time::Millis;

/// Messages taken at once; more costs latency of commands, fewer costs locks.
const TAKEN_MAX: usize = 512;

/// One message that was taken: a record, or word of an end or an error.
pub(in crate::kafka) struct Message(NonNull<sys::rd_kafka_message_t>);

// SAFETY: a message that was taken is ours alone; librdkafka lets any thread read and destroy it.
unsafe impl Send for Message {}

impl Client {
    /// Starts to fetch a partition at an offset; `epoch` is the leader epoch of the record before it.
    pub(in crate::kafka) fn assign(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
        epoch: Option<i32>,
    ) -> Result<(), String> {
        let mut list = PartitionList::new()?;
        let row = list.add(c_string(topic)?.as_c_str(), partition, offset);
        if let Some(epoch) = epoch {
            // SAFETY: the row is part of the list.
            unsafe { sys::rd_kafka_topic_partition_set_leader_epoch(row, epoch) };
        }
        // SAFETY: handle and list are valid; the error is owned.
        unsafe {
            take_error(sys::rd_kafka_incremental_assign(self.rk(), list.0.as_ptr())).map_or(Ok(()), Err)
        }
    }

    /// Stops to fetch a partition; what was fetched of it is dropped.
    pub(in crate::kafka) fn unassign(&self, topic: &str, partition: i32) -> Result<(), String> {
        let mut list = PartitionList::new()?;
        list.add(c_string(topic)?.as_c_str(), partition, 0);
        // SAFETY: handle and list are valid; the error is owned.
        unsafe {
            take_error(sys::rd_kafka_incremental_unassign(self.rk(), list.0.as_ptr())).map_or(Ok(()), Err)
        }
    }

    /// Adds what has arrived to `taken`, waiting at most `wait` for the first message.
    pub(in crate::kafka) fn take(&self, wait: Duration, taken: &mut VecDeque<Message>) {
        let mut room: [*mut sys::rd_kafka_message_t; TAKEN_MAX] = [ptr::null_mut(); TAKEN_MAX];
        // With room for more than one the call waits until all of it is used: so one first, then the rest.
        let mut count = self.take_into(wait, room.split_at_mut(1).0);
        if count == 1 {
            count += self.take_into(Duration::ZERO, room.split_at_mut(1).1);
        }
        // Librdkafka filled the first `count` places with messages we own.
        taken.extend(room.into_iter().take(count).filter_map(NonNull::new).map(Message));
    }

    fn take_into(&self, wait: Duration, room: &mut [*mut sys::rd_kafka_message_t]) -> usize {
        // SAFETY: the queue is valid, the room is as long as it says.
        let count = unsafe {
            let (at, length) = (room.as_mut_ptr(), room.len());
            sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), millis(wait), at, length)
        };
        usize::try_from(count).unwrap_or_default()
    }
}

impl Message {
    /// Valid until it is destroyed in Drop. Not a reference: that would vouch for the error code within.
    fn raw(&self) -> *const sys::rd_kafka_message_t {
        self.0.as_ptr()
    }

    /// Returns the error this message stands for; none for a record.
    pub(in crate::kafka) fn error(&self) -> Option<RDKafkaErrorCode> {
        // SAFETY: the message is valid.
        let code = unsafe { code::read(&raw const (*self.raw()).err) };
        (code != 0).then(|| code::name(code))
    }

    /// Returns the text of the error.
    pub(in crate::kafka) fn reason(&self) -> String {
        // SAFETY: the message is valid; for an error librdkafka puts the text into the payload.
        unsafe { text(sys::rd_kafka_message_errstr(self.raw())) }
    }

    /// Returns whether the message belongs to a partition; errors of the whole client do not.
    pub(in crate::kafka) fn has_partition(&self) -> bool {
        // SAFETY: the message is valid.
        unsafe { !(*self.raw()).rkt.is_null() && (*self.raw()).partition >= 0 }
    }

    pub(in crate::kafka) fn partition(&self) -> i32 {
        // SAFETY: the message is valid.
        unsafe { (*self.raw()).partition }
    }

    pub(in crate::kafka) fn offset(&self) -> i64 {
        // SAFETY: the message is valid.
        unsafe { (*self.raw()).offset }
    }

    pub(in crate::kafka) fn key(&self) -> Option<&[u8]> {
        // SAFETY: the message is valid.
        unsafe { bytes((*self.raw()).key, (*self.raw()).key_len) }
    }

    pub(in crate::kafka) fn value(&self) -> Option<&[u8]> {
        // SAFETY: the message is valid.
        unsafe { bytes((*self.raw()).payload, (*self.raw()).len) }
    }

    pub(in crate::kafka) fn leader_epoch(&self) -> Option<i32> {
        // SAFETY: the message is valid.
        let epoch = unsafe { sys::rd_kafka_message_leader_epoch(self.raw()) };
        (epoch >= 0).then_some(epoch)
    }

    pub(in crate::kafka) fn timestamp(&self) -> Timestamp {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is valid.
        let at = Millis::new(unsafe { sys::rd_kafka_message_timestamp(self.raw(), &raw mut kind) });
        let kind = match kind {
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME => TimestampKind::Create,
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => TimestampKind::LogAppend,
            sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => TimestampKind::None,
        };
        Timestamp { at, kind }
    }

    /// Puts the record's headers into `out`, emptying it first.
    pub(in crate::kafka) fn headers<'a>(&'a self, out: &mut Vec<(&'a [u8], Option<&'a [u8]>)>) {
        out.clear();
        let mut headers = ptr::null_mut();
        // SAFETY: the message is valid; names and values belong to it and live as long.
        unsafe {
            if code::rd_kafka_message_headers(self.raw(), &raw mut headers) != code::OK {
                return;
            }
            let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
            while code::rd_kafka_header_get_all(
                headers,
                out.len(),
                &raw mut name,
                &raw mut value,
                &raw mut length,
            ) == code::OK
            {
                out.push((CStr::from_ptr(name).to_bytes(), bytes(value.cast_mut(), length)));
            }
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: the last use.
        unsafe { sys::rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}

/// Null is none; an empty key or value is a pointer with length zero.
fn bytes<'a>(at: *mut c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: librdkafka gives a pointer that holds `length` bytes while the message lives.
    (!at.is_null()).then(|| unsafe { std::slice::from_raw_parts(at.cast(), length) })
}
