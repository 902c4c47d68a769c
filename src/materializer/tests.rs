//! Reader and writer over a scripted source and a real store; the test stands in for the coordinator.

mod pipeline;
mod script;

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use proptest::prelude::*;

use self::pipeline::{Limits, Pipeline};
use self::script::{ScriptedPartition, ScriptedTopic, row};
use crate::position::{Partition, Position};
use crate::progress::{Place, Waiters};
use crate::source::Failure;

const ONE_BY_ONE: Limits = Limits { records_max: 1, bytes_max: 1 << 20, staged: None };
const WIDE: Limits = Limits { records_max: 1000, bytes_max: 1 << 20, staged: None };

fn restored(topic: &ScriptedTopic, limits: Limits) -> Pipeline {
    let mut pipeline = Pipeline::new(topic, limits);
    pipeline.start();
    pipeline.wait_until_read();
    pipeline
}

#[test]
fn the_last_value_of_every_key_is_served_and_a_tombstone_removes_it() {
    let records =
        vec![row(0, "a", Some("1")), row(1, "b", Some("1")), row(2, "a", Some("2")), row(3, "b", None)];
    for limits in [ONE_BY_ONE, WIDE] {
        let pipeline = restored(&ScriptedTopic::of(vec![ScriptedPartition::new(records.clone())]), limits);
        assert_eq!(pipeline.contents(), BTreeMap::from([(b"a".to_vec(), b"2".to_vec())]));
        assert_eq!(pipeline.positions(), [Position::new(4)]);
    }
}

/// FAULTS row 33.
#[test]
fn an_empty_value_is_data_and_only_null_is_a_tombstone() {
    let records = vec![row(0, "a", Some("")), row(1, "b", Some("null"))];
    let pipeline = restored(&ScriptedTopic::of(vec![ScriptedPartition::new(records)]), WIDE);
    let expected = BTreeMap::from([(b"a".to_vec(), Vec::new()), (b"b".to_vec(), b"null".to_vec())]);
    assert_eq!(pipeline.contents(), expected);
}

/// FAULTS row 29.
#[test]
fn an_empty_partition_serves_at_once() {
    let topic = ScriptedTopic::of(vec![
        ScriptedPartition::new(vec![]),
        ScriptedPartition { start: 7, end: 7, records: vec![] },
    ]);
    let pipeline = restored(&topic, WIDE);
    assert_eq!(pipeline.positions(), [Position::ZERO, Position::new(7)]);
}

/// FAULTS row 27.
#[test]
fn a_tail_of_control_records_and_a_compacted_tail_count_as_read() {
    let topic = ScriptedTopic::of(vec![
        ScriptedPartition { start: 0, end: 9, records: vec![row(4, "a", Some("1"))] },
        ScriptedPartition { start: 0, end: 5, records: vec![] },
    ]);
    let pipeline = restored(&topic, WIDE);
    assert_eq!(pipeline.positions(), [Position::new(9), Position::new(5)]);
}

#[test]
fn a_log_that_starts_late_is_read_from_its_start() {
    let topic = ScriptedTopic::of(vec![ScriptedPartition {
        start: 100,
        end: 102,
        records: vec![row(101, "a", Some("1"))],
    }]);
    assert_eq!(restored(&topic, WIDE).positions(), [Position::new(102)]);
}

/// FAULTS row 32.
#[test]
fn a_record_without_a_key_is_counted_and_passed() {
    let mut keyless = row(0, "", Some("lost"));
    keyless.key = None;
    let topic = ScriptedTopic::of(vec![ScriptedPartition::new(vec![keyless])]);
    let pipeline = restored(&topic, WIDE);
    assert_eq!(pipeline.positions(), [Position::new(1)]);
    assert_eq!(pipeline.null_keys(), 1);
}

#[test]
fn a_restart_goes_on_at_the_stored_position_and_reads_nothing_twice() {
    let topic = ScriptedTopic::of(vec![ScriptedPartition::new(vec![row(0, "a", Some("1"))])]);
    let mut pipeline = restored(&topic, WIDE);
    assert_eq!(topic.delivered(), 1);
    topic.append(0, row(1, "b", Some("2")));
    pipeline.restart();
    pipeline.wait_until_read();
    assert_eq!(topic.delivered(), 2);
    assert_eq!(pipeline.contents().len(), 2);
}

