//! What the coordinator makes of the readers' reports, without a cluster; the test stands in for the other threads.

mod building;
mod warnings;

use bytesize::ByteSize;
use crossbeam_channel::unbounded;
use tempfile::TempDir;

use super::ailments::PATIENCE;
use super::*;
use crate::batch::Batch;
use crate::config::sections::StoreConfig;
use crate::interpretation::latest_value;
use crate::kafka::PartitionLog;
use crate::materializer::pace::Throttle;
use crate::materializer::reader::PartitionFailure;
use crate::position::Offset;
use crate::record::{Record, Timestamp, TimestampKind};
use crate::resume::BuildReason;
use crate::resume::group::Committed;
use crate::source::Failure;
use crate::store::{BuildPlan, Opened, Resources, Store, Writer};
use crate::time::Millis;
use crate::topic_id::TopicId;

struct World {
    _dir: TempDir,
    writer: Writer,
    coordinator: Coordinator,
    commands: Receiver<Command>,
    _built: Receiver<Command>,
}

fn port() -> (ReaderPort, Receiver<Command>) {
    let (commands, sent) = unbounded();
    (ReaderPort { commands, failures: unbounded().1, pace: Arc::default() }, sent)
}

/// What the cluster says of a topic with one partition: where its log ends, and the leader epoch of who says so.
fn state(end: i64, epoch: i32) -> TopicState {
    let (start, end) = (Position::ZERO, Position::new(end));
    TopicState {
        observed_at: Moment::now(),
        cluster_id: "cluster".to_owned(),
        topic_id: TopicId::new([1; 16]),
        topic_id_derived: false,
        partitions: BTreeMap::from([(0, PartitionLog { start, end, written: end, epoch: Some(epoch) })]),
        silent: BTreeMap::new(),
    }
}

impl World {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        // What is written is on the disk soon.
        let config = StoreConfig { write_buffer: ByteSize::mib(1), ..StoreConfig::default() };
        let resources = Resources::new(&config, 1).unwrap();
        let Opened { store, writer, .. } = Store::open(dir.path(), "topic", &resources, 1).unwrap();
        let config =
            crate::config::of_flags(&[("kafka.bootstrap", "127.0.0.1:1"), ("views.v.topic", "topic")]);
        let (name, section) = config.views.iter().next().unwrap();
        let progress = Arc::default();
        let view = View::new(name.clone(), section.clone(), store, progress, Duration::from_secs(60));
        let stop = CancellationToken::new();
        let cluster = Arc::new(Cluster::new(&config.kafka, "test", stop.clone()).unwrap());
        let ((live, commands), (builder, _built)) = (port(), port());
        let ports = Ports { live, builder, work: unbounded().0 };
        let rhythm = Rhythm::new(&config);
        let mut coordinator = Coordinator::new(Arc::new(view), cluster, ports, rhythm, stop);
        coordinator.settings_at = Some(Instant::now());
        Self { _dir: dir, writer, coordinator, commands, _built }
    }

    fn build(&mut self, reason: BuildReason) -> Arc<Slot> {
        self.build_since(reason, Moment::now())
    }

    fn build_since(&mut self, reason: BuildReason, begun: Moment) -> Arc<Slot> {
        self.build_of(0, reason, begun)
    }

    fn build_of(&mut self, partition: Partition, reason: BuildReason, begun: Moment) -> Arc<Slot> {
        let plan = BuildPlan {
            partition,
            partitions: 1,
            cluster_id: "cluster".to_owned(),
            topic_id: TopicId::new([1; 16]),
            low: Position::ZERO,
            high: Position::new(9),
            observed_at: begun.at,
            reason,
        };
        self.writer.start_build(&plan).unwrap()
    }

    fn read_record(&mut self, slot: &Slot, offset: i64, epoch: i32) {
        self.read_value(slot, offset, epoch, None);
    }

    fn read_value(&mut self, slot: &Slot, offset: i64, epoch: i32, value: Option<&[u8]>) {
        let key = offset.to_be_bytes();
        let record = Record {
            partition: 0,
            offset: Offset::new(offset),
            leader_epoch: Some(epoch),
            timestamp: Timestamp { at: Millis::new(0), kind: TimestampKind::Create },
            key: Some(&key),
            value,
            headers: &[],
        };
        let mut batch = Batch::new(0, false);
        batch.push(slot.number(), &record, latest_value(&record).unwrap());
        self.writer.apply(&mut batch).unwrap();
    }

    fn positions(&self) -> BTreeMap<SlotNumber, Position> {
        self.coordinator.view.store().table().slots().map(|slot| (slot.number(), slot.position())).collect()
    }

    fn reach(&mut self, slot: &Slot, position: i64) {
        let mut batch = Batch::new(0, false);
        batch.reach(slot.number(), slot.partition(), Position::new(position));
        self.writer.apply(&mut batch).unwrap();
    }

    /// Has the live reader read the partition into a fresh slot, as after a build that was begun anew.
    fn read_afresh(&mut self) -> SlotNumber {
        let slot = self.build(BuildReason::FirstStart);
        self.coordinator.live.remove(&0);
        self.coordinator.read(Role::Live, 0, &slot).unwrap();
        let command = self.commands.try_recv().unwrap();
        assert!(matches!(command, Command::Follow { slot: number, .. } if number == slot.number()));
        slot.number()
    }

    fn fail(&mut self, slot: SlotNumber, failure: Failure) {
        self.coordinator.rest(Role::Live, PartitionFailure { partition: 0, slot, failure });
    }

    fn trouble(&self) -> Option<TroubleCode> {
        self.coordinator.view.progress().want(0).trouble().map(|trouble| trouble.code)
    }
}

