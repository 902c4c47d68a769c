//! Conditions a view lives with: it answers and follows, and somebody should know.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde::Serialize;
use utoipa::ToSchema;

use super::kinds;
use crate::position::Partition;
use crate::time::Millis;

kinds! {
    /// What kind of condition it is; earlier ones matter more.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
    #[serde(rename_all = "kebab-case")]
    pub enum WarningCode {
        /// The store was damaged and is replaced, or was a moment ago.
        StoreQuarantined = "store-quarantined",
        /// A rebuild waits until there is room for it.
        DiskSpace = "disk-space",
        /// Records lie behind an open transaction, which has not moved for a while.
        OpenTransaction = "open-transaction",
        /// Keys leave the log without a tombstone.
        PolicyMismatch = "policy-mismatch",
        /// A right is missing that makes the view safer.
        RightsMissing = "rights-missing",
        /// Positions cannot be mirrored to the group.
        MirrorFailing = "mirror-failing",
        /// A position was mirrored so late that an order of an operator may have been overwritten.
        MirrorLate = "mirror-late",
        /// Another instance mirrors its positions to the same group.
        GroupConflict = "group-conflict",
        /// Keys have records in several partitions.
        Conflicts = "conflicts",
    }
}

/// A condition a view lives with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Stable word in kebab-case.
    pub code: WarningCode,
    /// Partition it is about; none for the whole view.
    pub partition: Option<Partition>,
    /// For people: what it is, and what to do where there is something.
    pub detail: String,
    /// When it began.
    pub since: Millis,
}

/// The conditions of one view.
#[derive(Debug, Default)]
pub struct Warnings(Mutex<BTreeMap<(WarningCode, Option<Partition>), Warning>>);

impl Warnings {
    /// Takes notice of a condition; returns whether it is news. The detail may change while it lasts.
    pub(super) fn raise(&self, code: WarningCode, partition: Option<Partition>, detail: String) -> bool {
        let mut raised = self.0.lock();
        if let Some(known) = raised.get_mut(&(code, partition)) {
            known.detail = detail;
            return false;
        }
        raised.insert((code, partition), Warning { code, partition, detail, since: Millis::now() });
        true
    }

    /// Takes notice that a condition is over; returns what it was.
    pub(super) fn end(&self, code: WarningCode, partition: Option<Partition>) -> Option<Warning> {
        self.0.lock().remove(&(code, partition))
    }

    /// Returns what holds now, what matters most first.
    #[must_use]
    pub fn list(&self) -> Vec<Warning> {
        self.0.lock().values().cloned().collect()
    }

    /// Returns the kind that matters most.
    #[must_use]
    pub fn first(&self) -> Option<WarningCode> {
        self.0.lock().keys().next().map(|(code, _)| *code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_news_once_until_it_is_over() {
        let warnings = Warnings::default();
        let detail = |text: &str| text.to_owned();
        assert!(warnings.raise(WarningCode::OpenTransaction, Some(3), detail("a")));
        assert!(!warnings.raise(WarningCode::OpenTransaction, Some(3), detail("b")));
        assert!(warnings.raise(WarningCode::OpenTransaction, None, detail("c")));
        assert!(warnings.raise(WarningCode::DiskSpace, Some(9), detail("d")));
        assert_eq!(warnings.first(), Some(WarningCode::DiskSpace));
        let over = warnings.end(WarningCode::OpenTransaction, Some(3)).unwrap();
        assert_eq!((over.partition, &*over.detail), (Some(3), "b"));
        assert!(warnings.end(WarningCode::OpenTransaction, Some(3)).is_none());
        assert_eq!(warnings.list().len(), 2);
    }
}
