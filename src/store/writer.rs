//! The write side of a store: one owner, one write per step, published afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use rocksdb::{FlushOptions, WriteBatch, WriteOptions};

use super::Store;
use super::error::{Error, Result};
use super::meta::{self, Build, COUNTERS_KEY, Counters, PartitionRow, SlotRow};
use super::slot::{Slot, SlotTable};
use crate::batch::Batch;
use crate::entry::{self, SlotNumber};
use crate::interpretation::RULES_LATEST_VALUE;
use crate::partitioner::Verified;
use crate::position::{Partition, Position};
use crate::resume::BuildReason;
use crate::time::Millis;
use crate::topic_id::TopicId;

/// The only one to write to a store.
#[derive(Debug)]
pub struct Writer {
    store: Arc<Store>,
    counters: Counters,
    partitions: BTreeMap<Partition, PartitionRow>,
    /// Slots out of the table whose entries still lie on disk.
    retired: Vec<Arc<Slot>>,
}

/// What was found in an opened store beside its table.
pub(super) struct Recovered {
    pub(super) counters: Counters,
    pub(super) partitions: BTreeMap<Partition, PartitionRow>,
    pub(super) retired: Vec<Arc<Slot>>,
}

/// What a fresh slot is to be built from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildPlan {
    /// Partition to read.
    pub partition: Partition,
    /// Partitions the topic has.
    pub partitions: u32,
    /// Cluster of the topic.
    pub cluster_id: String,
    /// Incarnation of the topic.
    pub topic_id: TopicId,
    /// Where to start: the log start.
    pub low: Position,
    /// End offset that has to be reached before the slot may serve.
    pub high: Position,
    /// When that end offset was asked for.
    pub observed_at: Millis,
    /// Why the slot is built.
    pub reason: BuildReason,
}

impl Writer {
    pub(super) fn new(store: Arc<Store>, recovered: Recovered) -> Self {
        let Recovered { counters, partitions, retired } = recovered;
        Self { store, counters, partitions, retired }
    }

    /// Returns the read side.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Writes the last change of every key and the new positions as one, then publishes the positions.
    ///
    /// May be repeated with the same batch after an error.
    ///
    /// # Errors
    /// [`Error::NoSpace`] and other transient errors; [`Error::Corrupt`] when the store is damaged.
    pub fn apply(&mut self, batch: &mut Batch) -> Result<()> {
        let table = self.store.table();
        let slot_of = |number: SlotNumber| {
            let slots = table.serving.values().chain(table.building.values());
            slots.into_iter().find(|slot| slot.number() == number)
        };
        let mut write = WriteBatch::with_capacity_bytes(batch.bytes() + batch.len() * 4);
        let mut slot: Option<&Arc<Slot>> = None;
        let mut relocate = false;
        batch.last_changes(|change| {
            if slot.is_none_or(|slot| slot.number() != change.slot) {
                slot = slot_of(change.slot);
            }
            // A slot that was dropped while the batch was on its way takes its changes along.
            let Some(slot) = slot else { return Ok(()) };
            relocate |= slot.ledger().verified.check(change.key(), slot.partition());
            match change.stored {
                Some(stored) => write.put(change.storage_key, stored),
                None => write.delete(change.storage_key),
            }
            Ok::<_, Error>(())
        })?;
        if relocate {
            // Order matters: readers learn where to look before there is something to find.
            self.store.table.store(Arc::new(SlotTable::clone(&table).relocated()));
        }
        let mut reached = Vec::with_capacity(batch.advances().len());
        for advance in batch.advances() {
            let Some(slot) = slot_of(advance.slot) else { continue };
            let position = slot.position().max(advance.position);
            if let Some(epoch) = advance.epoch {
                slot.ledger().epoch = Some(epoch);
            }
            meta::put(&mut write, &meta::slot_key(slot.number()), &SlotRow { position, ..slot.row() })?;
            reached.push((slot, position));
        }
        self.store.db.write(write)?;
        for (slot, position) in reached {
            slot.publish(position);
        }
        Ok(())
    }

    /// Makes a fresh slot to be filled; one that was being filled before is dropped.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    pub fn start_build(&mut self, plan: &BuildPlan) -> Result<Arc<Slot>> {
        let number = SlotNumber(self.counters.next_slot);
        let counters = Counters { next_slot: number.0 + 1, ..self.counters.clone() };
        let row = SlotRow {
            partition: plan.partition,
            cluster_id: plan.cluster_id.clone(),
            topic_id: plan.topic_id,
            rules: RULES_LATEST_VALUE,
            position: plan.low,
            epoch: None,
            caught_up_at: None,
            verified: Verified::new(plan.partitions),
            build: Build {
                reason: plan.reason,
                low: plan.low,
                high: plan.high,
                started_at: plan.observed_at,
            },
        };
        let old = self.partitions.get(&plan.partition).cloned().unwrap_or_default();
        let partition = PartitionRow { building: Some(number), ..old };
        let mut write = WriteBatch::default();
        meta::put(&mut write, &COUNTERS_KEY, &counters)?;
        meta::put(&mut write, &meta::slot_key(number), &row)?;
        meta::put(&mut write, &meta::partition_key(plan.partition), &partition)?;
        self.store.db.write(write)?;

