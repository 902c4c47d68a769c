//! The write side of a store: one owner, one write per step, published afterwards.

use std::sync::Arc;

use rocksdb::{FlushOptions, IngestExternalFileOptions, WriteBatch, WriteOptions};

use super::Store;
use super::error::{Error, Result};
use super::meta::{self, Build, COUNTERS_KEY, Counters, PartitionRow, SlotRow};
use super::slot::{Slot, SlotTable};
use super::staged::{Staged, StagedFile};
use crate::batch::Batch;
use crate::entry::SlotNumber;
use crate::interpretation::RULES_LATEST_VALUE;
use crate::partitioner::Verified;
use crate::position::{Partition, Position};
use crate::resume::BuildReason;
use crate::time::Millis;
use crate::topic_id::TopicId;

/// The only one to write to a store.
#[derive(Debug)]
pub struct Writer {
    pub(super) store: Arc<Store>,
    pub(super) counters: Counters,
    /// Slots out of the table whose entries still lie on disk.
    ///
    /// Invariant: no power cut brings them back into the table. Their files go, and that is never undone.
    pub(super) retired: Vec<Arc<Slot>>,
    /// What the first restore left is being compacted.
    pub(super) tidies: bool,
}

/// What was found in an opened store beside its table.
pub(super) struct Recovered {
    pub(super) counters: Counters,
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

/// A change to what is decided of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowEdit {
    /// A build is wanted.
    Request(BuildReason),
    /// A build is wanted because the group was set to this offset.
    ObeyReset(i64),
    /// The next mirrored position carries this number.
    Number(u64),
    /// The group carries our signature.
    Signed,
}

impl RowEdit {
    fn apply(self, row: PartitionRow) -> PartitionRow {
        match self {
            Self::Request(reason) => PartitionRow { requested: Some(reason), ..row },
            Self::ObeyReset(offset) => PartitionRow {
                requested: Some(BuildReason::OperatorReset),
                settled_reset: Some(offset),
                ..row
            },
            Self::Number(mirror_seq) => PartitionRow { mirror_seq, ..row },
            Self::Signed => PartitionRow { signed: true, settled_reset: None, ..row },
        }
    }
}

