//! Markers that are not called for any more: compaction takes them along.
//!
//! While a slot is filled every tombstone becomes a marker, for the records that tell where keys lie may be still to
//! come. Once it serves, most keys turn out to lie in one partition alone.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rocksdb::compaction_filter::Decision;

use super::slot::SlotTable;
use crate::entry::{self, EntryHeader};

/// The least that is compacted, however little it changes: then its idle markers go as well.
pub(super) const SWEPT_AFTER_SECONDS: u64 = 30 * 24 * 3600;

/// Returns what a compaction asks about each row.
///
/// Invariant: what it takes away no look-up could have told from nothing, so it may do so under any snapshot.
pub(super) fn sweep(
    table: Arc<ArcSwap<SlotTable>>,
) -> impl FnMut(u32, &[u8], &[u8]) -> Decision + Send + 'static {
    move |_, storage_key, stored| match is_marker(stored) && is_idle(&table.load(), storage_key) {
        true => Decision::Remove,
        false => Decision::Keep,
    }
}

fn is_marker(stored: &[u8]) -> bool {
    EntryHeader::parse(stored).is_ok_and(|header| header.marker)
}

fn is_idle(table: &SlotTable, storage_key: &[u8]) -> bool {
    let Some((number, key)) = entry::split_key(storage_key) else { return false };
    let serving = table.serving().values().find(|slot| slot.number() == number);
    serving.is_some_and(|slot| !table.may_lie_elsewhere(key, slot))
}
