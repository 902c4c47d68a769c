//! A small HTTP client with short timeouts.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{ClientBuilder, RequestBuilder, StatusCode, Url, redirect};
use serde::Serialize;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::exit::{Exit, Failure};
use super::problem;
use crate::config::Secret;

/// Bound on one request; a service that works answers in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// Bound on connecting.
    pub(super) connect: Duration,
    /// Bound on the whole request.
    pub(super) request: Duration,
}

/// Bound on an answer without an end; the client has none that is longer.
const ENDLESS: Duration = Duration::from_secs(365 * 24 * 3600);
/// Longest silence within such an answer: the service says something every 15 s unless told otherwise.
const SILENCE_MAX: Duration = Duration::from_secs(90);

/// Asks one service.
pub(super) struct Client {
    runtime: Runtime,
    http: reqwest::Client,
    base: Url,
}

/// What the service said.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What goes with a request for an answer that is handed on as it arrives.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head<'a> {
    pub(super) accept: Option<&'static str>,
    /// The last event that came before.
    pub(super) last_event_id: Option<&'a str>,
    /// How long the service may wait before it answers.
    pub(super) wait: Option<Duration>,
}

impl Timeouts {
    /// For a person who waits.
    pub(super) const COMMAND: Self =
        Self { connect: Duration::from_secs(2), request: Duration::from_secs(10) };
    /// For a container runtime, which gives a check a few seconds.
    pub(super) const PROBE: Self = Self { connect: Duration::from_secs(1), request: Duration::from_secs(2) };
}

impl Client {
    /// Makes a client of the service at `base`; connects to nothing yet.
    pub(super) fn new(base: &str, timeouts: Timeouts) -> anyhow::Result<Self> {
        let base = parse(base)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let builder = ClientBuilder::new()
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.request)
            .redirect(redirect::Policy::none());
        // Order matters: the provider is there before the client is made. A second one is refused; any does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Without TLS the root certificates are not looked for: a small container has none.
        let builder = if base.scheme() == "https" { builder } else { builder.tls_certs_only([]) };
        let builder = if is_local(&base) { builder.no_proxy() } else { builder };
        Ok(Self { runtime, http: builder.build()?, base })
    }

    /// Asks for `path`, which starts with a slash and may have a query.
    pub(super) fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.send(self.http.get(self.url(path)))
    }

    /// Asks for `path` and lets the service wait for the answer, if that is asked for; as much comes on top of the
    /// usual bound.
    pub(super) fn get_within(&self, path: &str, wait: Option<Duration>) -> Result<Answer, Failure> {
        let request = waiting(self.http.get(self.url(path)), wait);
        self.send(request.timeout(Timeouts::COMMAND.request + wait.unwrap_or_default()))
    }

    /// Asks for `path` and hands the body on as it arrives. It may take as long as it likes, but not pause for long.
    ///
    /// # Errors
    /// Those of an answer that is no success, of the connection, and of `take`.
    pub(super) fn stream(
        &self,
        path: &str,
        head: Head<'_>,
        mut take: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let silent = || Failure::new(Exit::Temporary, format!("{} does not answer in time", self.base));
        let mut request = waiting(self.http.get(self.url(path)), head.wait).timeout(ENDLESS);
        for (name, value) in [("accept", head.accept), ("last-event-id", head.last_event_id)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let first = Timeouts::COMMAND.request + head.wait.unwrap_or_default();
        self.runtime.block_on(async {
            let response = timeout(first, request.send()).await.map_err(|_| silent())?;
            let mut response = response.map_err(|error| self.unreachable(&error))?;
            if !response.status().is_success() {
                let (status, headers) = (response.status(), response.headers().clone());
                let body = response.bytes().await.map_err(|error| self.unreachable(&error))?;
                problem::check(Answer { status, headers, body })?;
                return Ok(());
            }
            loop {
                let chunk = timeout(SILENCE_MAX, response.chunk()).await.map_err(|_| silent())?;
                match chunk.map_err(|error| self.unreachable(&error))? {
                    Some(chunk) => take(&chunk)?,
                    None => return Ok(()),
                }
            }
        })
    }

    /// Asks for `path` with a token, if there is one.
    pub(super) fn get_as(&self, path: &str, token: Option<&Secret>) -> Result<Answer, Failure> {
        self.send(with_token(self.http.get(self.url(path)), token))
    }

    /// Posts a JSON document to `path` with a token, if there is one.
    pub(super) fn post_as(
        &self,
        path: &str,
        token: Option<&Secret>,
        document: &impl Serialize,
    ) -> Result<Answer, Failure> {
        self.send(with_token(self.http.post(self.url(path)).json(document), token))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str().trim_end_matches('/'))
    }

    fn send(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        let exchange = async {
            let response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok(Answer { status, headers, body: response.bytes().await? })
        };
        self.runtime.block_on(exchange).map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let base = self.base.as_str().trim_end_matches('/');
        let text = if error.is_connect() {
            let cause = innermost(error);
            format!("cannot connect to {base}: {cause}; is the service running? --url names another address")
        } else if error.is_timeout() {
            format!("{base} does not answer in time")
        } else {
            format!("{base} does not speak HTTP as expected: {}", innermost(error))
        };
        Failure::new(Exit::Temporary, text)
    }
}

fn waiting(request: RequestBuilder, wait: Option<Duration>) -> RequestBuilder {
    match wait {
        Some(wait) => request.header("prefer", format!("wait={}", wait.as_secs())),
        None => request,
    }
}

fn with_token(request: RequestBuilder, token: Option<&Secret>) -> RequestBuilder {
    match token {
        Some(token) => request.bearer_auth(token.expose()),
        None => request,
    }
}

fn parse(base: &str) -> Result<Url, Failure> {
    let usable = Url::parse(base).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
    });
    usable.ok_or_else(|| {
        Failure::new(Exit::Usage, format!("'{base}' is not the address of a service; write http://host:port"))
    })
}

fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// The outer errors only say that a request failed.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_scheme_and_host() {
        for good in ["http://127.0.0.1:8080", "https://status.example/prefix/", "http://[::1]:1"] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in ["127.0.0.1:8080", "localhost:8080", "ftp://h", "http://", "http://h?x=1", ""] {
            let failure = parse(bad).unwrap_err();
            assert_eq!(failure.exit, Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn a_proxy_is_never_asked_for_this_machine() {
        let local = |url| is_local(&Url::parse(url).unwrap());

        assert!(local("http://localhost:1") && local("http://127.0.0.2:1") && local("http://[::1]:1"));
        assert!(!local("http://localhost.example"));
    }

    #[test]
    fn both_schemes_have_a_client() {
        for base in ["http://127.0.0.1:1", "https://127.0.0.1:1"] {
            assert!(Client::new(base, Timeouts::PROBE).is_ok(), "{base}");
        }
    }
}
