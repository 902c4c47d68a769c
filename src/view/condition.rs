//! State, lag and staleness of a view, derived from its slots and its progress.

use std::time::{Duration, Instant};

use serde::Serialize;
use utoipa::ToSchema;

use crate::position::Partition;
use crate::progress::{PartitionProgress, Progress, Trouble, TroubleCode, WarningCode, kinds};
use crate::store::{Slot, SlotTable};
use crate::time::Moment;

/// A view that was not known to be caught up for this long is stale.
const STALE: Duration = Duration::from_secs(10);

kinds! {
    /// What a view or a partition is about; later words are worse.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
    #[schema(as = ViewState)]
    #[serde(rename_all = "kebab-case")]
    pub enum State {
        /// Caught up, and following.
        Live = "live",
        /// Serving, while a fresh state is built beside it.
        Rebuilding = "rebuilding",
        /// Serving a state that has not been known to be current for a while.
        Stale = "stale",
        /// Serving the last state of a topic that is gone.
        SourceLost = "source-lost",
        /// Not serving yet.
        Restoring = "restoring",
        /// Cannot go on; see the reason.
        Stuck = "stuck",
    }
}

/// A view in four words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// The worst of its partitions' states.
    pub state: State,
    /// Why it is not live.
    pub reason: Option<&'static str>,
    /// What it lives with that matters most.
    pub warning: Option<&'static str>,
    /// Records between the positions and the ends of the log.
    pub lag: u64,
    /// How long it was not known to be current when this was found; none when it never was.
    pub age: Option<Duration>,
    /// When this was found.
    pub taken: Instant,
    /// Swaps that readers could see.
    pub generation: u64,
}

/// Why a view is not ready.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NotReady {
    /// Stable word in kebab-case.
    pub reason: &'static str,
    /// For people.
    pub detail: String,
}

impl Condition {
    /// Derives the condition of a whole view.
    #[must_use]
    pub fn of(table: &SlotTable, progress: &Progress) -> Self {
        let (wanted, now) = (progress.partitions(), Moment::now());
        let trouble = progress.trouble();
        let generation = table.generation();
        let nothing = (State::Restoring, trouble.as_ref().map(|trouble| trouble.code.as_str()));
        let known = knows_partitions(table, progress);
        let mut worst = (if known { (State::Live, None) } else { nothing }, 0, None);
        let mut ailing = false;
        for (partition, known) in wanted.iter() {
            let serving = table.serving().get(partition);
            let (state, reason) = partition_state(table, *partition, known, trouble.as_ref(), now);
            // What was complete once goes on serving while a partition that was added is restored.
            let (state, reason) = match state {
                State::Restoring if table.was_complete() => {
                    (State::Rebuilding, reason.or(Some("partition-added")))
                }
                _ => (state, reason),
            };
            // Of two that are as bad, the one that ails says more than a rebuild that goes well.
            let ails = known.trouble().is_some() || known.damage().is_some();
            if (worst.0.0, ailing) < (state, ails) {
                (worst.0, ailing) = ((state, reason), ails);
            }
            worst.1 += lag(serving.or_else(|| table.building().get(partition)), known);
        }
        let counted = wanted.keys().filter(|partition| !is_added(table, **partition));
        let ages: Option<Vec<_>> =
            counted.map(|partition| table.serving().get(partition)?.age(now)).collect();
        worst.2 = ages.and_then(|ages| ages.into_iter().max());
        let ((state, reason), lag, age) = worst;
        let warning = progress.warnings().first().map(WarningCode::as_str);
        Self { state, reason, warning, lag, age, taken: now.measured, generation }
    }

    /// Returns the seconds for which the view is not known to be current; none when it never was.
    #[must_use]
    pub fn staleness(&self) -> Option<f64> {
        self.age.map(|age| age.saturating_add(self.taken.elapsed()).as_secs_f64())
    }
}

/// Whether it is known which partitions there are: of a view that never was complete there may be some of which nothing
/// is stored.
fn knows_partitions(table: &SlotTable, progress: &Progress) -> bool {
    let wanted = progress.partitions().len();
    let all = || progress.topic().is_some_and(|topic| wanted >= topic.partitions as usize);
    wanted > 0 && (table.was_complete() || all())
}

