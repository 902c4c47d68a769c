//! Slots filled from files.

use rocksdb::{BottommostLevelCompaction, CompactOptions};

use super::*;
use crate::partitioner::Partitioner::{Crc32, Fnv1a, Murmur2};

/// Everything is worth a file.
const SMALL: usize = 1;

fn batch(slot: SlotNumber, records: &[(i64, &str, Option<&str>)]) -> Batch {
    let mut batch = Batch::new(0, true);
    for (offset, key, value) in records {
        put(&mut batch, slot, *offset, key.as_bytes(), value.map(str::as_bytes));
    }
    batch
}

fn fill(writer: &mut Writer, stager: &mut Stager, batch: &mut Batch) {
    let staged = stager.stage(batch).unwrap();
    assert_eq!(batch.len(), 0, "nothing is left to be written one by one");
    writer.take_over(&staged).unwrap();
    writer.apply(batch).unwrap();
}

/// A partition that serves `old` at `k` and is built anew up to `high`.
fn rebuilt(opened: Opened, high: i64) -> (Arc<Store>, Writer, SlotNumber) {
    let Opened { store, mut writer, .. } = opened;
    let slot = writer.start_build(&plan(0, 1)).unwrap().number();
    writer.apply(&mut batch(slot, &[(0, "k", Some("old"))])).unwrap();
    assert!(writer.promote(0).unwrap());
    let slot = writer.start_build(&plan(0, high)).unwrap().number();
    (store, writer, slot)
}

#[test]
fn a_slot_filled_from_files_answers_with_the_last_value_of_every_key() {
    let dir = TempDir::new().unwrap();
    let (store, mut writer, slot) = rebuilt(open(&dir), 5);
    let mut stager = Stager::new(&store, SMALL).unwrap();
    let first = [(0, "k", Some("1")), (1, "gone", Some("1")), (2, "k", Some("2"))];
    fill(&mut writer, &mut stager, &mut batch(slot, &first));
    assert!(!writer.promote(0).unwrap());
    fill(&mut writer, &mut stager, &mut batch(slot, &[(3, "gone", None), (4, "new", Some("3"))]));
    assert!(writer.promote(0).unwrap());
    drop((store, writer, stager));

    let Opened { store, .. } = open(&dir);
    let found = ["k", "gone", "new"].map(|key| value(&store, key.as_bytes()));
    assert_eq!(found, [Some(b"2".to_vec()), None, Some(b"3".to_vec())]);
    assert_eq!(store.table().serving()[&0].position(), Position::new(5));
}

#[test]
fn records_that_are_read_anew_undo_nothing_that_was_staged() {
    let dir = TempDir::new().unwrap();
    let (store, mut writer, slot) = rebuilt(open(&dir), 3);
    let mut stager = Stager::new(&store, SMALL).unwrap();
    let mut on_its_way = batch(slot, &[(0, "k", Some("1")), (1, "k", Some("2"))]);
    let staged = stager.stage(&mut on_its_way).unwrap();
    let mut anew = batch(slot, &[(0, "k", Some("1")), (2, "other", Some("3"))]);
    let then = stager.stage(&mut anew).unwrap();
    for (staged, batch) in [(staged, &mut on_its_way), (then, &mut anew)] {
        writer.take_over(&staged).unwrap();
        writer.apply(batch).unwrap();
    }
    assert!(writer.promote(0).unwrap());
    assert_eq!(value(&store, b"k"), Some(b"2".to_vec()));
    assert_eq!(value(&store, b"other"), Some(b"3".to_vec()));
}

/// Two partitions that were filled from files up to offset 2 with these changes, and answer.
fn filled(dir: &TempDir, changes: [&[(i64, &str, Option<&str>)]; 2]) -> Arc<Store> {
    let Opened { store, mut writer, .. } = open(dir);
    let slots = [0, 1].map(|partition| {
        writer.start_build(&BuildPlan { partitions: 2, ..plan(partition, 2) }).unwrap().number()
    });
    let mut stager = Stager::new(&store, SMALL).unwrap();
    for ((partition, slot), changes) in (0..).zip(slots).zip(changes) {
        let mut own = Batch::new(0, true);
        own.reach(slot, partition, Position::new(2));
        for (offset, key, value) in changes {
            put(&mut own, slot, *offset, key.as_bytes(), value.map(str::as_bytes));
        }
        fill(&mut writer, &mut stager, &mut own);
    }
    assert!(writer.promote(0).unwrap() && writer.promote(1).unwrap());
    store
}

