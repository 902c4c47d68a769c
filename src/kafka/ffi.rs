//! The calls of librdkafka that have no safe wrapper, or whose wrapper loses what is needed.
//!
//! The only unsafe code of the crate. The safe wrapper's poll drops the offset of end-of-partition events and
//! the text of errors; topic ids, listing offsets of all partitions at once and commits that are known to
//! have landed are not wrapped at all.
#![allow(unsafe_code, reason = "the module exists for it")]

mod admin;
mod code;
mod consumer;
mod describe;
mod group;
mod rights;

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::types::{RDKafkaApiKey, RDKafkaErrorCode};
use rdkafka_sys as sys;
use tokio_util::sync::CancellationToken;

pub(super) use admin::{Description, EndKind, LogOffset, Pending, truncation_text};
pub(super) use consumer::Message;

/// Room for the reason librdkafka gives.
const REASON_BYTES: usize = 512;
/// Name of the interceptor that notices metadata.
const METADATA: &CStr = c"metadata";

/// Receives what a client reports outside of any call; called from librdkafka's threads.
pub(super) trait Report: Send + Sync {
    fn log(&self, level: i32, facility: &str, line: &str);
    fn error(&self, code: RDKafkaErrorCode, reason: &str);
}

/// A native consumer handle; safe to share, as librdkafka is.
pub(super) struct Client {
    rk: NonNull<sys::rd_kafka_t>,
    queue: NonNull<sys::rd_kafka_queue_t>,
    // Dropped after the handle, whose threads refer to it.
    report: Arc<Reporter>,
    /// Ends every wait for an answer.
    stop: CancellationToken,
}

/// Behind one thin pointer, as librdkafka's opaque asks for.
struct Reporter {
    report: Box<dyn Report>,
    /// Brokers that answered a question for metadata since this was asked last; -1 stands for any.
    metadata: Mutex<BTreeSet<i32>>,
}

// SAFETY: librdkafka's handles and queues may be used from any thread.
unsafe impl Send for Client {}
// SAFETY: as above.
unsafe impl Sync for Client {}

impl Client {
    /// Makes a consumer handle; connects in the background. `stop` ends every wait for an answer.
    ///
    /// # Errors
    /// The reason librdkafka gives, which names the property.
    pub(super) fn new<'p>(
        properties: impl Iterator<Item = (&'p str, &'p str)> + Clone,
        report: Box<dyn Report>,
        stop: CancellationToken,
    ) -> Result<Self, String> {
        Conf::try_out(properties.clone())?;
        let report = Arc::new(Reporter { report, metadata: Mutex::default() });
        let conf = Conf::new(properties)?;
        let opaque = Arc::as_ptr(&report).cast_mut().cast();
        // SAFETY: the configuration is valid; the reporter outlives the handle, see Drop; on success the
        // handle owns the configuration.
        unsafe {
            sys::rd_kafka_conf_set_opaque(conf.0.as_ptr(), opaque);
            code::rd_kafka_conf_interceptor_add_on_new(conf.0.as_ptr(), METADATA.as_ptr(), on_new, opaque);
            sys::rd_kafka_conf_set_log_cb(conf.0.as_ptr(), Some(on_log));
            sys::rd_kafka_conf_set_error_cb(conf.0.as_ptr(), Some(on_error));
            let rk = conf.make();
            // The handle's now; or lost, because parts of it are freed already, see `try_out`.
            std::mem::forget(conf);
            let rk = rk?;
            sys::rd_kafka_poll_set_consumer(rk.as_ptr());
            let queue = sys::rd_kafka_queue_get_consumer(rk.as_ptr());
            let queue = NonNull::new(queue).ok_or("the client has no consumer queue")?;
            Ok(Self { rk, queue, report, stop })
        }
    }

    /// Checks properties without making a handle.
    ///
    /// # Errors
    /// The reason librdkafka gives, which names the property.
    pub(super) fn check<'p>(properties: impl IntoIterator<Item = (&'p str, &'p str)>) -> Result<(), String> {
        Conf::new(properties).map(drop)
    }

    /// Returns the brokers whose metadata the client may have taken in since the last call.
    ///
    /// Order matters: a broker is noted before the client looks into its answer, so whatever is fetched by what
    /// the answer says is taken after it was noted.
    pub(super) fn take_metadata_brokers(&self) -> BTreeSet<i32> {
        std::mem::take(&mut self.report.metadata.lock())
    }

    fn rk(&self) -> *mut sys::rd_kafka_t {
        self.rk.as_ptr()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // SAFETY: the last use of both. Leaving the group would block on a dead broker; there is no
        // membership to leave.
        unsafe {
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
            sys::rd_kafka_destroy_flags(self.rk(), sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        }
        let _ = &self.report;
    }
}

