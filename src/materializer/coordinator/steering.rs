//! Each partition compared with what the cluster says: read on, build anew, or leave alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossbeam_channel::{RecvTimeoutError, bounded};

use super::{Coordinator, Reading, Role, Work};
use crate::entry::SlotNumber;
use crate::kafka::{PartitionLog, TopicState};
use crate::materializer::reader::Command;
use crate::position::{Partition, Position};
use crate::progress::WarningCode;
use crate::resume::{BuildReason, Decision, Facts, Stored, decide, is_late};
use crate::source::Start;
use crate::store::{BuildPlan, RowEdit, Slot, SlotTable};
use crate::time::Moment;

/// How often a wait for a reader looks whether the process is to end.
const LEAVE: Duration = Duration::from_secs(1);

impl Coordinator {
    /// Does for every partition what its slots and the log ask for.
    pub(super) fn steer(
        &mut self,
        state: &TopicState,
        before: &BTreeMap<SlotNumber, Position>,
    ) -> anyhow::Result<()> {
        let table = self.view.store().table();
        let (mut plans, mut promised) = (Vec::new(), 0);
        self.silent = state.silent.keys().copied().collect();
        self.excuse_rests();
        for (partition, error) in &state.silent {
            self.view.progress().want(*partition);
            // Nothing arrives while nobody answers: patience begins anew.
            let silent = table.slots().filter(|slot| slot.partition() == *partition);
            let silent: Vec<_> = silent.map(|slot| slot.number()).collect();
            self.moved.retain(|number, _| !silent.contains(number));
            self.suffer(*partition, error.trouble(), &error.to_string());
        }
        for (partition, log) in &state.partitions {
            self.view.progress().want(*partition).set_log(log.start, log.end);
            self.mind_transactions(*partition, *log);
            self.watch_progress(*partition, *log, &table);
            let room = self.rebuilding(&table) + plans.len() < self.rhythm.rebuild.parallel;
            let reason = self.steer_partition(*partition, *log, state, before, &table, room)?;
            let room = self.has_space(*partition, reason.is_some(), &table, &mut promised);
            plans.extend(reason.filter(|_| room).map(|reason| self.plan(state, *partition, *log, reason)));
        }
        // Order matters: slots out of the table are dropped once nobody holds it, this thread included.
        drop(table);
        self.begin(plans)?;
        self.drop_gone(state)?;
        let table = self.view.store().table();
        for (partition, log) in &state.partitions {
            // An end below what was read is one of an earlier time.
            let followed = |slot: &&Arc<Slot>| {
                self.live.get(partition) == Some(&Reading::Into(slot.number()))
                    && before.get(&slot.number()).is_some_and(|position| *position > log.end)
            };
            if table.serving().get(partition).filter(followed).is_none() {
                self.ahead.entry(*partition).or_insert((state.observed_at, log.end));
            }
        }
        drop(table);
        self.compare_positions();
        Ok(())
    }

    /// A recreated topic can have fewer partitions. Those of the old one serve until the new one is complete.
    pub(super) fn drop_gone(&mut self, state: &TopicState) -> anyhow::Result<()> {
        let table = self.view.store().table();
        let is_gone = |slot: &&Arc<Slot>| {
            slot.topic_id() != state.topic_id && !state.all().any(|known| *known == slot.partition())
        };
        let gone: BTreeSet<_> = table.slots().filter(is_gone).map(|slot| slot.partition()).collect();
        let is_new =
            |partition| table.serving().get(partition).is_some_and(|slot| slot.topic_id() == state.topic_id);
        let complete = state.all().all(is_new);
        drop(table);
        for partition in gone {
            self.leave(Role::Live, partition)?;
            self.leave(Role::Builder, partition)?;
            for code in [WarningCode::DiskSpace, WarningCode::OpenTransaction] {
                self.mind_warning(code, Some(partition), None);
            }
            if complete {
                self.ask(|answer| Work::Drop(partition, answer))?;
                self.ahead.remove(&partition);
                self.view.progress().record_event("partition-gone", Some(partition), String::new());
                tracing::info!(view = %self.view.name(), partition, "the topic no longer has the partition");
            }
        }
        Ok(())
    }

