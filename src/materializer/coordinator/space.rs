//! Room on the disk for a second slot of a partition, before one is begun.

use std::sync::Arc;

use bytesize::ByteSize;

use super::Coordinator;
use crate::position::Partition;
use crate::progress::WarningCode;
use crate::store::{Slot, SlotTable};

impl Coordinator {
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
