//! Opening a store: the right one, whole, or a fresh one beside the damaged.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rocksdb::{ColumnFamilyDescriptor, DB, DEFAULT_COLUMN_FAMILY_NAME, Options, WriteBatch};

use super::damage;
use super::error::{Error, Result};
use super::identity::Identity;
use super::markers;
use super::meta::{self, COUNTERS_KEY, IDENTITY_KEY};
use super::options::Resources;
use super::slot::{Slot, SlotTable};
use super::staged;
use super::writer::{Recovered, Writer, synced};
use super::{Sizes, Store};
use crate::config::sections::OnCorruption;
use crate::entry::SlotNumber;
use crate::position::Partition;

const DATABASE: &str = "db";
const CORRUPT: &str = "corrupt-";

/// An opened store.
#[derive(Debug)]
pub struct Opened {
    /// The read side.
    pub store: Arc<Store>,
    /// The write side.
    pub writer: Writer,
    /// Where a damaged store was moved to, and what was wrong with it.
    pub quarantined: Option<(PathBuf, String)>,
}

impl Store {
    /// Opens the store of `topic` in `dir`, or makes one there.
    ///
    /// Unless `store.on_corruption` says halt, a damaged store is moved aside within `dir` and a fresh one is made:
    /// Kafka holds the truth. At most `corrupt_kept` damaged ones are kept.
    ///
    /// # Errors
    /// [`Error::Halted`], [`Error::Locked`], [`Error::Newer`], [`Error::OtherTopic`] and [`Error::NotAStore`] touch
    /// nothing; [`Error::Io`] and [`Error::NoSpace`] when the directory cannot be used.
    pub fn open(dir: &Path, topic: &str, resources: &Resources, corrupt_kept: usize) -> Result<Opened> {
        fs::create_dir_all(dir).map_err(Error::io(dir))?;
        match open_whole(dir, topic, resources) {
            Err(Error::Corrupt { detail, .. }) if resources.on_corruption() == OnCorruption::Halt => {
                Err(Error::Halted { path: dir.to_owned(), detail })
            }
            Err(Error::Corrupt { detail, .. }) => {
                let aside = move_aside(dir, corrupt_kept)?;
                let (store, writer) = open_whole(dir, topic, resources)?;
                Ok(Opened { store, writer, quarantined: Some((aside, detail)) })
            }
            opened => opened.map(|(store, writer)| Opened { store, writer, quarantined: None }),
        }
    }
}

fn open_whole(dir: &Path, topic: &str, resources: &Resources) -> Result<(Arc<Store>, Writer)> {
    let path = dir.join(DATABASE);
    let known = Identity::read(dir)?;
    if let Some(identity) = known.as_ref().filter(|identity| identity.topic != topic) {
        let (found, wanted) = (identity.topic.clone(), topic.to_owned());
        return Err(Error::OtherTopic { path: dir.to_owned(), found, wanted });
    }
    if let Some(detail) = damage::read(dir)? {
        return Err(Error::corrupt(detail));
    }
    if known.is_none() && Identity::has_draft(dir) {
        remove_unfinished(&path)?;
    }
    if known.is_none() && holds_files(dir)? {
        return Err(Error::NotAStore { path: dir.to_owned() });
    }
    let identity = known.clone().unwrap_or_else(|| Identity::new(topic));
    if known.is_none() {
        identity.write_draft(dir)?;
    }
    let table = Arc::new(ArcSwap::from_pointee(SlotTable::default()));
    let mut options = resources.options();
    options.set_compaction_filter("idle markers", markers::sweep(Arc::clone(&table)));
    options.set_periodic_compaction_seconds(markers::SWEPT_AFTER_SECONDS);
    let db = open_database(&options, &path).map_err(|error| opening(error, dir))?;
    if known.is_none() {
        let mut rows = WriteBatch::default();
        meta::put(&mut rows, &IDENTITY_KEY, &identity)?;
        db.write_opt(rows, &synced())?;
        Identity::keep_draft(dir)?;
    } else if meta::get::<Identity>(&db, &IDENTITY_KEY)?.as_ref() != Some(&identity) {
        return Err(Error::corrupt("the database is empty or belongs to another directory"));
    }
    assemble(db, options, dir.to_owned(), identity, table)
}

/// Seconds until a file of the last level is rewritten only because no snapshot needs its sequence numbers any more. By
/// itself RocksDB does so at the end of the next batch, page or export, for as many bytes as were written lately.
const REWRITTEN_AFTER: (&str, &str) = ("bottommost_file_compaction_delay", "86400");

/// The one column family is named, so that there is a handle of it for reads of many keys.
fn open_database(options: &Options, path: &Path) -> std::result::Result<DB, rocksdb::Error> {
    let family = ColumnFamilyDescriptor::new(DEFAULT_COLUMN_FAMILY_NAME, options.clone());
    let db = DB::open_cf_descriptors(options, path, [family])?;
    db.set_options(&[REWRITTEN_AFTER])?;
    Ok(db)
}

