mod damage;
mod markers;
mod snapshot;
mod staged;

use tempfile::TempDir;

use super::*;
use crate::batch::Batch;
use crate::config::sections::StoreConfig;
use crate::entry::SlotNumber;
use crate::interpretation::latest_value;
use crate::position::{Offset, Partition, Position};
use crate::record::{Record, Timestamp, TimestampKind};
use crate::resume::BuildReason;
use crate::time::Millis;
use crate::topic_id::TopicId;

const TOPIC: &str = "user-profiles";

fn resources() -> Resources {
    Resources::new(&StoreConfig::default(), 1).unwrap()
}

fn open(dir: &TempDir) -> Opened {
    Store::open(dir.path(), TOPIC, &resources(), 2).unwrap()
}

fn plan(partition: Partition, high: i64) -> BuildPlan {
    BuildPlan {
        partition,
        partitions: 1,
        cluster_id: "cluster".to_owned(),
        topic_id: TopicId::new([1; 16]),
        low: Position::ZERO,
        high: Position::new(high),
        observed_at: Millis::new(1000),
        reason: BuildReason::FirstStart,
    }
}

fn put(batch: &mut Batch, slot: SlotNumber, offset: i64, key: &[u8], value: Option<&[u8]>) {
    let timestamp = Timestamp { at: Millis::new(offset), kind: TimestampKind::Create };
    let offset = Offset::new(offset);
    let headers = &[(&b"trace"[..], Some(&b"1"[..]))];
    let record =
        Record { partition: 0, offset, leader_epoch: Some(2), timestamp, key: Some(key), value, headers };
    batch.push(slot, &record, latest_value(&record).unwrap());
}

fn value(store: &Store, key: &[u8]) -> Option<Vec<u8>> {
    store.find(&store.table(), key).unwrap().map(|entry| entry.value().unwrap().to_vec())
}

impl Store {
    /// Has RocksDB take no write any more.
    pub(crate) fn hold_writes(&self) {
        let options = [("level0_file_num_compaction_trigger", "100"), ("level0_stop_writes_trigger", "1")];
        self.db.set_options(&[options[0], options[1], ("level0_slowdown_writes_trigger", "1")]).unwrap();
        self.db.put(b"\0", b"").unwrap();
        self.db.flush().unwrap();
    }

    /// Has RocksDB take writes again.
    pub(crate) fn take_writes(&self) {
        self.db.set_options(&[("level0_stop_writes_trigger", "100")]).unwrap();
    }
}

#[test]
fn what_a_first_restore_left_in_the_first_level_is_compacted_once_it_is_complete() {
    let dir = TempDir::new().unwrap();
    let Opened { store, mut writer, .. } = open(&dir);
    let slot = writer.start_build(&plan(0, 2)).unwrap().number();
    let files = || store.db.property_int_value("rocksdb.num-files-at-level0").unwrap().unwrap();
    for offset in 0..2 {
        let mut batch = Batch::new(0, true);
        put(&mut batch, slot, offset, b"k", Some(b"v"));
        writer.apply(&mut batch).unwrap();
        store.db.flush().unwrap();
    }
    assert_eq!(files(), 2);
    assert!(writer.promote(0).unwrap());
    writer.complete().unwrap();
    let begun = std::time::Instant::now();
    while writer.tidies {
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{} files", files());
        writer.checkpoint().unwrap();
    }
    assert_eq!((files(), value(&store, b"k")), (0, Some(b"v".to_vec())));
}

