//! What the client's user may do with a topic and a group.

use std::ffi::c_int;
use std::time::Duration;

use rdkafka::types::{RDKafkaAdminOp, RDKafkaErrorCode};
use rdkafka_sys as sys;
use sys::rd_kafka_AclOperation_t::{RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS, RD_KAFKA_ACL_OPERATION_READ};

use super::admin::{Options, invalid};
use super::code::{self, Result};
use super::{Client, Queue, c_string, take_error};

/// The rights that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kafka) struct Rights {
    /// Records or positions may be read; of a group that includes to commit them.
    pub(in crate::kafka) read: bool,
    /// Settings may be read; only topics have them.
    pub(in crate::kafka) describe_configs: bool,
}

impl Client {
    /// Returns what may be done with a topic; none where that is not told, or the topic is not there.
    pub(in crate::kafka) fn topic_rights(&self, topic: &str, wait: Duration) -> Result<Option<Rights>> {
        let name = c_string(topic).map_err(invalid)?;
        let (queue, options) = self.ask_rights(RDKafkaAdminOp::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, wait)?;
        // SAFETY: all pointers are valid for the call; the answer is read while its event lives.
        unsafe {
            let mut names = [name.as_ptr()];
            let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), 1);
            sys::rd_kafka_DescribeTopics(self.rk(), topics, options.as_ptr(), queue.0.as_ptr());
            sys::rd_kafka_TopicCollection_destroy(topics);
            let event = self.answer(&queue, wait)?;
            let result = sys::rd_kafka_event_DescribeTopics_result(event.0.as_ptr());
            let mut count = 0;
            let rows = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
            if rows.is_null() || count == 0 {
                return Ok(None);
            }
            let allowed = sys::rd_kafka_TopicDescription_authorized_operations(*rows, &raw mut count);
            Ok(rights(allowed, count))
        }
    }

    /// Returns what may be done with a group; none where that is not told, or there is no such group yet.
    pub(in crate::kafka) fn group_rights(&self, group: &str, wait: Duration) -> Result<Option<Rights>> {
        let name = c_string(group).map_err(invalid)?;
        let operation = RDKafkaAdminOp::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
        let (queue, options) = self.ask_rights(operation, wait)?;
        // SAFETY: all pointers are valid for the call; the answer is read while its event lives.
        unsafe {
            let mut names = [name.as_ptr()];
            let (names, queue_at) = (names.as_mut_ptr(), queue.0.as_ptr());
            sys::rd_kafka_DescribeConsumerGroups(self.rk(), names, 1, options.as_ptr(), queue_at);
            let event = self.answer(&queue, wait)?;
            let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event.0.as_ptr());
            let mut count = 0;
            let rows = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
            if rows.is_null() || count == 0 {
                return Ok(None);
            }
            let error = sys::rd_kafka_ConsumerGroupDescription_error(*rows);
            match code::of_error(error) {
                Err((RDKafkaErrorCode::GroupIdNotFound, _)) => return Ok(None),
                told => told?,
            }
            let allowed = sys::rd_kafka_ConsumerGroupDescription_authorized_operations(*rows, &raw mut count);
            Ok(rights(allowed, count))
        }
    }

    fn ask_rights(&self, operation: RDKafkaAdminOp, wait: Duration) -> Result<(Queue, Options)> {
        let (queue, options) = self.ask(operation, wait)?;
        // SAFETY: the options are valid; the error is owned.
        let error = unsafe {
            take_error(sys::rd_kafka_AdminOptions_set_include_authorized_operations(options.as_ptr(), 1))
        };
        error.map_or(Ok((queue, options)), |reason| Err(invalid(reason)))
    }
}

/// Nothing is told where nobody asks who may do what.
fn rights(allowed: *const sys::rd_kafka_AclOperation_t, count: usize) -> Option<Rights> {
    if allowed.is_null() || count == 0 {
        return None;
    }
    // SAFETY: librdkafka says how many there are; they live as long as the event the caller holds. They are numbers:
    // a broker may know operations that have no name here.
    let allowed = unsafe { std::slice::from_raw_parts(allowed.cast::<c_int>(), count) };
    let may = |operation: sys::rd_kafka_AclOperation_t| allowed.contains(&(operation as c_int));
    let (read, describe_configs) =
        (may(RD_KAFKA_ACL_OPERATION_READ), may(RD_KAFKA_ACL_OPERATION_DESCRIBE_CONFIGS));
    Some(Rights { read, describe_configs })
}
