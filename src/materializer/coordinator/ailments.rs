//! Partitions that cannot be read on: noticed, said, rested, and said again when it is over.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{Coordinator, HURRY, Reading, Role};
use crate::entry::SlotNumber;
use crate::kafka::PartitionLog;
use crate::materializer::reader::PartitionFailure;
use crate::position::Partition;
use crate::progress::TroubleCode;
use crate::source::Failure;
use crate::store::SlotTable;

/// How long a partition that failed rests before it is read again.
const REST: Duration = Duration::from_secs(5);
/// A frozen broker or a right that was revoked raises no event, nor does a log that was cut off always: a partition that
/// does not move for this long although it is not at the end of its log is read anew.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

impl Coordinator {
    /// A partition the source gave up is never forgotten: it is read again after a rest.
    pub(super) fn rest(&mut self, role: Role, failed: PartitionFailure) {
        let PartitionFailure { partition, slot, failure } = failed;
        // It was left meanwhile, or is read into another slot by now.
        if self.reading(role).get(&partition) != Some(&Reading::Into(slot)) {
            return;
        }
        // The next observation sees where the log is and decides.
        self.observe_after = self.observe_after.min(HURRY);
        self.reading(role).remove(&partition);
        let (code, reason) = match failure {
            Failure::Gone => return,
            Failure::Rewritten(reason) => {
                self.rewritten.insert(slot);
                (TroubleCode::OutOfRange, reason)
            }
            Failure::OutOfRange(reason) => {
                self.refused.insert(slot);
                (TroubleCode::OutOfRange, reason)
            }
            Failure::Unauthorized(reason) => (TroubleCode::Unauthorized, reason),
            Failure::Other(reason) => (TroubleCode::Undeliverable, reason),
        };
        self.ail(slot);
        self.reading(role).insert(partition, Reading::Resting(Instant::now() + REST));
        self.suffer(partition, code, &reason);
    }

    /// Trouble with a slot lasts until it gets further, or is no more.
    fn ail(&mut self, number: SlotNumber) {
        let table = self.view.store().table();
        let slot = table.slots().find(|slot| slot.number() == number);
        self.ailing.extend(slot.map(|slot| (number, (slot.partition(), slot.position()))));
    }

    pub(super) fn suffer(&self, partition: Partition, code: TroubleCode, reason: &str) {
        let progress = self.view.progress();
        if progress.want(partition).set_trouble(code, reason.to_owned()) {
            progress.record_event(code.as_str(), Some(partition), reason.to_owned());
            let code = code.as_str();
            tracing::error!(view = %self.view.name(), partition, code, reason, "cannot read on, will try again");
        }
    }

    /// Nothing arrives while the builder keeps to its bound: patience begins anew.
    pub(super) fn excuse_rests(&mut self) {
        if self.ports.builder.pace.has_rested() {
            self.moved.retain(|number, _| !self.builder.values().any(|read| *read == Reading::Into(*number)));
        }
    }

    pub(super) fn watch_progress(&mut self, partition: Partition, log: PartitionLog, table: &SlotTable) {
        for role in [Role::Live, Role::Builder] {
            let Some(Reading::Into(number)) = self.reading(role).get(&partition).copied() else { continue };
            let Some(slot) = table.slots().find(|slot| slot.number() == number) else { continue };
            let position = slot.position();
            let (stood_at, since) = self.moved.entry(number).or_insert((position, Instant::now()));
            if *stood_at != position || position == log.end {
                (*stood_at, *since) = (position, Instant::now());
            } else if since.elapsed() > PATIENCE {
                let reason =
                    format!("nothing arrives at position {position}, and the log ends at {}", log.end);
                self.reading(role).remove(&partition);
                self.ail(number);
                self.suffer(partition, TroubleCode::NoProgress, &reason);
            }
        }
    }

    /// Ends the trouble of partitions whose records flow again.
    pub(super) fn heal(&mut self, table: &SlotTable) {
        self.ailing.retain(|number, (_, stood_at)| {
            table.slots().any(|slot| slot.number() == *number && slot.position() <= *stood_at)
        });
        let sick: BTreeSet<_> = self.ailing.values().map(|(partition, _)| *partition).collect();
        let progress = self.view.progress();
        for (partition, known) in progress.partitions().iter() {
            if sick.contains(partition) || self.silent.contains(partition) {
                continue;
            }
            if let Some(over) = known.clear_trouble() {
                progress.record_event("recovered", Some(*partition), over.detail);
                tracing::info!(view = %self.view.name(), partition, "the partition can be read again");
            }
        }
    }
}
