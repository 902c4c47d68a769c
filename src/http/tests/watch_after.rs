//! What a watch that comes back is asked for.

use http::StatusCode;

use super::consistency::{Broker, OTHER_TOPIC, ends, followed, know_topic};
use super::fixture::TAG;
use super::watch::Watch;

#[tokio::test]
async fn who_comes_back_waits_for_a_topic_that_is_not_known_yet_and_for_none_that_is_gone() {
    let mut fixture = followed();
    let id = Watch::open(&fixture, "", &[]).await.synced().await;
    let other_tag = OTHER_TOPIC.tag().to_string();
    let _broker = Broker::start(&fixture.progress, |_| Ok(ends(OTHER_TOPIC, &[1, 0])));
    let told_elsewhere = [("last-event-id", &*id.replace(TAG, &other_tag))];
    let behind = Watch::open(&fixture, &format!("?read_after=0:0;t={other_tag}"), &told_elsewhere).await;
    assert_eq!(behind.status, StatusCode::GATEWAY_TIMEOUT, "what answers is still the old topic");
    know_topic(&fixture, OTHER_TOPIC);
    fixture.rebuild(OTHER_TOPIC, &[(b"u1", b"3")]);
    let foreign = format!("?read_after=0:1;t={TAG}");
    let mut again = Watch::open(&fixture, &foreign, &[("last-event-id", &id)]).await;
    assert_eq!(again.next().await.unwrap().data["reason"], "topic-recreated");
    assert_eq!(Watch::open(&fixture, &foreign, &[]).await.status, StatusCode::CONFLICT);
}