/// Returns whether every partition the topic is known to have is served, and there is at least one.
#[must_use]
pub fn is_complete(table: &SlotTable, progress: &Progress) -> bool {
    let served = |partition| table.serving().contains_key(partition);
    knows_partitions(table, progress) && progress.partitions().keys().all(served)
}

/// Not served yet, in a view that was complete before.
fn is_added(table: &SlotTable, partition: Partition) -> bool {
    table.was_complete() && !table.serving().contains_key(&partition)
}

pub(super) fn lag(slot: Option<&std::sync::Arc<Slot>>, known: &PartitionProgress) -> u64 {
    match (slot, known.log()) {
        (Some(slot), Some((_, end))) => slot.position().lag(end),
        (None, Some((start, end))) => start.lag(end),
        (_, None) => 0,
    }
}

pub(super) fn partition_state(
    table: &SlotTable,
    partition: Partition,
    known: &PartitionProgress,
    view_trouble: Option<&Trouble>,
    now: Moment,
) -> (State, Option<&'static str>) {
    let own_trouble = known.trouble();
    let trouble = own_trouble.as_ref().or(view_trouble);
    let reason = trouble.map(|trouble| trouble.code.as_str());
    let Some(serving) = table.serving().get(&partition) else {
        let stuck = own_trouble.is_some();
        return (if stuck { State::Stuck } else { State::Restoring }, reason);
    };
    if own_trouble.is_some() {
        return (State::Stuck, reason);
    }
    if view_trouble.is_some_and(|trouble| trouble.code == TroubleCode::TopicMissing) {
        return (State::SourceLost, reason);
    }
    let damage = known.damage().map(|damage| damage.code.as_str());
    if let Some(slot) = table.building().get(&partition) {
        return (State::Rebuilding, reason.or(damage).or(Some(slot.build().reason.as_str())));
    }
    if damage.is_some() {
        return (State::Stuck, damage);
    }
    let is_fresh = serving.age(now).is_some_and(|age| age < STALE);
    if known.caught_up() && trouble.is_none() && is_fresh {
        return (State::Live, None);
    }
    (State::Stale, reason.or(Some(if known.caught_up() { "behind" } else { "catching-up" })))
}

/// Returns why a miss says nothing of a key; none where the view is complete.
pub(super) fn unserved(table: &SlotTable, progress: &Progress) -> Option<NotReady> {
    if is_complete(table, progress) {
        return None;
    }
    let (known, wanted) = (knows_partitions(table, progress), progress.partitions());
    let unserved = wanted.keys().filter(|partition| !table.serving().contains_key(partition)).count();
    let trouble = progress.trouble();
    let reason = trouble.as_ref().map_or("restoring", |trouble| trouble.code.as_str());
    let detail = match trouble {
        Some(trouble) => trouble.detail,
        None if !known => "the partitions of the topic are not known yet".to_owned(),
        None => format!("{unserved} of {} partitions have not caught up once", wanted.len()),
    };
    Some(NotReady { reason, detail })
}

pub(super) fn ready(table: &SlotTable, progress: &Progress, max_staleness: Duration) -> Result<(), NotReady> {
    let wanted = progress.partitions();
    match unserved(table, progress) {
        Some(not_ready) if wanted.is_empty() || !table.was_complete() => return Err(not_ready),
        _ => {}
    }
    let behind = |(partition, known): &(&Partition, &std::sync::Arc<PartitionProgress>)| {
        !known.caught_up() && !is_added(table, **partition)
    };
    for (partition, _) in wanted.iter().filter(behind) {
        let age = table.serving().get(partition).and_then(|slot| slot.age(Moment::now()));
        if age.is_none_or(|age| age > max_staleness) {
            let seconds = age.map_or(f64::INFINITY, |age| age.as_secs_f64());
            let detail = format!("partition {partition} was last known to be current {seconds:.0} s ago");
            return Err(NotReady { reason: "stale", detail });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_that_holds_nothing_was_never_current() {
        let condition = Condition::of(&SlotTable::default(), &Progress::default());
        assert_eq!((condition.state, condition.staleness()), (State::Restoring, None));
    }
}
