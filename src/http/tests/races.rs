//! What may happen between two steps of a request.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio_util::sync::CancellationToken;

use super::consistency::{OTHER_TOPIC, PATH, followed};
use super::fixture::{TAG, send};
use crate::topic_id::TopicId;

/// Swaps as fast as they go, so that many fall between the look at the position and the look-up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_never_of_another_topic_than_its_position() {
    let mut fixture = followed();
    let (router, own) = (fixture.data(), format!("v1=0:0;t={TAG}"));
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let swapping = std::thread::spawn(move || {
        while !stopped.is_cancelled() {
            for topic_id in [OTHER_TOPIC, TopicId::new([0; 16])] {
                fixture.rebuild(topic_id, &[(b"u1", b"1")]);
            }
        }
    });
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..10_000 {
        let answer = send(router.clone(), Method::GET, PATH, &[("read-after", &own)]).await;
        match answer.status {
            StatusCode::OK => {
                assert!(answer.header("etag").starts_with(&format!("\"{TAG}.")), "{}", answer.header("etag"));
                answered += 1;
            }
            _ => refused += 1,
        }
    }
    stop.cancel();
    swapping.join().unwrap();
    assert!(answered > 20 && refused > 20, "{answered} answered, {refused} refused: no swap was met");
}

/// One record per round: a wake that is lost would not be made good by the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn every_record_wakes_those_who_wait_for_it_at_whatever_moment_they_come() {
    let mut fixture = followed();
    let (router, mut etag) = (fixture.data(), fixture.get(PATH).await.header("etag").to_owned());
    for offset in 2..3000 {
        let request = |name: &'static str, value: String| {
            let router = router.clone();
            tokio::spawn(async move {
                send(router, Method::GET, PATH, &[(name, &value), ("prefer", "wait=30")]).await
            })
        };
        let after = request("read-after", format!("0:{offset}"));
        let poll = request("if-none-match", etag);
        fixture.put(b"u1", Some(offset.to_string().as_bytes()));
        let both = async { (after.await.unwrap(), poll.await.unwrap()) };
        let (after, poll) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
        assert_eq!((after.text(), poll.text()), (&*offset.to_string(), &*offset.to_string()));
        etag = poll.header("etag").to_owned();
    }
}