#[test]
fn a_failure_that_arrives_late_is_not_charged_to_the_slot_that_is_read_by_then() {
    let mut world = World::new();
    let (old, new) = (world.read_afresh(), world.read_afresh());
    let rewritten = || Failure::Rewritten("cut off".to_owned());
    world.fail(old, rewritten());
    assert_eq!(world.coordinator.live[&0], Reading::Into(new));
    assert_eq!((world.trouble(), world.coordinator.rewritten.is_empty()), (None, true));

    world.fail(new, rewritten());
    assert!(matches!(world.coordinator.live[&0], Reading::Resting(_)));
    assert_eq!(world.trouble(), Some(TroubleCode::OutOfRange));
    assert_eq!(world.coordinator.rewritten, BTreeSet::from([new]));
    world.fail(new, Failure::Gone);
    assert!(matches!(world.coordinator.live[&0], Reading::Resting(_)), "a rest is not cut short");
}

/// FAULTS row 15: a broker that has not heard of the new leader yet is asked how far the log reaches.
#[test]
fn an_end_told_by_a_leader_of_an_earlier_time_is_no_truncation() {
    let mut world = World::new();
    let slot = world.build(BuildReason::FirstStart);
    world.read_record(&slot, 19, 3);
    assert!(world.writer.promote(0).unwrap());
    world.coordinator.read(Role::Live, 0, &slot).unwrap();
    let before = BTreeMap::from([(slot.number(), slot.position())]);
    let current_at = slot.caught_up_at();

    // Nobody waits for the readers when all end, nor is there a writer: a build that is begun fails.
    world.coordinator.stop.cancel();
    let mut is_read_on = |epoch| world.coordinator.steer(&state(9, epoch), &before).is_ok();
    assert!(is_read_on(2) && is_read_on(3));
    assert_eq!(slot.caught_up_at(), current_at, "whoever is behind does not say what is current");
    // A client that takes what the brokers say for outdated is told nothing: it is replaced.
    assert_eq!(world.trouble(), None);
    world.coordinator.moved.insert(slot.number(), (slot.position(), Instant::now() - 2 * PATIENCE));
    let _ = world.coordinator.steer(&state(9, 3), &before);
    assert_eq!(world.trouble(), Some(TroubleCode::NoProgress));
    let mut is_read_on = |epoch| world.coordinator.steer(&state(9, epoch), &before).is_ok();
    assert!(!is_read_on(4), "a later leader has cut it off");

    // What the reader is told counts, whoever else says it.
    world.coordinator.read(Role::Live, 0, &slot).unwrap();
    world.fail(slot.number(), Failure::OutOfRange("not within the log".to_owned()));
    assert!(world.coordinator.steer(&state(9, 3), &before).is_err());
}

