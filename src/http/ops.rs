//! Probes and metrics.

use std::fmt::Write as _;

use axum::extract::{Request, State};
use axum::response::Response;
use prometheus_client::encoding::text;
use serde::Serialize;
use utoipa::ToSchema;

use super::code::{Code, PROBE_FAILED};
use super::document;
use super::openapi::{answers, parameters, problems};
use super::problem::Problem;
use super::state::AppState;
use crate::view::View;

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a probe found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProbeVerdict)]
pub(super) struct Verdict<'a> {
    ok: bool,
    /// Why not, where it is about the process.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    views: Vec<ViewVerdict<'a>>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ViewVerdict<'a> {
    view: &'a str,
    required: bool,
    ready: bool,
    reason: Option<&'static str>,
    detail: Option<String>,
}

/// Tells whether requests are answered at all; never about Kafka or lag.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "operations",
    operation_id = "isAlive",
    params(parameters::Verbose),
    responses(answers::Probe, problems::Anywhere)
)]
pub(super) async fn livez(request: Request) -> Result<Response, Problem> {
    answer(&request, &Verdict { ok: true, reason: None, views: Vec::new() })
}

/// Tells whether all stores are open.
#[utoipa::path(
    get,
    path = "/startupz",
    tag = "operations",
    operation_id = "hasStarted",
    params(parameters::Verbose),
    responses(answers::Probe, problems::Anywhere)
)]
pub(super) async fn startupz(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let ok = state.health().is_started();
    answer(&request, &Verdict { ok, reason: (!ok).then_some("starting"), views: Vec::new() })
}

/// Tells whether every required view may be asked.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    operation_id = "isReady",
    params(parameters::Verbose),
    responses(answers::Probe, problems::Anywhere)
)]
pub(super) async fn readyz(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let stopping = state.health().is_stopping();
    let views: Vec<_> = state.views().values().map(|view| verdict(view)).collect();
    let ok = !stopping && views.iter().all(|view| view.ready || !view.required);
    answer(&request, &Verdict { ok, reason: stopping.then_some("stopping"), views })
}

/// Shows the metrics in the text of OpenMetrics.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operations",
    operation_id = "showMetrics",
    responses(answers::Metrics, problems::Anywhere)
)]
pub(super) async fn metrics(State(state): State<AppState>) -> Result<Response, Problem> {
    let mut out = String::new();
    text::encode(&mut out, state.registry())
        .map_err(|_| Problem::new(Code::INTERNAL, "the metrics could not be written"))?;
    Ok(document::with_type(OPEN_METRICS, out))
}

fn verdict(view: &View) -> ViewVerdict<'_> {
    let (name, required) = (view.name().as_str(), view.config().required);
    match view.ready() {
        Ok(()) => ViewVerdict { view: name, required, ready: true, reason: None, detail: None },
        Err(not_ready) => ViewVerdict {
            view: name,
            required,
            ready: false,
            reason: Some(not_ready.reason),
            detail: Some(not_ready.detail),
        },
    }
}

/// Parameters a probe does not know are passed over: a probe must not fail for how it is written.
fn answer(request: &Request, verdict: &Verdict<'_>) -> Result<Response, Problem> {
    let pieces = request.uri().query().unwrap_or_default().split('&');
    let is_verbose = pieces.into_iter().any(|piece| piece == "verbose" || piece.starts_with("verbose="));
    let mut response = match is_verbose {
        true => document::json(verdict)?,
        false => document::with_type(TEXT, in_words(verdict)),
    };
    if !verdict.ok {
        *response.status_mut() = PROBE_FAILED;
    }
    Ok(response)
}

/// `ok`, or a line for the process and for each required view that is not ready.
fn in_words(verdict: &Verdict<'_>) -> String {
    if verdict.ok {
        return "ok\n".to_owned();
    }
    let mut text = verdict.reason.map(|reason| format!("{reason}\n")).unwrap_or_default();
    for view in verdict.views.iter().filter(|view| view.required && !view.ready) {
        let (reason, detail) = (view.reason.unwrap_or_default(), view.detail.as_deref().unwrap_or_default());
        // Cannot fail: a string takes everything.
        let _ = writeln!(text, "{}: {reason}: {detail}", view.view);
    }
    text
}
