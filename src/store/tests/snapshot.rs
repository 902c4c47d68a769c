//! What a snapshot says, compared with a map that was folded from the same records.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use proptest::prelude::*;

use super::super::entries::SKIPPED_MAX;
use super::*;

const PARTITIONS: i32 = 3;

/// A record as the tests remember it; its time is its place among all records.
#[derive(Debug, Clone)]
struct Written {
    partition: Partition,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

/// Keys and values in the order in which a walk came to them.
type Walked = Vec<(Vec<u8>, Vec<u8>)>;

/// The records of each partition in the order of their offsets, with their times.
type Log = BTreeMap<Partition, Vec<(i64, Vec<u8>, Option<Vec<u8>>)>>;

fn log_of(records: &[Written]) -> Log {
    let mut log = Log::new();
    for (time, record) in (0..).zip(records) {
        let row = (time, record.key.clone(), record.value.clone());
        log.entry(record.partition).or_default().push(row);
    }
    log
}

/// The live entries at these positions: of several records of a key the newest counts.
fn fold(log: &Log, positions: &BTreeMap<Partition, Position>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut newest: BTreeMap<&[u8], (i64, Option<&Vec<u8>>)> = BTreeMap::new();
    for (partition, position) in positions {
        let applied = usize::try_from(position.get()).unwrap();
        for (time, key, value) in log.get(partition).map_or(&[][..], |rows| &rows[..applied]) {
            let known = newest.entry(key).or_insert((-1, None));
            *known = (*known).max((*time, value.as_ref()));
        }
    }
    newest.into_iter().filter_map(|(key, (_, value))| Some((key.to_vec(), value?.clone()))).collect()
}

/// Applies records in batches of `size` to slots that serve.
fn apply(
    writer: &mut Writer,
    next: &mut BTreeMap<Partition, i64>,
    time: &mut i64,
    records: &[Written],
    size: usize,
) {
    let table = writer.store().table();
    for records in records.chunks(size) {
        let mut batch = Batch::new(0, true);
        for Written { partition, key, value } in records {
            let slot = table.serving()[partition].number();
            let offset = next.entry(*partition).or_default();
            let record = Record {
                partition: *partition,
                offset: Offset::new(*offset),
                leader_epoch: None,
                timestamp: Timestamp { at: Millis::new(*time), kind: TimestampKind::Create },
                key: Some(key),
                value: value.as_deref(),
                headers: &[],
            };
            batch.push(slot, &record, latest_value(&record).unwrap());
            (*offset, *time) = (*offset + 1, *time + 1);
        }
        writer.apply(&mut batch).unwrap();
    }
}

fn serving(dir: &TempDir) -> (Arc<Store>, Writer) {
    serving_so_many(dir, PARTITIONS)
}

fn serving_so_many(dir: &TempDir, partitions: i32) -> (Arc<Store>, Writer) {
    let Opened { store, mut writer, .. } = open(dir);
    for partition in 0..partitions {
        let slots = u32::try_from(partitions).unwrap();
        writer.start_build(&BuildPlan { partitions: slots, ..plan(partition, 0) }).unwrap();
        writer.promote(partition).unwrap();
    }
    (store, writer)
}

fn walk(snapshot: &Snapshot<'_>, range: &KeyRange, order: Order) -> Walked {
    gather(snapshot.entries(range, order, Extent::Whole).unwrap())
}

fn gather(mut entries: Entries<'_>) -> Walked {
    let mut walked = Vec::new();
    loop {
        match entries.step().unwrap() {
            Step::Entry(key, entry) => walked.push((key.to_vec(), entry.value().unwrap().to_vec())),
            Step::Passed(_) => {}
            Step::End => return walked,
        }
    }
}

/// Walks with a thread that reads ahead.
fn visit(snapshot: &Snapshot<'_>, range: &KeyRange, order: Order) -> Walked {
    let mut walked = Vec::new();
    let visited = snapshot.visit(range, order, |entry| {
        walked.extend(entry.map(|(key, entry)| (key.to_vec(), entry.value().unwrap().to_vec())));
        Ok::<_, Error>(())
    });
    visited.unwrap();
    walked
}

/// Walks page by page: each begins anew behind the key that the one before came to, and ends at its first key.
fn walk_by_pages(
    snapshot: &Snapshot<'_>,
    range: &KeyRange,
    order: Order,
    skipped_max: u64,
) -> (Walked, usize) {
    let (mut walked, mut rest, mut empty) = (Vec::new(), range.clone(), 0);
    loop {
        let mut entries = snapshot.entries_in_steps(&rest, order, Extent::Page, skipped_max).unwrap();
        let key = match entries.step().unwrap() {
            Step::Entry(key, entry) => {
                walked.push((key.to_vec(), entry.value().unwrap().to_vec()));
                key
            }
            Step::Passed(key) => {
                empty += 1;
                key
            }
            Step::End => return (walked, empty),
        };
        rest = rest.after(key, order);
    }
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(0xff)], 0..3)
}

