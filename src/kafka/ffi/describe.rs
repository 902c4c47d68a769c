//! Settings of a topic.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::types::{RDKafkaAdminOp, RDKafkaResourceType};
use rdkafka_sys as sys;

use super::admin::invalid;
use super::code::{Result, checked, rd_kafka_ConfigResource_error};
use super::{Client, c_string, text};

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
            let event = self.answer(&queue, wait)?;
            let result = sys::rd_kafka_event_DescribeConfigs_result(event.0.as_ptr());
            let mut count = 0;
            let described = sys::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
            if described.is_null() || count == 0 {
                return Ok(BTreeMap::new());
            }
            checked(rd_kafka_ConfigResource_error(*described), ())?;
            let entries = sys::rd_kafka_ConfigResource_configs(*described, &raw mut count);
            let entries = if entries.is_null() { &[] } else { std::slice::from_raw_parts(entries, count) };
            let pair = |entry: &*const sys::rd_kafka_ConfigEntry_t| {
                let value = sys::rd_kafka_ConfigEntry_value(*entry);
                (text(sys::rd_kafka_ConfigEntry_name(*entry)), text(value))
            };
            Ok(entries.iter().map(pair).collect())
        }
    }
}