#[test]
fn few_keys_are_counted_and_bookkeeping_is_not() {
    let dir = TempDir::new().unwrap();
    let Opened { store, mut writer, .. } = open(&dir);
    let slot = writer.start_build(&plan(0, 0)).unwrap().number();
    assert!(writer.promote(0).unwrap());
    writer.complete().unwrap();
    let mut offset = 0;
    let mut write = |writer: &mut Writer, keys: std::ops::RangeInclusive<u32>, value: Option<&[u8]>| {
        let mut batch = Batch::new(0, true);
        for key in keys {
            put(&mut batch, slot, offset, &key.to_be_bytes(), value);
            offset += 1;
        }
        writer.apply(&mut batch).unwrap();
        // What an idle view does every few seconds.
        writer.checkpoint().unwrap();
        store.count_few().unwrap()
    };
    writer.checkpoint().unwrap();
    assert_eq!(store.count_few().unwrap(), Some(0));
    for _ in 0..3 {
        assert_eq!(write(&mut writer, 1..=2, Some(b"v")), Some(2));
    }
    assert_eq!(write(&mut writer, 1..=1, None), Some(1));
    assert_eq!(write(&mut writer, 1..=1000, Some(b"v")), Some(1000));
    assert_eq!(write(&mut writer, 1001..=1001, Some(b"v")), None);
    assert_eq!(write(&mut writer, 2..=9000, None), Some(1));
    assert_eq!(write(&mut writer, 9001..=11_000, None), None, "behind many that are deleted");
}

#[test]
fn few_keys_are_not_counted_where_that_reads_much_of_the_disk() {
    let dir = TempDir::new().unwrap();
    let Opened { store, mut writer, .. } = open(&dir);
    let slot = writer.start_build(&plan(0, 0)).unwrap().number();
    assert!(writer.promote(0).unwrap());
    writer.complete().unwrap();
    let noise =
        std::iter::successors(Some(1_u64), |last| Some(last.wrapping_mul(6_364_136_223_846_793_005) + 1));
    let large: Vec<u8> = noise.map(|number| number.to_be_bytes()[0]).take(1024 * 1024).collect();
    let mut batch = Batch::new(0, true);
    put(&mut batch, slot, 0, b"large", Some(&large));
    put(&mut batch, slot, 1, b"small", Some(b"v"));
    writer.apply(&mut batch).unwrap();
    assert_eq!(store.count_few().unwrap(), Some(2), "in memory");
    store.db.flush().unwrap();
    assert_eq!(store.count_few().unwrap(), None);
}

#[test]
fn entries_and_position_survive_a_restart_together() {
    let dir = TempDir::new().unwrap();
    let Opened { store, mut writer, .. } = open(&dir);
    let slot = writer.start_build(&plan(0, 3)).unwrap().number();
    let mut batch = Batch::new(0, true);
    put(&mut batch, slot, 0, b"a", Some(b"1"));
    put(&mut batch, slot, 1, b"b", Some(b""));
    put(&mut batch, slot, 2, b"a", None);
    writer.apply(&mut batch).unwrap();
    assert!(writer.promote(0).unwrap());
    store.table().serving()[&0].set_in_time(Position::new(2));
    writer.checkpoint().unwrap();
    drop((store, writer));

    let Opened { store, quarantined, .. } = open(&dir);
    assert!(quarantined.is_none());
    let serving = Arc::clone(&store.table().serving()[&0]);
    assert_eq!((serving.position(), serving.in_time()), (Position::new(3), Position::new(2)));
    assert_eq!(serving.epoch(), Some((2, Position::new(3))));
    assert_eq!(serving.caught_up_at(), Some(Millis::new(1000)));
    assert_eq!(value(&store, b"a"), None);
    assert_eq!(value(&store, b"b"), Some(Vec::new()));
    let entry = store.find(&store.table(), b"b").unwrap().unwrap();
    assert_eq!((entry.header.offset, entry.position), (Offset::new(1), Position::new(3)));
    assert_eq!(entry.headers().unwrap(), [(&b"trace"[..], Some(&b"1"[..]))]);
}

#[test]
fn a_slot_answers_only_after_it_has_reached_its_end_offset() {
    let dir = TempDir::new().unwrap();
    let Opened { store, mut writer, .. } = open(&dir);
    let slot = writer.start_build(&plan(0, 2)).unwrap().number();
    let mut batch = Batch::new(0, true);
    put(&mut batch, slot, 0, b"a", Some(b"1"));
    writer.apply(&mut batch).unwrap();
    assert!(!writer.promote(0).unwrap());
    assert!(store.table().serving().is_empty());
    batch.clear(0);
    batch.reach(slot, 0, Position::new(2));
    writer.apply(&mut batch).unwrap();
    assert!(writer.promote(0).unwrap());
    assert_eq!(value(&store, b"a"), Some(b"1".to_vec()));
}

