//! One client handle with its log lines and its last error.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::types::RDKafkaErrorCode as Code;
use tokio_util::sync::CancellationToken;

use super::error::Error;
use super::ffi;
use super::properties::{self, Properties};
use crate::config::sections::KafkaConfig;

/// A client without a broker writes 19 lines a second; one in this time is enough.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// An error reported longer ago says nothing about a question that fails now.
const ERROR_AGE: Duration = Duration::from_secs(30);

/// Last error a client reported outside of any call, such as a refused password.
#[derive(Debug, Default)]
pub(super) struct LastError(Mutex<Option<(Instant, Code, String)>>);

struct Reporter {
    role: String,
    last_error: Arc<LastError>,
    last_line: Mutex<Option<Instant>>,
}

pub(super) fn new(
    config: &KafkaConfig,
    role: &str,
    stop: CancellationToken,
    last_error: &Arc<LastError>,
) -> Result<ffi::Client, Error> {
    let properties: Properties = properties::properties(config, role);
    let last_error = Arc::clone(last_error);
    let reporter = Reporter { role: role.to_owned(), last_error, last_line: Mutex::new(None) };
    let client = ffi::Client::new(properties::borrowed(&properties), Box::new(reporter), stop);
    client.map_err(Error::Property)
}

impl LastError {
    /// Says why no broker answers, if the client reported a better reason than "timed out".
    pub(super) fn explain(&self, error: Error, topic: &str) -> Error {
        let last = self.0.lock().clone();
        match (error, last) {
            (Error::Unreachable(_), Some((at, code, reason))) if at.elapsed() < ERROR_AGE => {
                Error::of(code, reason, topic)
            }
            (error, _) => error,
        }
    }

    pub(super) fn clear(&self) {
        *self.0.lock() = None;
    }
}

impl ffi::Report for Reporter {
    fn log(&self, level: i32, facility: &str, line: &str) {
        let mut last = self.last_line.lock();
        let quiet = last.is_some_and(|at| at.elapsed() < LINE_INTERVAL);
        if level <= 4 && !quiet {
            *last = Some(Instant::now());
            tracing::warn!(target: "librdkafka", client = self.role, facility, "{line}");
        } else {
            tracing::debug!(target: "librdkafka", client = self.role, facility, level, "{line}");
        }
    }

    fn error(&self, code: Code, reason: &str) {
        let mut last = self.last_error.0.lock();
        // "All brokers are down" follows every refused connection or password, which says more.
        let better = code == Code::AllBrokersDown
            && last.as_ref().is_some_and(|(at, known, _)| *known != code && at.elapsed() < ERROR_AGE);
        if !better {
            *last = Some((Instant::now(), code, reason.to_owned()));
        }
        tracing::debug!(target: "librdkafka", client = self.role, code = ?code, "{reason}");
    }
}
