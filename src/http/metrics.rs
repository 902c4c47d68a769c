//! What the listeners count.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::exposition::names;
use super::state::Listener;
use super::watch::WatchMetrics;

/// Upper bounds of request times in seconds: from a cached read to the time limit.
const REQUEST_SECONDS: [f64; 10] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1, 1.0, 10.0];

/// Labels are routes as they are written in the router, so keys never get here and labels stay few.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabels {
    listener: &'static str,
}

/// What the listeners count; clones share their numbers.
#[derive(Debug, Clone)]
pub(super) struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    connections: Family<ListenerLabels, Gauge>,
    waiting: Gauge,
    watches: WatchMetrics,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS)),
            connections: Family::default(),
            waiting: Gauge::default(),
            watches: WatchMetrics::default(),
        }
    }
}

impl HttpMetrics {
    /// Counts one request.
    pub(super) fn record(&self, route: &str, status: u16, seconds: f64) {
        let labels = RequestLabels { route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        self.seconds.get_or_create(&RouteLabels { route: labels.route }).observe(seconds);
    }

    /// Returns the gauge of open connections of a listener.
    pub(super) fn connections(&self, listener: Listener) -> Gauge {
        let listener = match listener {
            Listener::Data => "data",
            Listener::Ops => "ops",
        };
        self.connections.get_or_create(&ListenerLabels { listener }).clone()
    }

    /// Returns the gauge of requests that wait.
    pub(super) fn waiting(&self) -> Gauge {
        self.waiting.clone()
    }

    /// Returns what watches count.
    pub(super) fn watches(&self) -> WatchMetrics {
        self.watches.clone()
    }

    /// Adds the metrics to what a scrape shows.
    pub(super) fn register(&self, registry: &mut Registry) {
        names::HTTP_REQUESTS.register(registry, self.requests.clone());
        names::HTTP_REQUEST_SECONDS.register(registry, self.seconds.clone());
        names::HTTP_CONNECTIONS.register(registry, self.connections.clone());
        names::HTTP_WAITING.register(registry, self.waiting.clone());
        self.watches.register(registry);
    }
}
