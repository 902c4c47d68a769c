//! A view over a real store, and requests to its routers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::middleware::from_fn;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::described;
use crate::batch::Batch;
use crate::config::sections::{
    HttpConfig, KeyFormat, OnPolicyMismatch, OpsConfig, ScanConfig, StoreConfig, ValueFormat, ViewConfig,
    WatchConfig,
};
use crate::config::view_name::ViewName;
use crate::entry::SlotNumber;
use crate::http::{AppState, Health, data_router, ops_router};
use crate::interpretation::latest_value;
use crate::position::{Offset, Position};
use crate::progress::{Bounds, Progress, TopicFacts};
use crate::record::{Record, Timestamp, TimestampKind};
use crate::resume::BuildReason;
use crate::store::{BuildPlan, Opened, Resources, RowEdit, Store, Writer};
use crate::time::Millis;
use crate::topic_id::TopicId;
use crate::view::{View, Views, telling};

/// Tag of the topic of every fixture.
pub(super) const TAG: &str = "AAAAAAAA";

/// Larger values are not kept.
pub(super) const VALUE_BYTES_MAX: u64 = 1024 * 1024;

pub(in crate::http) struct Fixture {
    dir: TempDir,
    pub(super) state: AppState,
    pub(super) health: Arc<Health>,
    pub(super) progress: Arc<Progress>,
    writer: Writer,
    next: i64,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Fixture {
    /// A view `users` with two wanted partitions, neither of them served yet.
    pub(in crate::http) fn restoring(key: KeyFormat, value: ValueFormat) -> Self {
        Self::with_request_timeout(key, value, Duration::from_secs(5))
    }

    /// The same with a time limit of its own.
    pub(super) fn with_request_timeout(
        key: KeyFormat,
        value: ValueFormat,
        request_timeout: Duration,
    ) -> Self {
        Self::open(TempDir::new().unwrap(), key, value, request_timeout)
    }

    /// Text keys and JSON values with limits of its own, not served yet.
    pub(super) fn limited(http: &HttpConfig) -> Self {
        Self::open_with(TempDir::new().unwrap(), KeyFormat::String, ValueFormat::Json, http, 2)
    }

    /// A view `users` that has caught up, with limits on those who watch it.
    pub(super) fn watched(watch: WatchConfig) -> Self {
        let mut fixture = Self::limited(&HttpConfig { watch, ..HttpConfig::default() });
        fixture.catch_up();
        fixture
    }

    /// Text keys and JSON values again, after a restart and with a byte in the middle of every data file turned over.
    pub(super) fn damaged(self) -> Self {
        let dir = self.close();
        for file in std::fs::read_dir(dir.path().join("db")).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "sst") {
                let mut bytes = std::fs::read(&path).unwrap();
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0xff;
                std::fs::write(&path, bytes).unwrap();
            }
        }
        Self::open(dir, KeyFormat::String, ValueFormat::Json, Duration::from_secs(5))
    }

    /// The same records after a restart with other formats.
    pub(super) fn configured(self, key: KeyFormat, value: ValueFormat) -> Self {
        Self::open(self.close(), key, value, Duration::from_secs(5))
    }

    fn close(self) -> TempDir {
        let Self { dir, state, writer, .. } = self;
        writer.close().unwrap();
        drop(state);
        dir
    }

    fn open(dir: TempDir, key: KeyFormat, value: ValueFormat, request_timeout: Duration) -> Self {
        // On a busy machine a page must not end early for the time it took.
        let scan = ScanConfig { page_time_max: Duration::from_secs(600), ..ScanConfig::default() };
        Self::open_with(dir, key, value, &HttpConfig { request_timeout, scan, ..HttpConfig::default() }, 2)
    }

    fn open_with(
        dir: TempDir,
        key: KeyFormat,
        value: ValueFormat,
        http: &HttpConfig,
        partitions: i32,
    ) -> Self {
        let resources = Arc::new(Resources::new(&StoreConfig::default(), 1).unwrap());
        let Opened { store, mut writer, .. } = Store::open(dir.path(), "profiles", &resources, 1).unwrap();
        let progress = Arc::new(Progress::new(Bounds::of(&http.watch)));
        telling::begin(progress.changes(), &store.table());
        for partition in 0..partitions {
            if !store.table().serving().contains_key(&partition) {
                writer.start_build(&plan(partition)).unwrap();
            }
            progress.want(partition).set_log(Position::ZERO, Position::ZERO);
        }
        if let Some(partitions) = u32::try_from(partitions).ok().filter(|count| *count > 0) {
            progress.set_topic(topic(partitions));
        }
        let config = ViewConfig {
            topic: "profiles".into(),
            key,
            value,
            headers: true,
            required: true,
            cache_control: "private, max-age=1".into(),
            max_value_bytes: None,
            on_policy_mismatch: OnPolicyMismatch::Warn,
        };
        let name: ViewName = "users".parse().unwrap();
        let view = View::new(name.clone(), config, store, Arc::clone(&progress), Duration::from_secs(60));
        let views: Views = [(name, Arc::new(view))].into();
        let health = Arc::new(Health::default());
        let state = AppState::new(Arc::new(views), resources, Arc::clone(&health), http);
        Self { dir, state, health, progress, writer, next: 0 }
    }

    /// A view `users` of which no partition is known yet.
    pub(super) fn unknown(key: KeyFormat, value: ValueFormat) -> Self {
        Self::open_with(TempDir::new().unwrap(), key, value, &HttpConfig::default(), 0)
    }

    /// A view `users` that has caught up and is empty.
    pub(super) fn live(key: KeyFormat, value: ValueFormat) -> Self {
        let mut fixture = Self::restoring(key, value);
        fixture.catch_up();
        fixture
    }

    /// A view of text keys and JSON values that has caught up.
    pub(super) fn users() -> Self {
        Self::live(KeyFormat::String, ValueFormat::Json)
    }

    /// Has partition 0 be filled up to `high`, of which one record is applied.
    pub(super) fn fill_up_to(&mut self, high: i64) {
        let plan = BuildPlan { high: Position::new(high), ..plan(0) };
        let slot = self.writer.start_build(&plan).unwrap().number();
        self.progress.want(0).start_count(slot);
        self.progress.want(0).count(slot, 1);
    }

    pub(in crate::http) fn catch_up(&mut self) {
        for partition in 0..2 {
            self.promote(partition);
            self.writer.store().table().serving()[&partition].set_caught_up_at(Millis::now());
            self.progress.want(partition).set_caught_up();
            self.progress.waiters().wake_all();
        }
    }

    /// Takes notice that every partition is served, as the coordinator does.
    pub(super) fn complete(&mut self) {
        self.writer.complete().unwrap();
    }

    /// Has partition 2 answer, which was added.
    pub(super) fn grow(&mut self) {
        self.writer.start_build(&plan(2)).unwrap();
        self.promote(2);
        self.progress.waiters().wake_all();
    }

    /// Has a fresh slot of an incarnation of the topic answer for partition 0, filled with records from offset 0.
    pub(super) fn rebuild(&mut self, topic_id: TopicId, records: &[(&[u8], &[u8])]) {
        self.writer.start_build(&BuildPlan { topic_id, ..plan(0) }).unwrap();
        let slot = self.writer.store().table().building()[&0].number();
        self.next = 0;
        for (key, value) in records {
            self.apply(slot, key, Some(value));
        }
        self.promote(0);
        self.progress.waiters().wake_all();
    }

    /// Tells it as the writer does.
    fn promote(&mut self, partition: i32) {
        let before = self.writer.store().table();
        assert!(self.writer.promote(partition).unwrap());
        telling::moved(self.progress.changes(), partition, &before, &self.writer.store().table());
    }

    /// Changes what is decided of a partition, as the coordinator does.
    pub(super) fn decide(&mut self, partition: i32, edit: RowEdit) {
        self.writer.decide(&[(partition, edit)]).unwrap();
    }

    pub(in crate::http) fn view(&self) -> &View {
        self.state.views().get("users").unwrap()
    }

    /// Applies the next record of partition 0; none as a value deletes. Returns its offset.
    pub(in crate::http) fn put(&mut self, key: &[u8], value: Option<&[u8]>) -> i64 {
        let table = self.writer.store().table();
        let slot = table.serving().get(&0).or(table.building().get(&0)).unwrap().number();
        self.apply(slot, key, value)
    }

    /// Wakes as the writer does.
    fn apply(&mut self, slot: SlotNumber, key: &[u8], value: Option<&[u8]>) -> i64 {
        let timestamp = Timestamp { at: Millis::new(self.next * 1000), kind: TimestampKind::Create };
        let headers: &[(&[u8], Option<&[u8]>)] = &[(b"trace", Some(b"1")), (b"none", None)];
        let offset = Offset::new(self.next);
        let record =
            Record { partition: 0, offset, leader_epoch: None, timestamp, key: Some(key), value, headers };
        let mut batch = Batch::new(0, true).with_value_bytes_max(VALUE_BYTES_MAX);
        batch.push(slot, &record, latest_value(&record).unwrap());
        self.write(batch);
        offset.get()
    }

    /// Passes a record of partition 0 that changes nothing.
    pub(super) fn pass(&mut self) {
        let slot = self.writer.store().table().serving()[&0].number();
        let mut batch = Batch::new(0, true);
        batch.reach(slot, 0, Offset::new(self.next).next());
        self.write(batch);
    }

    fn write(&mut self, mut batch: Batch) {
        let told = telling::before(&self.writer.store().table(), &batch);
        self.writer.apply(&mut batch).unwrap();
        telling::applied(self.progress.changes(), &told, &mut batch);
        let table = self.writer.store().table();
        let serving = table.serving().iter().map(|(partition, slot)| (*partition, slot.position()));
        self.progress.waiters().reached(serving);
        self.progress.waiters().changed(batch.changed_keys());
        self.next += 1;
    }

    pub(super) fn data(&self) -> Router {
        let page = Router::new().route("/", axum::routing::get(async || "page"));
        let slow = axum::routing::get(async || std::future::pending::<()>().await);
        let broken = axum::routing::get(async || -> () { panic!("a handler made a mistake") });
        let router = data_router(&self.state, page.route("/slow", slow).route("/panic", broken));
        router.layer(from_fn(|request, next| described::check(&described::DATA, request, next)))
    }

    pub(super) fn ops(&self) -> Router {
        self.ops_with(&OpsConfig::default())
    }

    pub(super) fn ops_with(&self, config: &OpsConfig) -> Router {
        let router = ops_router(&self.state, config);
        router.layer(from_fn(|request, next| described::check(&described::OPS, request, next)))
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[]).await
    }

    pub(super) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(self.data(), method, path, headers).await
    }
}

pub(super) async fn send(router: Router, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    send_body(router, method, path, headers, Body::empty()).await
}

pub(super) async fn send_body(
    router: Router,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code of a problem whose parts agree with each other.
    pub(super) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let document = self.json();
        let code = document["code"].as_str().unwrap().to_owned();
        assert_eq!(document["status"], self.status.as_u16());
        assert_eq!(document["type"], format!("/problems/{code}"));
        assert_eq!(document["instance"], self.header("x-request-id"));
        assert_eq!(document["retryable"], self.headers.contains_key("retry-after"));
        code
    }
}

/// What the cluster says of a topic with so many partitions.
pub(super) fn topic(partitions: u32) -> TopicFacts {
    let cluster_id = "cluster".to_owned();
    TopicFacts { cluster_id, topic_id: TopicId::new([0; 16]), topic_id_derived: false, partitions }
}

fn plan(partition: i32) -> BuildPlan {
    BuildPlan {
        partition,
        partitions: 2,
        cluster_id: "cluster".to_owned(),
        topic_id: TopicId::new([0; 16]),
        low: Position::ZERO,
        high: Position::ZERO,
        observed_at: Millis::now(),
        reason: BuildReason::FirstStart,
    }
}
