//! Positions mirrored to the consumer group.

use std::time::Duration;

use crate::app::TestApp;
use crate::eventually::eventually;
use crate::kafka::TestKafka;

const DEADLINE: Duration = Duration::from_secs(60);

/// Takes the signature of a commit apart: incarnation, number and position.
fn signature(metadata: &str) -> (uuid::Uuid, u64, i64) {
    let pieces: Vec<&str> = metadata.split(';').collect();
    assert_eq!((pieces.len(), pieces[0]), (4, "sq1"), "{metadata}");
    (pieces[1].parse().unwrap(), pieces[2].parse().unwrap(), pieces[3].parse().unwrap())
}

#[test]
fn the_group_shows_signed_positions_and_the_last_one_after_sigterm() {
    let kafka = TestKafka::shared();
    let topic = kafka.topic("mirrored").create();
    topic.put("a", "1");
    let mut app =
        TestApp::builder(kafka).view("v", &topic).set("kafka.group", "g-mirrored").start().restored();
    let (position, metadata) =
        eventually(DEADLINE, "the first mirror", || kafka.committed("g-mirrored", topic.name()).remove(&0));
    let (incarnation, first, signed) = signature(&metadata);
    assert_eq!((position, signed), (1, 1));

    app.set("mirror.interval", "1h");
    assert_eq!(app.terminate().code, Some(0));
    app.start_again();
    for number in 0..5 {
        let record = topic.put("a", number.to_string());
        app.wait_until_applied("v", &record);
    }
    assert_eq!(app.terminate().code, Some(0));
    let (position, metadata) = kafka.committed("g-mirrored", topic.name()).remove(&0).unwrap();
    let (again, number, signed) = signature(&metadata);
    assert_eq!((position, signed, again), (6, 6, incarnation));
    assert!(number > first, "{number} after {first}");
}