#[test]
fn a_key_is_found_in_files_wherever_its_producer_placed_it() {
    let is_strayed = |key: &String| {
        [Murmur2, Crc32, Fnv1a].iter().all(|partitioner| partitioner.partition(key.as_bytes(), 2) == 0)
    };
    let key = (0..).map(|number| format!("k{number}")).find(is_strayed).unwrap();
    let dir = TempDir::new().unwrap();
    let store = filled(&dir, [&[], &[(0, &key, Some("1"))]]);
    assert_eq!(value(&store, key.as_bytes()), Some(b"1".to_vec()));
}

#[test]
fn a_tombstone_in_files_hides_an_older_value_of_another_partition() {
    let dir = TempDir::new().unwrap();
    let store = filled(&dir, [&[(0, "k", Some("ghost"))], &[(1, "k", None)]]);
    assert_eq!(value(&store, b"k"), None);
}

#[test]
fn small_changes_and_those_of_a_slot_that_answers_stay_in_the_batch() {
    let dir = TempDir::new().unwrap();
    let (store, mut writer, slot) = rebuilt(open(&dir), 1);
    let mut large = batch(slot, &[(0, "k", Some("1"))]);
    assert!(Stager::new(&store, 1 << 20).unwrap().stage(&mut large).unwrap().files.is_empty());
    writer.apply(&mut large).unwrap();
    // It may answer at any moment now, before files are taken over.
    let mut beyond = batch(slot, &[(1, "k", Some("2"))]);
    assert!(Stager::new(&store, SMALL).unwrap().stage(&mut beyond).unwrap().files.is_empty());
    assert!(writer.promote(0).unwrap());
    let mut live = batch(slot, &[(1, "k", Some("2"))]);
    let mut stager = Stager::new(&store, SMALL).unwrap();
    assert!(!stager.is_far(&live));
    assert!(stager.stage(&mut live).unwrap().files.is_empty());
    writer.apply(&mut live).unwrap();
    assert_eq!(value(&store, b"k"), Some(b"2".to_vec()));
}

/// What is written one by one is flushed before the next file is taken over, with all slots in one file.
#[test]
fn between_two_files_of_a_slot_nothing_of_it_is_written_one_by_one() {
    let dir = TempDir::new().unwrap();
    let (store, _writer, slot) = rebuilt(open(&dir), 4);
    let mut stager = Stager::new(&store, 64 * 100).unwrap();
    let mut files_of = |offset, value: &str| {
        stager.stage(&mut batch(slot, &[(offset, "k", Some(value))])).unwrap().files.len()
    };
    assert_eq!(files_of(0, "small"), 0);
    assert_eq!(files_of(1, &"large".repeat(100)), 1);
    assert_eq!(files_of(2, "small"), 1);
    assert_eq!(files_of(3, "small"), 0, "no file follows the last records");
}

/// FAULTS row 1.
#[test]
fn a_build_whose_files_were_taken_over_without_its_position_begins_anew() {
    let dir = TempDir::new().unwrap();
    let (store, mut writer, slot) = rebuilt(open(&dir), 3);
    let mut stager = Stager::new(&store, SMALL).unwrap();
    fill(&mut writer, &mut stager, &mut batch(slot, &[(0, "k", Some("1"))]));
    let lost = stager.stage(&mut batch(slot, &[(1, "k", Some("lost"))])).unwrap();
    writer.take_over(&lost).unwrap();
    drop((store, writer, stager, lost));

    let Opened { store, mut writer, .. } = open(&dir);
    assert!(store.table().building().is_empty());
    assert_eq!(store.table().row(0).requested, Some(BuildReason::FirstStart));
    assert_eq!(value(&store, b"k"), Some(b"old".to_vec()));
    assert_eq!(writer.sweep().unwrap(), 1);
    drop((store, writer));
    let Opened { store, .. } = open(&dir);
    assert_eq!((store.table().row(0).building, value(&store, b"k")), (None, Some(b"old".to_vec())));
}

