//! Accepting connections and speaking HTTP/1.1 on them.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::{AddrListener, Address, Handle, Server};
use hyper_util::rt::TokioTimer;
use prometheus_client::metrics::gauge::Gauge;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::{Service as _, service_fn};

use crate::config::sections::HttpConfig;

/// Size from which on the head of a request is not waited for any more; a URL of 64 KiB and its headers fit.
///
/// The last read may go beyond it, to less than twice as much.
const HEAD_BYTES_MAX: usize = 80 * 1024;

/// Bounds on what clients can take up.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections open at the same time; further ones wait in the backlog of the listener.
    pub connections_max: usize,
    /// Time to send the head of a request; also how long a connection may be idle.
    pub header_timeout: Duration,
    /// Time for which a client may take nothing of an answer.
    pub write_timeout: Duration,
    /// Shows how many connections are open.
    pub connections: Gauge,
}

impl Limits {
    /// Takes the limits of `config`.
    #[must_use]
    pub fn of(config: &HttpConfig, connections: Gauge) -> Self {
        let HttpConfig { connections_max, header_timeout, write_timeout, .. } = *config;
        Self { connections_max, header_timeout, write_timeout, connections }
    }
}

/// Answers requests on `listener` until `stop` is cancelled, and lets those in flight end within `grace`.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(
    listener: std::net::TcpListener,
    router: Router,
    limits: &Limits,
    stop: CancellationToken,
    grace: Duration,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = CappedListener {
        listener: TcpListener::from_std(listener)?,
        slots: Arc::new(Semaphore::new(limits.connections_max.min(Semaphore::MAX_PERMITS))),
        open: limits.connections.clone(),
        write_timeout_ms: limits.write_timeout.as_millis().try_into().unwrap_or(u32::MAX),
    };
    let handle = Handle::new();
    let mut server = Server::from_listener(listener).http1_only().handle(handle.clone());
    // A peer that speaks first in another protocol is refused: looking which one it is has no time limit.
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(HEAD_BYTES_MAX);
    let server =
        server.accept_error_handler(|_, error| tracing::warn!(%error, "connection could not be accepted"));
    let serving = server.serve(service_fn(move |peer: Peer| {
        let mut router = router.clone();
        // The service lives as long as its connection, and so does the slot it holds.
        let service = service_fn(move |request| {
            let _held = &peer;
            router.call(request)
        });
        ready(Ok::<_, Infallible>(service))
    }));
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => return ended,
        () = stop.cancelled() => handle.graceful_shutdown(Some(grace)),
    }
    serving.await
}

/// Accepts a connection only when there is a slot for it.
#[derive(Debug)]
struct CappedListener {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    open: Gauge,
    write_timeout_ms: u32,
}

/// Other side of a connection: the slot the connection takes up; none for the listener itself.
#[derive(Debug, Clone)]
struct Peer {
    _slot: Option<Arc<Slot>>,
}

#[derive(Debug)]
struct Slot {
    open: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Slot {
    fn new(open: Gauge, permit: OwnedSemaphorePermit) -> Self {
        open.inc();
        Self { open, _permit: permit }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.open.dec();
    }
}

impl Address for Peer {
    type Stream = TcpStream;
    type Listener = CappedListener;
}

impl AddrListener<TcpStream, Peer> for CappedListener {
    fn bind_to(_: Peer) -> impl Future<Output = io::Result<Self>> + Send {
        ready(Err(io::Error::from(io::ErrorKind::Unsupported)))
    }

    async fn accept_stream(&self) -> io::Result<(TcpStream, Peer)> {
        let permit = Arc::clone(&self.slots).acquire_owned().await.map_err(io::Error::other)?;
        let stream = loop {
            match self.listener.accept().await {
                Ok((stream, _)) => break stream,
                // The client has gone already; any other error makes the server wait before the next attempt.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        };
        // An answer that comes a little later, or a client that is hung up on late, is no reason to refuse it.
        let _ = stream.set_nodelay(true);
        // The kernel ends a connection whose other side takes nothing for that long.
        let _ = set_tcp_user_timeout(&stream, self.write_timeout_ms);
        let slot = Slot::new(self.open.clone(), permit);
        Ok((stream, Peer { _slot: Some(Arc::new(slot)) }))
    }

    fn get_local_addr(&self) -> io::Result<Peer> {
        self.listener.local_addr().map(|_| Peer { _slot: None })
    }
}
