//! A rebuild that was asked for, as the read side tells it.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

use super::{View, status};
use crate::position::Partition;
use crate::progress::{OperationId, Running, TroubleCode};
use crate::resume::BuildReason;
use crate::time::Millis;

/// Status of a rebuild that was asked for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OperationStatus {
    /// Its name.
    #[schema(value_type = String, example = "5f0c2f4be6a84c0d9a6d1f0e7c0b1a52")]
    pub id: OperationId,
    /// Name of the view.
    #[schema(example = "users")]
    pub view: String,
    /// Whether it is over.
    pub state: OperationState,
    /// Why the partitions are rebuilt.
    pub reason: BuildReason,
    /// Partitions that were asked for.
    #[schema(value_type = Vec<i32>, example = json!([3]))]
    pub partitions: BTreeSet<Partition>,
    /// Those whose fresh state does not answer yet.
    #[schema(value_type = Vec<i32>, example = json!([3]))]
    pub left: BTreeSet<Partition>,
    /// Share of the work that is done, 0 to 1.
    pub progress: f64,
    /// When it was asked for.
    pub requested_at: Option<String>,
    /// When it was done; none while it runs.
    pub ended_at: Option<String>,
}

/// Whether an operation is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OperationState {
    /// Some partition waits for its fresh state.
    Running,
    /// Every partition is answered out of its fresh state.
    Done,
}

/// Why a rebuild is not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotBegun {
    /// The partitions of the topic are not known yet.
    NoPartitions,
    /// The brokers belong to another cluster than what is stored, which is not touched.
    WrongCluster,
    /// The topic has no such partition.
    NoSuchPartition(Partition),
    /// An earlier operation has to end first.
    Running(OperationId),
    /// The partition is being built for another reason.
    Building(Partition),
}

/// Asks for fresh states of `partitions`, or of all.
pub(super) fn rebuild(view: &View, partitions: Option<BTreeSet<Partition>>) -> Result<OperationId, NotBegun> {
    let wanted = view.progress().partitions();
    if wanted.is_empty() {
        return Err(NotBegun::NoPartitions);
    }
    if view.progress().trouble().is_some_and(|trouble| trouble.code == TroubleCode::WrongCluster) {
        return Err(NotBegun::WrongCluster);
    }
    let partitions = partitions.unwrap_or_else(|| wanted.keys().copied().collect());
    if let Some(unknown) = partitions.iter().find(|partition| !wanted.contains_key(partition)) {
        return Err(NotBegun::NoSuchPartition(*unknown));
    }
    if let Some(running) = view.progress().rebuilds().running() {
        return Err(NotBegun::Running(running.id));
    }
    let table = view.store().table();
    let is_built = |partition: &&Partition| {
        table.building().contains_key(partition) || table.row(**partition).requested.is_some()
    };
    if let Some(built) = partitions.iter().find(is_built) {
        return Err(NotBegun::Building(*built));
    }
    view.progress().rebuilds().request(partitions).map_err(|Running(id)| NotBegun::Running(id))
}

pub(super) fn status(view: &View, id: OperationId) -> Option<OperationStatus> {
    let operation = view.progress().rebuilds().get(id)?;
    let table = view.store().table();
    let share = |partition: &Partition| match table.building().get(partition) {
        _ if !operation.left.contains(partition) => 1.0,
        Some(slot) => status::passed(slot),
        None => 0.0,
    };
    #[expect(clippy::cast_precision_loss, reason = "partitions are few")]
    let count = operation.partitions.len().max(1) as f64;
    let over = operation.ended_at.is_some();
    Some(OperationStatus {
        id,
        view: view.name().to_string(),
        state: if over { OperationState::Done } else { OperationState::Running },
        reason: BuildReason::Requested,
        progress: operation.partitions.iter().map(share).fold(0.0, |sum, share| sum + share) / count,
        requested_at: operation.requested_at.rfc3339(),
        ended_at: operation.ended_at.and_then(Millis::rfc3339),
        left: operation.left,
        partitions: operation.partitions,
    })
}