#[test]
fn a_new_build_replaces_the_old_one_and_its_entries_go_when_no_reader_holds_it() {
    let dir = TempDir::new().unwrap();
    let Opened { store, mut writer, .. } = open(&dir);
    let mut batch = Batch::new(0, true);
    for (round, key) in [b"old", b"new"].into_iter().enumerate() {
        let slot = writer.start_build(&plan(0, 1)).unwrap().number();
        assert_eq!(slot.0 as usize, round);
        put(&mut batch, slot, 0, key, Some(b"v"));
        writer.apply(&mut batch).unwrap();
        batch.clear(0);
        assert_eq!(value(&store, b"new"), None);
        if round == 0 {
            assert!(writer.promote(0).unwrap());
        }
    }
    let held = store.table();
    assert!(writer.promote(0).unwrap());
    assert_eq!(writer.sweep().unwrap(), 0);
    assert!(store.find(&held, b"old").unwrap().is_some(), "a reader keeps the table it took");
    assert_eq!(value(&store, b"old"), None);
    assert_eq!(store.table().generation(), 2);
    drop(held);
    assert_eq!(writer.sweep().unwrap(), 1);
    let old = SlotNumber(0);
    let (start, end) = entry::slot_range(old);
    let rest = store.db.iterator(rocksdb::IteratorMode::From(&start, rocksdb::Direction::Forward));
    assert_eq!(rest.filter(|row| row.as_ref().unwrap().0.as_ref() < &end[..]).count(), 0);
}

/// A file of entries alone, as compaction cuts them, whose last row is the empty key of the next slot.
#[test]
fn what_is_swept_ends_before_the_empty_key_of_the_next_slot() {
    let dir = TempDir::new().unwrap();
    let Opened { store, mut writer, .. } = open(&dir);
    let slots = [0, 1].map(|partition| writer.start_build(&plan(partition, 0)).unwrap().number());
    assert!(writer.promote(0).unwrap() && writer.promote(1).unwrap());
    let everything = (None::<&[u8]>, None::<&[u8]>);
    store.db.compact_range(everything.0, everything.1);
    for (slot, key) in [(slots[0], &b"z"[..]), (slots[1], b"")] {
        let (mut storage_key, mut stored) = (Vec::new(), Vec::new());
        entry::push_key(&mut storage_key, slot, key);
        entry::push_entry(
            &mut stored,
            Offset::new(0),
            Timestamp { at: Millis::new(0), kind: TimestampKind::Create },
            &[],
            b"v",
        );
        store.db.put(storage_key, stored).unwrap();
    }
    store.db.flush().unwrap();
    store.db.compact_range(everything.0, everything.1);
    writer.drop_partition(0).unwrap();
    assert_eq!(writer.sweep().unwrap(), 1);
    let next = Arc::clone(&store.table().serving()[&1]);
    assert!(store.get(&next, b"").unwrap().is_some());
}

#[test]
fn a_retired_partition_answers_no_more_and_leaves_nothing_behind() {
    let dir = TempDir::new().unwrap();
    let Opened { store, mut writer, .. } = open(&dir);
    let slot = writer.start_build(&plan(0, 1)).unwrap().number();
    let mut batch = Batch::new(0, true);
    put(&mut batch, slot, 0, b"a", Some(b"1"));
    writer.apply(&mut batch).unwrap();
    writer.promote(0).unwrap();
    writer.drop_partition(0).unwrap();
    assert_eq!((value(&store, b"a"), store.table().generation()), (None, 2));
    assert_eq!(writer.sweep().unwrap(), 1);
    drop((store, writer));
    let Opened { store, mut writer, .. } = open(&dir);
    assert_eq!(store.table().slots().count() + writer.sweep().unwrap(), 0);
}

