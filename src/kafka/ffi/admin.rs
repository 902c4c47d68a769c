//! Questions to the cluster, and commits.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::ptr::{self, NonNull};
use std::time::{Duration, Instant};

use rdkafka::types::{RDKafkaAdminOp, RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka_sys as sys;

use super::code::{self, Result, checked, rd_kafka_metadata};
use super::{Client, Event, PartitionList, Queue, REASON_BYTES, c_string, millis, take_error, text};

/// How often a wait for an answer looks whether the process is to end.
const STOP_INTERVAL: Duration = Duration::from_millis(50);

/// Why an offset is not known although no error was told.
const NO_ANSWER: &str = "the leader of the partition did not answer";

/// Which end of the log to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kafka) enum EndKind {
    /// First offset.
    Start,
    /// Next offset that will be given out.
    End,
    /// Next offset a reader of committed records gets to see.
    CommittedEnd,
}

/// One end of a log.
#[derive(Debug, Clone, Copy)]
pub(in crate::kafka) struct LogOffset {
    pub(in crate::kafka) offset: i64,
    /// Leader epoch that belongs to it; of the end, that of the broker that told it.
    pub(in crate::kafka) epoch: Option<i32>,
}

/// A question or a commit on its way.
pub(in crate::kafka) struct Pending {
    pub(super) queue: Queue,
}

/// What a broker says of a topic.
pub(in crate::kafka) struct Description {
    /// The topic's id as 16 bytes, all zero from a broker that knows none.
    pub(in crate::kafka) id: [u8; 16],
    /// Its partitions, and whether each has a leader.
    pub(in crate::kafka) partitions: Vec<(i32, bool)>,
}

pub(super) struct Options(NonNull<sys::rd_kafka_AdminOptions_t>);

impl Options {
    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_AdminOptions_t {
        self.0.as_ptr()
    }
}

impl Client {
    /// Serves logs and errors that wait for a poll.
    pub(in crate::kafka) fn serve(&self) {
        self.take(Duration::ZERO, &mut VecDeque::new());
    }

    /// Returns the id of the cluster; none when no broker answers in time.
    pub(in crate::kafka) fn cluster_id(&self, wait: Duration) -> Option<String> {
        // SAFETY: the handle is valid; the text is ours to free.
        unsafe {
            let id = sys::rd_kafka_clusterid(self.rk(), millis(wait));
            (!id.is_null()).then(|| {
                let copy = text(id);
                sys::rd_kafka_mem_free(self.rk(), id.cast());
                copy
            })
        }
    }

    /// Returns how many partitions a topic has.
    pub(in crate::kafka) fn partition_count(&self, topic: &str, wait: Duration) -> Result<usize> {
        let name = c_string(topic).map_err(invalid)?;
        // SAFETY: handle and name are valid; topic and metadata are destroyed after their last use.
        unsafe {
            let rkt = sys::rd_kafka_topic_new(self.rk(), name.as_ptr(), ptr::null_mut());
            let mut metadata = ptr::null();
            let code = rd_kafka_metadata(self.rk(), 0, rkt, &raw mut metadata, millis(wait));
            sys::rd_kafka_topic_destroy(rkt);
            checked(code, ())?;
            let described = if (*metadata).topic_cnt > 0 {
                let topic = (*metadata).topics;
                let count = usize::try_from((*topic).partition_cnt).unwrap_or(0);
                checked(code::read(&raw const (*topic).err), count)
            } else {
                Err(named(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART))
            };
            sys::rd_kafka_metadata_destroy(metadata);
            described
        }
    }

