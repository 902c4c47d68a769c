//! Changes to slots that do not answer yet, sorted into files that the database takes over whole.
//!
//! Such a slot is filled with everything its log holds. As files that costs neither the write-ahead log nor a
//! memtable, and because a file belongs to one slot, so does what is compacted and what is freed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use rocksdb::{Options, SstFileWriter};

use super::Store;
use super::error::{Error, Result};
use super::slot::{Slot, SlotTable};
use crate::batch::{Advance, Batch, StoredChange};
use crate::entry::SlotNumber;
use crate::position::Position;

pub(super) const DIRECTORY: &str = "staged";
/// Files in the first level that are waited for: more of them, and the database slows its writer down.
const CROWD: u64 = 12;

/// Files of one batch: a smaller share of it is not worth a file.
const FILES_MAX: usize = 64;

/// Sorts batches of one reader into files.
pub struct Stager {
    store: Arc<Store>,
    dir: PathBuf,
    bytes_max: usize,
    /// Files written so far: no name is used twice.
    files: u64,
    /// How far each slot was read; batches that are still on their way count.
    read: BTreeMap<SlotNumber, Position>,
    /// Slots of which there were files.
    filed: BTreeSet<SlotNumber>,
}

/// Files that wait for the database to take them over. What it has not taken goes with this value.
#[derive(Debug, Default)]
pub struct Staged {
    pub(super) files: Vec<StagedFile>,
}

/// Changes of one slot.
#[derive(Debug)]
pub(super) struct StagedFile {
    pub(super) slot: SlotNumber,
    /// Where the slot stands with them.
    pub(super) position: Position,
    pub(super) path: PathBuf,
}

/// A slot that files are written of, and where it stands with them.
struct Target {
    slot: Arc<Slot>,
    position: Position,
    bytes: u64,
}

/// The file of one slot while it is written.
struct File<'t> {
    target: &'t Target,
    writer: SstFileWriter<'t>,
}

