//! The read side: look-ups and status on the data listener, probes and metrics on the ops listener.
//!
//! Handlers are pure in (request, view). An error is a [`Problem`]; [`Code`] is the one table of what can go
//! wrong and of the statuses it is told with. Keys and values never appear in an error, a log line or a label.

mod about;
mod admin;
mod ask;
mod code;
mod condition;
mod consistency;
mod describe;
mod document;
mod entry_document;
mod exposition;
mod fallback;
mod guard;
mod header_text;
mod key;
mod long_poll;
mod lookup;
mod metrics;
mod observe;
mod ops;
mod patience;
mod percent;
mod problem;
mod query;
mod representation;
mod request_id;
mod server;
mod state;

use axum::Router;
use axum::routing::get;

use crate::config::sections::OpsConfig;

pub use code::Code;
pub use problem::Problem;
pub use server::{Limits, serve};
pub use state::{AppState, Health, Listener};

/// Makes the router of the data listener; `page` answers `/` and whatever it needs beside.
///
/// `page` must have no fallback of its own.
pub fn data_router(state: &AppState, page: Router) -> Router {
    let routes = Router::new()
        .route("/v1/views", get(describe::views))
        .route("/v1/views/{view}", get(describe::view))
        .route("/v1/views/{view}/status", get(describe::status))
        .route("/v1/views/{view}/keys/{key}", get(lookup::by_path))
        .route("/v1/views/{view}/lookup", get(lookup::by_query))
        .route("/problems", get(describe::problems))
        .route("/problems/{code}", get(describe::problem))
        .with_state(state.clone());
    finish(routes.merge(page), state)
}

/// Makes the router of the ops listener; `config` says whether rebuilds can be asked for there.
pub fn ops_router(state: &AppState, config: &OpsConfig) -> Router {
    let routes = Router::new()
        .route("/livez", get(ops::livez))
        .route("/readyz", get(ops::readyz))
        .route("/startupz", get(ops::startupz))
        .route("/metrics", get(ops::metrics))
        .with_state(state.clone());
    finish(routes.merge(admin::router(state, config)), state)
}

/// Order matters: the layer goes around everything there is by then, the fallbacks included.
fn finish(routes: Router, state: &AppState) -> Router {
    routes
        .method_not_allowed_fallback(fallback::method_not_allowed)
        .fallback(fallback::not_found)
        .layer(observe::Observe::new(state))
}

#[cfg(test)]
mod tests;