fn written() -> impl Strategy<Value = Written> {
    let value = proptest::option::weighted(0.7, proptest::collection::vec(any::<u8>(), 0..3));
    (0..PARTITIONS, key(), value).prop_map(|(partition, key, value)| Written { partition, key, value })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_holds_what_was_applied_before_it_and_nothing_later(
        before in proptest::collection::vec(written(), 0..60),
        after in proptest::collection::vec(written(), 0..20),
        size in 1_usize..8,
        skipped_max in 3_u64..9,
        start in key(),
        end in proptest::option::of(key()),
    ) {
        let dir = TempDir::new().unwrap();
        let (store, mut writer) = serving(&dir);
        let (mut next, mut time) = (BTreeMap::new(), 0);
        apply(&mut writer, &mut next, &mut time, &before, size);
        let snapshot = store.snapshot().unwrap();
        apply(&mut writer, &mut next, &mut time, &after, size);

        let expected = fold(&log_of(&before), snapshot.positions());
        let range = KeyRange { start, end };
        let inside = |key: &Vec<u8>| *key >= range.start && range.end.as_ref().is_none_or(|end| key < end);
        let mut within: Vec<_> = expected.clone().into_iter().filter(|(key, _)| inside(key)).collect();
        for order in [Order::Ascending, Order::Descending] {
            prop_assert_eq!(walk(&snapshot, &range, order), within.clone());
            prop_assert_eq!(visit(&snapshot, &range, order), within.clone());
            let in_steps = snapshot.entries_in_steps(&range, order, Extent::Whole, skipped_max).unwrap();
            prop_assert_eq!(gather(in_steps), within.clone());
            // More than RocksDB passes of one key.
            let by_pages = walk_by_pages(&snapshot, &range, order, skipped_max + 10).0;
            prop_assert_eq!(by_pages, within.clone());
            within.reverse();
        }
        // Keys that were written, keys that were not, and each of them twice.
        let keys: Vec<_> = before.iter().chain(&after).map(|record| record.key.clone()).collect();
        let keys = [keys.clone(), vec![b"never".to_vec()], keys].concat();
        let found = snapshot.find_all(&keys).unwrap();
        for (key, found) in keys.iter().zip(&found) {
            prop_assert_eq!(found.as_ref().map(|entry| entry.value().unwrap().to_vec()), expected.get(key).cloned());
        }
    }
}

#[test]
fn a_visitor_sees_all_of_many_entries_or_leaves_when_it_has_had_enough() {
    let dir = TempDir::new().unwrap();
    let (store, mut writer) = serving(&dir);
    let written = |number: usize| Written {
        partition: (number % 3).try_into().unwrap(),
        key: format!("{number:04}").into_bytes(),
        value: Some(vec![b'v'; 2000]),
    };
    let records: Vec<_> = (0..1000).map(written).collect();
    apply(&mut writer, &mut BTreeMap::new(), &mut 0, &records, 100);
    let snapshot = store.snapshot().unwrap();
    let all = visit(&snapshot, &KeyRange::default(), Order::Ascending);
    assert!(all.iter().map(|(key, _)| key).eq(records.iter().map(|record| &record.key)));

    let mut left = 5;
    let visited = snapshot.visit(&KeyRange::default(), Order::Descending, |_| {
        left -= 1;
        if left > 0 { Ok(()) } else { Err(Error::Refused { detail: "enough".to_owned() }) }
    });
    assert!(matches!(visited, Err(Error::Refused { .. })) && left == 0, "{left}");
}

#[test]
fn a_snapshot_taken_while_records_are_applied_is_exactly_at_its_positions() {
    let dir = TempDir::new().unwrap();
    let (store, mut writer) = serving(&dir);
    let records: Vec<_> = (0..6000)
        .map(|number| Written {
            partition: fastrand::i32(0..PARTITIONS),
            key: fastrand::u32(0..40).to_string().into_bytes(),
            value: (fastrand::u8(..) > 80).then(|| number.to_string().into_bytes()),
        })
        .collect();
    let log = log_of(&records);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            apply(&mut writer, &mut BTreeMap::new(), &mut 0, &records, 7);
            done.store(true, Ordering::Release);
        });
        let mut moved = std::collections::BTreeSet::new();
        loop {
            let last = done.load(Ordering::Acquire);
            let snapshot = store.snapshot().unwrap();
            let expected: Vec<_> = fold(&log, snapshot.positions()).into_iter().collect();
            assert_eq!(walk(&snapshot, &KeyRange::default(), Order::Ascending), expected);
            let keys: Vec<_> = expected.iter().map(|(key, _)| key).collect();
            let found = snapshot.find_all(&keys).unwrap().into_iter();
            let found: Vec<_> =
                found.map(|entry| entry.map(|entry| entry.value().unwrap().to_vec())).collect();
            assert!(found.iter().zip(&expected).all(|(found, (_, value))| found.as_ref() == Some(value)));
            moved.insert(format!("{:?}", snapshot.positions()));
            if last {
                break;
            }
        }
        assert!(moved.len() > 2, "the snapshots were taken while records were applied");
    });
}

