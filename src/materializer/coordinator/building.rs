//! Builds beside a serving slot: begun, and handed over when they have caught up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Coordinator, Reading, Role};
use crate::materializer::writer::Work;
use crate::position::Partition;
use crate::resume::Decision;
use crate::store::{BuildPlan, Slot, SlotTable};
use crate::time::Moment;

/// A build this close to the serving slot is handed over: the live reader rests only for that long.
const CLOSE: u64 = 20_000;
/// How long the live reader may rest for a hand-over before it goes on and the hand-over is put off.
const HAND_OVER: Duration = Duration::from_secs(5);
/// How long a hand-over is put off.
const LATER: Duration = Duration::from_secs(1);

impl Coordinator {
    /// Makes fresh slots and has their partitions read from the log start.
    pub(super) fn begin(&mut self, plans: Vec<BuildPlan>) -> anyhow::Result<()> {
        if plans.is_empty() {
            return Ok(());
        }
        for plan in &plans {
            self.ahead.remove(&plan.partition);
            // What the builder read so far belongs to the slot that is dropped now.
            self.leave(Role::Builder, plan.partition)?;
        }
        let started = self.ask(|answer| Work::Build(plans, answer))?;
        let table = self.view.store().table();
        self.throttle(&table);
        for (partition, number, _) in started {
            let role = match table.serving().get(&partition) {
                Some(serving) if serving.number() != number => Role::Builder,
                _ => Role::Live,
            };
            if let Some(slot) = table.slots().find(|slot| slot.number() == number) {
                self.follow(role, slot, Decision::Continue, Moment::now())?;
            }
        }
        Ok(())
    }

    /// Lets every build answer that is far enough.
    pub(super) fn finish_builds(&mut self) -> anyhow::Result<()> {
        if self.builder.is_empty() || Instant::now() < self.hand_over_after {
            return Ok(());
        }
        let table = self.view.store().table();
        self.throttle(&table);
        let ready = table.building().iter().filter_map(|(partition, slot)| {
            let serving = table.serving().get(partition)?;
            // What is not read rests itself, or may not answer; nor is the live reader's own rest cut short.
            let read = self.builder.get(partition) == Some(&Reading::Into(slot.number()));
            let read = read && self.is_judged(slot, false);
            let close = slot.position().lag(serving.position()) <= CLOSE;
            let close = close && self.is_followed(*partition);
            let ready = read && slot.position() >= slot.build().high && (close || !slot.is_behind(serving));
            ready.then_some(*partition)
        });
        let ready: Vec<_> = ready.collect();
        drop(table);
        ready.into_iter().try_for_each(|partition| self.hand_over(partition))
    }

    fn is_followed(&self, partition: Partition) -> bool {
        matches!(self.live.get(&partition), Some(Reading::Into(_)))
    }

    /// Bounds the builder until a build is through with what the log held when it began: the rest is what the live
    /// reader reads as well, and a build that is slower than that would never end.
    fn throttle(&self, table: &SlotTable) {
        let is_through = |slot: &Arc<Slot>| slot.position() >= slot.build().high;
        let bound = match table.building().values().any(is_through) {
            true => 0,
            false => self.rhythm.rebuild.records_per_second,
        };
        self.ports.builder.pace.set_records_per_second(bound);
    }

    /// Invariant: the swap never takes an answer back in time. The serving slot rests while the build passes it.
    fn hand_over(&mut self, partition: Partition) -> anyhow::Result<()> {
        let followed = self.is_followed(partition);
        self.leave(Role::Live, partition)?;
        let deadline = Instant::now() + HAND_OVER;
        let passed = loop {
            if self.has_passed(partition) {
                break true;
            }
            if Instant::now() >= deadline || self.stop.is_cancelled() {
                break false;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let promoted = passed && self.ask(|answer| Work::Promote(partition, answer))?;
        if promoted {
            self.leave(Role::Builder, partition)?;
        } else {
            self.hand_over_after = Instant::now() + LATER;
        }
        let serving = self.view.store().table().serving().get(&partition).cloned();
        match serving.filter(|_| promoted || followed) {
            Some(slot) => self.read(Role::Live, partition, &slot),
            None => Ok(()),
        }
    }

    fn has_passed(&self, partition: Partition) -> bool {
        let table = self.view.store().table();
        let serving = table.serving().get(&partition);
        let is_behind = |slot: &Arc<Slot>| serving.is_some_and(|serving| slot.is_behind(serving));
        !table.building().get(&partition).is_some_and(is_behind)
    }
}
