//! Requests that wait: how long each may, and how many.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::{HeaderName, HeaderValue};
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::code::Code;
use super::problem::Problem;
use super::state::Health;
use crate::config::sections::HttpConfig;

/// Says how much of a preference was granted (RFC 7240).
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What all requests that wait share.
#[derive(Debug)]
pub(super) struct Waiting {
    longest: Duration,
    seats: Semaphore,
    /// Shows how many are taken.
    taken: Gauge,
    health: Arc<Health>,
}

/// How long one request may still wait. It takes a seat when it first has to, and leaves it when it is dropped.
#[derive(Debug)]
pub(super) struct Patience<'w> {
    waiting: &'w Waiting,
    granted: Option<Duration>,
    until: Instant,
    seat: Option<Seat<'w>>,
}

#[derive(Debug)]
struct Seat<'w> {
    taken: &'w Gauge,
    _permit: SemaphorePermit<'w>,
}

impl Waiting {
    pub(super) fn new(config: &HttpConfig, taken: Gauge, health: Arc<Health>) -> Self {
        let seats = Semaphore::new(config.waiters_max.min(Semaphore::MAX_PERMITS));
        Self { longest: config.wait_max, seats, taken, health }
    }

    /// Returns the longest wait that is granted.
    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// Grants a wait, or the longest there is; none is granted where none is asked for.
    pub(super) fn grant(&self, asked: Option<Duration>) -> Patience<'_> {
        let granted = asked.map(|asked| asked.min(self.longest));
        let until = Instant::now() + granted.unwrap_or_default();
        Patience { waiting: self, granted, until, seat: None }
    }

    fn seat(&self) -> Result<Seat<'_>, Problem> {
        let full = |_| Problem::new(Code::OVERLOADED, "too many requests wait already (`http.waiters_max`)");
        let permit = self.seats.try_acquire().map_err(full)?;
        self.taken.inc();
        Ok(Seat { taken: &self.taken, _permit: permit })
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.taken.dec();
    }
}

impl Patience<'_> {
    /// Returns whether there is nothing left to wait.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// Returns when there will be nothing left to wait.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// Waits for something as long as the request may, but for `least` in any case.
    ///
    /// # Errors
    /// `overloaded` when too many wait, `shutting-down` as soon as the service stops.
    pub(super) async fn wait<T>(
        &mut self,
        event: impl Future<Output = T>,
        least: Duration,
    ) -> Result<Option<T>, Problem> {
        if self.seat.is_none() {
            self.seat = Some(self.waiting.seat()?);
        }
        let until = self.until.max(Instant::now() + least);
        tokio::select! {
            biased;
            happened = event => Ok(Some(happened)),
            () = self.waiting.health.stopping() => {
                Err(Problem::new(Code::SHUTTING_DOWN, "the service stops; nobody waits any longer"))
            }
            () = tokio::time::sleep_until(until) => Ok(None),
        }
    }

    /// Says in the answer how long the request was allowed to wait, if it asked.
    pub(super) fn tell(&self, answer: Result<Response, Problem>) -> Result<Response, Problem> {
        let Some(granted) = self.granted else { return answer };
        let Ok(applied) = HeaderValue::try_from(format!("wait={}", granted.as_secs())) else { return answer };
        match answer {
            Ok(mut response) => {
                response.headers_mut().insert(PREFERENCE_APPLIED, applied);
                Ok(response)
            }
            Err(problem) => Err(problem.with_header(PREFERENCE_APPLIED, applied)),
        }
    }
}
