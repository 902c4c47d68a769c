use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::fixture::{Answer, Fixture, TAG, send};
use crate::config::sections::{HttpConfig, KeyFormat, ValueFormat};
use crate::position::Position;
use crate::progress::{LogEnd, LogEnds, Progress, TopicFacts, TroubleCode, Unknown};
use crate::time::Millis;
use crate::topic_id::TopicId;

pub(super) const PATH: &str = "/v1/views/users/keys/u1";
pub(super) const OTHER_TOPIC: TopicId = TopicId::new([1; 16]);

/// A view of which two records of partition 0 are applied, and whose topic is known.
pub(super) fn followed() -> Fixture {
    let mut fixture = Fixture::users();
    know_topic(&fixture, TopicId::new([0; 16]));
    fixture.put(b"u0", Some(b"0"));
    fixture.put(b"u1", Some(b"1"));
    fixture
}

pub(super) fn know_topic(fixture: &Fixture, topic_id: TopicId) {
    let cluster_id = "cluster".to_owned();
    fixture.progress.set_topic(TopicFacts { cluster_id, topic_id, topic_id_derived: false, partitions: 2 });
}

async fn after(fixture: &Fixture, position: &str) -> Answer {
    fixture.send(Method::GET, PATH, &[("read-after", position)]).await
}

