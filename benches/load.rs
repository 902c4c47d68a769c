//! User profiles of 256 bytes in shuffled key order, as a compacted topic holds them.

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use std::time::Duration;

use crate::kafka::{TestKafka, TestTopic};

pub const PARTITIONS: i32 = 8;
const VALUE_BYTES: usize = 256;

/// Fills a topic with `count` unique keys `u0`, `u1`, ... in an order that jumps over the whole key space.
pub fn profiles(kafka: &TestKafka, count: u64) -> TestTopic<'_> {
    let topic = kafka.topic("profiles").partitions(PARTITIONS).create();
    fill(kafka.bootstrap(), topic.name(), count);
    topic
}

/// Produces the profiles to a topic that exists.
pub fn fill(bootstrap: &str, topic: &str, count: u64) {
    let producer = producer(bootstrap, "50");
    // A step that shares no factor with the count visits every number once.
    let step = (count / 5 * 3..).find(|step| greatest_common_divisor(*step, count) == 1).unwrap();
    for number in 0..count {
        let id = number.wrapping_mul(step) % count;
        let (key, value) = (format!("u{id}"), profile(id));
        let mut record = BaseRecord::to(topic).key(&key).payload(&value);
        while let Err((error, back)) = producer.send(record) {
            assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            producer.poll(Duration::from_millis(10));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(120)).unwrap();
}

/// Makes a producer that waits so many milliseconds for a batch to fill.
pub fn producer(bootstrap: &str, linger_ms: &str) -> ThreadedProducer<DefaultProducerContext> {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("compression.type", "lz4")
        .set("linger.ms", linger_ms)
        .set("partitioner", "murmur2")
        .set("queue.buffering.max.messages", "500000")
        .create()
        .unwrap()
}

pub fn profile(id: u64) -> String {
    let noise = fastrand::Rng::with_seed(id).u64(..);
    let mut text = format!(
        r#"{{"id":"u{id}","name":"User {id}","email":"user.{id}@example.com","plan":"{}","locale":"en","token":"{noise:016x}""#,
        if noise & 7 == 0 { "pro" } else { "free" }
    );
    let room = VALUE_BYTES.saturating_sub(text.len() + 12);
    let bio: String = (0..room).map(|at| char::from(b'a' + ((noise >> (at % 58)) % 26) as u8)).collect();
    text.push_str(&format!(r#","about":"{bio}"}}"#));
    text
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