#[test]
fn files_of_a_build_that_was_replaced_are_thrown_away() {
    let dir = TempDir::new().unwrap();
    let (store, mut writer, slot) = rebuilt(open(&dir), 1);
    let mut stager = Stager::new(&store, SMALL).unwrap();
    let mut late = batch(slot, &[(0, "k", Some("late"))]);
    let staged = stager.stage(&mut late).unwrap();
    let fresh = writer.start_build(&plan(0, 1)).unwrap().number();
    let files = || store.db.live_files().unwrap().len();
    let before = files();
    writer.take_over(&staged).unwrap();
    assert_eq!(files(), before);
    writer.apply(&mut late).unwrap();
    drop(staged);
    assert_eq!(std::fs::read_dir(dir.path().join("staged")).unwrap().count(), 0);
    fill(&mut writer, &mut stager, &mut batch(fresh, &[(0, "k", Some("1"))]));
    assert!(writer.promote(0).unwrap());
    assert_eq!(value(&store, b"k"), Some(b"1".to_vec()));
}

#[test]
fn what_an_earlier_process_left_staged_is_removed() {
    let dir = TempDir::new().unwrap();
    let (store, _writer, slot) = rebuilt(open(&dir), 1);
    let mut stager = Stager::new(&store, SMALL).unwrap();
    std::mem::forget(stager.stage(&mut batch(slot, &[(0, "k", Some("1"))])).unwrap());
    assert!(dir.path().join("staged").exists());
    let _stager = Stager::new(&store, SMALL).unwrap();
    assert!(!dir.path().join("staged").exists());
}

/// FAULTS row 7: what the builder leaves beside the database is no reason to take the directory for another's.
#[test]
fn a_store_that_was_filled_from_files_is_moved_aside_when_it_is_damaged() {
    let dir = TempDir::new().unwrap();
    let (store, mut writer, slot) = rebuilt(open(&dir), 3);
    let mut stager = Stager::new(&store, SMALL).unwrap();
    fill(&mut writer, &mut stager, &mut batch(slot, &[(0, "k", Some("1"))]));
    store.mark_damaged("block checksum mismatch").unwrap();
    drop((store, writer, stager));
    assert!(open(&dir).quarantined.is_some());
    assert!(open(&dir).quarantined.is_none());
}

/// Two slots that lie in one file, each of a partition of its own.
fn in_one_file(dir: &TempDir) -> (Arc<Store>, Writer) {
    let Opened { store, mut writer, .. } = open(dir);
    let slots = [0, 1].map(|partition| writer.start_build(&plan(partition, 1)).unwrap().number());
    let mut stager = Stager::new(&store, SMALL).unwrap();
    let mut filling = Batch::new(0, true);
    for (partition, slot) in (0..).zip(slots) {
        let mut own = Batch::new(0, true);
        own.reach(slot, partition, Position::new(1));
        put(&mut own, slot, 0, b"k", Some(b"v"));
        let staged = stager.stage(&mut own).unwrap();
        writer.take_over(&staged).unwrap();
        filling.reach(slot, partition, Position::new(1));
    }
    writer.apply(&mut filling).unwrap();
    let mut options = CompactOptions::default();
    options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
    let (start, end) = (entry::slot_range(slots[0]).0, entry::slot_range(slots[1]).1);
    store.db.compact_range_opt(Some(start), Some(end), &options);
    assert_eq!(store.db.live_files().unwrap().len(), 1);
    (store, writer)
}

#[test]
fn a_file_at_the_border_of_two_slots_goes_with_the_second() {
    let dir = TempDir::new().unwrap();
    let (store, mut writer) = in_one_file(&dir);
    for (partition, left) in [(0, 1), (1, 0)] {
        writer.drop_partition(partition).unwrap();
        assert_eq!(writer.sweep().unwrap(), 1);
        assert_eq!(store.db.live_files().unwrap().len(), left);
    }
}

#[test]
fn a_file_at_the_border_of_two_slots_goes_when_both_go_but_not_while_one_is_read() {
    for reads in [true, false] {
        let dir = TempDir::new().unwrap();
        let (store, mut writer) = in_one_file(&dir);
        let held = Some(Arc::clone(&store.table().building()[&1])).filter(|_| reads);
        (0..2).for_each(|partition| writer.drop_partition(partition).unwrap());
        let swept = writer.sweep().unwrap();
        assert_eq!((swept, store.db.live_files().unwrap().len()), if reads { (1, 1) } else { (2, 0) });
        if let Some(held) = held {
            assert!(store.get(&held, b"k").unwrap().is_some());
            drop(held);
            assert_eq!((writer.sweep().unwrap(), store.db.live_files().unwrap().len()), (1, 0));
        }
    }
}