/// Sends a request that waits, and returns once it does.
pub(super) async fn waiting(
    fixture: &Fixture,
    path: &str,
    headers: &[(&'static str, &str)],
) -> JoinHandle<Answer> {
    let others = seats_taken(fixture);
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let (router, path) = (fixture.data(), path.to_owned());
    let request = tokio::spawn(async move {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        send(router, Method::GET, &path, &headers).await
    });
    until(|| seats_taken(fixture) > others).await;
    request
}

pub(super) async fn until(mut fact: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !fact() {
        assert!(std::time::Instant::now() < deadline, "what is waited for does not happen");
        tokio::task::yield_now().await;
    }
}

pub(super) fn seats_taken(fixture: &Fixture) -> i64 {
    fixture.state.metrics().waiting().get()
}

/// Tells how far the log reaches as long as it lives, and counts the questions.
pub(super) struct Broker {
    asked: Arc<AtomicUsize>,
    _stop: DropGuard,
}

impl Broker {
    pub(super) fn start(
        progress: &Arc<Progress>,
        answer: impl Fn(usize) -> Result<LogEnds, Unknown> + Send + 'static,
    ) -> Self {
        let (asked, stop) = (Arc::new(AtomicUsize::new(0)), CancellationToken::new());
        let (progress, count, stopped) = (Arc::clone(progress), Arc::clone(&asked), stop.clone());
        std::thread::spawn(move || {
            while !stopped.is_cancelled() {
                if let Some(question) = progress.log_ends().next(Duration::from_millis(5)) {
                    question.answer(answer(count.fetch_add(1, Ordering::SeqCst)));
                }
            }
        });
        Self { asked, _stop: stop.drop_guard() }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

pub(super) fn ends(topic_id: TopicId, partitions: &[i64]) -> LogEnds {
    let end = |end: &i64| LogEnd { visible: Position::new(*end), written: Position::new(*end) };
    LogEnds { topic_id, partitions: (0..).zip(partitions.iter().map(end)).collect() }
}

#[tokio::test]
async fn a_position_that_is_applied_is_answered_and_one_that_is_not_is_told() {
    let fixture = followed();
    for position in ["0:1", "0:0", "v1=0:1", &format!("v1=0:1;t={TAG}"), &format!("0:1;t={TAG}")] {
        assert_eq!(after(&fixture, position).await.text(), "1", "{position}");
        assert_eq!(fixture.get(&format!("{PATH}?read_after={position}")).await.text(), "1", "{position}");
    }
    for position in ["0:2", "1:0", "v1=0:1,1:0", &format!("v1=0:5;t={TAG}")] {
        let answer = after(&fixture, position).await;
        assert_eq!(
            (answer.status, &*answer.problem()),
            (StatusCode::GATEWAY_TIMEOUT, "position-not-reached")
        );
        assert_eq!(answer.header("view-position"), format!("v1=0:1;t={TAG}"));
        assert!(answer.header("view-status").starts_with("state=live"));
        assert!(!answer.headers.contains_key("preference-applied"));
    }
}

#[tokio::test]
async fn what_the_service_says_of_an_answer_can_be_read_after() {
    let fixture = followed();
    for path in [PATH, "/v1/views/users/keys/nobody"] {
        let first = fixture.get(path).await;
        let again = fixture.send(Method::GET, path, &[("read-after", first.header("view-position"))]).await;
        assert_eq!((again.status, again.header("etag")), (first.status, first.header("etag")));
    }
}

#[tokio::test]
async fn a_position_that_is_none_is_refused_and_not_repeated() {
    let fixture = followed();
    for position in ["secret", "", "v1=0:x", "v2=0:1", "0:1,", "0:1;t=secret"] {
        let answer = after(&fixture, position).await;
        assert_eq!(
            (answer.status, &*answer.problem()),
            (StatusCode::BAD_REQUEST, "bad-position"),
            "{position}"
        );
        assert!(!answer.text().contains("secret"));
    }
    let twice = fixture.send(Method::GET, PATH, &[("read-after", "0:1"), ("read-after", "0:1")]).await;
    assert_eq!(twice.problem(), "bad-position");
    let both = fixture.send(Method::GET, &format!("{PATH}?read_after=0:1"), &[("read-after", "0:1")]).await;
    assert_eq!(both.problem(), "bad-position");
    assert_eq!(fixture.get(&format!("{PATH}?read_after=%zz")).await.problem(), "bad-parameter");
    let long = "0:1,".repeat(5000);
    assert_eq!(after(&fixture, &long).await.problem(), "bad-position");
}

#[tokio::test]
async fn a_position_of_another_topic_is_refused_once_the_topic_is_known() {
    let mut fixture = followed();
    let foreign = format!("v1=0:0;t={}", OTHER_TOPIC.tag());
    let own = format!("v1=0:1;t={TAG}");
    let broker = Broker::start(&fixture.progress, |_| Ok(ends(TopicId::new([0; 16]), &[2, 0])));
    let answer = after(&fixture, &foreign).await;
    assert_eq!((answer.status, &*answer.problem()), (StatusCode::CONFLICT, "position-foreign"));
    // What has been read can be read again, whatever became of the topic.
    assert_eq!((after(&fixture, &own).await.text(), broker.asked()), ("1", 1));
    drop(broker);
    // The topic was recreated and the view is not there yet: the position is of the new one.
    know_topic(&fixture, OTHER_TOPIC);
    let broker = Broker::start(&fixture.progress, |_| Ok(ends(OTHER_TOPIC, &[1, 0])));
    assert_eq!(after(&fixture, &foreign).await.problem(), "position-not-reached");
    assert_eq!(after(&fixture, &own).await.text(), "1", "what answers is still the old one");
    assert_eq!(after(&fixture, "0:1").await.problem(), "position-not-reached", "of the topic as it is");
    assert_eq!(broker.asked(), 0);
    let never = format!("v1=0:9;t={TAG}");
    assert_eq!(after(&fixture, &never).await.problem(), "position-foreign", "the old topic is gone");
    let waits = waiting(&fixture, PATH, &[("read-after", &foreign), ("prefer", "wait=30")]).await;
    fixture.rebuild(OTHER_TOPIC, &[(b"u1", b"new")]);
    assert_eq!(waits.await.unwrap().text(), "new");
    assert_eq!(after(&fixture, &own).await.problem(), "position-foreign");
}

#[tokio::test]
async fn a_replica_that_is_behind_waits_for_a_position_of_the_topic_as_another_one_knows_it() {
    let mut fixture = followed();
    let told_elsewhere = format!("v1=0:0;t={}", OTHER_TOPIC.tag());
    // Nobody tells that the topic was recreated, and nobody that it was not.
    assert_eq!(after(&fixture, &told_elsewhere).await.problem(), "position-not-reached");
    let _broker = Broker::start(&fixture.progress, |_| Ok(ends(OTHER_TOPIC, &[1, 0])));
    assert_eq!(after(&fixture, &told_elsewhere).await.problem(), "position-not-reached");
    let waits = waiting(&fixture, PATH, &[("read-after", &told_elsewhere), ("prefer", "wait=30")]).await;
    fixture.put(b"u1", Some(b"of the old topic"));
    know_topic(&fixture, OTHER_TOPIC);
    fixture.rebuild(OTHER_TOPIC, &[(b"u1", b"new")]);
    assert_eq!(waits.await.unwrap().text(), "new");
}

#[tokio::test]
async fn who_waits_for_a_position_is_told_when_its_topic_is_recreated() {
    let mut fixture = followed();
    let own = format!("v1=0:9;t={TAG}");
    let _broker = Broker::start(&fixture.progress, |_| Ok(ends(OTHER_TOPIC, &[1, 0])));
    let waits = waiting(&fixture, PATH, &[("read-after", &own), ("prefer", "wait=30")]).await;
    know_topic(&fixture, OTHER_TOPIC);
    fixture.rebuild(OTHER_TOPIC, &[(b"u1", b"new")]);
    assert_eq!(waits.await.unwrap().problem(), "position-foreign");
}

#[tokio::test]
async fn ends_of_the_log_of_another_topic_refuse_no_position() {
    let fixture = followed();
    let _broker = Broker::start(&fixture.progress, |_| Ok(ends(OTHER_TOPIC, &[1])));
    for position in ["0:900000", "1:0", "9:1"] {
        assert_eq!(after(&fixture, position).await.problem(), "position-not-reached", "{position}");
    }
}

#[tokio::test]
async fn a_position_far_beyond_the_log_is_refused_after_one_look() {
    let fixture = followed();
    let broker = Broker::start(&fixture.progress, |_| Ok(ends(TopicId::new([0; 16]), &[2, 500_000])));
    for position in ["0:900000", "9:1", "v1=0:1,9:1"] {
        let answer =
            fixture.send(Method::GET, PATH, &[("read-after", position), ("prefer", "wait=30")]).await;
        assert_eq!(
            (answer.status, &*answer.problem()),
            (StatusCode::BAD_REQUEST, "bad-position"),
            "{position}"
        );
    }
    assert_eq!(broker.asked(), 3);
    // In sight of the log as it was seen last: no look at all.
    assert_eq!(after(&fixture, "0:5000").await.problem(), "position-not-reached");
    assert_eq!(broker.asked(), 3);
    // Far beyond the log as it was seen last, and not beyond the log as it is.
    assert_eq!(after(&fixture, "1:499999").await.problem(), "position-not-reached");
    assert_eq!(broker.asked(), 4);
}

#[tokio::test]
async fn a_doubtful_position_is_not_refused_while_no_broker_tells() {
    let fixture = followed();
    let trouble = || Unknown { code: TroubleCode::BrokerUnreachable, detail: "nobody".to_owned() };
    let broker = Broker::start(&fixture.progress, move |_| Err(trouble()));
    assert_eq!(after(&fixture, "0:900000").await.problem(), "position-not-reached");
    assert_eq!(broker.asked(), 1);
}

#[tokio::test]
async fn who_may_wait_is_answered_when_the_position_is_applied() {
    let mut fixture = followed();
    let headers = [("read-after", "0:3"), ("prefer", "respond-async, wait=7")];
    let waits = waiting(&fixture, PATH, &headers).await;
    fixture.put(b"u1", Some(b"2"));
    tokio::task::yield_now().await;
    assert!(!waits.is_finished());
    fixture.put(b"u1", Some(b"3"));
    let answer = waits.await.unwrap();
    assert_eq!((answer.text(), answer.header("preference-applied")), ("3", "wait=7"));
    assert_eq!(answer.header("view-position"), format!("v1=0:3;t={TAG}"));
    until(|| seats_taken(&fixture) == 0).await;
}

#[tokio::test]
async fn a_record_that_deletes_is_read_back_at_once_as_a_miss() {
    let mut fixture = followed();
    let waits = waiting(&fixture, PATH, &[("read-after", "0:2"), ("prefer", "wait=30")]).await;
    fixture.put(b"u1", None);
    assert_eq!(waits.await.unwrap().problem(), "key-not-found");
}

fn hurried() -> Fixture {
    let limits = HttpConfig { wait_max: Duration::from_millis(30), ..HttpConfig::default() };
    let mut fixture = Fixture::limited(&limits);
    fixture.catch_up();
    fixture
}

#[tokio::test]
async fn a_wait_is_cut_to_what_the_service_grants() {
    let fixture = hurried();
    let answer = fixture.send(Method::GET, PATH, &[("read-after", "0:0"), ("prefer", "wait=3600")]).await;
    assert_eq!((&*answer.problem(), answer.header("preference-applied")), ("position-not-reached", "wait=0"));
}

#[tokio::test]
async fn the_time_limit_of_requests_begins_after_the_wait() {
    let limits = HttpConfig { request_timeout: Duration::from_millis(1), ..HttpConfig::default() };
    let mut fixture = Fixture::limited(&limits);
    fixture.catch_up();
    let waits = waiting(&fixture, PATH, &[("read-after", "0:0"), ("prefer", "wait=30")]).await;
    let begun = std::time::Instant::now();
    until(|| begun.elapsed() > Duration::from_millis(50)).await;
    fixture.put(b"u1", Some(b"1"));
    assert_eq!(waits.await.unwrap().text(), "1");
}

#[tokio::test]
async fn the_latest_state_is_what_the_log_held_when_it_was_asked_for() {
    let mut fixture = followed();
    let broker = Broker::start(&fixture.progress, |_| Ok(ends(TopicId::new([0; 16]), &[3, 0])));
    let latest = ("read-consistency", "latest");
    let answer = fixture.send(Method::GET, PATH, &[latest]).await;
    assert_eq!((answer.status, &*answer.problem()), (StatusCode::GATEWAY_TIMEOUT, "position-not-reached"));
    let waits = waiting(&fixture, PATH, &[("read-consistency", "Latest"), ("prefer", "wait=30")]).await;
    until(|| broker.asked() == 2).await;
    fixture.put(b"u1", Some(b"2"));
    assert_eq!(waits.await.unwrap().text(), "2");
    assert_eq!(fixture.send(Method::GET, PATH, &[latest]).await.text(), "2");
}

#[tokio::test]
async fn the_latest_state_of_a_recreated_topic_is_not_the_old_one() {
    let mut fixture = followed();
    let _broker = Broker::start(&fixture.progress, |_| Ok(ends(OTHER_TOPIC, &[1])));
    let waits = waiting(&fixture, PATH, &[("read-consistency", "latest"), ("prefer", "wait=30")]).await;
    fixture.put(b"u1", Some(b"of the old topic"));
    fixture.rebuild(OTHER_TOPIC, &[(b"u1", b"new")]);
    assert_eq!(waits.await.unwrap().text(), "new");
}

#[tokio::test]
async fn without_a_broker_there_is_no_latest_state() {
    let fixture = followed();
    let latest = ("read-consistency", "latest");
    let answer = fixture.send(Method::GET, PATH, &[latest]).await;
    assert_eq!((answer.status, &*answer.problem()), (StatusCode::SERVICE_UNAVAILABLE, "source-lost"));
    let trouble = || Unknown { code: TroubleCode::TopicMissing, detail: "no such topic".to_owned() };
    let broker = Broker::start(&fixture.progress, move |question| match question {
        0 | 1 => Err(trouble()),
        _ => Ok(ends(TopicId::new([0; 16]), &[2, 0])),
    });
    let answer = fixture.send(Method::GET, PATH, &[latest]).await;
    assert_eq!((&*answer.problem(), &answer.json()["reason"]), ("source-lost", &"topic-missing".into()));
    let answer = fixture.send(Method::GET, PATH, &[latest, ("prefer", "wait=30")]).await;
    assert_eq!((answer.text(), broker.asked()), ("1", 3));
}

#[tokio::test]
async fn a_consistency_that_is_not_known_is_refused() {
    let fixture = followed();
    for value in ["strong", "", "latest, eventual"] {
        let answer = fixture.send(Method::GET, PATH, &[("read-consistency", value)]).await;
        assert_eq!(
            (answer.status, &*answer.problem()),
            (StatusCode::BAD_REQUEST, "bad-parameter"),
            "{value}"
        );
    }
}

#[tokio::test]
async fn a_view_that_is_staler_than_asked_for_does_not_answer() {
    let fixture = followed();
    let table = fixture.view().store().table();
    table.serving()[&1].set_caught_up_at(Millis::new(Millis::now().get() - 10_000));
    assert_eq!(fixture.get(&format!("{PATH}?max_staleness=1m")).await.text(), "1");
    let answer = fixture.get(&format!("{PATH}?max_staleness=9500ms")).await;
    assert_eq!((answer.status, &*answer.problem()), (StatusCode::SERVICE_UNAVAILABLE, "view-stale"));
    assert!(answer.header("view-status").contains("staleness=1"));
    // The log was asked just now, and all it holds is there.
    let _broker = Broker::start(&fixture.progress, |_| Ok(ends(TopicId::new([0; 16]), &[2, 0])));
    let path = format!("{PATH}?max_staleness=5s");
    assert_eq!(fixture.send(Method::GET, &path, &[("read-consistency", "latest")]).await.text(), "1");
    for staleness in ["", "5", "s", "-1s", "soon", "1s%00", "99999999999999999999s"] {
        let answer = fixture.get(&format!("{PATH}?max_staleness={staleness}")).await;
        assert_eq!(answer.problem(), "bad-parameter", "{staleness}");
    }
}

#[tokio::test]
async fn an_incomplete_view_answers_those_who_allow_it_with_what_it_has() {
    let mut fixture = Fixture::restoring(KeyFormat::String, ValueFormat::Json);
    fixture.put(b"u1", Some(b"1"));
    fixture.put(b"gone", Some(b"1"));
    fixture.put(b"gone", None);
    let answer = fixture.get(&format!("{PATH}?allow=restoring")).await;
    assert_eq!((answer.text(), answer.header("record-offset")), ("1", "0"));
    assert!(answer.header("view-status").starts_with("state=restoring"));
    for path in
        ["/v1/views/users/keys/gone?allow=restoring", "/v1/views/users/keys/nobody?allow=restoring", PATH]
    {
        assert_eq!(fixture.get(path).await.problem(), "view-restoring", "{path}");
    }
    let miss = fixture.get("/v1/views/users/keys/nobody?allow=restoring").await.json();
    assert_eq!(
        miss["detail"],
        "no value of this key was restored so far; 2 of 2 partitions have not caught up once"
    );
    let fresh = fixture.get(&format!("{PATH}?allow=restoring&max_staleness=1h")).await;
    assert_eq!(fresh.problem(), "view-stale", "it was never current");
    assert_eq!(fixture.get(&format!("{PATH}?allow=anything")).await.problem(), "bad-parameter");
    // A position is that of a slot which answers, whatever is allowed beside.
    let path = format!("{PATH}?allow=restoring&read_after=0:0");
    assert_eq!(fixture.get(&path).await.problem(), "position-not-reached");
    fixture.catch_up();
    assert_eq!(fixture.get(&path).await.text(), "1");
    assert_eq!(fixture.get("/v1/views/users/keys/gone?allow=restoring").await.problem(), "key-not-found");
}