#[test]
fn records_that_come_again_do_not_undo_what_came_after_them() {
    let dir = TempDir::new().unwrap();
    let Opened { store, mut writer, .. } = open(&dir);
    let slot = writer.start_build(&plan(0, 3)).unwrap().number();
    let mut batch = Batch::new(0, true);
    put(&mut batch, slot, 0, b"a", Some(b"old"));
    put(&mut batch, slot, 1, b"gone", Some(b"old"));
    put(&mut batch, slot, 2, b"a", Some(b"new"));
    put(&mut batch, slot, 3, b"gone", None);
    writer.apply(&mut batch).unwrap();
    writer.promote(0).unwrap();
    batch.clear(0);
    put(&mut batch, slot, 0, b"a", Some(b"old"));
    put(&mut batch, slot, 1, b"gone", Some(b"old"));
    writer.apply(&mut batch).unwrap();
    assert_eq!(value(&store, b"a"), Some(b"new".to_vec()));
    assert_eq!(value(&store, b"gone"), None);
    assert_eq!(store.table().serving()[&0].position(), Position::new(4));
}

#[test]
fn a_first_start_that_was_cut_off_is_begun_again() {
    let dir = TempDir::new().unwrap();
    drop(open(&dir));
    // As a kill between making the database and keeping the identity leaves it.
    std::fs::rename(dir.path().join("IDENTITY"), dir.path().join("IDENTITY.new")).unwrap();
    assert!(open(&dir).quarantined.is_none());
    assert!(open(&dir).quarantined.is_none());
}

#[test]
fn a_users_key_never_collides_with_bookkeeping() {
    let dir = TempDir::new().unwrap();
    let Opened { store, mut writer, .. } = open(&dir);
    let slot = writer.start_build(&plan(0, 3)).unwrap().number();
    let mut batch = Batch::new(0, true);
    let keys: [&[u8]; 3] = [b"\0i", b"", b"\0s\0\0\0\0"];
    for (offset, key) in (0..).zip(keys) {
        put(&mut batch, slot, offset, key, Some(b"mine"));
    }
    writer.apply(&mut batch).unwrap();
    writer.promote(0).unwrap();
    assert!(keys.into_iter().all(|key| value(&store, key) == Some(b"mine".to_vec())));
    drop((store, writer));
    assert!(open(&dir).quarantined.is_none());
}

/// FAULTS row 9.
#[test]
fn a_second_process_is_told_that_the_store_is_in_use() {
    let dir = TempDir::new().unwrap();
    let _held = open(&dir);
    let error = Store::open(dir.path(), TOPIC, &resources(), 2).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
}

#[test]
fn a_store_of_another_topic_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    drop(open(&dir));
    let error = Store::open(dir.path(), "orders", &resources(), 2).unwrap_err();
    assert!(matches!(error, Error::OtherTopic { .. }), "{error}");
    assert!(open(&dir).quarantined.is_none());
}

#[test]
fn a_directory_with_other_files_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
    let error = Store::open(dir.path(), TOPIC, &resources(), 2).unwrap_err();
    assert!(matches!(error, Error::NotAStore { .. }), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// FAULTS row 43.
#[test]
fn a_store_of_a_later_format_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    drop(open(&dir));
    let path = dir.path().join("IDENTITY");
    let later = std::fs::read_to_string(&path).unwrap().replace("\"format\":1", "\"format\":2");
    std::fs::write(&path, &later).unwrap();
    let error = Store::open(dir.path(), TOPIC, &resources(), 2).unwrap_err();
    assert!(matches!(error, Error::Newer { found: 2, .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), later);
}

/// FAULTS row 8.
#[test]
fn a_database_that_was_emptied_is_moved_aside_and_not_taken_for_a_first_start() {
    let dir = TempDir::new().unwrap();
    drop(open(&dir));
    std::fs::remove_dir_all(dir.path().join("db")).unwrap();
    let opened = open(&dir);
    let (aside, detail) = opened.quarantined.expect("the loss is noticed");
    assert!(aside.join("IDENTITY").exists(), "{detail}");
}

#[test]
fn at_most_the_configured_number_of_damaged_stores_is_kept() {
    let dir = TempDir::new().unwrap();
    for _ in 0..4 {
        let opened = open(&dir);
        drop(opened);
        std::fs::write(dir.path().join("db/CURRENT"), "").unwrap();
    }
    let corrupt = std::fs::read_dir(dir.path()).unwrap();
    let corrupt =
        corrupt.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with("corrupt-"));
    assert_eq!(corrupt.count(), 2);
}
