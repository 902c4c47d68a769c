//! Builds somebody or damage asks for: written to the store, where steering finds them, and followed to their end.

use super::Coordinator;
use crate::config::sections::OnCorruption;
use crate::resume::BuildReason;
use crate::store::RowEdit;

impl Coordinator {
    /// Takes the next rebuild that was asked for, and notices the end of the running one.
    pub(super) fn mind_requests(&self) -> anyhow::Result<()> {
        self.replace_damaged()?;
        let progress = self.view.progress();
        if let Some(asked) = progress.rebuilds().waiting() {
            let edit = RowEdit::Request(BuildReason::Requested);
            self.decide_rows(asked.partitions.iter().map(|partition| (*partition, edit)).collect())?;
            // Order matters: what is followed is in the store, so it goes on after a restart.
            progress.rebuilds().set_stored();
            let (operation, partitions) = (asked.id, &asked.partitions);
            progress.record_event(
                "rebuild-requested",
                None,
                format!("operation {operation}: {partitions:?}"),
            );
            tracing::info!(view = %self.view.name(), %operation, ?partitions, "rebuild requested");
        }
        let table = self.view.store().table();
        let is_done = |partition| {
            table.row(partition).requested.is_none() && !table.building().contains_key(&partition)
        };
        if let Some(ended) = progress.rebuilds().settle(is_done) {
            let (operation, partitions) = (ended.id, &ended.partitions);
            progress.record_event("rebuild-done", None, format!("operation {operation}: {partitions:?}"));
            tracing::info!(view = %self.view.name(), %operation, ?partitions, "rebuild done");
        }
        Ok(())
    }

    /// Wants a fresh slot beside each one in which a read met damage.
    fn replace_damaged(&self) -> anyhow::Result<()> {
        if self.rhythm.on_corruption == OnCorruption::Halt {
            return Ok(());
        }
        let (table, wanted) = (self.view.store().table(), self.view.progress().partitions());
        let damaged = wanted.iter().filter(|(partition, known)| {
            known.damage().is_some()
                && !table.building().contains_key(partition)
                && table.row(**partition).requested.is_none()
        });
        let edit = RowEdit::Request(BuildReason::StoreDamaged);
        self.decide_rows(damaged.map(|(partition, _)| (*partition, edit)).collect())
    }
}
