//! What strangers send never has the service allocate more than a small multiple of it.
//!
//! A binary of its own: it counts every allocation of the process, and nothing else may run beside.

#![allow(unsafe_code, reason = "an allocator that counts is one that is asked instead of the system's")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected stops, and says where"
)]

#[path = "../fixtures/corpus/lines.rs"]
mod corpus;
mod counting;
mod inputs;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderValue, Request, StatusCode, Uri};
use statusquo::config::sections::{HttpConfig, StoreConfig, ViewConfig};
use statusquo::config::view_name::ViewName;
use statusquo::http::{AppState, Health, data_router};
use statusquo::progress::{Progress, TroubleCode, Unknown};
use statusquo::store::{Resources, Store};
use statusquo::view::{View, Views};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt as _;

use self::counting::{alone, peak_of};

/// Room for the answer, and for what a request costs whatever stands in it.
const BASE_BYTES: usize = 16 * 1024;
/// Room for each byte of input: it is copied, decoded, and looked up.
const PER_BYTE: usize = 4;
/// Changed copies of each line.
const MUTATIONS: usize = 60;

/// Where an input goes: a path, or a header of a look-up.
enum Place {
    Target(&'static str, &'static str),
    Header(&'static str),
}

use Place::{Header, Target};

const PLACES: [(&str, Place); 14] = [
    ("key", Target("/v1/views/v/keys/", "")),
    ("key", Target("/v1/views/v/lookup?key=", "")),
    ("key", Target("/v1/views/v/lookup?enc=base64url&key=", "")),
    ("key", Target("/v1/views/v/lookup?enc=hex&key=", "")),
    ("key", Target("/v1/views/v/lookup?enc=i64&key=", "")),
    ("key", Target("/v1/views/", "/status")),
    ("accept", Header("accept")),
    ("prefer", Header("prefer")),
    ("position", Header("read-after")),
    ("position", Target("/v1/views/v/keys/u1?read_after=", "")),
    ("position", Target("/v1/views/v/watch?initial=none&from=", "")),
    ("etag", Header("if-none-match")),
    ("range", Target("/v1/views/v/entries?", "")),
    ("cursor", Target("/v1/views/v/entries?cursor=", "")),
];

/// An empty view `v`, of which no partition is known.
fn service(dir: &TempDir, progress: &Arc<Progress>) -> Router {
    let resources = Arc::new(Resources::new(&StoreConfig::default(), 1).unwrap());
    let store = Store::open(dir.path(), "profiles", &resources, 1).unwrap().store;
    let config: ViewConfig = toml::from_str("topic = 'profiles'").unwrap();
    let name: ViewName = "v".parse().unwrap();
    let view = View::new(name.clone(), config, store, Arc::clone(progress), Duration::ZERO);
    let views: Views = [(name, Arc::new(view))].into();
    let http = HttpConfig { wait_max: Duration::ZERO, ..HttpConfig::default() };
    let state = AppState::new(Arc::new(views), resources, Arc::new(Health::default()), &http);
    data_router(&state, Router::new())
}

/// Says that no broker tells how far the log reaches, for as long as what it returns lives.
fn no_broker(progress: &Arc<Progress>) -> DropGuard {
    let stop = CancellationToken::new();
    let (progress, stopped) = (Arc::clone(progress), stop.clone());
    std::thread::spawn(move || {
        while !stopped.is_cancelled() {
            if let Some(question) = progress.log_ends().next(Duration::from_millis(50)) {
                question.answer(Err(Unknown { code: TroubleCode::BrokerUnreachable, detail: String::new() }));
            }
        }
    });
    stop.drop_guard()
}

/// Makes a request; none of what is no URL or no value of a header.
fn request(place: &Place, input: &[u8]) -> Option<Request<Body>> {
    match place {
        Target(before, after) => {
            let target = [before.as_bytes(), input, after.as_bytes()].concat();
            let target = Uri::from_maybe_shared(target).ok()?;
            Some(Request::get(target).body(Body::empty()).unwrap())
        }
        Header(name) => {
            let value = HeaderValue::from_bytes(input).ok()?;
            Some(Request::get("/v1/views/v/keys/u1").header(*name, value).body(Body::empty()).unwrap())
        }
    }
}

/// FAULTS row 50.
#[test]
fn no_input_has_more_allocated_than_a_small_multiple_of_itself() {
    let _alone = alone();
    let dir = TempDir::new().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut random = fastrand::Rng::with_seed(1);
    let (mut sent, mut refused) = (0, 0);
    let progress = Arc::new(Progress::default());
    let _asked = no_broker(&progress);
    let router = service(&dir, &progress);
    let mut send = |place: &Place, input: &[u8]| {
        let Some(request) = request(place, input) else { return };
        let (answer, peak) = peak_of(|| runtime.block_on(router.clone().oneshot(request)).unwrap());
        sent += 1;
        refused += usize::from(answer.status() == StatusCode::BAD_REQUEST);
        assert!(
            peak <= BASE_BYTES + PER_BYTE * input.len(),
            "{peak} bytes for {} of input: {}",
            input.len(),
            String::from_utf8_lossy(&input[..input.len().min(200)])
        );
    };
    // What is made once is made now.
    send(&Header("accept"), b"*/*");
    for (name, place) in &PLACES {
        for line in corpus::corpus(name) {
            send(place, &line);
            for _ in 0..MUTATIONS {
                send(place, &inputs::mutated(&line, &mut random));
            }
        }
    }
    assert!(sent > 5_000 && refused > 1_000, "{sent} sent, {refused} refused");
}