impl Stager {
    /// Makes a stager for one reader of `store` and batches of `bytes_max`; what an earlier process left behind is
    /// removed.
    ///
    /// # Errors
    /// [`Error::Io`] when that cannot be removed.
    pub fn new(store: &Arc<Store>, bytes_max: usize) -> Result<Self> {
        let (store, dir) = (Arc::clone(store), store.dir().join(DIRECTORY));
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(&dir)(error)),
            _ => Ok(Self { store, dir, bytes_max, files: 0, read: BTreeMap::new(), filed: BTreeSet::new() }),
        }
    }

    /// Returns the bytes a batch may have.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// Returns whether `batch` leaves some slot that is being filled below the end offset it was begun with.
    #[must_use]
    pub fn is_far(&self, batch: &Batch) -> bool {
        let table = self.store.table();
        let mut targets = batch.advances().iter().filter_map(|advance| Target::of(&table, advance));
        targets.any(|target| target.is_far())
    }

    /// Returns whether files should wait until some of those that were taken over are compacted.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        let files = self.store.db.property_int_value("rocksdb.num-files-at-level0");
        files.ok().flatten().is_some_and(|files| files >= CROWD)
    }

    /// Takes out of `batch` what is worth a file. After an error the batch is as it was.
    ///
    /// # Errors
    /// [`Error::NoSpace`] and other errors of the disk.
    pub fn stage(&mut self, batch: &mut Batch) -> Result<Staged> {
        let table = self.store.table();
        let of_slots = batch.advances().iter().filter_map(|advance| Target::of(&table, advance));
        let targets: Vec<Target> = of_slots.filter(|target| self.is_worth_a_file(target)).collect();
        let staged = self.write(&table, &targets, batch);
        if staged.is_ok() {
            targets.iter().for_each(|target| batch.forget_changes(target.slot.number()));
            self.filed.extend(targets.iter().map(|target| target.slot.number()));
        }
        for advance in batch.advances() {
            let read = self.read.entry(advance.slot).or_default();
            *read = advance.position.max(*read);
        }
        let is_filled = |number: &SlotNumber| table.building().values().any(|slot| slot.number() == *number);
        self.read.retain(|number, _| is_filled(number));
        self.filed.retain(is_filled);
        staged
    }

    /// Between two files of a slot nothing of it is written one by one: it would have to be flushed first, and what is
    /// flushed spans all slots.
    fn is_worth_a_file(&self, target: &Target) -> bool {
        let is_large = target.bytes >= (self.bytes_max / FILES_MAX) as u64;
        is_large || (target.is_far() && self.filed.contains(&target.slot.number()))
    }

    fn write(&mut self, table: &SlotTable, targets: &[Target], batch: &mut Batch) -> Result<Staged> {
        let mut staged = Staged::default();
        if targets.is_empty() {
            return Ok(staged);
        }
        fs::create_dir_all(&self.dir).map_err(Error::io(&self.dir))?;
        let store = Arc::clone(&self.store);
        let mut file: Option<File<'_>> = None;
        batch.last_changes(|change| {
            let is_target = |target: &&Target| target.slot.number() == change.slot;
            let target = file.as_ref().map(|file| file.target).filter(is_target);
            let target = target.or_else(|| targets.iter().find(is_target));
            let Some(target) = target.filter(|target| change.position > self.read_to(&target.slot)) else {
                return Ok(());
            };
            if !file.as_ref().is_some_and(|file| is_target(&file.target)) {
                finish(file.take())?;
                file = Some(self.open(target, &store.options, &mut staged)?);
            }
            file.as_mut().map_or(Ok(()), |file| file.write(table, &change))
        })?;
        finish(file)?;
        Ok(staged)
    }

    fn open<'t>(
        &mut self,
        target: &'t Target,
        options: &'t Options,
        staged: &mut Staged,
    ) -> Result<File<'t>> {
        self.files += 1;
        let path = self.dir.join(format!("{:06}.sst", self.files));
        let writer = SstFileWriter::create(options);
        let (slot, position) = (target.slot.number(), target.position);
        staged.files.push(StagedFile { slot, position, path: path.clone() });
        writer.open(&path)?;
        Ok(File { target, writer })
    }

    /// A partition that was read anew brings records again; none may undo what came after it.
    fn read_to(&self, slot: &Slot) -> Position {
        self.read.get(&slot.number()).copied().unwrap_or_default().max(slot.position())
    }
}

impl Target {
    /// Returns where an advance leads if its slot is being filled and does not pass its end offset.
    ///
    /// Invariant: before what is staged is applied, its slot has not reached its end offset and does not answer.
    fn of(table: &SlotTable, advance: &Advance) -> Option<Self> {
        let slot = table.building().get(&advance.partition)?;
        let fills = slot.number() == advance.slot && advance.position <= slot.build().high;
        let (position, bytes) = (advance.position, advance.bytes);
        fills.then(|| Self { slot: Arc::clone(slot), position, bytes })
    }

    fn is_far(&self) -> bool {
        self.position < self.slot.build().high
    }
}

impl File<'_> {
    fn write(&mut self, table: &SlotTable, change: &StoredChange<'_>) -> Result<()> {
        let slot = &self.target.slot;
        slot.ledger().verified.check(change.key(), slot.partition());
        let deletes = change.deletes && !table.may_lie_elsewhere(change.key(), slot);
        let written = match deletes {
            true => self.writer.delete(change.storage_key),
            false => self.writer.put(change.storage_key, change.stored),
        };
        Ok(written?)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for file in &self.files {
            // The database has moved what it took over; the rest is removed at the next start at the latest.
            let _ = fs::remove_file(&file.path);
        }
    }
}

fn finish(file: Option<File<'_>>) -> Result<()> {
    Ok(file.map_or(Ok(()), |mut file| file.writer.finish())?)
}
