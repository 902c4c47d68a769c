//! The bookkeeping rows of a store: keys that start with `0x00`, values in JSON.

use rocksdb::{DB, IteratorMode, ReadOptions, WriteBatch};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use crate::entry::SlotNumber;
use crate::partitioner::Verified;
use crate::position::{Partition, Position};
use crate::resume::BuildReason;
use crate::time::Millis;
use crate::topic_id::TopicId;

/// First byte of the key space of bookkeeping: no user's key can collide with it.
const META_SPACE: u8 = 0x00;
pub(super) const IDENTITY_KEY: [u8; 2] = [META_SPACE, b'i'];
pub(super) const COUNTERS_KEY: [u8; 2] = [META_SPACE, b'c'];

/// What is known of one slot; written together with every change to its entries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlotRow {
    /// Partition the slot was built from.
    pub partition: Partition,
    /// Cluster it was built from.
    pub cluster_id: String,
    /// Incarnation of the topic it was built from.
    pub topic_id: TopicId,
    /// Rules that turned records into entries.
    pub rules: u32,
    /// Next offset to read.
    pub position: Position,
    /// How far it was read while no tombstone before can have been compacted away unread; the position of a row that
    /// does not say.
    #[serde(default)]
    pub in_time: Option<Position>,
    /// Leader epoch of a record, and the position right after that record.
    pub epoch: Option<(i32, Position)>,
    /// Last time the slot was known to hold everything the log held.
    pub caught_up_at: Option<Millis>,
    /// How producers place keys, as far as this slot's records tell.
    pub verified: Verified,
    /// How the slot came to be.
    pub build: Build,
    /// Where the last files led that were taken over. Beyond the position the slot may hold anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<Position>,
}

impl SlotRow {
    /// Returns whether the slot may hold what its position does not tell: the process ended in between.
    pub(super) fn is_ahead(&self) -> bool {
        self.staged.is_some_and(|staged| staged > self.position)
    }
}

/// How a slot came to be. It may serve once its position has reached `high`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// Why it was built.
    pub reason: BuildReason,
    /// Log start when the build began.
    pub low: Position,
    /// End offset when the build began.
    pub high: Position,
    /// When it began.
    pub started_at: Millis,
}

/// Which slots a partition has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionRow {
    /// The slot that answers.
    pub serving: Option<SlotNumber>,
    /// The slot that is being filled to take over.
    pub building: Option<SlotNumber>,
    /// Number of the last position that was to be mirrored to the group; zero before the first.
    #[serde(default)]
    pub mirror_seq: u64,
    /// The group was once seen to carry our signature.
    #[serde(default)]
    pub signed: bool,
    /// A build that was decided and has not begun.
    #[serde(default)]
    pub requested: Option<BuildReason>,
    /// An operator's reset that was decided on and not yet signed over in the group.
    #[serde(default)]
    pub settled_reset: Option<i64>,
}

impl PartitionRow {
    /// Returns whether it is news that the group carries our signature: it was not known to, or a reset that was settled
    /// is signed over by it.
    #[must_use]
    pub fn wants_signature(&self) -> bool {
        !self.signed || self.settled_reset.is_some()
    }
}

/// Numbers that only grow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// Next slot number; a number is never used twice.
    pub next_slot: u32,
    /// Swaps that readers could see.
    pub generation: u64,
    /// Every partition of the topic was served at some time.
    #[serde(default = "taken_for_complete")]
    pub complete: bool,
}

/// The first versions did not note it, and answered of what they had.
fn taken_for_complete() -> bool {
    true
}

pub(super) fn slot_key(slot: SlotNumber) -> [u8; 6] {
    let [a, b, c, d] = slot.0.to_be_bytes();
    [META_SPACE, b's', a, b, c, d]
}

pub(super) fn partition_key(partition: Partition) -> [u8; 6] {
    let [a, b, c, d] = partition.to_be_bytes();
    [META_SPACE, b'p', a, b, c, d]
}

/// Adds a row to a write.
pub(super) fn put(batch: &mut WriteBatch, key: &[u8], row: &impl Serialize) -> Result<()> {
    batch.put(key, serde_json::to_vec(row).map_err(Error::corrupt)?);
    Ok(())
}

pub(super) fn get<T: DeserializeOwned>(db: &DB, key: &[u8]) -> Result<Option<T>> {
    get_at(db, &ReadOptions::default(), key)
}

/// Reads a row as `read` says, such as out of a snapshot.
pub(super) fn get_at<T: DeserializeOwned>(db: &DB, read: &ReadOptions, key: &[u8]) -> Result<Option<T>> {
    let row = db.get_pinned_opt(key, read)?;
    row.map(|bytes| serde_json::from_slice(&bytes).map_err(Error::corrupt)).transpose()
}

pub(super) fn slot_rows(db: &DB) -> Result<Vec<(SlotNumber, SlotRow)>> {
    let rows = rows::<SlotRow>(db, b's')?;
    Ok(rows.into_iter().map(|(number, row)| (SlotNumber(number), row)).collect())
}

pub(super) fn partition_rows(db: &DB) -> Result<Vec<(Partition, PartitionRow)>> {
    let rows = rows::<PartitionRow>(db, b'p')?;
    Ok(rows.into_iter().map(|(number, row)| (number.cast_signed(), row)).collect())
}

fn rows<T: DeserializeOwned>(db: &DB, kind: u8) -> Result<Vec<(u32, T)>> {
    let prefix = [META_SPACE, kind];
    let mut rows = Vec::new();
    for row in db.iterator(IteratorMode::From(&prefix, rocksdb::Direction::Forward)) {
        let (key, value) = row?;
        let Some(number) = key.strip_prefix(&prefix) else { break };
        let number = number.try_into().map_err(|_| Error::corrupt("a bookkeeping row has a garbled key"))?;
        rows.push((u32::from_be_bytes(number), serde_json::from_slice(&value).map_err(Error::corrupt)?));
    }
    Ok(rows)
}
