//! What all handlers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderMap, Uri};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use super::ask;
use super::code::Code;
use super::consistency::PREFER;
use super::exposition;
use super::json_body::Bodies;
use super::metrics::HttpMetrics;
use super::patience::Waiting;
use super::pool::Pools;
use super::problem::Problem;
use super::watch::Watchers;
use crate::config::sections::{HttpConfig, ScanConfig};
use crate::store::Resources;
use crate::view::{View, Views};

/// How long the body of a request may take to come, where the whole request may take longer.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// What all handlers share; clones are cheap.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    views: Arc<Views>,
    health: Arc<Health>,
    request_timeout: Duration,
    waiting: Waiting,
    scan: ScanConfig,
    pools: Pools,
    bodies: Bodies,
    watchers: Watchers,
    metrics: HttpMetrics,
    registry: Registry,
}

/// Where the process is between its start and its end.
#[derive(Debug, Default)]
pub struct Health {
    started: AtomicBool,
    stopping: CancellationToken,
}

/// One of the two listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// Look-ups and status.
    Data,
    /// Probes and metrics.
    Ops,
}

impl AppState {
    /// Joins what the handlers need; `resources` are those the stores of `views` share.
    #[must_use]
    pub fn new(
        views: Arc<Views>,
        resources: Arc<Resources>,
        health: Arc<Health>,
        config: &HttpConfig,
    ) -> Self {
        let metrics = HttpMetrics::default();
        let registry = exposition::registry(&views, resources, &metrics);
        let HttpConfig { request_timeout, ref scan, .. } = *config;
        let (pools, scan) = (Pools::new(scan), scan.clone());
        // Less than the request, so that a client that sends it slowly is told so.
        let bodies = Bodies::new(BODY_TIME_MAX.min(request_timeout / 2));
        let waiting = Waiting::new(config, metrics.waiting(), Arc::clone(&health));
        let watchers = Watchers::new(&config.watch, metrics.watches());
        Self(Arc::new(Shared {
            views,
            health,
            request_timeout,
            waiting,
            scan,
            pools,
            bodies,
            watchers,
            metrics,
            registry,
        }))
    }

    /// Returns the gauge of open connections of a listener.
    #[must_use]
    pub fn connections(&self, listener: Listener) -> Gauge {
        self.0.metrics.connections(listener)
    }

    pub(super) fn views(&self) -> &Views {
        &self.0.views
    }

    /// Returns the view that a path below `/v1/views/` names.
    pub(super) fn view(&self, uri: &Uri) -> Result<&Arc<View>, Problem> {
        self.named(&ask::view_name(uri))
    }

    /// Returns the view that a path below `/admin/v1/views/` names.
    pub(super) fn admin_view(&self, uri: &Uri) -> Result<&Arc<View>, Problem> {
        self.named(&ask::admin_view_name(uri))
    }

    fn named(&self, name: &str) -> Result<&Arc<View>, Problem> {
        let view = self.0.views.get(name);
        view.ok_or_else(|| Problem::new(Code::VIEW_NOT_FOUND, "there is no view of that name; see /v1/views"))
    }

    pub(super) fn health(&self) -> &Health {
        &self.0.health
    }

    /// Returns how long a request may take; what it asks to wait comes on top.
    pub(super) fn time_limit(&self, headers: &HeaderMap) -> Duration {
        let wait = if headers.contains_key(PREFER) { self.0.waiting.longest() } else { Duration::ZERO };
        self.0.request_timeout + wait
    }

    pub(super) fn bodies(&self) -> &Bodies {
        &self.0.bodies
    }

    pub(super) fn waiting(&self) -> &Waiting {
        &self.0.waiting
    }

    pub(super) fn scan(&self) -> &ScanConfig {
        &self.0.scan
    }

    pub(super) fn pools(&self) -> &Pools {
        &self.0.pools
    }

    pub(super) fn watchers(&self) -> &Watchers {
        &self.0.watchers
    }

    pub(super) fn metrics(&self) -> &HttpMetrics {
        &self.0.metrics
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.0.registry
    }
}

impl Health {
    /// Returns whether all stores are open.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    /// Takes notice that all stores are open.
    pub fn set_started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// Returns whether the process is about to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Takes notice that the process is about to end: it is not ready from now on, and nobody waits any longer.
    pub fn set_stopping(&self) {
        self.stopping.cancel();
    }

    /// Waits until the process is about to end.
    pub async fn stopping(&self) {
        self.stopping.cancelled().await;
    }
}
