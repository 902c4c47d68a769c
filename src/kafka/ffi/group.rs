//! Committed offsets of a group, read and written from outside of it.
//!
//! The calls of a member would do as well, but a read of that kind cannot be cut short, and a commit on its way holds
//! up the end of the client for as long as a broker is silent.

use std::ffi::CString;
use std::ptr;
use std::time::Duration;

use rdkafka::types::RDKafkaAdminOp;
use rdkafka_sys as sys;

use super::admin::{Pending, invalid};
use super::code::{self, Result, checked};
use super::{Client, Event, PartitionList, c_string};

/// How long the group is still waited for when the process is to end.
const FAREWELL: Duration = Duration::from_secs(2);

/// Committed position and metadata of one partition.
pub(in crate::kafka) type CommittedRow = (i32, i64, String);

impl Client {
    /// Returns what a group holds of a topic; partitions without a commit are left out.
    pub(in crate::kafka) fn committed(
        &self,
        group: &str,
        topic: &str,
        partitions: impl Iterator<Item = i32>,
        wait: Duration,
    ) -> Result<Vec<CommittedRow>> {
        let (group, name) = (c_string(group).map_err(invalid)?, c_string(topic).map_err(invalid)?);
        let mut list = PartitionList::new().map_err(invalid)?;
        for partition in partitions {
            list.add(&name, partition, 0);
        }
        let operation = RDKafkaAdminOp::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS;
        let (queue, options) = self.ask(operation, wait)?;
        // SAFETY: all pointers are valid for the calls; librdkafka copies group, list and options; the answer is
        // read while its event lives.
        unsafe {
            let mut wanted = [sys::rd_kafka_ListConsumerGroupOffsets_new(group.as_ptr(), list.0.as_ptr())];
            let (at, options) = (wanted.as_mut_ptr(), options.as_ptr());
            sys::rd_kafka_ListConsumerGroupOffsets(self.rk(), at, 1, options, queue.0.as_ptr());
            sys::rd_kafka_ListConsumerGroupOffsets_destroy_array(at, 1);
            let event = self.answer_until(&queue, wait, FAREWELL)?;
            let result = sys::rd_kafka_event_ListConsumerGroupOffsets_result(event.0.as_ptr());
            let mut count = 0;
            let groups = sys::rd_kafka_ListConsumerGroupOffsets_result_groups(result, &raw mut count);
            let rows = rows(groups, count)?.into_iter().filter(|row| (**row).offset >= 0);
            Ok(rows.map(|row| ((*row).partition, (*row).offset, metadata(row))).collect())
        }
    }

    /// Starts to commit positions with metadata for a group; at most one commit should be on its way. One that
    /// cannot be sent within `wait` is never sent.
    pub(in crate::kafka) fn commit<'r>(
        &self,
        group: &str,
        topic: &str,
        rows: impl IntoIterator<Item = (i32, i64, &'r str)>,
        wait: Duration,
    ) -> Result<Pending> {
        let (group, name) = (c_string(group).map_err(invalid)?, c_string(topic).map_err(invalid)?);
        let mut list = PartitionList::new().map_err(invalid)?;
        for (partition, offset, metadata) in rows {
            let row = list.add(&name, partition, offset);
            set_metadata(row, &c_string(metadata).map_err(invalid)?);
        }
        let operation = RDKafkaAdminOp::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS;
        let (queue, options) = self.ask(operation, wait)?;
        // SAFETY: all pointers are valid for the calls; librdkafka copies group, list and options.
        unsafe {
            let mut wanted = [sys::rd_kafka_AlterConsumerGroupOffsets_new(group.as_ptr(), list.0.as_ptr())];
            let (at, options) = (wanted.as_mut_ptr(), options.as_ptr());
            sys::rd_kafka_AlterConsumerGroupOffsets(self.rk(), at, 1, options, queue.0.as_ptr());
            sys::rd_kafka_AlterConsumerGroupOffsets_destroy_array(at, 1);
        }
        Ok(Pending { queue })
    }
}

impl Pending {
    /// Returns the outcome of a commit once it is known, waiting at most `wait`.
    pub(in crate::kafka) fn outcome(&self, wait: Duration) -> Option<Result<()>> {
        let event = self.queue.poll(wait)?;
        Some(event.result().and_then(|()| committed(&event)))
    }
}

fn committed(event: &Event) -> Result<()> {
    // SAFETY: the answer is read while its event lives.
    unsafe {
        let result = sys::rd_kafka_event_AlterConsumerGroupOffsets_result(event.0.as_ptr());
        let mut count = 0;
        let groups = sys::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, &raw mut count);
        rows(groups, count).map(drop)
    }
}

/// Returns the partitions of the one group that was asked for, if none of them failed.
///
/// # Safety
/// `groups` is null or leads to `count` groups; what is returned lives as long as their event.
unsafe fn rows(
    groups: *mut *const sys::rd_kafka_group_result_t,
    count: usize,
) -> Result<Vec<*const sys::rd_kafka_topic_partition_t>> {
    if groups.is_null() || count == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: by contract; a list has as many elements as it says.
    unsafe {
        code::of_error(sys::rd_kafka_group_result_error(*groups))?;
        let list = sys::rd_kafka_group_result_partitions(*groups);
        if list.is_null() {
            return Ok(Vec::new());
        }
        let rows = 0..usize::try_from((*list).cnt).unwrap_or_default();
        let rows = rows.map(|at| (*list).elems.add(at).cast_const());
        rows.map(|row| checked(code::read(&raw const (*row).err), row)).collect()
    }
}

fn set_metadata(row: &mut sys::rd_kafka_topic_partition_t, metadata: &CString) {
    let bytes = metadata.as_bytes();
    // SAFETY: librdkafka frees the metadata with the list by free(); so it comes from malloc().
    unsafe {
        let copy = libc::malloc(bytes.len().max(1)).cast::<u8>();
        if !copy.is_null() {
            ptr::copy_nonoverlapping(bytes.as_ptr(), copy, bytes.len());
            row.metadata = copy.cast();
            row.metadata_size = bytes.len();
        }
    }
}

/// Anybody can commit any bytes.
///
/// # Safety
/// `row` is part of a list.
unsafe fn metadata(row: *const sys::rd_kafka_topic_partition_t) -> String {
    // SAFETY: by contract; librdkafka says how many bytes there are.
    unsafe {
        if (*row).metadata.is_null() || (*row).metadata_size == 0 {
            return String::new();
        }
        let bytes = std::slice::from_raw_parts((*row).metadata.cast::<u8>(), (*row).metadata_size);
        String::from_utf8_lossy(bytes).into_owned()
    }
}
