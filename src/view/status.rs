//! The status document of a view.

use serde::Serialize;
use utoipa::ToSchema;

use super::View;
use super::condition::{self, State};
use crate::partitioner::Partitioner;
use crate::position::{Partition, Position};
use crate::progress::{Event, OperationId, PartitionProgress, Progress, Trouble, Warning, WarningCode};
use crate::resume::BuildReason;
use crate::store::{Slot, SlotTable};
use crate::time::{Millis, Moment};

/// Status of a view, as served and as shown by the command line.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ViewStatus {
    /// Name of the view.
    #[schema(example = "users")]
    pub view: String,
    /// Its topic.
    #[schema(example = "user-profiles")]
    pub topic: String,
    /// Incarnation of the topic; none before the cluster was asked and nothing is stored.
    #[schema(example = "k3Qz7pWxTf2cZ0bD1aYeHg")]
    pub topic_id: Option<String>,
    /// Whether the topic id is a stand-in derived from names, because the broker knows none.
    pub topic_id_derived: bool,
    /// Id of the cluster; none before it answered.
    #[schema(example = "MkU3OEVBNTcwNTJENDM2Qg")]
    pub cluster_id: Option<String>,
    /// The worst state of its partitions.
    pub state: State,
    /// Why it is not live.
    pub reason: Option<String>,
    /// For people: what is wrong, and what to do where there is something.
    pub detail: Option<String>,
    /// Whether readiness counts it as ready.
    pub ready: bool,
    /// Swaps that readers could see.
    pub generation: u64,
    /// Keys: counted up to 1000 that take up to 1 MiB on the disk, else estimated.
    pub keys_estimated: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Records between the positions and the ends of the log.
    pub lag: u64,
    /// Seconds for which it is not known to be current; none when it never was.
    pub staleness_s: Option<f64>,
    /// Rules that explain where producers placed the keys, with their partition count.
    #[schema(example = json!([["murmur2", 8]]))]
    pub partitioners: Vec<(Partitioner, u32)>,
    /// Keys that have a value which a newer record in another partition hides; none before they were counted.
    pub conflicts: Option<u64>,
    /// Records since the start of the process whose value was larger than the view keeps.
    pub values_too_large: u64,
    /// What it lives with, what matters most first.
    pub warnings: Vec<WarningStatus>,
    /// Running rebuild; none when none runs.
    pub rebuild: Option<RebuildStatus>,
    /// Its partitions.
    pub partitions: Vec<PartitionStatus>,
    /// The last events, oldest first.
    pub events: Vec<Event>,
}

/// A condition the view lives with: it answers and follows, and somebody should know.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WarningStatus {
    /// Stable word in kebab-case.
    pub code: WarningCode,
    /// Partition it is about; none for the whole view.
    #[schema(value_type = Option<i32>, example = 3)]
    pub partition: Option<Partition>,
    /// For people: what it is, and what to do where there is something.
    pub detail: String,
    /// When it began.
    #[schema(example = "2026-11-23T08:25:22.123Z")]
    pub since: Option<String>,
}

/// Records behind an open transaction: in the log, and not to be read yet.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WithheldStatus {
    /// Offsets from the first open transaction to the end of the log.
    pub records: u64,
    /// Seconds for which the same transaction has been seen open.
    pub seconds: f64,
}

/// A rebuild of some partitions.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RebuildStatus {
    /// Name of the operation, where it was asked for.
    #[schema(value_type = Option<String>)]
    pub id: Option<OperationId>,
    /// Partitions being rebuilt.
    #[schema(value_type = Vec<i32>, example = json!([3]))]
    pub partitions: Vec<Partition>,
    /// Why the first of them is rebuilt.
    pub reason: BuildReason,
    /// Share of the offsets passed, 0 to 1.
    pub progress: f64,
    /// When the first of them began.
    #[schema(example = "2026-11-23T08:25:22.123Z")]
    pub started_at: Option<String>,
}