/// FAULTS row 13.
#[test]
fn a_clock_that_jumps_by_a_year_costs_a_rebuild_at_most_and_makes_nothing_fresh() {
    const YEAR: u64 = 365 * 24 * 60 * 60;
    let mut world = World::new();
    let slot = world.build(BuildReason::FirstStart);
    world.reach(&slot, 20);
    assert!(world.writer.promote(0).unwrap());
    world.coordinator.read(Role::Live, 0, &slot).unwrap();
    let (begun, before) = (Moment::now(), BTreeMap::from([(slot.number(), slot.position())]));
    slot.set_current(begun);
    let moment = |years_ahead: i64, seconds_later| Moment {
        at: Millis::new(begun.at.get() + years_ahead * i64::try_from(YEAR).unwrap() * 1000),
        measured: begun.measured + Duration::from_secs(seconds_later),
    };
    world.coordinator.stop.cancel();
    let mut is_read_on = |end, observed_at| {
        world.coordinator.steer(&TopicState { observed_at, ..state(end, 0) }, &before).is_ok()
    };
    assert!(is_read_on(30, moment(0, 1)));
    assert!(is_read_on(30, moment(-1, 1)), "that says nothing");
    assert!(!is_read_on(30, moment(1, 1)), "for all that is known records were missed");
    assert!(!is_read_on(30, moment(-1, YEAR)), "what was measured no clock takes back");

    let age = |years_ahead, seconds_later| slot.age(moment(years_ahead, seconds_later)).unwrap().as_secs();
    assert_eq!([age(0, 0), age(-1, 60), age(1, 1)], [0, 60, YEAR]);
    assert!(is_read_on(20, moment(1, 1)), "there is nothing to be missed");
}

/// FAULTS row 24.
#[test]
fn a_process_that_was_frozen_and_read_on_before_it_asked_misses_no_tombstone() {
    let mut world = World::new();
    let slot = world.build(BuildReason::FirstStart);
    world.reach(&slot, 20);
    assert!(world.writer.promote(0).unwrap());
    world.coordinator.read(Role::Live, 0, &slot).unwrap();
    world.coordinator.stop.cancel();
    let mut is_read_on = |end, current_at| {
        slot.set_current(current_at);
        world.reach(&slot, end);
        world.coordinator.compare_positions();
        let before = BTreeMap::from([(slot.number(), slot.position())]);
        world.coordinator.steer(&state(end, 0), &before).is_ok()
    };
    let now = Moment::now();
    let days_ago = Moment { at: Millis::new(now.at.get() - 200_000_000), ..now };
    assert!(is_read_on(30, now));
    assert!(is_read_on(30, days_ago), "there was nothing to be missed");
    assert!(!is_read_on(40, days_ago));
}

/// FAULTS row 24: killed before Kafka was back, it would be taken for in time by the next start.
#[test]
fn nothing_was_read_in_time_before_it_is_known_how_long_the_topic_keeps_tombstones() {
    let mut world = World::new();
    let slot = world.build(BuildReason::FirstStart);
    world.reach(&slot, 20);
    assert!(world.writer.promote(0).unwrap());
    world.coordinator.settings_at = None;
    world.coordinator.compare_positions();
    assert_eq!(slot.in_time(), Position::ZERO);
    world.coordinator.settings_at = Some(Instant::now());
    world.coordinator.compare_positions();
    assert_eq!(slot.in_time(), slot.position());
}

