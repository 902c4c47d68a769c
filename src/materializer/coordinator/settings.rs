//! The topic's settings: asked for now and then, for they change by hand.

use std::time::{Duration, Instant};

use super::Coordinator;
use crate::config::sections::OnPolicyMismatch;
use crate::kafka::Error;
use crate::progress::WarningCode;

/// Looks at the topic between two questions for its settings.
const LOOKS: u32 = 10;

impl Coordinator {
    /// Asks for the settings if they are old.
    pub(super) fn refresh_settings(&mut self) -> Result<(), Error> {
        if self.settings_at.is_some_and(|at| at.elapsed() < self.rhythm.poll * LOOKS) {
            return Ok(());
        }
        let topic = &self.view.config().topic;
        let told = self.cluster.settings(topic)?;
        let missing = told.is_none().then(|| {
            format!(
                "DESCRIBE_CONFIGS on topic '{topic}' is missing: rebuild.tombstones_kept counts in place of the topic's \
                 delete.retention.ms, and cleanup.policy is not checked"
            )
        });
        self.mind_warning(WarningCode::RightsMissing, None, missing);
        self.settings = told.unwrap_or_default();
        self.settings_at = Some(Instant::now());
        let warns = self.view.config().on_policy_mismatch == OnPolicyMismatch::Warn;
        self.mind_warning(WarningCode::PolicyMismatch, None, self.policy_mismatch().filter(|_| warns));
        let kept = self.tombstones_kept();
        self.view.progress().set_tombstones_kept_ms(u64::try_from(kept.as_millis()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Returns how long the topic keeps tombstones, as it says or as it is configured.
    pub(super) fn tombstones_kept(&self) -> Duration {
        self.settings.tombstones_kept.unwrap_or(self.rhythm.rebuild.tombstones_kept)
    }

    /// Returns why the topic may not be followed, if the view is to refuse it for its policy.
    pub(super) fn refused(&self) -> Option<String> {
        let refuses = self.view.config().on_policy_mismatch == OnPolicyMismatch::Refuse;
        self.policy_mismatch().filter(|_| refuses)
    }

    fn policy_mismatch(&self) -> Option<String> {
        let policy = self.settings.cleanup_policy.as_deref().filter(|policy| *policy != "compact")?;
        Some(format!(
            "cleanup.policy is '{policy}': keys leave the log without a tombstone, so this view and one that is built \
             later will differ; set it to 'compact'"
        ))
    }
}