/// Writes many keys, and deletes all but the few that it returns. They are stored while the snapshot lives; where there
/// are several partitions, each has a marker.
fn delete_most<'s>(store: &'s Store, writer: &mut Writer) -> (Walked, Snapshot<'s>) {
    const KEYS: usize = 60_000;
    let (mut next, mut time) = (BTreeMap::new(), 0);
    let partitions = store.table().serving().len();
    let mut write = |keys: &mut dyn Iterator<Item = usize>, value: Option<&[u8]>| {
        let written = |number: usize| Written {
            partition: i32::try_from(number % partitions).unwrap(),
            key: format!("customer-{number:09}").into_bytes(),
            value: value.map(<[u8]>::to_vec),
        };
        apply(writer, &mut next, &mut time, &keys.map(written).collect::<Vec<_>>(), 10_000);
    };
    let stays = |number: &usize| [0, 25_000, 25_001, KEYS - 1].contains(number);
    write(&mut (0..KEYS), Some(b"1"));
    // Held, so that no compaction takes away what was deleted.
    let before = store.snapshot().unwrap();
    write(&mut (0..KEYS).filter(|number| !stays(number)), None);
    let row = |number| (format!("customer-{number:09}").into_bytes(), b"1".to_vec());
    ((0..KEYS).filter(stays).map(row).collect(), before)
}

#[test]
fn a_walk_over_many_deleted_keys_can_be_left_anywhere_and_misses_none() {
    for partitions in [1, 2] {
        let dir = TempDir::new().unwrap();
        let (store, mut writer) = serving_so_many(&dir, partitions);
        let (mut expected, _before) = delete_most(&store, &mut writer);
        let snapshot = store.snapshot().unwrap();
        for order in [Order::Ascending, Order::Descending] {
            assert_eq!(walk(&snapshot, &KeyRange::default(), order), expected);
            let (walked, empty) = walk_by_pages(&snapshot, &KeyRange::default(), order, SKIPPED_MAX);
            assert_eq!(walked, expected);
            assert!((3..300).contains(&empty), "{empty} pages without an entry");
            expected.reverse();
        }
    }
}

#[test]
fn the_rows_of_a_slot_are_walked_over_in_pieces_however_many_keys_are_deleted_between_them() {
    for (partitions, most) in [(1, 1), (1, 1000), (2, 1000)] {
        let dir = TempDir::new().unwrap();
        let (store, mut writer) = serving_so_many(&dir, partitions);
        let (expected, _before) = delete_most(&store, &mut writer);
        let (mut walked, mut pieces) = (Walked::new(), 0);
        for slot in store.table().serving().values() {
            let mut rest = Some(KeyRange::default());
            while let Some(range) = rest {
                let Rows { rows, after } = store.rows(slot, &range, most, 1 << 20).unwrap();
                let live = rows.into_iter().filter(|(_, entry)| !entry.header.marker);
                walked.extend(live.map(|(key, entry)| (key, entry.value().unwrap().to_vec())));
                rest = after.map(|after| range.after(&after, Order::Ascending));
                pieces += 1;
            }
        }
        walked.sort_unstable();
        assert!(walked == expected, "{} rows", walked.len());
        assert!((6..300).contains(&pieces), "{pieces} pieces");
    }
}

#[test]
fn a_slot_that_a_snapshot_reads_is_not_swept() {
    let dir = TempDir::new().unwrap();
    let (store, mut writer) = serving(&dir);
    let record = Written { partition: 0, key: b"a".to_vec(), value: Some(b"1".to_vec()) };
    apply(&mut writer, &mut BTreeMap::new(), &mut 0, &[record], 1);
    let snapshot = store.snapshot().unwrap();
    writer.drop_partition(0).unwrap();
    assert_eq!(writer.sweep().unwrap(), 0);
    assert_eq!(walk(&snapshot, &KeyRange::default(), Order::Ascending), [(b"a".to_vec(), b"1".to_vec())]);
    assert!(store.snapshot().unwrap().find(b"a").unwrap().is_none());
    drop(snapshot);
    assert_eq!(writer.sweep().unwrap(), 1);
}