        let slot = Arc::new(Slot::from_row(number, row));
        let mut table = SlotTable::clone(&self.store.table());
        let dropped = table.building.insert(plan.partition, Arc::clone(&slot));
        self.counters = counters;
        self.partitions.insert(plan.partition, partition);
        self.store.table.store(Arc::new(table));
        self.retired.extend(dropped);
        Ok(slot)
    }

    /// Makes the slot being filled for `partition` the one that answers.
    ///
    /// Nothing happens when none is being filled, or when it has not reached its end offset yet.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    pub fn promote(&mut self, partition: Partition) -> Result<bool> {
        let mut table = SlotTable::clone(&self.store.table());
        let Some(slot) = table.building.remove(&partition) else { return Ok(false) };
        if slot.position() < slot.build().high {
            return Ok(false);
        }
        slot.set_caught_up_at(slot.build().started_at);
        let generation = self.counters.generation + 1;
        let counters = Counters { generation, ..self.counters.clone() };
        let old = self.partitions.get(&partition).cloned().unwrap_or_default();
        let row = PartitionRow { serving: Some(slot.number()), building: None, ..old };
        let mut write = WriteBatch::default();
        meta::put(&mut write, &COUNTERS_KEY, &counters)?;
        meta::put(&mut write, &meta::partition_key(partition), &row)?;
        meta::put(&mut write, &meta::slot_key(slot.number()), &slot.row())?;
        self.store.db.write(write)?;

        let dropped = table.serving.insert(partition, slot);
        table.generation = generation;
        self.counters = counters;
        self.partitions.insert(partition, row);
        self.store.table.store(Arc::new(table.relocated()));
        self.retired.extend(dropped);
        Ok(true)
    }

    /// Takes notice that the topic has `partitions` partitions now.
    pub fn grow(&mut self, partitions: u32) {
        let table = self.store.table();
        let slots = table.serving.values().chain(table.building.values());
        // Every slot takes notice, hence no `any`.
        let news = slots.filter(|slot| slot.ledger().verified.grow(partitions)).count();
        if news > 0 {
            self.store.table.store(Arc::new(SlotTable::clone(&table).relocated()));
        }
    }

    /// Returns a number greater than any returned before for `partition`, to sign the next mirrored position.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    pub fn next_mirror_seq(&mut self, partitions: &[Partition]) -> Result<u64> {
        let rows = partitions.iter().filter_map(|partition| self.partitions.get(partition));
        let seq = rows.map(|row| row.mirror_seq).max().unwrap_or_default() + 1;
        let mut write = WriteBatch::default();
        for partition in partitions {
            let row = self.partitions.entry(*partition).or_default();
            row.mirror_seq = seq;
            meta::put(&mut write, &meta::partition_key(*partition), row)?;
        }
        self.store.db.write(write)?;
        Ok(seq)
    }

    /// Writes what changed without a record, such as the time a slot was last caught up.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    pub fn checkpoint(&mut self) -> Result<()> {
        let table = self.store.table();
        let mut write = WriteBatch::default();
        for slot in table.serving.values().chain(table.building.values()) {
            meta::put(&mut write, &meta::slot_key(slot.number()), &slot.row())?;
        }
        Ok(self.store.db.write(write)?)
    }

    /// Drops the entries of slots that no reader holds any more; returns how many slots that were.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    pub fn sweep(&mut self) -> Result<usize> {
        let before = self.retired.len();
        while let Some(at) = self.retired.iter().position(|slot| Arc::strong_count(slot) == 1) {
            let Some(slot) = self.retired.get(at) else { break };
            let (start, end) = entry::slot_range(slot.number());
            let mut write = WriteBatch::default();
            write.delete_range(&start, &end);
            write.delete(meta::slot_key(slot.number()));
            self.store.db.write(write)?;
            self.store.db.delete_file_in_range(&start, &end)?;
            self.retired.swap_remove(at);
        }
        Ok(before - self.retired.len())
    }

    /// Writes everything to disk; the last act before the store is closed.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    pub fn close(mut self) -> Result<()> {
        self.checkpoint()?;
        let mut options = FlushOptions::default();
        options.set_wait(true);
        self.store.db.flush_opt(&options)?;
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        Ok(self.store.db.write_opt(WriteBatch::default(), &synced)?)
    }
}
