//! How many watch at the same time, and what they are told.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::config::sections::WatchConfig;
use crate::http::about;
use crate::http::code::Code;
use crate::http::exposition::names;
use crate::http::problem::Problem;
use crate::progress::Reason;
use crate::room::Room;
use crate::view::View;
use crate::view::feed::Update;

/// Least number of watchers that read many entries at the same time.
const READS_MIN: usize = 2;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ViewLabels {
    view: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResetLabels {
    view: String,
    reason: &'static str,
}

/// What watches count; clones share their numbers.
#[derive(Debug, Clone, Default)]
pub(in crate::http) struct WatchMetrics {
    watchers: Family<ViewLabels, Gauge>,
    events: Family<ViewLabels, Counter>,
    resets: Family<ResetLabels, Counter>,
}

/// What all watches share.
#[derive(Debug)]
pub(in crate::http) struct Watchers {
    config: WatchConfig,
    seats: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    room: Arc<Room>,
    metrics: WatchMetrics,
}

/// One watch that was let in; it counts until it is dropped.
#[derive(Debug)]
pub(super) struct Watcher {
    view: String,
    began: Instant,
    told: u64,
    open: Gauge,
    events: Counter,
    resets: Family<ResetLabels, Counter>,
    _seat: OwnedSemaphorePermit,
}

impl WatchMetrics {
    /// Adds the metrics to what a scrape shows.
    pub(in crate::http) fn register(&self, registry: &mut Registry) {
        names::WATCHERS.register(registry, self.watchers.clone());
        names::WATCH_EVENTS.register(registry, self.events.clone());
        names::WATCH_RESETS.register(registry, self.resets.clone());
    }
}

impl Watchers {
    pub(in crate::http) fn new(config: &WatchConfig, metrics: WatchMetrics) -> Self {
        let seats = Arc::new(Semaphore::new(config.watchers_max.min(Semaphore::MAX_PERMITS)));
        let room = usize::try_from(config.ahead_bytes_max.as_u64()).unwrap_or(usize::MAX);
        let (reads, room) = (Arc::new(Semaphore::new(reads())), Room::new(room));
        Self { config: config.clone(), seats, reads, room, metrics }
    }

    /// Lets a watch in.
    ///
    /// # Errors
    /// `overloaded`.
    pub(super) fn admit(&self, view: &View) -> Result<Watcher, Problem> {
        let full = |_| {
            let detail = "as many watch as are allowed (`http.watch.watchers_max`)";
            about::problem(view, Code::OVERLOADED, detail)
        };
        let seat = Arc::clone(&self.seats).try_acquire_owned().map_err(full)?;
        let labels = ViewLabels { view: view.name().to_string() };
        let open = self.metrics.watchers.get_or_create(&labels).clone();
        let events = self.metrics.events.get_or_create(&labels).clone();
        open.inc();
        let (view, resets) = (labels.view, self.metrics.resets.clone());
        Ok(Watcher { view, began: Instant::now(), told: 0, open, events, resets, _seat: seat })
    }

    /// Returns when a watch that begins now ends; not all that began together end together.
    pub(super) fn end(&self) -> Instant {
        Instant::now() + self.config.lifetime.mul_f64(0.5 + fastrand::f64() / 2.0)
    }

    /// Returns what all of them may remember.
    pub(super) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    pub(super) fn bookmark_interval(&self) -> Duration {
        self.config.bookmark_interval
    }

    /// Waits for a turn to read many entries.
    pub(in crate::http) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // Invariant: the semaphore is never closed.
        Arc::clone(&self.reads).acquire_owned().await.ok()
    }
}

/// Look-ups and ingest keep half of the machine.
fn reads() -> usize {
    (available_parallelism().map_or(1, usize::from) / 2).max(READS_MIN)
}

impl Watcher {
    /// Takes notice of what is told.
    pub(super) fn count(&mut self, updates: &[Update]) {
        self.told += updates.len() as u64;
        self.events.inc_by(updates.len() as u64);
        for update in updates {
            if let Update::Reset { reason, .. } = update {
                self.count_reset(*reason);
            }
        }
    }

    fn count_reset(&self, reason: Reason) {
        let labels = ResetLabels { view: self.view.clone(), reason: reason.as_str() };
        self.resets.get_or_create(&labels).inc();
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.open.dec();
        let (view, events, seconds) = (&self.view, self.told, self.began.elapsed().as_secs_f64());
        tracing::debug!(view, events, seconds, "watch ended");
    }
}
