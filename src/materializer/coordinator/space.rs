//! Room on the disk: for a second slot of a partition, before one is begun, and for what is written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytesize::ByteSize;

use super::Coordinator;
use crate::position::Partition;
use crate::progress::{TroubleCode, WarningCode};
use crate::store::{Slot, SlotTable};

/// How long RocksDB may hold writes back before it is looked why.
const HELD: Duration = Duration::from_secs(2);
/// A memtable is flushed into a file that is hardly larger; the log that grows meanwhile is as large again.
const MEMTABLES: u64 = 2;

impl Coordinator {
    /// Says that the disk is full where the write that meets it cannot: RocksDB holds it back until memtables are
    /// flushed, which it tries for as long as there is no room for them.
    pub(super) fn mind_held_writes(&self) {
        let (store, progress) = (self.view.store(), self.view.progress());
        let topic = &store.identity().topic;
        if !store.holds_writes() {
            let ended = self.held_since.take().is_some_and(|since| since.elapsed() >= HELD);
            // The write that comes through says it as well, if it is faster.
            if ended && progress.end_store_trouble().is_some() {
                tracing::info!(topic, "the store writes again");
            }
            return;
        }
        let since = self.held_since.get().unwrap_or_else(Instant::now);
        self.held_since.set(Some(since));
        if since.elapsed() < HELD {
            return;
        }
        let short = |free: &u64| *free < MEMTABLES.saturating_mul(self.rhythm.write_buffer);
        let Some(free) = store.free_bytes().filter(short) else { return };
        let error = format!("no space left on the disk of the store: {} are free", ByteSize(free));
        if progress.set_trouble(TroubleCode::DiskFull, error.clone()) {
            progress.metrics().write_errors.inc();
            tracing::error!(topic, error, "cannot write, will try again");
        }
    }

    /// Returns whether a build the partition `wants` has room beside the slot that serves; says so while it has
    /// not. `promised` are the bytes that builds of this round will take.
    pub(super) fn has_space(
        &self,
        partition: Partition,
        wants: bool,
        table: &SlotTable,
        promised: &mut u64,
    ) -> bool {
        let serving = table.serving().get(&partition).filter(|_| wants);
        let lacks = serving.and_then(|_| {
            let (store, needed) = (self.view.store(), self.share(partition, table));
            // A build that is to be replaced leaves its room to the next.
            let replaced = table.building().get(&partition).map_or(0, |slot| store.slot_bytes(slot));
            let taken = *promised + self.outstanding(table, partition);
            let free = (store.free_bytes()? + replaced).saturating_sub(taken);
            if free >= needed {
                *promised += needed;
                return None;
            }
            Some(format!(
                "a rebuild waits: it needs about {} on the disk and {} are free; it begins by itself once there is room",
                ByteSize(needed),
                ByteSize(free)
            ))
        });
        let room = lacks.is_none();
        self.mind_warning(WarningCode::DiskSpace, Some(partition), lacks);
        room
    }

    /// Returns what a second slot of the partition takes: as much as the first, a quarter for what compaction holds
    /// twice, and what is still in memory.
    fn share(&self, partition: Partition, table: &SlotTable) -> u64 {
        let slot = table.serving().get(&partition).map_or(0, |slot| self.view.store().slot_bytes(slot));
        slot + slot / 4 + self.rhythm.write_buffer
    }

    /// Returns what builds of other partitions have still to write.
    fn outstanding(&self, table: &SlotTable, of_others: Partition) -> u64 {
        let beside = table
            .building()
            .iter()
            .filter(|(partition, _)| **partition != of_others && table.serving().contains_key(partition));
        let left = |(partition, slot): (&Partition, &Arc<Slot>)| {
            self.share(*partition, table).saturating_sub(self.view.store().slot_bytes(slot))
        };
        beside.map(left).sum()
    }
}