fn assemble(
    db: DB,
    options: Options,
    dir: PathBuf,
    identity: Identity,
    shared: Arc<ArcSwap<SlotTable>>,
) -> Result<(Arc<Store>, Writer)> {
    let mut slots: BTreeMap<_, _> = meta::slot_rows(&db)?
        .into_iter()
        .map(|(number, row)| (number, Arc::new(Slot::from_row(number, row))))
        .collect();
    let counters: meta::Counters = meta::get(&db, &COUNTERS_KEY)?.unwrap_or_default();
    let mut rows: BTreeMap<Partition, meta::PartitionRow> = meta::partition_rows(&db)?.into_iter().collect();
    give_up_builds_ahead(&db, &mut rows, &slots)?;
    let mut table = SlotTable::default();
    table.generation = counters.generation;
    table.was_complete = counters.complete;
    for (partition, row) in &rows {
        let mut take =
            |number| slots.remove(&number).ok_or_else(|| Error::corrupt("a slot's row is missing"));
        if let Some(number) = row.serving {
            table.serving.insert(*partition, take(number)?);
        }
        if let Some(number) = row.building {
            table.building.insert(*partition, take(number)?);
        }
    }
    table.rows = rows;
    // A slot no partition refers to was on its way out when the process ended.
    let retired = slots.into_values().collect();
    shared.store(Arc::new(table.relocated()));
    let store = Arc::new(Store { db, options, dir, identity, table: shared });
    let writer = Writer::new(Arc::clone(&store), Recovered { counters, retired });
    tracing::debug!(sizes = ?store.sizes() as Sizes, "store opened");
    Ok((store, writer))
}

/// The process ended while files were taken over: what such a slot holds is not known. It is built once more.
fn give_up_builds_ahead(
    db: &DB,
    rows: &mut BTreeMap<Partition, meta::PartitionRow>,
    slots: &BTreeMap<SlotNumber, Arc<Slot>>,
) -> Result<()> {
    let mut write = WriteBatch::default();
    for (partition, row) in rows {
        let slot = row.building.and_then(|number| slots.get(&number)).map(|slot| slot.row());
        let Some(slot) = slot.filter(meta::SlotRow::is_ahead) else { continue };
        tracing::info!(partition, "a build was interrupted while files were taken over, it begins anew");
        let requested = row.serving.and(Some(slot.build.reason));
        *row = meta::PartitionRow { building: None, requested: row.requested.or(requested), ..*row };
        meta::put(&mut write, &meta::partition_key(*partition), row)?;
    }
    Ok(db.write_opt(write, &synced())?)
}

fn opening(error: rocksdb::Error, dir: &Path) -> Error {
    let detail = error.to_string();
    let io = |kind| Error::Io { path: dir.to_owned(), cause: std::io::Error::from(kind) };
    if detail.contains("LOCK: Resource temporarily unavailable")
        || detail.contains("lock hold by current process")
    {
        return Error::Locked { path: dir.to_owned() };
    }
    match () {
        () if detail.contains("Permission denied") => io(ErrorKind::PermissionDenied),
        () if detail.contains("Read-only file system") => io(ErrorKind::ReadOnlyFilesystem),
        () if detail.contains("Too many open files") => {
            Error::Refused { detail: format!("{detail}; raise the limit of open files (ulimit -n)") }
        }
        () => match Error::from(error) {
            // A file that is missing or cut off is reported in many words; all of them mean damage.
            Error::Refused { detail } => Error::corrupt(detail),
            other => other,
        },
    }
}

/// The process ended in the middle of its first start: nothing was stored yet.
fn remove_unfinished(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(path)(error)),
        _ => Ok(()),
    }
}

/// Hidden files and `lost+found` come with a fresh volume; what a stager leaves and damaged stores moved aside are our
/// own.
fn holds_files(dir: &Path) -> Result<bool> {
    for file in fs::read_dir(dir).map_err(Error::io(dir))? {
        let name = file.map_err(Error::io(dir))?.file_name();
        let name = name.to_string_lossy();
        if !(name.starts_with('.')
            || name == "lost+found"
            || name == staged::DIRECTORY
            || name.starts_with(CORRUPT)
            || name.starts_with("IDENTITY"))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn move_aside(dir: &Path, kept: usize) -> Result<PathBuf> {
    let aside = dir.join(format!("{CORRUPT}{}", crate::time::Millis::now().get()));
    fs::create_dir(&aside).map_err(Error::io(&aside))?;
    match fs::rename(dir.join(DATABASE), aside.join(DATABASE)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io(dir)(error)),
        _ => Identity::move_to(dir, &aside)?,
    }
    // Order matters: until everything else is aside the next start finds the store damaged again.
    damage::move_to(dir, &aside)?;
    let mut old: Vec<_> = fs::read_dir(dir)
        .map_err(Error::io(dir))?
        .filter_map(|file| Some(file.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(CORRUPT)))
        .collect();
    old.sort();
    let surplus = old.len().saturating_sub(kept.max(1));
    for path in old.iter().take(surplus) {
        fs::remove_dir_all(path).map_err(Error::io(path))?;
    }
    Ok(aside)
}