struct Conf(NonNull<sys::rd_kafka_conf_t>);

impl Conf {
    fn new<'p>(properties: impl IntoIterator<Item = (&'p str, &'p str)>) -> Result<Self, String> {
        // SAFETY: plain allocation.
        let conf = unsafe { NonNull::new(sys::rd_kafka_conf_new()) };
        let conf = Self(conf.ok_or("out of memory")?);
        for (name, value) in properties {
            let (name, value) = (c_string(name)?, c_string(value)?);
            let mut reason = [0; REASON_BYTES];
            // SAFETY: all pointers are valid for the call.
            let done = unsafe {
                let (at, room) = (reason.as_mut_ptr(), reason.len());
                sys::rd_kafka_conf_set(conf.0.as_ptr(), name.as_ptr(), value.as_ptr(), at, room)
            };
            if done != sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
                // SAFETY: librdkafka ends the reason with a zero.
                return Err(unsafe { text(reason.as_ptr()) });
            }
        }
        Ok(conf)
    }

    /// Makes a handle without brokers and drops it.
    ///
    /// When no handle can be made, for want of a file or a thread, librdkafka frees the interceptors of the
    /// configuration and would free them again with it. So that has to be known before there are any.
    fn try_out<'p>(properties: impl Iterator<Item = (&'p str, &'p str)>) -> Result<(), String> {
        let conf = Self::new(properties.filter(|(name, _)| *name != "bootstrap.servers"))?;
        // SAFETY: the configuration is valid; on success the handle owns it, and is used for the last time.
        unsafe {
            sys::rd_kafka_conf_set_log_cb(conf.0.as_ptr(), None);
            let rk = conf.make()?;
            std::mem::forget(conf);
            sys::rd_kafka_destroy_flags(rk.as_ptr(), sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        }
        Ok(())
    }

    /// # Safety
    /// On success the handle owns the configuration.
    unsafe fn make(&self) -> Result<NonNull<sys::rd_kafka_t>, String> {
        let mut reason = [0; REASON_BYTES];
        let kind = sys::rd_kafka_type_t::RD_KAFKA_CONSUMER;
        // SAFETY: the configuration is valid; librdkafka ends the reason with a zero.
        unsafe {
            let rk = sys::rd_kafka_new(kind, self.0.as_ptr(), reason.as_mut_ptr(), reason.len());
            NonNull::new(rk).ok_or_else(|| text(reason.as_ptr()))
        }
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        // SAFETY: not handed to a client, see `Client::new`.
        unsafe { sys::rd_kafka_conf_destroy(self.0.as_ptr()) }
    }
}

/// A list of topic partitions for one call.
struct PartitionList(NonNull<sys::rd_kafka_topic_partition_list_t>);

impl PartitionList {
    fn new() -> Result<Self, String> {
        // SAFETY: plain allocation.
        let list = unsafe { NonNull::new(sys::rd_kafka_topic_partition_list_new(1)) };
        list.map(Self).ok_or_else(|| "out of memory".to_owned())
    }

