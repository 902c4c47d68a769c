//! The outermost layer: request id, time limit, panics, bodies of problems, compression, metrics, access log.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::header::{CONTENT_LENGTH, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method};
use tower::{Layer, Service};

use super::code::Code;
use super::compression::Accepted;
use super::problem::Problem;
use super::request_id::{self, X_REQUEST_ID};
use super::state::AppState;

/// Label of requests that no route matches.
const UNMATCHED: &str = "unmatched";

/// Wraps every route of a router.
#[derive(Debug, Clone)]
pub(super) struct Observe(AppState);

/// A route that is watched.
#[derive(Debug, Clone)]
pub(super) struct Observed<S> {
    inner: S,
    state: AppState,
}

/// What is remembered of a request while it is handled.
struct Seen {
    method: Method,
    route: Option<MatchedPath>,
    id: HeaderValue,
    started: Instant,
}

impl Observe {
    pub(super) fn new(state: &AppState) -> Self {
        Self(state.clone())
    }
}

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { inner, state: self.0.clone() }
    }
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The service that was polled ready is the one to be called; a fresh clone stays behind.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        let state = self.state.clone();
        let seen = Seen::of(&request);
        let limit = state.time_limit(request.headers());
        let accepted = Accepted::of(request.headers());
        let answer = AssertUnwindSafe(async move { inner.call(request).await }).catch_unwind();
        Box::pin(async move {
            let response = match tokio::time::timeout(limit, answer).await {
                Ok(Ok(Ok(response))) => response,
                Ok(Err(_panic)) => seen.panicked().into_response(),
                Err(_elapsed) => timed_out().into_response(),
            };
            let response = accepted.apply(seen.complete(response)).await;
            seen.record(&state, &response);
            Ok(response)
        })
    }
}

impl Seen {
    fn of(request: &Request) -> Self {
        Self {
            method: request.method().clone(),
            route: request.extensions().get().cloned(),
            id: request_id::of(request.headers()),
            started: Instant::now(),
        }
    }

    fn route(&self) -> &str {
        self.route.as_ref().map_or(UNMATCHED, MatchedPath::as_str)
    }

    fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// The panic hook has told where it happened.
    fn panicked(&self) -> Problem {
        tracing::error!(route = self.route(), request = self.id(), "request handler panicked");
        Problem::new(Code::INTERNAL, "the service made a mistake; its log has a line with this request id")
    }

    fn complete(&self, mut response: Response) -> Response {
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            let body = problem.body(self.id());
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
            let body = if self.method == Method::HEAD { Body::empty() } else { body.into() };
            *response.body_mut() = body;
        }
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, self.id.clone());
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }

    fn record(&self, state: &AppState, response: &Response) {
        let seconds = self.started.elapsed().as_secs_f64();
        let status = response.status().as_u16();
        state.metrics().record(self.route(), status, seconds);
        tracing::debug!(
            method = self.method.as_str(),
            route = self.route(),
            status,
            seconds,
            request = self.id(),
            "request answered"
        );
    }
}

fn timed_out() -> Problem {
    Problem::new(Code::OVERLOADED, "the request was not answered within `http.request_timeout`")
}