impl Writer {
    pub(super) fn new(store: Arc<Store>, recovered: Recovered) -> Self {
        let Recovered { counters, retired } = recovered;
        Self { store, counters, retired, tidies: false }
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
        let mut table = self.store.table();
        let known = Arc::clone(&table);
        let slot_of = |number: SlotNumber| known.slots().find(|slot| slot.number() == number);
        let mut write = WriteBatch::with_capacity_bytes(batch.bytes() + batch.len() * 4);
        let mut slot: Option<&Arc<Slot>> = None;
        let (mut relocate, mut deletes) = (false, Vec::new());
        batch.last_changes(|change| {
            if slot.is_none_or(|slot| slot.number() != change.slot) {
                slot = slot_of(change.slot);
            }
            // A slot that was dropped while the batch was on its way takes its changes along.
            let Some(slot) = slot else { return Ok(()) };
            // A partition that was read anew brings records again; none may undo what came after it.
            if change.position <= slot.position() {
                return Ok(());
            }
            relocate |= slot.ledger().verified.check(change.key(), slot.partition());
            match change.deletes {
                false => write.put(change.storage_key, change.stored),
                true => deletes.push((slot, change)),
            }
            Ok::<_, Error>(())
        })?;
        if relocate {
            // Order matters: readers learn where to look before there is something to find.
            table = Arc::new(SlotTable::clone(&table).relocated());
            self.store.table.store(Arc::clone(&table));
        }
        for (slot, change) in deletes {
            match table.may_lie_elsewhere(change.key(), slot) {
                false => write.delete(change.storage_key),
                true => write.put(change.storage_key, change.stored),
            }
        }
        let mut reached = Vec::with_capacity(batch.advances().len());
        for advance in batch.advances() {
            let Some(slot) = slot_of(advance.slot) else { continue };
            let position = slot.position().max(advance.position);
            if let Some((after, epoch)) = advance.last.filter(|(after, _)| *after > slot.position()) {
                slot.ledger().epoch = epoch.map(|epoch| (epoch, after));
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

    /// Takes over the files of slots that are still being filled; the positions they lead to are to be applied next.
    ///
    /// May be repeated after an error.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    pub fn take_over(&mut self, staged: &Staged) -> Result<()> {
        let table = self.store.table();
        let slot_of = |file: &StagedFile| table.building().values().find(|slot| slot.number() == file.slot);
        let (mut files, mut write) = (Vec::new(), WriteBatch::default());
        for (file, slot) in staged.files.iter().filter_map(|file| Some((file, slot_of(file)?))) {
            slot.ledger().staged = Some(file.position);
            meta::put(&mut write, &meta::slot_key(file.slot), &slot.row())?;
            files.push(&file.path);
        }
        if files.is_empty() {
            return Ok(());
        }
        // Order matters: files are on the disk at once, positions are later. A start that finds the slot ahead of
        // its position gives it up.
        self.store.db.write_opt(write, &synced())?;
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true);
        Ok(self.store.db.ingest_external_file_opts(&options, files)?)
    }

    /// Takes notice of whether records that were written long ago may be still to come: tombstones are kept then.
    pub fn set_behind(&mut self, behind: bool) {
        let table = self.store.table();
        if table.behind != behind {
            let mut table = SlotTable::clone(&table);
            table.behind = behind;
            self.store.table.store(Arc::new(table));
        }
    }

    /// Makes a fresh slot to be filled; one that was being filled before is dropped.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    pub fn start_build(&mut self, plan: &BuildPlan) -> Result<Arc<Slot>> {
        let number = SlotNumber(self.counters.next_slot);
        let counters = Counters { next_slot: number.0 + 1, ..self.counters.clone() };
        let slot = SlotRow {
            partition: plan.partition,
            cluster_id: plan.cluster_id.clone(),
            topic_id: plan.topic_id,
            rules: RULES_LATEST_VALUE,
            position: plan.low,
            in_time: None,
            epoch: None,
            caught_up_at: None,
            verified: Verified::new(plan.partitions),
            build: Build {
                reason: plan.reason,
                low: plan.low,
                high: plan.high,
                started_at: plan.observed_at,
            },
            staged: None,
        };
        let mut table = SlotTable::clone(&self.store.table());
        let row = PartitionRow { building: Some(number), requested: None, ..table.row(plan.partition) };
        let mut write = WriteBatch::default();
        meta::put(&mut write, &COUNTERS_KEY, &counters)?;
        meta::put(&mut write, &meta::slot_key(number), &slot)?;
        meta::put(&mut write, &meta::partition_key(plan.partition), &row)?;
        let retires = table.building.contains_key(&plan.partition);
        self.store.db.write_opt(write, &synced_if(retires))?;

        let slot = Arc::new(Slot::from_row(number, slot));
        let dropped = table.building.insert(plan.partition, Arc::clone(&slot));
        table.rows.insert(plan.partition, row);
        self.counters = counters;
        self.store.table.store(Arc::new(table));
        self.retired.extend(dropped);
        Ok(slot)
    }

    /// Makes the slot being filled for `partition` the one that answers; returns whether that happened.
    ///
    /// It does not while the slot has not reached the end offset it was begun with, or lies behind a serving
    /// slot of the same log: an answer would go back in time.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    pub fn promote(&mut self, partition: Partition) -> Result<bool> {
        let mut table = SlotTable::clone(&self.store.table());
        let Some(slot) = table.building.remove(&partition) else { return Ok(false) };
        let behind = table.serving.get(&partition).is_some_and(|old| slot.is_behind(old));
        if slot.position() < slot.build().high || behind {
            return Ok(false);
        }
        slot.set_caught_up_at(slot.build().started_at);
        let generation = self.counters.generation + 1;
        let counters = Counters { generation, ..self.counters.clone() };
        let row = PartitionRow { serving: Some(slot.number()), building: None, ..table.row(partition) };
        let mut write = WriteBatch::default();
        meta::put(&mut write, &COUNTERS_KEY, &counters)?;
        meta::put(&mut write, &meta::partition_key(partition), &row)?;
        meta::put(&mut write, &meta::slot_key(slot.number()), &slot.row())?;
        let retires = table.serving.contains_key(&partition);
        self.store.db.write_opt(write, &synced_if(retires))?;

