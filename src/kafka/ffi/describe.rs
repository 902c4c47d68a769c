//! Settings of a topic, and what its group holds.

use std::collections::BTreeMap;
use std::ptr;
use std::time::Duration;

use rdkafka::types::{RDKafkaAdminOp, RDKafkaResourceType, RDKafkaRespErr};
use rdkafka_sys as sys;

use super::admin::{Result, answer, checked, invalid};
use super::{Client, PartitionList, c_string, millis, text};

/// Committed position and metadata of one partition.
pub(in crate::kafka) type CommittedRow = (i32, i64, String);

impl Client {
    /// Returns the settings of a topic; none without the right to describe them, or without the topic.
    pub(in crate::kafka) fn topic_settings(
        &self,
        topic: &str,
        wait: Duration,
    ) -> Result<BTreeMap<String, String>> {
        let name = c_string(topic).map_err(invalid)?;
        let (queue, options) = self.ask(RDKafkaAdminOp::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, wait)?;
        // SAFETY: all pointers are valid for the call; the answer is read while its event lives.
        unsafe {
            let kind = RDKafkaResourceType::RD_KAFKA_RESOURCE_TOPIC;
            let resource = sys::rd_kafka_ConfigResource_new(kind, name.as_ptr());
            let mut resources = [resource];
            sys::rd_kafka_DescribeConfigs(
                self.rk(),
                resources.as_mut_ptr(),
                1,
                options.as_ptr(),
                queue.0.as_ptr(),
            );
            sys::rd_kafka_ConfigResource_destroy(resource);
            let event = answer(&queue, wait)?;
            let result = sys::rd_kafka_event_DescribeConfigs_result(event.0.as_ptr());
            let mut count = 0;
            let described = sys::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
            if described.is_null() || count == 0 {
                return Ok(BTreeMap::new());
            }
            checked(sys::rd_kafka_ConfigResource_error(*described), ())?;
            let entries = sys::rd_kafka_ConfigResource_configs(*described, &raw mut count);
            let entries = if entries.is_null() { &[] } else { std::slice::from_raw_parts(entries, count) };
            let pair = |entry: &*const sys::rd_kafka_ConfigEntry_t| {
                let value = sys::rd_kafka_ConfigEntry_value(*entry);
                (text(sys::rd_kafka_ConfigEntry_name(*entry)), text(value))
            };
            Ok(entries.iter().map(pair).collect())
        }
    }

    /// Returns what the client's group holds; partitions without a commit are left out.
    pub(in crate::kafka) fn committed(
        &self,
        topic: &str,
        partitions: impl Iterator<Item = i32>,
        wait: Duration,
    ) -> Result<Vec<CommittedRow>> {
        let name = c_string(topic).map_err(invalid)?;
        let mut list = PartitionList::new().map_err(invalid)?;
        for partition in partitions {
            list.add(&name, partition, 0);
        }
        // SAFETY: handle and list are valid; librdkafka fills the list, which is read while it lives.
        unsafe {
            checked(sys::rd_kafka_committed(self.rk(), list.0.as_ptr(), millis(wait)), ())?;
            let list = &*list.0.as_ptr();
            let rows = usize::try_from(list.cnt).unwrap_or_default();
            let rows = if list.elems.is_null() { &[] } else { std::slice::from_raw_parts(list.elems, rows) };
            let mut committed = Vec::with_capacity(rows.len());
            for row in rows {
                if row.err != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    checked(row.err, ())?;
                }
                if row.offset >= 0 {
                    committed.push((row.partition, row.offset, metadata(row)));
                }
            }
            Ok(committed)
        }
    }
}

/// Anybody can commit any bytes.
fn metadata(row: &sys::rd_kafka_topic_partition_t) -> String {
    if row.metadata.is_null() || row.metadata_size == 0 {
        return String::new();
    }
    let bytes = ptr::slice_from_raw_parts(row.metadata.cast::<u8>(), row.metadata_size);
    // SAFETY: librdkafka says how many bytes there are; they live as long as the list.
    String::from_utf8_lossy(unsafe { &*bytes }).into_owned()
}
