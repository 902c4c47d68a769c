//! The read side: look-ups and status on the data listener, probes and metrics on the ops listener.
//!
//! Handlers are pure in (request, view). An error is a [`Problem`]; [`Code`] is the one table of what can go
//! wrong and of the statuses it is told with. Keys and values never appear in an error, a log line or a label.

mod about;
mod admin;
mod ask;
mod batch;
mod code;
mod compression;
mod condition;
mod consistency;
mod cursor;
mod decimal;
mod describe;
mod docs;
mod document;
mod entry_document;
mod exposition;
mod fallback;
mod guard;
mod header_text;
mod json_body;
mod key;
mod long_poll;
mod lookup;
mod many;
mod metrics;
mod ndjson;
mod observe;
mod openapi;
mod ops;
mod patience;
mod percent;
mod pool;
mod problem;
mod query;
mod representation;
mod request_id;
mod scan;
mod server;
mod state;
mod watch;

use axum::{Extension, Router};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use crate::config::sections::OpsConfig;

pub use code::Code;
pub use problem::Problem;
pub use server::{Limits, serve};
pub use state::{AppState, Health, Listener};

/// Makes the router of the data listener; `page` answers `/` and whatever it needs beside.
///
/// `page` must have no fallback of its own.
pub fn data_router(state: &AppState, page: Router) -> Router {
    let (routes, _) = data_routes().split_for_parts();
    finish(routes.merge(docs::router()).with_state(state.clone()).merge(page), state)
}

/// Makes the router of the ops listener; `config` says whether rebuilds can be asked for there.
pub fn ops_router(state: &AppState, config: &OpsConfig) -> Router {
    let (routes, _) = ops_routes(config).split_for_parts();
    finish(routes.with_state(state.clone()), state)
}

/// Every path has its description beside its handler.
fn data_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(describe::views))
        .routes(routes!(describe::view))
        .routes(routes!(describe::status))
        .routes(routes!(lookup::by_path))
        .routes(routes!(lookup::by_query, batch::look_up))
        .routes(routes!(scan::entries))
        .routes(routes!(watch::watch))
        .merge(documents(&openapi::OF_DATA))
}

fn ops_routes(config: &OpsConfig) -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(ops::livez))
        .routes(routes!(ops::readyz))
        .routes(routes!(ops::startupz))
        .routes(routes!(ops::metrics))
        .merge(documents(&openapi::OF_OPS))
        .merge(admin::routes(config))
}

/// What a listener says of itself and of its errors.
fn documents(interface: &'static openapi::Written) -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(describe::all_problems))
        .routes(routes!(describe::problem))
        .routes(routes!(openapi::describe).layer(Extension(interface)))
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
