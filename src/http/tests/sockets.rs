//! The real server, spoken to over sockets byte by byte.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use prometheus_client::metrics::gauge::Gauge;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::fixture::Fixture;
use crate::http::{Limits, Listener, serve};

/// Bound on waiting for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);
const GET: &str = "GET /v1/views/users/keys/u1 HTTP/1.1\r\nhost: x\r\n\r\n";

struct Served {
    address: SocketAddr,
    stop: CancellationToken,
    connections: Gauge,
    ended: JoinHandle<std::io::Result<()>>,
    _fixture: Fixture,
}

#[derive(Clone, Copy)]
struct Options {
    connections_max: usize,
    header_timeout: Duration,
    grace: Duration,
}

const USUAL: Options = Options { connections_max: 1000, header_timeout: PATIENCE, grace: PATIENCE };

fn start(options: Options, more: Router) -> Served {
    let mut fixture = Fixture::users();
    fixture.put(b"u1", Some(b"1"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connections = fixture.state.connections(Listener::Data);
    let Options { connections_max, header_timeout, grace } = options;
    let limits =
        Limits { connections_max, header_timeout, write_timeout: PATIENCE, connections: connections.clone() };
    let stop = CancellationToken::new();
    let router = fixture.data().merge(more);
    let stopped = stop.clone();
    let ended = tokio::spawn(async move { serve(listener, router, &limits, stopped, grace).await });
    Served { address, stop, connections, ended, _fixture: fixture }
}

struct Client(TcpStream);

impl Served {
    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends everything at once and returns all that comes back until the server closes.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut client = self.connect().await;
        // A server may close before it has read everything.
        let _ = client.0.write_all(bytes).await;
        client.rest().await
    }
}

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads until `end` has come.
    async fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            let byte = tokio::time::timeout(PATIENCE, self.0.read_u8()).await.expect("an answer in time");
            text.push(byte.expect("more of an answer"));
        }
        String::from_utf8(text).unwrap()
    }

    async fn rest(&mut self) -> String {
        let mut text = Vec::new();
        // A reset is an end as well.
        let _ = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut text)).await.expect("an end in time");
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// FAULTS row 48.
#[tokio::test]
async fn a_half_sent_request_is_closed_and_others_are_answered_meanwhile() {
    let options = Options { header_timeout: Duration::from_millis(300), ..USUAL };
    let served = start(options, Router::new());
    let mut halves = Vec::new();
    for _ in 0..200 {
        let mut client = served.connect().await;
        client.send("GET /v1/views HTTP/1.1\r\nhost: x\r\nx-slow: ").await;
        halves.push(client);
    }
    let mut silent = served.connect().await;
    let mut client = served.connect().await;
    client.send(GET).await;
    assert!(client.until("\r\n\r\n1").await.starts_with("HTTP/1.1 200 OK\r\n"));
    for mut half in halves {
        assert!(!half.rest().await.contains(" 200 "));
    }
    assert_eq!(silent.rest().await, "");
    assert_eq!(client.rest().await, "", "an idle connection is closed as well");
}

/// FAULTS row 51.
#[tokio::test]
async fn further_connections_wait_for_a_slot() {
    let served = start(Options { connections_max: 1, ..USUAL }, Router::new());
    let mut first = served.connect().await;
    first.send(GET).await;
    first.until("\r\n\r\n1").await;
    let mut second = served.connect().await;
    second.send(GET).await;
    first.send(GET).await;
    first.until("\r\n\r\n1").await;
    assert_eq!(served.connections.get(), 1);
    drop(first);
    second.until("\r\n\r\n1").await;
    assert_eq!(served.connections.get(), 1);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let served = start(USUAL, Router::new());
    let last = "GET /v1/views/nobody HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answers = served.exchange(format!("{GET}{GET}{last}").as_bytes()).await;
    let statuses: Vec<_> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "200", "404"]);
}