/// FAULTS row 47.
#[test]
fn a_reset_is_refused_once_however_often_the_group_is_looked_at_before_it_is_signed_over() {
    let mut world = World::new();
    let slot = world.build(BuildReason::FirstStart);
    world.reach(&slot, 20);
    assert!(world.writer.promote(0).unwrap());
    world.writer.decide(&[(0, RowEdit::Signed)]).unwrap();
    let positions = BTreeMap::from([(0, slot.position())]);
    let refused = |world: &mut World, at| {
        let (table, metadata) = (world.coordinator.view.store().table(), String::new());
        let committed = BTreeMap::from([(0, Committed { position: Position::new(at), metadata })]);
        let (edits, unsigned) = world.coordinator.judge_group(&table, &positions, &committed);
        assert!(edits.is_empty() && unsigned);
        let progress = world.coordinator.view.progress();
        (progress.metrics().resets_refused.get(), progress.events().len())
    };
    assert_eq!([30, 30, 40, 40].map(|at| refused(&mut world, at)), [(1, 1), (1, 1), (2, 2), (2, 2)]);
    world.coordinator.mirror.as_mut().unwrap().confirm(positions.clone());
    assert_eq!(refused(&mut world, 40), (3, 3));
}

#[test]
fn who_fails_as_soon_as_it_reads_has_not_recovered() {
    let mut world = World::new();
    let slot = world.build(BuildReason::FirstStart);
    world.reach(&slot, 9);
    assert!(world.writer.promote(0).unwrap());
    let before = BTreeMap::from([(slot.number(), slot.position())]);
    let no_client = || Failure::Other("no client can be made".to_owned());
    let round = |world: &mut World| world.coordinator.steer(&state(9, 0), &before).unwrap();
    round(&mut world);
    for _ in 0..3 {
        world.fail(slot.number(), no_client());
        world.coordinator.live.insert(0, Reading::Resting(Instant::now()));
        round(&mut world);
        assert_eq!(world.coordinator.live[&0], Reading::Into(slot.number()));
        assert_eq!(world.trouble(), Some(TroubleCode::Undeliverable), "it may fail at once");
    }
    let events = |world: &World| {
        world.coordinator.view.progress().events().iter().map(|event| event.kind).collect::<Vec<_>>()
    };
    assert_eq!(events(&world), ["undeliverable"]);
    round(&mut world);
    assert_eq!(world.trouble(), None);
    assert_eq!(events(&world), ["undeliverable", "recovered"]);
}

#[test]
fn a_builder_that_rests_for_its_bound_is_not_stuck() {
    let mut world = World::new();
    let serving = world.build(BuildReason::FirstStart);
    world.reach(&serving, 9);
    assert!(world.writer.promote(0).unwrap());
    let build = world.build(BuildReason::Requested);
    let before = BTreeMap::from([serving, build.clone()].map(|slot| (slot.number(), slot.position())));
    world.coordinator.builder.insert(0, Reading::Into(build.number()));
    let (pace, mut throttle) = (Arc::clone(&world.coordinator.ports.builder.pace), Throttle::new());
    let mut troubled = || {
        let long_ago = Instant::now() - 2 * PATIENCE;
        world.coordinator.moved.insert(build.number(), (build.position(), long_ago));
        // There is no builder to be told to read anew.
        let _ = world.coordinator.steer(&state(9, 0), &before);
        world.trouble()
    };
    pace.set_records_per_second(1);
    throttle.note(&pace, 1000);
    assert!(throttle.rest(&pace) > Duration::ZERO);
    assert_eq!(troubled(), None);
    assert_eq!(troubled(), Some(TroubleCode::NoProgress));
}