/// Status of one partition.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PartitionStatus {
    /// Number of the partition.
    #[schema(value_type = i32, example = 3)]
    pub partition: Partition,
    /// Its state.
    pub state: State,
    /// Why it is not live.
    pub reason: Option<&'static str>,
    /// Next offset to read of the slot that answers, or of the one being filled when none answers yet.
    #[schema(value_type = Option<i64>, example = 99200)]
    pub position: Option<Position>,
    /// First offset of the log.
    #[schema(value_type = Option<i64>, example = 99200)]
    pub log_start: Option<Position>,
    /// Next offset the log will give.
    #[schema(value_type = Option<i64>, example = 99200)]
    pub end_offset: Option<Position>,
    /// Records between the position and the end of the log.
    pub lag: u64,
    /// Seconds for which it is not known to be current.
    pub staleness_s: Option<f64>,
    /// Last time it was known to be current.
    #[schema(example = "2026-11-23T08:25:22.123Z")]
    pub caught_up_at: Option<String>,
    /// From then on a deletion may be missed if nothing is read; none before the topic's settings are known.
    #[schema(example = "2026-11-23T08:25:22.123Z")]
    pub ghost_risk_at: Option<String>,
    /// What an open transaction keeps back; none when none is open.
    pub withheld: Option<WithheldStatus>,
    /// What went wrong last and is not over.
    pub last_error: Option<String>,
    /// The build that runs; none when none runs.
    pub restore: Option<RestoreStatus>,
}

/// A build on its way.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RestoreStatus {
    /// Records applied so far by this process.
    pub records: u64,
    /// Their rate since the build was started or resumed.
    pub records_per_second: f64,
    /// Next offset to read of the slot being filled.
    #[schema(value_type = i64, example = 99200)]
    pub position: Position,
    /// Position at which the slot may answer.
    #[schema(value_type = i64, example = 99200)]
    pub target: Position,
    /// Share of the offsets passed, 0 to 1.
    pub progress: f64,
    /// Upper bound of the seconds still needed, since compacted offsets have holes; none while unknown.
    pub eta_s_max: Option<f64>,
}

pub(super) fn of(view: &View) -> ViewStatus {
    let table = view.store().table();
    let progress = view.progress();
    let condition = condition::Condition::of(&table, progress);
    let facts = progress.topic();
    let stored_id = table.serving().values().next().map(|slot| slot.topic_id());
    let trouble = progress.trouble();
    let sizes = view.store().sizes();
    let kept = progress.tombstones_kept_ms();
    let partitions: Vec<_> = progress
        .partitions()
        .iter()
        .map(|(partition, known)| partition_status(&table, *partition, known, trouble.as_ref(), kept))
        .collect();
    let detail = trouble.map(|trouble| trouble.detail);
    ViewStatus {
        view: view.name().to_string(),
        topic: view.config().topic.clone(),
        topic_id: stored_id.or(facts.as_ref().map(|facts| facts.topic_id)).map(|id| id.to_string()),
        topic_id_derived: facts.as_ref().is_some_and(|facts| facts.topic_id_derived),
        cluster_id: facts.map(|facts| facts.cluster_id),
        state: condition.state,
        reason: condition.reason.map(str::to_owned),
        detail: detail.or_else(|| partitions.iter().find_map(|partition| partition.last_error.clone())),
        ready: view.ready().is_ok(),
        generation: condition.generation,
        keys_estimated: counted(view).unwrap_or(sizes.keys_estimated),
        disk_bytes: sizes.disk_bytes,
        lag: condition.lag,
        staleness_s: condition.staleness(),
        partitioners: table.pairs().map(|(pair, _)| (pair.partitioner, pair.partitions)).collect(),
        conflicts: progress.conflicts().get(),
        values_too_large: progress.metrics().values_too_large.get(),
        warnings: warnings(progress),
        rebuild: rebuild(&table, progress),
        partitions,
        events: progress.events(),
    }
}

fn counted(view: &View) -> Option<u64> {
    view.store().count_few().unwrap_or_else(|error| {
        view.note_damage(&error);
        None
    })
}

pub(super) fn restored(view: &View) -> f64 {
    let table = view.store().table();
    let wanted = view.progress().partitions();
    let share = |partition: &Partition| match table.building().get(partition) {
        _ if table.serving().contains_key(partition) => 1.0,
        Some(slot) => passed(slot),
        None => 0.0,
    };
    #[expect(clippy::cast_precision_loss, reason = "partitions are few")]
    let count = wanted.len().max(1) as f64;
    // A sum of nothing would be -0.0.
    wanted.keys().map(share).fold(0.0, |sum, share| sum + share) / count
}

