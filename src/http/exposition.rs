//! What a scrape shows.

mod describe;
pub(super) mod names;
mod process;
mod views;

use std::sync::Arc;

use prometheus_client::registry::Registry;

use self::process::ProcessCollector;
use self::views::ViewCollector;
use super::metrics::HttpMetrics;
use crate::store::Resources;
use crate::view::Views;

/// Gathers what a scrape shows; views and process are read at scrape time.
pub(super) fn registry(views: &Arc<Views>, resources: Arc<Resources>, http: &HttpMetrics) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(ViewCollector::new(Arc::clone(views), resources)));
    http.register(&mut registry);
    registry.register_collector(Box::new(ProcessCollector::default()));
    registry
}
