//! Tombstones that are kept as markers, and when they may go.

use super::*;
use crate::partitioner::Partitioner;

const KEYS: i64 = 100;

fn key(number: i64) -> Vec<u8> {
    format!("user-{number}").into_bytes()
}

fn home(key: &[u8]) -> Partition {
    Partitioner::Murmur2.partition(key, 2)
}

/// Two slots being filled with a value of every key where murmur2 places it, and a tombstone of every other one.
fn filling(dir: &TempDir) -> (Arc<Store>, Writer, [SlotNumber; 2]) {
    let Opened { store, mut writer, .. } = open(dir);
    let slots = [0, 1].map(|partition| {
        writer.start_build(&BuildPlan { partitions: 2, ..plan(partition, 1) }).unwrap().number()
    });
    let mut batch = Batch::new(0, true);
    for number in 0..KEYS {
        let key = key(number);
        let slot = slots[home(&key).unsigned_abs() as usize];
        put(&mut batch, slot, 2 * number, &key, Some(b"v"));
        if number % 2 == 0 {
            put(&mut batch, slot, 2 * number + 1, &key, None);
        }
    }
    writer.apply(&mut batch).unwrap();
    (store, writer, slots)
}

fn rows(store: &Store) -> usize {
    let start = [entry::ENTRY_SPACE];
    store.db.iterator(rocksdb::IteratorMode::From(&start, rocksdb::Direction::Forward)).count()
}

fn compact(store: &Store) {
    store.db.compact_range(None::<&[u8]>, None::<&[u8]>);
}

#[test]
fn markers_of_a_build_go_with_the_next_compaction_once_their_keys_lie_in_one_place() {
    let dir = TempDir::new().unwrap();
    let (store, mut writer, _) = filling(&dir);
    compact(&store);
    assert_eq!(rows(&store), 100, "the records that tell where keys lie may be still to come");
    assert!(writer.promote(0).unwrap());
    compact(&store);
    assert_eq!(rows(&store), 100, "the other partition is not known yet");
    assert!(writer.promote(1).unwrap());
    compact(&store);
    assert_eq!(rows(&store), 50);
    for number in 0..KEYS {
        assert_eq!(value(&store, &key(number)).is_some(), number % 2 == 1, "{number}");
    }
}

#[test]
fn a_marker_that_hides_an_older_value_elsewhere_stays() {
    let dir = TempDir::new().unwrap();
    let (store, mut writer, slots) = filling(&dir);
    let deleted = key(40);
    let elsewhere = slots[1 - home(&deleted).unsigned_abs() as usize];
    let mut batch = Batch::new(0, true);
    // Its time is before that of the tombstone, its offset beyond all others of its partition.
    let timestamp = Timestamp { at: Millis::new(0), kind: TimestampKind::Create };
    let record = Record {
        partition: 1 - home(&deleted),
        offset: Offset::new(1000),
        leader_epoch: None,
        timestamp,
        key: Some(&deleted),
        value: Some(b"ghost"),
        headers: &[],
    };
    batch.push(elsewhere, &record, latest_value(&record).unwrap());
    writer.apply(&mut batch).unwrap();
    assert!(writer.promote(0).unwrap() && writer.promote(1).unwrap());
    compact(&store);
    assert_eq!(value(&store, &deleted), None);
    let snapshot = store.snapshot().unwrap();
    let mut entries = snapshot.entries(&KeyRange::default(), Order::Ascending, Extent::Whole).unwrap();
    while !matches!(entries.step().unwrap(), Step::End) {}
    assert_eq!(entries.hidden(), 1);
}

#[test]
fn a_walk_comes_up_for_air_among_markers() {
    let dir = TempDir::new().unwrap();
    let Opened { store, mut writer, .. } = open(&dir);
    let mut start =
        |partition| writer.start_build(&BuildPlan { partitions: 2, ..plan(partition, 0) }).unwrap();
    let (slot, _other) = (start(0).number(), start(1));
    let mut batch = Batch::new(0, true);
    for number in 0..2500 {
        put(&mut batch, slot, number, format!("{number:04}").as_bytes(), None);
    }
    put(&mut batch, slot, 2500, b"9999", Some(b"v"));
    writer.apply(&mut batch).unwrap();
    assert!(writer.promote(0).unwrap() && writer.promote(1).unwrap());
    let snapshot = store.snapshot().unwrap();
    let mut entries = snapshot.entries(&KeyRange::default(), Order::Ascending, Extent::Whole).unwrap();
    for passed in [&b"0999"[..], b"1999"] {
        assert!(matches!(entries.step().unwrap(), Step::Passed(key) if key == passed));
    }
    assert!(matches!(entries.step().unwrap(), Step::Entry(b"9999", _)));
    assert!(matches!(entries.step().unwrap(), Step::End));
}

/// FAULTS row 26.
#[test]
fn a_key_deleted_while_another_partition_is_still_filled_does_not_come_back_from_there() {
    let dir = TempDir::new().unwrap();
    let (store, mut writer, slots) = filling(&dir);
    let deleted = key(41);
    let own = home(&deleted);
    assert!(writer.promote(own).unwrap());
    let mut batch = Batch::new(0, true);
    put(&mut batch, slots[own.unsigned_abs() as usize], 5000, &deleted, None);
    writer.apply(&mut batch).unwrap();
    batch.clear(0);
    // What the other partition still brings is older.
    put(&mut batch, slots[1 - own.unsigned_abs() as usize], 1000, &deleted, Some(b"ghost"));
    writer.apply(&mut batch).unwrap();
    assert!(writer.promote(1 - own).unwrap());
    assert_eq!(value(&store, &deleted), None);
}

#[test]
fn a_tombstone_is_kept_until_every_partition_has_caught_up_since_the_start() {
    let dir = TempDir::new().unwrap();
    let (store, mut writer, slots) = filling(&dir);
    assert!(writer.promote(0).unwrap() && writer.promote(1).unwrap());
    let deleted = key(1);
    let at = home(&deleted).unsigned_abs() as usize;
    writer.set_behind(true);
    let mut batch = Batch::new(0, true);
    put(&mut batch, slots[at], 1000, &deleted, None);
    writer.apply(&mut batch).unwrap();
    // An older value where only a record to come tells that keys lie.
    batch.clear(0);
    put(&mut batch, slots[1 - at], 500, &deleted, Some(b"ghost"));
    writer.apply(&mut batch).unwrap();
    writer.set_behind(false);
    assert_eq!(value(&store, &deleted), None);
}
