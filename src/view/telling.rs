//! What the writer tells those who watch the view: which keys changed in slots that answer, and which slots do.
//!
//! A slot that is being filled is not watched, so a restore pays nothing for this.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use crate::batch::Batch;
use crate::position::{Partition, Position};
use crate::progress::{Applied, Builds, Changes, Moved, Reached, Reason};
use crate::store::{Slot, SlotTable};

/// Tells which slots answer as the process starts.
pub fn begin(changes: &Changes, table: &SlotTable) {
    let serving = table.serving().iter().map(|(partition, slot)| (*partition, reached(slot)));
    changes.begin(serving, builds(table));
}

/// Returns the slots that answer and are reached by `batch`, with their positions before it is applied.
#[must_use]
pub fn before(table: &SlotTable, batch: &Batch) -> Vec<(Arc<Slot>, Position)> {
    let serving = batch.advances().iter().filter_map(|advance| {
        let slot = table.serving().get(&advance.partition)?;
        (slot.number() == advance.slot).then(|| (Arc::clone(slot), slot.position()))
    });
    serving.collect()
}

/// Tells what a batch has changed, once it can be read.
pub fn applied(changes: &Changes, before: &[(Arc<Slot>, Position)], batch: &mut Batch) {
    if before.is_empty() {
        return;
    }
    let step =
        |(slot, _): &(Arc<Slot>, Position)| Applied::new(slot.partition(), slot.number(), slot.position());
    let mut steps: Vec<Applied> = before.iter().map(step).collect();
    let told = batch.last_changes(|change| {
        let mut reached = steps.iter_mut().zip(before);
        // What was applied before changes nothing, as in the store.
        let step =
            reached.find(|(step, (_, position))| step.slot() == change.slot && change.position > *position);
        if let (Some((step, _)), Some(offset)) = (step, change.position.last()) {
            step.push(change.key(), offset);
        }
        Ok::<_, std::convert::Infallible>(())
    });
    let Ok(()) = told;
    changes.applied(steps);
}

/// Tells that another slot answers for `partition`, or none any more.
pub fn moved(changes: &Changes, partition: Partition, before: &SlotTable, after: &SlotTable) {
    let (old, new) = (before.serving().get(&partition), after.serving().get(&partition));
    let reason = match (old, new) {
        (None, None) => return,
        (None, Some(_)) => Reason::PartitionAdded,
        (Some(old), Some(new)) if old.topic_id() == new.topic_id() => Reason::Rebuilt,
        (Some(_), _) => Reason::TopicRecreated,
    };
    // Of a partition that was not served before nothing is known, so nothing of it can have counted.
    let entangled = old.is_some() && !(before.has_one_place_per_key() && after.has_one_place_per_key());
    let to = new.map(|slot| reached(slot));
    changes.moved(Moved { partition, to, reason, entangled, builds: builds(after) });
}

fn reached(slot: &Slot) -> Reached {
    Reached { slot: slot.number(), position: slot.position() }
}

fn builds(table: &SlotTable) -> Builds {
    let mut hasher = DefaultHasher::new();
    for (partition, slot) in table.serving() {
        (partition, slot.number(), slot.topic_id(), slot.build().started_at.get()).hash(&mut hasher);
    }
    Builds(hasher.finish())
}
