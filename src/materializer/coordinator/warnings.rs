//! Conditions the view lives with, compared with what holds each round: news is said once, and so is the end.

use std::time::Duration;

use super::{Coordinator, Mirror};
use crate::kafka::PartitionLog;
use crate::materializer::mirror::PEACE;
use crate::position::Partition;
use crate::progress::WarningCode;

/// A transaction that keeps records back for this long is said to hang. One that follows another resets it.
const HANGS_AFTER: Duration = Duration::from_secs(10);

impl Coordinator {
    /// Says that a condition holds, or that it does not, if that is news.
    pub(super) fn mind_warning(
        &self,
        code: WarningCode,
        partition: Option<Partition>,
        holds: Option<String>,
    ) {
        let (progress, view, word) = (self.view.progress(), self.view.name(), code.as_str());
        let Some(detail) = holds else {
            if progress.end_warning(code, partition) {
                tracing::info!(%view, partition, code = word, "the condition is over");
            }
            return;
        };
        if progress.warn(code, partition, detail.clone()) {
            tracing::warn!(%view, partition, code = word, detail, "the view lives with a condition");
        }
    }

    /// Only lag tools and an operator's reset depend on the group. While nobody answers that is said already, and
    /// nothing is known of the group.
    pub(super) fn mind_mirror(&self) {
        if self.view.progress().trouble().is_some() {
            return;
        }
        let failing = self.mirror.as_ref().and_then(Mirror::failing);
        let detail = failing.map(|why| format!("positions are not mirrored, and a reset is not seen: {why}"));
        self.mind_warning(WarningCode::MirrorFailing, None, detail);
        let late = self.mirror.as_ref().and_then(Mirror::late);
        let detail = late.map(|took| {
            format!(
                "the group was signed {} s after it was read: if an operator reset it in between, that is overwritten \
                 and has to be done again",
                took.as_secs()
            )
        });
        self.mind_warning(WarningCode::MirrorLate, None, detail);
        let in_conflict = self.mirror.as_ref().is_some_and(Mirror::in_conflict);
        let detail =
            "another instance mirrors its positions to the same group; give each its own kafka.group";
        self.mind_warning(WarningCode::GroupConflict, None, in_conflict.then(|| detail.to_owned()));
    }

    /// A small view is restored before anybody looks.
    pub(super) fn mind_quarantine(&self) {
        if self.started.elapsed() > PEACE && self.view.was_whole() {
            self.mind_warning(WarningCode::StoreQuarantined, None, None);
        }
    }

    /// Records behind an open transaction cannot be read yet; the view is at the end of what can be.
    pub(super) fn mind_transactions(&self, partition: Partition, log: PartitionLog) {
        let known = self.view.progress().want(partition);
        known.withholding().set(log.end, log.written);
        let hangs = known.withholding().get().filter(|withheld| withheld.age() >= HANGS_AFTER);
        let detail = hangs.map(|withheld| {
            format!(
                "an open transaction keeps records back from offset {} on, for {} s so far; the view follows as \
                 far as there is something to read. Its producer ends it, or `kafka-transactions abort`",
                log.end,
                withheld.age().as_secs()
            )
        });
        self.mind_warning(WarningCode::OpenTransaction, Some(partition), detail);
    }
}
