use super::*;
use crate::entry::EntryHeader;
use crate::interpretation::latest_value;
use crate::position::Offset;
use crate::record::{Timestamp, TimestampKind};
use crate::time::Millis;

const SLOT: SlotNumber = SlotNumber(3);

fn record<'a>(offset: i64, key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Record<'a> {
    let timestamp = Timestamp { at: Millis::new(offset), kind: TimestampKind::Create };
    Record {
        partition: 0,
        offset: Offset::new(offset),
        leader_epoch: Some(4),
        timestamp,
        key,
        value,
        headers: &[],
    }
}

fn push(batch: &mut Batch, record: &Record<'_>) {
    match latest_value(record) {
        Some(change) => batch.push(SLOT, record, change),
        None => batch.skip(SLOT, record),
    }
}

fn changes(batch: &mut Batch) -> Vec<(Vec<u8>, Option<i64>)> {
    let mut seen = Vec::new();
    batch
        .last_changes(|change| {
            let header = EntryHeader::parse(change.stored).unwrap();
            assert_eq!(header.marker, change.deletes);
            let offset = (!change.deletes).then(|| header.offset.get());
            seen.push((change.key().to_vec(), offset));
            Ok::<_, ()>(())
        })
        .unwrap();
    seen
}

#[test]
fn the_last_change_of_a_key_wins_and_keys_come_in_order() {
    let mut batch = Batch::new(0, true);
    for (offset, key, value) in
        [(0, "b", Some("1")), (1, "a", Some("1")), (2, "b", Some("2")), (3, "a", None)]
    {
        push(&mut batch, &record(offset, Some(key.as_bytes()), value.map(str::as_bytes)));
    }
    assert_eq!(changes(&mut batch), [(b"a".to_vec(), None), (b"b".to_vec(), Some(2))]);
    assert_eq!(batch.advances()[0].position, Position::new(4));
    assert_eq!(batch.advances()[0].records, 4);
}

#[test]
fn keys_that_share_their_first_bytes_stay_apart() {
    let keys: [&[u8]; 6] = [b"", b"\0", b"\0\0", b"long key a", b"long key b", b"long key"];
    let mut batch = Batch::new(0, true);
    for (offset, key) in (0..).zip(keys) {
        push(&mut batch, &record(offset, Some(key), Some(b"v")));
    }
    let mut expected = keys.map(<[u8]>::to_vec);
    expected.sort();
    assert_eq!(changes(&mut batch).into_iter().map(|(key, _)| key).collect::<Vec<_>>(), expected);
}

#[test]
fn a_skipped_record_still_moves_the_position() {
    let mut batch = Batch::new(0, true);
    push(&mut batch, &record(9, None, Some(b"v")));
    assert_eq!(batch.len(), 0);
    assert!(!batch.is_empty());
    assert_eq!(batch.advances()[0].position, Position::new(10));
    assert_eq!(batch.advances()[0].null_keys, 1);
}

#[test]
fn an_end_beyond_the_last_record_moves_the_position_and_leaves_the_epoch_with_its_record() {
    let mut batch = Batch::new(0, true);
    push(&mut batch, &record(9, Some(b"k"), None));
    batch.reach(SLOT, 0, Position::new(12));
    batch.reach(SLOT, 0, Position::new(11));
    assert_eq!(batch.advances()[0].position, Position::new(12));
    assert_eq!(batch.advances()[0].last, Some((Position::new(10), Some(4))));
}

#[test]
fn an_emptied_batch_can_be_filled_again() {
    let mut batch = Batch::new(16, true);
    push(&mut batch, &record(0, Some(b"k"), Some(&[0; 100])));
    batch.clear(16);
    assert!(batch.is_empty() && batch.bytes() == 0 && batch.age() == Duration::ZERO);
    push(&mut batch, &record(5, Some(b"k"), None));
    assert_eq!(changes(&mut batch), [(b"k".to_vec(), None)]);
}

#[test]
fn a_value_beyond_the_bound_is_counted_and_only_its_length_is_kept() {
    let mut batch = Batch::new(0, true).with_value_bytes_max(3);
    push(&mut batch, &record(0, Some(b"fits"), Some(b"abc")));
    push(&mut batch, &record(1, Some(b"large"), Some(b"abcd")));
    let mut kept = Vec::new();
    batch
        .last_changes(|change| {
            kept.push((EntryHeader::parse(change.stored).unwrap().too_large, change.deletes));
            Ok::<_, ()>(())
        })
        .unwrap();
    assert_eq!(kept, [(None, false), (Some(4), false)]);
    assert_eq!(batch.advances()[0].too_large, 1);
}
