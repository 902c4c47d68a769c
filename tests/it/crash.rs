//! `kill -9` while records arrive.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::app::TestApp;
use crate::eventually::eventually;
use crate::kafka::{Record, TestKafka, TestTopic};

const KILLS: usize = 25;
const KEYS: u64 = 400;
const DEADLINE: Duration = Duration::from_secs(60);

/// A small generator whose whole sequence follows from a seed that can be printed (`SplitMix64`).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// The seed of this run: a new one each time, or the one `STATUSQUO_TEST_SEED` names.
fn seed() -> u64 {
    let named = std::env::var("STATUSQUO_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let now = || u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos());
    let seed = named.unwrap_or_else(now);
    eprintln!("STATUSQUO_TEST_SEED={seed}");
    seed
}

fn produce(topic: &TestTopic<'_>, seed: u64, stop: &AtomicBool, written: &AtomicU64) {
    let mut random = Random(seed ^ 1);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let records: Vec<_> = (0..random.below(200) + 1)
            .map(|_| {
                number += 1;
                let key = format!("k{}", random.below(KEYS));
                match random.below(4) {
                    0 => Record::delete(key),
                    _ => Record::put(key, format!("value {number}")),
                }
            })
            .collect();
        let count = topic.write_all(records).len();
        written.fetch_add(u64::try_from(count).unwrap(), Ordering::Relaxed);
    }
}

/// The status is read before the ends, so no honest position can be beyond them.
fn assert_not_ahead(app: &TestApp<'_>, topic: &TestTopic<'_>) {
    let positions = [0, 1, 2].map(|partition| app.position("v", partition));
    let ends = topic.kafka().end_offsets(topic.name());
    for (partition, position) in (0..).zip(positions) {
        assert!(position <= Some(ends[&partition]), "partition {partition}: {position:?} of {ends:?}");
    }
}

#[test]
fn a_view_survives_being_killed_at_random_moments() {
    let topic = TestKafka::shared().topic("killed").partitions(3).create();
    let (seed, stop, written) = (seed(), AtomicBool::new(false), AtomicU64::new(0));
    let mut random = Random(seed);
    let builder = TestApp::builder(TestKafka::shared()).view("v", &topic).set("batch.records_max", 50);
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        let producer = scope.spawn(|| produce(&topic, seed, &stop, &written));
        let mut app = builder.start();
        for _ in 0..KILLS {
            // A moment is random by what has been written until then, not by the clock.
            let moment = written.load(Ordering::Relaxed) + random.below(3000);
            eventually(DEADLINE, "more records", || {
                (written.load(Ordering::Relaxed) >= moment).then_some(())
            });
            app.kill();
            app.start_again();
            assert_not_ahead(&app, &topic);
        }
        stop.store(true, Ordering::Relaxed);
        producer.join().unwrap();
        app.wait_until_restored();
        app.assert_view_equals("v", &topic.fold());
    });
}

/// Ends the producer however the test ends.
struct Stop<'s>(&'s AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