#[test]
fn a_view_is_complete_once_all_partitions_the_topic_is_known_to_have_are_served() {
    let topic = ScriptedTopic::of(vec![ScriptedPartition::new(vec![row(0, "a", Some("1"))])]);
    for (partitions, complete) in [(None, false), (Some(2), false), (Some(1), true)] {
        let mut pipeline = Pipeline::new(&topic, WIDE);
        partitions.into_iter().for_each(|partitions| pipeline.know_topic(partitions));
        pipeline.start();
        pipeline.wait_until_read();
        // Whatever the writer has still to note, it has noted by then.
        pipeline.restart();
        assert_eq!(pipeline.was_complete(), complete, "{partitions:?}");
    }
}

#[test]
fn a_poll_ends_with_a_full_batch_however_much_has_arrived() {
    let records: Vec<_> = (0..50).map(|offset| row(offset, "a", Some(&"x".repeat(1000)))).collect();
    let limits = Limits { records_max: 1000, bytes_max: 3000, staged: None };
    let pipeline = restored(&ScriptedTopic::of(vec![ScriptedPartition::new(records)]), limits);
    assert_eq!(pipeline.positions(), [Position::new(50)]);
    assert!(pipeline.batches() >= 50 / 3, "{} batches", pipeline.batches());
}

#[test]
fn a_partition_that_fails_is_reported_and_the_others_go_on() {
    let topic = ScriptedTopic::of(vec![
        ScriptedPartition::new(vec![row(0, "a", Some("1"))]),
        ScriptedPartition::new(vec![row(0, "b", Some("1"))]),
    ]);
    topic.fail(1, Failure::Other("bad checksum".to_owned()));
    let mut pipeline = Pipeline::new(&topic, WIDE);
    pipeline.start();
    let failed = pipeline.failure();
    assert_eq!((failed.partition, failed.failure), (1, Failure::Other("bad checksum".to_owned())));
    pipeline.wait_until(|positions| positions.first() == Some(&Position::new(1)));
    topic.append(0, row(1, "c", Some("1")));
    pipeline.wait_until(|positions| positions.first() == Some(&Position::new(2)));
    assert_eq!(pipeline.building_positions(), [Position::ZERO], "nothing of the failed partition is skipped");
}

fn enter(waiters: &Waiters, position: i64) -> Place<'_, (Partition, Position)> {
    waiters.at_position(0, Position::new(position), || false).unwrap()
}

#[test]
fn who_waits_for_a_position_or_a_key_is_woken_when_it_can_be_read() {
    let topic = ScriptedTopic::of(vec![ScriptedPartition::new(vec![row(0, "before", Some("1"))])]);
    let pipeline = restored(&topic, WIDE);
    pipeline.wait_until_told_restored();
    let waiters = pipeline.progress().waiters();
    let (near, far) = (enter(waiters, 2), enter(waiters, 3));
    let (key, other) = (waiters.at_key(b"b"), waiters.at_key(b"a"));
    topic.append(0, row(1, "b", Some("1")));
    pipeline.wait_for(near.rung());
    assert_eq!(pipeline.positions(), [Position::new(2)]);
    pipeline.wait_for(key.rung());
    assert!(far.rung().now_or_never().is_none() && other.rung().now_or_never().is_none());
    topic.append(0, row(2, "a", None));
    pipeline.wait_for(far.rung());
    pipeline.wait_for(other.rung());
}

#[test]
fn a_swap_wakes_everybody() {
    let topic = ScriptedTopic::of(vec![ScriptedPartition::new(vec![row(0, "a", Some("1"))])]);
    let mut pipeline = restored(&topic, WIDE);
    pipeline.wait_until_told_restored();
    pipeline.drop_slot_while_reading(&topic);
    topic.append(0, row(topic.next(0), "b", Some("1")));
    let progress = std::sync::Arc::clone(pipeline.progress());
    let (position, key) = (enter(progress.waiters(), i64::MAX), progress.waiters().at_key(b"unknown"));
    pipeline.start();
    pipeline.promote_when_read();
    pipeline.wait_for(position.rung());
    pipeline.wait_for(key.rung());
}