    /// Starts to ask for the description of a topic: any broker, or the named one.
    pub(in crate::kafka) fn ask_description(
        &self,
        topic: &str,
        broker: Option<i32>,
        wait: Duration,
    ) -> Result<Pending> {
        let name = c_string(topic).map_err(invalid)?;
        let (queue, options) = self.ask(RDKafkaAdminOp::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, wait)?;
        // SAFETY: all pointers are valid for the calls; librdkafka copies options and names.
        unsafe {
            if let Some(broker) = broker {
                let mut reason = [0; REASON_BYTES];
                let (options, at) = (options.0.as_ptr(), reason.as_mut_ptr());
                checked(code::rd_kafka_AdminOptions_set_broker(options, broker, at, REASON_BYTES), ())?;
            }
            let mut names = [name.as_ptr()];
            let topics = sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), 1);
            sys::rd_kafka_DescribeTopics(self.rk(), topics, options.0.as_ptr(), queue.0.as_ptr());
            sys::rd_kafka_TopicCollection_destroy(topics);
        }
        Ok(Pending { queue })
    }

    /// Returns the description of a topic.
    pub(in crate::kafka) fn describe(&self, topic: &str, wait: Duration) -> Result<Description> {
        let pending = self.ask_description(topic, None, wait)?;
        description(&self.answer(&pending.queue, wait)?)
    }

    /// Returns one end of the log of each partition, or why it is not known.
    pub(in crate::kafka) fn list_offsets(
        &self,
        topic: &str,
        partitions: impl Iterator<Item = i32>,
        kind: EndKind,
        wait: Duration,
    ) -> Result<Vec<(i32, Result<LogOffset>)>> {
        let name = c_string(topic).map_err(invalid)?;
        let mut list = PartitionList::new().map_err(invalid)?;
        for partition in partitions {
            list.add(&name, partition, if kind == EndKind::Start { -2 } else { -1 });
        }
        let (queue, options) = self.ask(RDKafkaAdminOp::RD_KAFKA_ADMIN_OP_LISTOFFSETS, wait)?;
        // SAFETY: all pointers are valid for the call; the answer is read while its event lives.
        unsafe {
            if kind == EndKind::CommittedEnd {
                let level = sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED;
                let error = sys::rd_kafka_AdminOptions_set_isolation_level(options.0.as_ptr(), level);
                take_error(error).map_or(Ok(()), |reason| Err(invalid(reason)))?;
            }
            sys::rd_kafka_ListOffsets(self.rk(), list.0.as_ptr(), options.0.as_ptr(), queue.0.as_ptr());
            let event = self.answer(&queue, wait)?;
            let result = sys::rd_kafka_event_ListOffsets_result(event.0.as_ptr());
            let mut count = 0;
            let rows = sys::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
            let rows = if rows.is_null() { &[] } else { std::slice::from_raw_parts(rows, count) };
            let rows = rows.iter().map(|row| sys::rd_kafka_ListOffsetsResultInfo_topic_partition(*row));
            let offset = |row: *const sys::rd_kafka_topic_partition_t| {
                let epoch = sys::rd_kafka_topic_partition_get_leader_epoch(row);
                match checked(code::read(&raw const (*row).err), (*row).offset)? {
                    // A leader that hangs up or is silent leaves no error, but the number for "no offset".
                    ..0 => Err((RDKafkaErrorCode::BrokerTransportFailure, NO_ANSWER.to_owned())),
                    offset => Ok(LogOffset { offset, epoch: (epoch >= 0).then_some(epoch) }),
                }
            };
            Ok(rows.map(|row| ((*row).partition, offset(row))).collect())
        }
    }

    /// Librdkafka answers shortly after the request's own timeout at the latest.
    pub(super) fn answer(&self, queue: &Queue, wait: Duration) -> Result<Event> {
        self.answer_until(queue, wait, Duration::ZERO)
    }

    /// Waits for an answer, and for `farewell` at most once the process is to end.
    pub(super) fn answer_until(&self, queue: &Queue, wait: Duration, farewell: Duration) -> Result<Event> {
        let mut deadline = Instant::now() + wait + Duration::from_secs(1);
        let mut stopping = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Some(event) = queue.poll(left.min(STOP_INTERVAL)) {
                event.result()?;
                return Ok(event);
            }
            if left.is_zero() {
                return Err(named(RDKafkaRespErr::RD_KAFKA_RESP_ERR__TIMED_OUT));
            }
            if self.stop.is_cancelled() && !stopping {
                stopping = true;
                deadline = deadline.min(Instant::now() + farewell);
            }
        }
    }

    pub(super) fn ask(&self, operation: RDKafkaAdminOp, wait: Duration) -> Result<(Queue, Options)> {
        let failed = |reason| (RDKafkaErrorCode::Fail, reason);
        let queue = Queue::new(self).map_err(failed)?;
        // SAFETY: the handle is valid.
        let options = unsafe { NonNull::new(sys::rd_kafka_AdminOptions_new(self.rk(), operation)) };
        let options = Options(options.ok_or_else(|| failed("out of memory".to_owned()))?);
        let mut reason = [0; REASON_BYTES];
        // SAFETY: all pointers are valid for the call.
        let code = unsafe {
            let (options, at) = (options.0.as_ptr(), reason.as_mut_ptr());
            code::rd_kafka_AdminOptions_set_request_timeout(options, millis(wait), at, REASON_BYTES)
        };
        checked(code, (queue, options))
    }
}

impl Pending {
    /// Returns the description that was asked for once it is there, waiting at most `wait`.
    pub(in crate::kafka) fn description(&self, wait: Duration) -> Option<Result<Description>> {
        self.queue.poll(wait).map(|event| event.result().and_then(|()| description(&event)))
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: the last use.
        unsafe { sys::rd_kafka_AdminOptions_destroy(self.0.as_ptr()) }
    }
}

fn description(event: &Event) -> Result<Description> {
    // SAFETY: the answer is read while its event lives.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(event.0.as_ptr());
        let mut count = 0;
        let rows = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        if rows.is_null() || count == 0 {
            return Err(named(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART));
        }
        let row = *rows;
        code::of_error(sys::rd_kafka_TopicDescription_error(row))?;
        let id = sys::rd_kafka_TopicDescription_topic_id(row);
        let high = sys::rd_kafka_Uuid_most_significant_bits(id).cast_unsigned();
        let low = sys::rd_kafka_Uuid_least_significant_bits(id).cast_unsigned();
        let mut count = 0;
        let partitions = sys::rd_kafka_TopicDescription_partitions(row, &raw mut count);
        let partitions =
            if partitions.is_null() { &[] } else { std::slice::from_raw_parts(partitions, count) };
        let partition = |info: &*const sys::rd_kafka_TopicPartitionInfo_t| {
            let led = !sys::rd_kafka_TopicPartitionInfo_leader(*info).is_null();
            (sys::rd_kafka_TopicPartitionInfo_partition(*info), led)
        };
        let partitions = partitions.iter().map(partition).collect();
        Ok(Description { id: (u128::from(high) << 64 | u128::from(low)).to_be_bytes(), partitions })
    }
}

/// An argument that cannot be passed on.
pub(super) fn invalid(reason: String) -> (RDKafkaErrorCode, String) {
    (RDKafkaErrorCode::InvalidArgument, reason)
}

/// Returns librdkafka's text for a log that was truncated.
pub(in crate::kafka) fn truncation_text() -> String {
    named(RDKafkaRespErr::RD_KAFKA_RESP_ERR__LOG_TRUNCATION).1
}

fn named(code: RDKafkaRespErr) -> (RDKafkaErrorCode, String) {
    // SAFETY: returns a constant text.
    let reason = unsafe { CStr::from_ptr(sys::rd_kafka_err2str(code)) };
    (code.into(), reason.to_string_lossy().into_owned())
}
