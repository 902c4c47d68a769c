//! What the service is compared with: the same client and the same server, doing nothing with what they get.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use prometheus_client::metrics::gauge::Gauge;
use statusquo::config::{self, Config};
use statusquo::http::{self, AppState, Health, Limits};
use statusquo::kafka::{Cluster, KafkaSource};
use statusquo::source::{Event, Source, Start};
use statusquo::store::Resources;
use statusquo::view::Views;
use tokio_util::sync::CancellationToken;

fn config(bootstrap: &str, topic: &str) -> Config {
    let set = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let flags = [set("kafka.bootstrap", bootstrap), set("views.users.topic", topic)];
    config::load(&[], std::iter::empty(), &flags)
        .map_err(|problems| problems.to_string())
        .unwrap()
        .into_config()
}

/// Fetches the whole topic and touches each record once, at most `pace` of them a second; prints the records seen.
pub fn consume(bootstrap: &str, topic: &str, pace: Option<f64>) {
    let config = config(bootstrap, topic);
    let cluster = Arc::new(Cluster::new(&config.kafka, "noop", CancellationToken::new()).unwrap());
    let state = loop {
        if let Ok(state) = cluster.observe(topic) {
            break state;
        }
    };
    let mut source = KafkaSource::new(&config.kafka, topic, "noop", &cluster);
    let mut left: BTreeMap<_, _> = BTreeMap::new();
    for (partition, log) in &state.partitions {
        let start = Start { topic_id: state.topic_id, position: log.start, epoch: None };
        source.assign(*partition, start);
        left.insert(*partition, log.end);
    }
    let (mut records, mut bytes, begun) = (0_u64, 0, Instant::now());
    while !left.is_empty() {
        source.poll(Duration::from_millis(100), &mut |event| {
            match event {
                Event::Record(record) => {
                    records += 1;
                    bytes += record.value.map_or(0, <[u8]>::len);
                }
                Event::End { partition, .. } => drop(left.remove(&partition)),
                Event::Failed { failure, .. } => panic!("{failure:?}"),
            }
            ControlFlow::Continue(())
        });
        if let Some(pace) = pace {
            let due = begun + Duration::from_secs_f64(records as f64 / pace);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    println!("{records} {bytes} {}", crate::machine::cpu_seconds(std::process::id()));
}

/// Events that a watch sends at once.
const EVENTS: usize = 128;

/// Sends as many events as are asked for, the same bytes again and again.
async fn watch(RawQuery(query): RawQuery) -> impl IntoResponse {
    let count: usize = query.unwrap().strip_prefix("events=").unwrap().parse().unwrap();
    let profile = crate::load::profile(1);
    let event = format!(
        "event: put\ndata: {{\"key\":\"u12345\",\"value\":{profile},\"partition\":3,\"offset\":123456}}\n\n"
    );
    let piece = Bytes::from(event.repeat(EVENTS));
    let pieces = stream::iter((0..count.div_ceil(EVENTS)).map(move |_| Ok::<_, Infallible>(piece.clone())));
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(pieces))
}

/// Head of the answer to a look-up, as long as a real one: the load generator and the kernel share the processors
/// with the server, and their work is not what a look-up costs.
const HEAD: [(&str, &str); 9] = [
    ("content-type", "application/json"),
    ("etag", "\"8KT_TqHZ.1.199490.1764049320723.j\""),
    ("cache-control", "private, no-cache"),
    ("vary", "Accept, Accept-Encoding, Prefer, Read-After, Read-Consistency"),
    ("record-partition", "1"),
    ("record-offset", "199490"),
    ("record-timestamp", "2026-11-25T05:42:00.723Z"),
    ("view-position", "v1=1:249262;t=8KT_TqHZ"),
    ("view-status", "state=live, lag=0, staleness=0.4, generation=8"),
];
const VALUE: &[u8] = &[b'x'; 256];

async fn answer() -> Response {
    let mut response = Response::new(Body::from(VALUE));
    let head = HEAD.map(|(name, text)| (HeaderName::from_static(name), HeaderValue::from_static(text)));
    response.headers_mut().extend(head);
    response
}

/// Answers every look-up with the same head and the same 256 bytes, behind all the layers a real one passes.
pub fn serve(address: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listener = std::net::TcpListener::bind(address).unwrap();
    listener.set_nonblocking(true).unwrap();
    let config = config("127.0.0.1:1", "users");
    let resources = Arc::new(Resources::new(&config.store, 1).unwrap());
    let health = Arc::new(Health::default());
    let state = AppState::new(Arc::new(Views::new()), resources, health, &config.http);
    let noop = Router::new()
        .route("/noop/views/users/keys/{key}", get(answer))
        .route("/noop/views/users/watch", get(watch));
    let router = http::data_router(&state, noop);
    let limits = Limits::of(&config.http, Gauge::default());
    let server = http::serve(listener, router, &limits, CancellationToken::new(), Duration::from_secs(1));
    runtime.block_on(server).unwrap();
}