    /// Returns why a fresh slot has to be begun for the partition, if so.
    fn steer_partition(
        &mut self,
        partition: Partition,
        log: PartitionLog,
        state: &TopicState,
        before: &BTreeMap<SlotNumber, Position>,
        table: &SlotTable,
        room: bool,
    ) -> anyhow::Result<Option<BuildReason>> {
        let facts = Facts {
            cluster_id: &state.cluster_id,
            topic_id: state.topic_id,
            log_start: log.start,
            end_offset: log.end,
            epoch: log.epoch,
            tombstones_kept: self.tombstones_kept(),
            followed: false,
        };
        let (serving, building) = (table.serving().get(&partition), table.building().get(&partition));
        let mut replaced = None;
        if let Some(slot) = building {
            let role = if serving.is_some() { Role::Builder } else { Role::Live };
            replaced = match self.judge(slot, false, None, before, &facts, state.observed_at) {
                // What may not answer is not read on, however long the next one waits for room.
                Decision::Build(reason) => {
                    self.leave(role, partition)?;
                    Some(reason)
                }
                decision => self.follow(role, slot, decision, state.observed_at)?,
            };
        }
        let Some(slot) = serving else {
            return Ok(replaced.or(building.is_none().then_some(BuildReason::FirstStart)));
        };
        let requested = table.row(partition).requested;
        let decision = self.judge(slot, true, requested, before, &facts, state.observed_at);
        if decision == Decision::Build(BuildReason::TombstonesExpired)
            && requested.is_none()
            && building.is_none()
        {
            // Order matters: read on, the slot looks current, and nothing would tell what it missed.
            self.decide_rows(vec![(partition, RowEdit::Request(BuildReason::TombstonesExpired))])?;
        }
        let wanted = self.follow(Role::Live, slot, decision, state.observed_at)?;
        // A build of the log as it was never passes a position the log no longer reaches.
        let outdated = |slot: &Arc<Slot>| {
            wanted == Some(BuildReason::LogRewritten) && slot.build().reason != BuildReason::LogRewritten
        };
        Ok(replaced.or(wanted.filter(|_| room && building.is_none_or(outdated))))
    }

    /// Compares a slot with what the cluster says.
    fn judge(
        &self,
        slot: &Slot,
        serves: bool,
        requested: Option<BuildReason>,
        before: &BTreeMap<SlotNumber, Position>,
        facts: &Facts<'_>,
        now: Moment,
    ) -> Decision {
        let (number, build) = (slot.number(), slot.build());
        // A build that took long is as old as its beginning until it was seen to be current once more.
        let fresh = !serves || slot.caught_up_at() == Some(build.started_at);
        let position = before.get(&number).copied().unwrap_or_default();
        let stored = Stored {
            cluster_id: slot.cluster_id(),
            topic_id: slot.topic_id(),
            position,
            in_time: slot.in_time(),
            age: age(slot, serves, now),
            filling: fresh.then_some(build.reason),
            target: (!serves).then_some(build.high),
            epoch: slot.epoch().map(|(epoch, _)| epoch),
            rewritten: self.rewritten.contains(&number),
            refused: self.refused.contains(&number),
            requested,
        };
        // Nobody who did not look for so long can tell what was missed meanwhile.
        let in_time = |seen: &Moment| !is_late(now.since(*seen), facts.tombstones_kept);
        decide(Some(stored), &Facts { followed: self.followed.get(&number).is_some_and(in_time), ..*facts })
    }

    /// Returns whether the last judgement still stands: what got too old since, because the cluster was away or a build
    /// took long, may have missed tombstones, and neither passes for current nor is handed over before it is judged.
    pub(super) fn is_judged(&self, slot: &Slot, serves: bool) -> bool {
        let (kept, now) = (self.tombstones_kept(), Moment::now());
        let is_late_at = |at| age(slot, serves, at).is_some_and(|age| is_late(age, kept));
        let stands = |at: &Moment| !is_late(now.since(*at), kept) && is_late_at(*at) == is_late_at(now);
        self.followed.get(&slot.number()).is_some_and(stands)
    }

    /// Has the slot read on if the log still holds what comes next, as was judged of that moment; returns why it has to be
    /// replaced, if so.
    pub(super) fn follow(
        &mut self,
        role: Role,
        slot: &Arc<Slot>,
        decision: Decision,
        judged: Moment,
    ) -> anyhow::Result<Option<BuildReason>> {
        let (reason, can_go_on) = match decision {
            Decision::Continue => (None, true),
            Decision::Build(reason) => (Some(reason), !reason.leaves_log()),
            Decision::Halt => (None, false),
        };
        match can_go_on {
            true => {
                // A hand-over reads on as well, but looks at nothing: what it may have missed is still to be judged.
                self.followed.insert(slot.number(), judged);
                self.read(role, slot.partition(), slot)?;
            }
            false => self.leave(role, slot.partition())?,
        }
        Ok(reason)
    }

    fn rebuilding(&self, table: &SlotTable) -> usize {
        table.building().keys().filter(|partition| table.serving().contains_key(partition)).count()
    }

