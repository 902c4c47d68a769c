//! Error codes, which are numbers: a broker may send one that this version of librdkafka has no name for.
//!
//! The generated declarations call them Rust enums. One without a name must not even be looked at as such, so it is
//! taken as the number it is in C.

use std::ffi::{c_char, c_int, c_void};

use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka_sys as sys;

use super::text;

pub(super) type Result<T> = std::result::Result<T, (RDKafkaErrorCode, String)>;

/// Says that all is well.
pub(super) const OK: c_int = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR as c_int;

/// Called with a client that is made.
type OnNew = unsafe extern "C" fn(
    rk: *mut sys::rd_kafka_t,
    conf: *const sys::rd_kafka_conf_t,
    ic_opaque: *mut c_void,
    errstr: *mut c_char,
    errstr_size: usize,
) -> c_int;

/// Called with every answer of a broker.
type OnResponse = unsafe extern "C" fn(
    rk: *mut sys::rd_kafka_t,
    sockfd: c_int,
    brokername: *const c_char,
    brokerid: i32,
    api_key: i16,
    api_version: i16,
    corr_id: i32,
    size: usize,
    rtt: i64,
    err: c_int,
    ic_opaque: *mut c_void,
) -> c_int;

// The declarations of `rdkafka/rdkafka.h`, with the enum as the `int` it is.
unsafe extern "C" {
    pub(super) fn rd_kafka_AdminOptions_set_broker(
        options: *mut sys::rd_kafka_AdminOptions_t,
        broker_id: i32,
        errstr: *mut c_char,
        errstr_size: usize,
    ) -> c_int;
    pub(super) fn rd_kafka_AdminOptions_set_request_timeout(
        options: *mut sys::rd_kafka_AdminOptions_t,
        timeout_ms: c_int,
        errstr: *mut c_char,
        errstr_size: usize,
    ) -> c_int;
    pub(super) fn rd_kafka_ConfigResource_error(config: *const sys::rd_kafka_ConfigResource_t) -> c_int;
    pub(super) fn rd_kafka_conf_interceptor_add_on_new(
        conf: *mut sys::rd_kafka_conf_t,
        ic_name: *const c_char,
        on_new: OnNew,
        ic_opaque: *mut c_void,
    ) -> c_int;
    pub(super) fn rd_kafka_header_get_all(
        hdrs: *const sys::rd_kafka_headers_t,
        idx: usize,
        namep: *mut *const c_char,
        valuep: *mut *const c_void,
        sizep: *mut usize,
    ) -> c_int;
    pub(super) fn rd_kafka_interceptor_add_on_response_received(
        rk: *mut sys::rd_kafka_t,
        ic_name: *const c_char,
        on_response_received: OnResponse,
        ic_opaque: *mut c_void,
    ) -> c_int;
    pub(super) fn rd_kafka_message_headers(
        rkmessage: *const sys::rd_kafka_message_t,
        hdrsp: *mut *mut sys::rd_kafka_headers_t,
    ) -> c_int;
    pub(super) fn rd_kafka_metadata(
        rk: *mut sys::rd_kafka_t,
        all_topics: c_int,
        only_rkt: *mut sys::rd_kafka_topic_t,
        metadatap: *mut *const sys::rd_kafka_metadata,
        timeout_ms: c_int,
    ) -> c_int;
    fn rd_kafka_err2str(err: c_int) -> *const c_char;
    fn rd_kafka_error_code(error: *const sys::rd_kafka_error_t) -> c_int;
    fn rd_kafka_event_error(rkev: *mut sys::rd_kafka_event_t) -> c_int;
}

/// Returns the name of a code, which is "unknown" for one without.
pub(super) fn name(code: c_int) -> RDKafkaErrorCode {
    RDKafkaRespErr::try_from(code).unwrap_or(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN).into()
}

/// Returns `value` if the code says that all is well.
pub(super) fn checked<T>(code: c_int, value: T) -> Result<T> {
    if code == OK {
        return Ok(value);
    }
    // SAFETY: takes any number; returns a constant text, or one that lives until this thread asks again.
    Err((name(code), unsafe { text(rd_kafka_err2str(code)) }))
}

/// Reads a code where librdkafka left it.
///
/// # Safety
/// `code` leads to memory that holds a code.
pub(super) unsafe fn read(code: *const RDKafkaRespErr) -> c_int {
    // SAFETY: by contract; the enum is as large as the number.
    unsafe { code.cast::<c_int>().read() }
}

/// # Safety
/// `error` is null or an error object.
pub(super) unsafe fn of_error(error: *const sys::rd_kafka_error_t) -> Result<()> {
    // SAFETY: by contract; null stands for no error.
    unsafe {
        checked(rd_kafka_error_code(error), ())
            .map_err(|(code, _)| (code, text(sys::rd_kafka_error_string(error))))
    }
}

/// # Safety
/// `event` is an event.
pub(super) unsafe fn of_event(event: *mut sys::rd_kafka_event_t) -> Result<()> {
    // SAFETY: by contract; the text belongs to the event.
    unsafe {
        checked(rd_kafka_event_error(event), ())
            .map_err(|(code, _)| (code, text(sys::rd_kafka_event_error_string(event))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_without_a_name_is_an_error_like_any_other() {
        let unknown = 29_999;
        // SAFETY: what librdkafka leaves when a newer broker sends such a number.
        let read = unsafe { read((&raw const unknown).cast()) };
        assert_eq!(read, unknown);
        assert_eq!(checked(read, ()), Err((RDKafkaErrorCode::Unknown, "Err-29999?".to_owned())));
        assert_eq!(checked(0, 7), Ok(7));
        let named = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED as c_int;
        assert_eq!(name(named), RDKafkaErrorCode::GroupAuthorizationFailed);
    }
}
