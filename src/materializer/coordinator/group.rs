//! The consumer group: positions mirrored for lag tools, and an operator's reset read back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Coordinator, Mirror};
use crate::position::{Partition, Position};
use crate::resume::group::{Committed, Ours, Verdict, judge};
use crate::store::{RowEdit, SlotTable};

/// How long the last mirror may take when the process ends.
const FAREWELL: Duration = Duration::from_secs(5);

impl Coordinator {
    /// Reads the group, obeys or refuses what an operator did there, and mirrors positions that moved.
    pub(super) fn mind_the_group(&mut self) -> anyhow::Result<()> {
        if self.view.progress().trouble().is_some() {
            return Ok(());
        }
        let is_time = self.mirror.as_mut().is_some_and(Mirror::is_time);
        self.mind_confirmation()?;
        if !is_time {
            return Ok(());
        }
        let table = self.view.store().table();
        let positions = serving_positions(&table);
        if positions.is_empty() {
            return Ok(());
        }
        let read = Instant::now();
        let committed = match self.cluster.committed(&self.view.config().topic, positions.keys().copied()) {
            Ok(committed) => committed,
            // Order matters: without a look at the group there is no commit; it could hide a reset.
            Err(error) => {
                self.mirror.iter_mut().for_each(|mirror| mirror.note(Err(error.clone())));
                return Ok(());
            }
        };
        let (edits, unsigned) = self.judge_group(&table, &positions, &committed);
        // Order matters: the decision is on disk before the group is signed over, so a crash repeats neither.
        self.decide_rows(edits)?;
        self.sign(positions, unsigned, read)
    }

    /// A group that carries our signature is ours from then on, and a reset it shows next is a new one.
    fn mind_confirmation(&mut self) -> anyhow::Result<()> {
        if !self.mirror.as_mut().is_some_and(Mirror::take_confirmed) {
            return Ok(());
        }
        let table = self.view.store().table();
        // A partition that began to serve while the commit was on its way was not in it.
        let was_signed = |partition| self.mirror.as_ref().is_some_and(|mirror| mirror.has_signed(partition));
        let confirmed = table
            .serving()
            .keys()
            .filter(|partition| table.row(**partition).wants_signature() && was_signed(**partition))
            .map(|partition| (*partition, RowEdit::Signed))
            .collect();
        self.decide_rows(confirmed)
    }

    /// Returns what is to be decided, and whether the group has to be signed whatever moved.
    pub(super) fn judge_group(
        &mut self,
        table: &SlotTable,
        positions: &BTreeMap<Partition, Position>,
        committed: &BTreeMap<Partition, Committed>,
    ) -> (Vec<(Partition, RowEdit)>, bool) {
        let (mut edits, mut unsigned, mut strangers) = (Vec::new(), false, Vec::new());
        for (partition, position) in positions {
            let row = table.row(*partition);
            let ours = Ours {
                incarnation: self.view.store().identity().incarnation,
                seq: row.mirror_seq,
                signed: row.signed,
                position: *position,
                settled: row.settled_reset,
            };
            let found = committed.get(partition);
            let at = found.map_or(0, |found| found.position.get());
            let verdict = judge(found, &ours);
            unsigned |= verdict != Verdict::Ours;
            match verdict {
                Verdict::Ours if row.wants_signature() => {
                    edits.push((*partition, RowEdit::Signed));
                }
                Verdict::Ours | Verdict::Unsigned => {}
                Verdict::Reset => {
                    self.view.progress().metrics().resets_obeyed.inc();
                    self.tell("reset-obeyed", *partition, format!("the group was set to {at}; rebuilding"));
                    edits.push((*partition, RowEdit::ObeyReset(at)));
                }
                Verdict::Forward => {
                    // While nothing can be signed over it it is seen time and again.
                    let refuse = |mirror: &mut Mirror| mirror.refuse(*partition, Position::new(at));
                    if !self.mirror.as_mut().is_some_and(refuse) {
                        continue;
                    }
                    let detail = format!(
                        "the group was set to {at}, beyond position {position}: that would skip records; the position \
                         stays and is mirrored again"
                    );
                    self.view.progress().metrics().resets_refused.inc();
                    self.tell("reset-refused", *partition, detail);
                }
                Verdict::Stranger => strangers.push(*partition),
            }
        }
        self.meet_strangers(&strangers);
        (edits, unsigned)
    }

    /// A store that was lost or replaced leaves its signature behind; one that signs again is alive.
    fn meet_strangers(&mut self, partitions: &[Partition]) {
        let Some(mirror) = &mut self.mirror else { return };
        if partitions.iter().any(|partition| mirror.has_signed(*partition)) {
            mirror.note_conflict(Instant::now());
        }
    }

    fn tell(&self, kind: &'static str, partition: Partition, detail: String) {
        tracing::warn!(view = %self.view.name(), partition, kind, detail, "the group shows another hand");
        self.view.progress().record_event(kind, Some(partition), detail);
    }

    /// Signs the group, which was read then: what happened to it since is overwritten.
    fn sign(
        &mut self,
        positions: BTreeMap<Partition, Position>,
        unsigned: bool,
        read: Instant,
    ) -> anyhow::Result<()> {
        let Some(mirror) = self.mirror.as_mut().filter(|mirror| unsigned || mirror.moved(&positions)) else {
            self.mirror.iter_mut().for_each(Mirror::wait);
            return Ok(());
        };
        mirror.wait();
        let table = self.view.store().table();
        let seq = positions.keys().map(|partition| table.row(*partition).mirror_seq).max().unwrap_or(0) + 1;
        self.decide_rows(positions.keys().map(|partition| (*partition, RowEdit::Number(seq))).collect())?;
        if let Some(mirror) = &mut self.mirror {
            mirror.commit(seq, positions, read);
        }
        Ok(())
    }

    /// The readers hand over their last batches meanwhile; what is mirrored is never ahead of the data.
    pub(super) fn say_farewell(&mut self) {
        while self.ports.live.failures.recv_timeout(FAREWELL).is_ok() {}
        if let Some(mirror) = &mut self.mirror {
            mirror.settle(FAREWELL);
            mirror.hurry();
        }
        // The writer may be gone by now; then there is nobody to number the commit.
        if self.mind_the_group().is_ok()
            && let Some(mirror) = &mut self.mirror
        {
            mirror.settle(FAREWELL);
            let _ = self.mind_confirmation();
        }
        self.mind_mirror();
    }
}

fn serving_positions(table: &SlotTable) -> BTreeMap<Partition, Position> {
    table.serving().iter().map(|(partition, slot)| (*partition, slot.position())).collect()
}