    fn plan(
        &self,
        state: &TopicState,
        partition: Partition,
        log: PartitionLog,
        reason: BuildReason,
    ) -> BuildPlan {
        if reason != BuildReason::FirstStart {
            let detail = format!("log start {}, end offset {}", log.start, log.end);
            self.view.progress().record_event(reason.as_str(), Some(partition), detail);
            let reason = reason.as_str();
            tracing::warn!(view = %self.view.name(), partition, reason, "rebuilding the partition");
        }
        BuildPlan {
            partition,
            partitions: state.partition_count(),
            cluster_id: state.cluster_id.clone(),
            topic_id: state.topic_id,
            low: log.start,
            high: log.end,
            observed_at: state.observed_at.at,
            reason,
        }
    }

    /// Has a reader read on where a slot stands, unless it does already or rests.
    pub(super) fn read(&mut self, role: Role, partition: Partition, slot: &Arc<Slot>) -> anyhow::Result<()> {
        let number = slot.number();
        match self.reading(role).get(&partition) {
            Some(Reading::Into(into)) if *into == number => return Ok(()),
            Some(Reading::Resting(until)) if *until > Instant::now() => return Ok(()),
            _ => {}
        }
        let known = self.view.progress().want(partition);
        if known.counted().is_none() {
            known.start_count(number);
        }
        let position = slot.position();
        // The log may no longer hold the record that tells the epoch.
        let held = |(_, after): &(i32, Position)| known.log().is_some_and(|(start, _)| *after >= start);
        let epoch = slot.epoch().filter(|(_, after)| *after <= position).filter(held);
        let start = Start { topic_id: slot.topic_id(), position, epoch };
        tracing::debug!(view = %self.view.name(), partition, ?role, ?start, "reading on");
        self.reading(role).insert(partition, Reading::Into(number));
        self.moved.remove(&number);
        let command = Command::Follow { partition, slot: number, start };
        self.port(role).commands.send(command).context("a reader is gone")
    }

    /// Has a reader leave a partition; what it read is applied when this returns.
    pub(super) fn leave(&mut self, role: Role, partition: Partition) -> anyhow::Result<()> {
        if self.reading(role).remove(&partition).is_none() {
            return Ok(());
        }
        let (answer, left) = bounded(1);
        self.port(role).commands.send(Command::Leave(partition, answer)).context("a reader is gone")?;
        // A reader that waits for a writer that waits for the disk leaves late: that is no reason to end.
        loop {
            match left.recv_timeout(LEAVE) {
                Ok(()) => break,
                Err(RecvTimeoutError::Timeout) if self.stop.is_cancelled() => return Ok(()),
                Err(RecvTimeoutError::Timeout) => self.mind_held_writes(),
                Err(RecvTimeoutError::Disconnected) => {
                    anyhow::ensure!(self.stop.is_cancelled(), "a reader is gone");
                    return Ok(());
                }
            }
        }
        self.ask(Work::Settle)
    }

    /// A process that was frozen, or cut off, reads on before it asks how far the log reaches: by then it looks current.
    fn note_in_time(&self, table: &SlotTable) {
        // What is configured may be more than the topic keeps.
        if self.settings_at.is_none() {
            return;
        }
        let kept = self.tombstones_kept();
        for slot in table.serving().values() {
            // Order matters: the position is not newer than the age.
            let position = slot.position();
            if slot.age(Moment::now()).is_some_and(|age| !is_late(age, kept)) {
                slot.set_in_time(position);
            }
        }
    }

    /// A partition whose position has passed an observed end was current when that end was observed.
    pub(super) fn compare_positions(&mut self) {
        let table = self.view.store().table();
        let progress = Arc::clone(self.view.progress());
        let ahead = self.ahead.keys().filter_map(|partition| table.serving().get(partition));
        let judged = ahead.filter(|slot| self.is_judged(slot, true));
        let judged: BTreeSet<_> = judged.map(|slot| slot.number()).collect();
        let (live, moved, ailing) = (&self.live, &self.moved, &mut self.ailing);
        self.ahead.retain(|partition, (observed_at, end)| {
            // A slot that is not followed does not get newer, however far its position once was.
            let slot = table.serving().get(partition).filter(|slot| {
                let is_read = live.get(partition) == Some(&Reading::Into(slot.number()));
                is_read && slot.position() >= *end && judged.contains(&slot.number())
            });
            let Some(slot) = slot else { return true };
            slot.set_current(*observed_at);
            progress.want(*partition).set_caught_up();
            // Whoever was told to read on in this round may fail at once.
            if moved.contains_key(&slot.number()) {
                ailing.remove(&slot.number());
            }
            false
        });
        self.heal(&table);
        self.note_in_time(&table);
        let wanted = progress.partitions();
        let all = !wanted.is_empty() && wanted.values().all(|known| known.caught_up());
        self.ports.live.pace.set_following(all);
    }
}

/// How long ago a slot last held everything the log held, as far as is known; of a build, how long ago it began.
fn age(slot: &Slot, serves: bool, now: Moment) -> Option<Duration> {
    if serves { slot.age(now) } else { Some(now.at.since(slot.build().started_at)) }
}
