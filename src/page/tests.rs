use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::*;
use crate::batch::Batch;
use crate::config::sections::StoreConfig;
use crate::config::{self, ViewName};
use crate::interpretation::latest_value;
use crate::position::{Offset, Position};
use crate::progress::{Progress, TopicFacts, TroubleCode, WarningCode};
use crate::record::{Record, Timestamp, TimestampKind};
use crate::resume::BuildReason;
use crate::store::{BuildPlan, Opened, Resources, Store};
use crate::time::Millis;
use crate::topic_id::TopicId;
use crate::view::View;

const RECORDS: i64 = 4;

/// A view over a real store that has read `applied` of the four records of its partition.
fn view(dir: &TempDir, applied: i64) -> Arc<View> {
    let resources = Resources::new(&StoreConfig::default(), 1).unwrap();
    let Opened { store, mut writer, .. } = Store::open(dir.path(), "user-profiles", &resources, 1).unwrap();
    let plan = BuildPlan {
        partition: 0,
        partitions: 1,
        topic_id: TopicId::new([1; 16]),
        cluster_id: "cluster".to_owned(),
        low: Position::ZERO,
        high: Position::new(RECORDS),
        observed_at: Millis::now(),
        reason: BuildReason::FirstStart,
    };
    let slot = writer.start_build(&plan).unwrap().number();
    let mut batch = Batch::new(0, false);
    for offset in 0..applied {
        let timestamp = Timestamp { at: Millis::new(offset), kind: TimestampKind::Create };
        let record = Record {
            partition: 0,
            offset: Offset::new(offset),
            leader_epoch: None,
            timestamp,
            key: Some(b"u1"),
            value: Some(b"{}"),
            headers: &[],
        };
        batch.push(slot, &record, latest_value(&record).unwrap());
    }
    writer.apply(&mut batch).unwrap();
    writer.promote(0).unwrap();
    let progress = Arc::new(Progress::default());
    let (cluster_id, topic_id) = ("cluster".to_owned(), TopicId::new([1; 16]));
    progress.set_topic(TopicFacts { cluster_id, topic_id, topic_id_derived: false, partitions: 1 });
    progress.want(0).set_log(Position::ZERO, Position::new(RECORDS));
    if applied == RECORDS {
        progress.want(0).set_caught_up();
    }
    let settings = [
        ("kafka.bootstrap", "kafka:9092"),
        ("views.users.topic", "user-profiles"),
        ("views.users.key", "i64"),
    ];
    let config = config::of_flags(&settings);
    let name: ViewName = "users".parse().unwrap();
    Arc::new(View::new(name, config.views["users"].clone(), store, progress, config.ready.max_staleness))
}

async fn ask(view: Arc<View>, path: &str) -> Response {
    let views = Arc::new([(view.name().clone(), view)].into());
    router(views).oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn the_page_tells_the_state_of_every_view_without_scripts() {
    let dir = TempDir::new().unwrap();
    let page = text(ask(view(&dir, RECORDS), "/").await).await;

    for part in ["users</h2>", "data-state=\"live\"", "user-profiles", "<td>4</td>", "Partitions"] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    assert!(page.contains("data-field=\"restore\" hidden"), "{page}");
}

#[tokio::test]
async fn a_restoring_view_shows_how_far_it_is() {
    let dir = TempDir::new().unwrap();
    let page = text(ask(view(&dir, 1), "/").await).await;

    assert!(page.contains("data-state=\"restoring\""), "{page}");
    assert!(page.contains("max=\"1\" value=\"0.2500\""), "{page}");
}

#[tokio::test]
async fn the_look_up_form_is_one_of_the_api_and_knows_how_keys_are_written() {
    let dir = TempDir::new().unwrap();
    let page = text(ask(view(&dir, RECORDS), "/").await).await;

    assert!(page.contains("method=\"get\" action=\"v1/views/users/lookup\""), "{page}");
    assert!(page.contains("<option value=\"i64\" selected>"), "{page}");
}

#[tokio::test]
async fn what_comes_from_outside_is_text() {
    let dir = TempDir::new().unwrap();
    let view = view(&dir, RECORDS);
    view.progress().set_trouble(TroubleCode::BrokerUnreachable, "<script>alert(1)</script>".to_owned());
    view.progress().record_event("test", None, "\"><img src=x>".to_owned());
    let page = text(ask(view, "/").await).await;

    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    assert!(!page.contains("<script>alert") && !page.contains("<img"), "{page}");
}

#[tokio::test]
async fn warnings_are_shown_without_scripts() {
    let dir = TempDir::new().unwrap();
    let view = view(&dir, RECORDS);
    assert!(text(ask(Arc::clone(&view), "/").await).await.contains("data-field=\"warnings\" hidden"));
    view.progress().warn(WarningCode::Conflicts, Some(3), "2 keys".to_owned());
    let page = text(ask(view, "/").await).await;

    assert!(page.contains("<li><strong>conflicts</strong> partition 3: 2 keys</li>"), "{page}");
}

#[tokio::test]
async fn everything_is_served_from_here_and_nothing_inline_may_run() {
    let dir = TempDir::new().unwrap();
    let view = view(&dir, RECORDS);
    let paths = [
        ("/", "text/html"),
        ("/assets/page.css", "text/css"),
        ("/assets/page.js", "text/javascript"),
        ("/assets/icon.svg", "image/svg+xml"),
    ];
    for (path, content_type) in paths {
        let response = ask(Arc::clone(&view), path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let header = |name| response.headers()[name].to_str().unwrap();
        assert!(header(CONTENT_TYPE).starts_with(content_type), "{path}");
        assert!(header(CONTENT_SECURITY_POLICY).starts_with("default-src 'self';"), "{path}");
        assert_eq!(header(X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        let body = text(response).await;
        let foreign = body.replace("http://www.w3.org/2000/svg", "");
        assert!(!foreign.contains("://") && !foreign.contains("style="), "{path}");
        assert!(!foreign.contains("innerHTML"), "{path}");
    }
}