        let dropped = table.serving.insert(partition, slot);
        table.generation = generation;
        table.rows.insert(partition, row);
        self.counters = counters;
        self.store.table.store(Arc::new(table.relocated()));
        self.retired.extend(dropped);
        Ok(true)
    }

    /// Takes notice that every wanted partition is served.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    pub fn complete(&mut self) -> Result<()> {
        let counters = Counters { complete: true, ..self.counters.clone() };
        let mut write = WriteBatch::default();
        meta::put(&mut write, &COUNTERS_KEY, &counters)?;
        self.store.db.write(write)?;
        self.counters = counters;
        let mut table = SlotTable::clone(&self.store.table());
        table.was_complete = true;
        self.store.table.store(Arc::new(table));
        self.begin_to_tidy()
    }

    /// Drops everything of a partition that the topic does not have any more.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    pub fn drop_partition(&mut self, partition: Partition) -> Result<()> {
        let mut table = SlotTable::clone(&self.store.table());
        let serving = table.serving.remove(&partition);
        let building = table.building.remove(&partition);
        let generation = self.counters.generation + u64::from(serving.is_some());
        let counters = Counters { generation, ..self.counters.clone() };
        let mut write = WriteBatch::default();
        meta::put(&mut write, &COUNTERS_KEY, &counters)?;
        write.delete(meta::partition_key(partition));
        self.store.db.write_opt(write, &synced())?;

        table.rows.remove(&partition);
        table.generation = generation;
        self.counters = counters;
        self.store.table.store(Arc::new(table.relocated()));
        self.retired.extend(serving.into_iter().chain(building));
        Ok(())
    }

    /// Takes notice that the topic has `partitions` partitions now.
    pub fn grow(&mut self, partitions: u32) {
        let table = self.store.table();
        // Every slot takes notice, hence no `any`.
        let news = table.slots().filter(|slot| slot.ledger().verified.grow(partitions)).count();
        if news > 0 {
            self.store.table.store(Arc::new(SlotTable::clone(&table).relocated()));
        }
    }

    /// Changes what is decided of some partitions, as one write.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    pub fn decide(&mut self, edits: &[(Partition, RowEdit)]) -> Result<()> {
        let mut table = SlotTable::clone(&self.store.table());
        let mut write = WriteBatch::default();
        for (partition, edit) in edits {
            let row = edit.apply(table.row(*partition));
            meta::put(&mut write, &meta::partition_key(*partition), &row)?;
            table.rows.insert(*partition, row);
        }
        // Order matters: the group is signed over a reset next, and no power cut takes that back.
        let obeys = edits.iter().any(|(_, edit)| matches!(edit, RowEdit::ObeyReset(_)));
        self.store.db.write_opt(write, &synced_if(obeys))?;
        self.store.table.store(Arc::new(table));
        Ok(())
    }

    /// Writes what changed without a record, such as the time a slot was last caught up.
    ///
    /// # Errors
    /// As [`Writer::apply`].
    pub fn checkpoint(&mut self) -> Result<()> {
        self.end_tidying()?;
        let mut write = WriteBatch::default();
        for slot in self.store.table().slots() {
            meta::put(&mut write, &meta::slot_key(slot.number()), &slot.row())?;
        }
        Ok(self.store.db.write(write)?)
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
        Ok(self.store.db.write_opt(WriteBatch::default(), &synced())?)
    }
}

/// Returns how what must not be lost with the power is written.
pub(super) fn synced() -> WriteOptions {
    synced_if(true)
}

fn synced_if(lasting: bool) -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(lasting);
    options
}