#[test]
fn a_batch_on_its_way_to_a_dropped_slot_does_no_harm() {
    let topic = ScriptedTopic::of(vec![ScriptedPartition::new(vec![row(0, "a", Some("1"))])]);
    let mut pipeline = restored(&topic, WIDE);
    pipeline.drop_slot_while_reading(&topic);
    topic.append(0, row(topic.next(0), "b", Some("1")));
    pipeline.start();
    pipeline.promote_when_read();
    pipeline.wait_until_read();
    assert_eq!(pipeline.contents().len(), 3);
}

fn record() -> impl Strategy<Value = (u8, Option<u8>, Option<String>)> {
    let value = proptest::option::weighted(0.8, "[a-z]{0,6}");
    (0..3_u8, proptest::option::weighted(0.95, 0..12_u8), value)
}

type MadeUp = ((u8, Option<u8>, Option<String>), i64);

/// Appends a made-up record to the topic and to the fold of what the view is to hold.
fn append(topic: &ScriptedTopic, fold: &mut BTreeMap<Vec<u8>, Vec<u8>>, made_up: MadeUp) {
    let ((partition, key, value), gap) = made_up;
    // A key belongs to one partition, as with any partitioner.
    let key = key.map(|key| format!("k{partition}-{key}").into_bytes());
    let mut record = row(topic.next(partition.into()) + gap - 1, "", value.as_deref());
    record.key.clone_from(&key);
    topic.append(partition.into(), record);
    if let Some(key) = key {
        match value {
            Some(value) => fold.insert(key, value.into_bytes()),
            None => fold.remove(&key),
        };
    }
}

fn assert_is_fold(topic: &ScriptedTopic, pipeline: &Pipeline, fold: &BTreeMap<Vec<u8>, Vec<u8>>) {
    pipeline.wait_until_read();
    assert_eq!(pipeline.contents(), *fold);
    let ends: Vec<_> = (0..3).map(|partition| Position::new(topic.next(partition))).collect();
    assert_eq!(pipeline.positions(), ends);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// FAULTS row 36: the script gives every record a wild timestamp.
    #[test]
    fn a_view_is_the_fold_of_its_records_whatever_the_batches_and_restarts(
        records in proptest::collection::vec((record(), 1..4_i64), 1..120),
        records_max in 1..40_usize,
        bytes_max in 1..400_u64,
        restarts in proptest::collection::vec(0..120_usize, 0..3),
    ) {
        let topic = ScriptedTopic::of((0..3).map(|_| ScriptedPartition::new(vec![])).collect());
        let mut pipeline = Pipeline::new(&topic, Limits { records_max, bytes_max, staged: None });
        pipeline.start();
        let mut fold = BTreeMap::new();
        for (number, made_up) in records.into_iter().enumerate() {
            append(&topic, &mut fold, made_up);
            if restarts.contains(&number) {
                pipeline.restart();
            }
        }
        assert_is_fold(&topic, &pipeline, &fold);
    }

    #[test]
    fn a_build_from_files_is_the_fold_of_its_records_whatever_the_batches_and_restarts(
        before in proptest::collection::vec((record(), 1..4_i64), 1..120),
        after in proptest::collection::vec((record(), 1..4_i64), 0..20),
        staged in prop_oneof![Just(1), Just(1000), Just(3000)],
        records_max in 1..40_usize,
        restarts in 0..3,
    ) {
        let topic = ScriptedTopic::of((0..3).map(|_| ScriptedPartition::new(vec![])).collect());
        let mut fold = BTreeMap::new();
        before.into_iter().for_each(|made_up| append(&topic, &mut fold, made_up));
        let mut pipeline = Pipeline::new(&topic, Limits { records_max, bytes_max: 400, staged: Some(staged) });
        pipeline.start();
        for _ in 0..restarts {
            pipeline.restart();
        }
        after.into_iter().for_each(|made_up| append(&topic, &mut fold, made_up));
        assert_is_fold(&topic, &pipeline, &fold);
    }
}
