//! `kill -9` while records arrive.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::app::TestApp;
use crate::eventually::{eventually, within};
use crate::kafka::{Record, TestKafka, TestTopic};
use crate::metrics::records_applied;

const KILLS: usize = 50;
const KEYS: u64 = 400;
/// Records that may be produced between two kills: more than a process applies before it is killed.
const ROUND: u64 = 3000;
/// Most records a process applies before it is killed.
const APPLIED_MAX: u64 = 1500;
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

/// Produces until `allowed` is [`STOP`], and never more than it says.
fn produce(topic: &TestTopic<'_>, seed: u64, allowed: &AtomicU64) {
    let (mut random, mut number) = (Random(seed ^ 1), 0);
    while allowed.load(Ordering::Relaxed) != STOP {
        let may_go_on = || (number < allowed.load(Ordering::Relaxed)).then_some(());
        eventually(DEADLINE, "the next round", may_go_on);
        let records: Vec<_> = (0..=random.below(200))
            .map(|_| {
                number += 1;
                let key = format!("k{}", random.below(KEYS));
                match random.below(4) {
                    0 => Record::delete(key),
                    _ => Record::put(key, format!("value {number}")),
                }
            })
            .collect();
        topic.write_all(records);
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

/// FAULTS row 1.
#[test]
fn a_view_survives_being_killed_at_random_moments() {
    let topic = TestKafka::shared().topic("killed").partitions(3).create();
    let (seed, allowed) = (seed(), AtomicU64::new(0));
    let mut random = Random(seed);
    thread::scope(|scope| {
        let stop = Stop(&allowed);
        let producer = scope.spawn(|| produce(&topic, seed, &allowed));
        let builder = TestApp::builder(TestKafka::shared()).view("v", &topic);
        let mut app = builder.set("batch.records_max", 50).start();
        for _ in 0..KILLS {
            allowed.fetch_add(ROUND, Ordering::Relaxed);
            // A moment is random by what has been applied until then, not by the clock; some are the start itself.
            let moment = random.below(APPLIED_MAX).saturating_sub(APPLIED_MAX / 5);
            let poll = Duration::from_millis(1 + random.below(20));
            let reached = || (records_applied(&app, "v") >= moment).then_some(());
            assert!(within(DEADLINE, poll, reached).is_some(), "{moment} records were not applied");
            app.kill();
            app.start_again();
            assert_not_ahead(&app, &topic);
        }
        drop(stop);
        producer.join().unwrap();
        app.wait_until_restored();
        app.assert_view_equals("v", &topic.fold());
    });
}

/// FAULTS row 1: a kill between a write and its mirror, and one after it.
#[test]
fn a_kill_before_or_after_positions_are_mirrored_loses_and_repeats_nothing() {
    let kafka = TestKafka::shared();
    for interval in ["1h", "100ms"] {
        let topic = kafka.topic("killed-mirror").partitions(2).create();
        let write = |value: &str| {
            topic.write_all(
                (0..200).map(|number| Record::put(format!("k{number}"), format!("{value} {number}"))),
            )
        };
        write("first");
        let group = format!("g-killed-{interval}");
        let app = TestApp::builder(kafka).view("v", &topic).set("kafka.group", group.as_str());
        let mut app = app.set("mirror.interval", interval).start().restored();
        app.wait_until_signed("v", &group);
        write("second");
        app.wait_until_restored();
        if interval == "100ms" {
            app.wait_until_signed("v", &group);
        }
        app.kill();

        let meanwhile = write("third");
        app.start_again();
        app.wait_until_restored();
        assert_eq!(usize::try_from(records_applied(&app, "v")).unwrap(), meanwhile.len());
        app.assert_view_equals("v", &topic.fold());
    }
}

/// What the producer takes for the end.
const STOP: u64 = u64::MAX;

/// Ends the producer however the test ends.
struct Stop<'s>(&'s AtomicU64);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(STOP, Ordering::Relaxed);
    }
}