/// FAULTS rows 49 and 52.
#[tokio::test]
async fn odd_requests_get_a_4xx_and_never_a_5xx() {
    let served = start(USUAL, Router::new());
    let path = "/v1/views/users/keys/u1";
    let many = "x: y\r\n".repeat(150);
    let long = "k".repeat(70 * 1024);
    let wide = "y".repeat(300 * 1024);
    for (request, status) in [
        (format!("GET {path} HTTP/1.0\r\n\r\n"), "200"),
        (format!("GET http://elsewhere{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"), "200"),
        (format!("GET {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc"), "200"),
        (format!("POST {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc"), "405"),
        // Bodies that never come are not waited for.
        (format!("GET {path} HTTP/1.1\r\ncontent-length: 1000000\r\n\r\nabc"), "200"),
        (format!("POST {path} HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"), "405"),
        (format!("GET {path} HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n"), "200"),
        ("OPTIONS * HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned(), "404"),
        ("CONNECT x:1 HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned(), "404"),
        ("GET /v1/../v1/views HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned(), "404"),
        (format!("GET {path} HTTP/1.1\r\n{many}\r\n"), "431"),
        (format!("GET {path} HTTP/1.1\r\nx: {wide}\r\n\r\n"), "431"),
        (format!("GET /v1/views/users/keys/{long} HTTP/1.1\r\n\r\n"), "414"),
        ("hello\r\n\r\n".to_owned(), "400"),
        (format!("GET {path} HTTP/1.1\r\nbad header\r\n\r\n"), "400"),
        (format!("GET {path} HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"), "400"),
        ("\u{16}\u{3}\u{1}\0\u{5}\r\n\r\n".to_owned(), "400"),
    ] {
        let answer = served.exchange(request.as_bytes()).await;
        let line = answer.lines().next().unwrap_or_default();
        let start: String = request.chars().take(60).collect();
        assert_eq!(line.split(' ').nth(1).unwrap_or_default(), status, "{start:?}: {line}");
    }
    let http2 = served.exchange(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(http2, "", "a client that insists on HTTP/2 is hung up on");
    let raw = [&b"GET /v1/views/users/keys/\xff HTTP/1.1\r\nconnection: close\r\n\r\n"[..]].concat();
    assert!(served.exchange(&raw).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn stopping_ends_idle_connections_and_lets_requests_in_flight_end() {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (inside, gate) = (Arc::clone(&entered), Arc::clone(&release));
    let waiting = Router::new().route(
        "/wait",
        get(async move || {
            inside.notify_one();
            gate.notified().await;
            "done"
        }),
    );
    let served = start(USUAL, waiting);
    let mut idle = served.connect().await;
    idle.send(GET).await;
    idle.until("\r\n\r\n1").await;
    let mut busy = served.connect().await;
    busy.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await;
    entered.notified().await;
    served.stop.cancel();
    assert_eq!(idle.rest().await, "");
    assert!(TcpStream::connect(served.address).await.is_err(), "nothing is accepted any more");
    release.notify_one();
    let answer = busy.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("done"), "{answer}");
    tokio::time::timeout(PATIENCE, served.ended).await.unwrap().unwrap().unwrap();
    assert_eq!(served.connections.get(), 0);
}

#[tokio::test]
async fn stopping_waits_no_longer_than_its_grace() {
    let options = Options { grace: Duration::from_millis(50), ..USUAL };
    let served = start(options, Router::new());
    let mut half = served.connect().await;
    half.send("GET /slow HTTP/1.1\r\nhost: x\r\n").await;
    let mut busy = served.connect().await;
    busy.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut idle = served.connect().await;
    idle.send(GET).await;
    idle.until("\r\n\r\n1").await;
    served.stop.cancel();
    tokio::time::timeout(Duration::from_secs(4), served.ended).await.unwrap().unwrap().unwrap();
    assert_eq!((half.rest().await, busy.rest().await), (String::new(), String::new()));
}