pub(super) fn restore_s_max(view: &View) -> Option<f64> {
    let table = view.store().table();
    let wanted = view.progress().partitions();
    let unserved = wanted.iter().filter(|(partition, _)| !table.serving().contains_key(partition));
    let left = unserved.filter_map(|(partition, known)| {
        let left = restore(table.building().get(partition)?, known).eta_s_max?;
        // A restore that has just begun looks slower than it is.
        let (_, since) = known.counted()?;
        Some(left.min(Millis::now().seconds_since(since)))
    });
    left.reduce(f64::max)
}

fn warnings(progress: &Progress) -> Vec<WarningStatus> {
    let warnings = progress.warnings().list().into_iter();
    let status = |Warning { code, partition, detail, since }| WarningStatus {
        code,
        partition,
        detail,
        since: since.rfc3339(),
    };
    warnings.map(status).collect()
}

fn rebuild(table: &SlotTable, progress: &Progress) -> Option<RebuildStatus> {
    let running: Vec<_> =
        table.building().values().filter(|slot| table.serving().contains_key(&slot.partition())).collect();
    let first = running.first()?;
    let share = running.iter().map(|slot| passed(slot)).sum::<f64>();
    let started_at = running.iter().map(|slot| slot.build().started_at).min();
    #[expect(clippy::cast_precision_loss, reason = "partitions are few")]
    let count = running.len() as f64;
    Some(RebuildStatus {
        id: progress.rebuilds().running().map(|operation| operation.id),
        partitions: running.iter().map(|slot| slot.partition()).collect(),
        reason: first.build().reason,
        progress: share / count,
        started_at: started_at.and_then(Millis::rfc3339),
    })
}

fn partition_status(
    table: &SlotTable,
    partition: Partition,
    known: &PartitionProgress,
    view_trouble: Option<&Trouble>,
    tombstones_kept_ms: Option<u64>,
) -> PartitionStatus {
    let now = Moment::now();
    let (state, reason) = condition::partition_state(table, partition, known, view_trouble, now);
    let building = table.building().get(&partition);
    let slot = table.serving().get(&partition).or(building);
    let caught_up_at = slot.and_then(|slot| slot.caught_up_at());
    let kept = tombstones_kept_ms.and_then(|kept| i64::try_from(kept).ok());
    let ghost_risk_at = caught_up_at.zip(kept).map(|(at, kept)| Millis::new(at.get().saturating_add(kept)));
    PartitionStatus {
        partition,
        state,
        reason,
        position: slot.map(|slot| slot.position()),
        log_start: known.log().map(|log| log.0),
        // What was applied since the log was asked is in the log too.
        end_offset: known.log().map(|log| slot.map_or(log.1, |slot| slot.position().max(log.1))),
        lag: condition::lag(slot, known),
        staleness_s: slot.and_then(|slot| slot.age(now)).map(|age| age.as_secs_f64()),
        caught_up_at: caught_up_at.and_then(Millis::rfc3339),
        ghost_risk_at: ghost_risk_at.and_then(Millis::rfc3339),
        withheld: known.withholding().get().map(|withheld| WithheldStatus {
            records: withheld.records,
            seconds: withheld.age().as_secs_f64(),
        }),
        last_error: known.trouble().or_else(|| known.damage()).map(|trouble| trouble.detail),
        restore: building.map(|slot| restore(slot, known)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "rates and shares are estimates")]
fn restore(slot: &Slot, known: &PartitionProgress) -> RestoreStatus {
    let (records, since) = known.counted().unwrap_or((0, Millis::now()));
    let seconds = Millis::now().seconds_since(since);
    let records_per_second = if seconds > 0.0 { records as f64 / seconds } else { 0.0 };
    let left = slot.position().lag(slot.build().high) as f64;
    let eta_s_max = (records_per_second > 0.0).then(|| left / records_per_second);
    RestoreStatus {
        records,
        records_per_second,
        position: slot.position(),
        target: slot.build().high,
        progress: passed(slot),
        eta_s_max,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share is an estimate")]
pub(super) fn passed(slot: &Slot) -> f64 {
    let build = slot.build();
    let all = build.low.lag(build.high) as f64;
    if all > 0.0 { 1.0 - slot.position().lag(build.high) as f64 / all } else { 1.0 }
}