    /// Adds a partition with an offset (or one of librdkafka's special numbers).
    fn add(&mut self, topic: &CStr, partition: i32, offset: i64) -> &mut sys::rd_kafka_topic_partition_t {
        // SAFETY: the list is valid; librdkafka copies the name and returns a pointer into the list.
        unsafe {
            let row = sys::rd_kafka_topic_partition_list_add(self.0.as_ptr(), topic.as_ptr(), partition);
            (*row).offset = offset;
            &mut *row
        }
    }
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: the last use.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.0.as_ptr()) }
    }
}

/// An event queue of our own, for answers to admin calls and commits.
struct Queue(NonNull<sys::rd_kafka_queue_t>);

/// An event taken from a queue.
struct Event(NonNull<sys::rd_kafka_event_t>);

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for Queue {}

impl Queue {
    fn new(client: &Client) -> Result<Self, String> {
        // SAFETY: the handle is valid.
        let queue = unsafe { NonNull::new(sys::rd_kafka_queue_new(client.rk())) };
        queue.map(Self).ok_or_else(|| "out of memory".to_owned())
    }

    fn poll(&self, wait: Duration) -> Option<Event> {
        // SAFETY: the queue is valid; the event is owned by the caller.
        unsafe { NonNull::new(sys::rd_kafka_queue_poll(self.0.as_ptr(), millis(wait))).map(Event) }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the last use.
        unsafe { sys::rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

impl Event {
    fn result(&self) -> code::Result<()> {
        // SAFETY: the event is valid.
        unsafe { code::of_event(self.0.as_ptr()) }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the last use.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

unsafe extern "C" fn on_log(
    rk: *const sys::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    // SAFETY: librdkafka passes zero-ended texts; the opaque is the reporter, which outlives the handle.
    unsafe {
        let reporter = sys::rd_kafka_opaque(rk).cast::<Reporter>();
        if let Some(reporter) = reporter.as_ref() {
            reporter.report.log(level, &text(facility), &text(line));
        }
    }
}

unsafe extern "C" fn on_error(
    _: *mut sys::rd_kafka_t,
    code: c_int,
    reason: *const c_char,
    opaque: *mut c_void,
) {
    // SAFETY: as in `on_log`.
    unsafe {
        if let Some(reporter) = opaque.cast::<Reporter>().as_ref() {
            reporter.report.error(code::name(code), &text(reason));
        }
    }
}

unsafe extern "C" fn on_new(
    rk: *mut sys::rd_kafka_t,
    _: *const sys::rd_kafka_conf_t,
    opaque: *mut c_void,
    _: *mut c_char,
    _: usize,
) -> c_int {
    // SAFETY: the handle is valid; the opaque is the reporter, which outlives it.
    unsafe { code::rd_kafka_interceptor_add_on_response_received(rk, METADATA.as_ptr(), on_response, opaque) }
}

unsafe extern "C" fn on_response(
    _: *mut sys::rd_kafka_t,
    _: c_int,
    _: *const c_char,
    broker: i32,
    question: i16,
    _: i16,
    _: i32,
    _: usize,
    _: i64,
    _: c_int,
    opaque: *mut c_void,
) -> c_int {
    if question == RDKafkaApiKey::Metadata as i16 {
        // SAFETY: as in `on_log`.
        if let Some(reporter) = unsafe { opaque.cast::<Reporter>().as_ref() } {
            reporter.metadata.lock().insert(broker);
        }
    }
    code::OK
}

/// Takes the text of an error object and destroys it; none when there is no error.
///
/// # Safety
/// `error` is null or an error object owned by the caller.
unsafe fn take_error(error: *mut sys::rd_kafka_error_t) -> Option<String> {
    if error.is_null() {
        return None;
    }
    // SAFETY: not null, owned, used for the last time.
    unsafe {
        let reason = text(sys::rd_kafka_error_string(error));
        sys::rd_kafka_error_destroy(error);
        Some(reason)
    }
}

/// # Safety
/// `pointer` is null or a zero-ended text.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: by contract.
    unsafe { CStr::from_ptr(pointer).to_string_lossy().into_owned() }
}

fn c_string(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| format!("'{}' holds a zero byte", text.escape_default()))
}

fn millis(wait: Duration) -> c_int {
    c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX)
}
