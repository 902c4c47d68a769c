//! What keeps a view or a partition from being what it should be.

use parking_lot::Mutex;
use serde::Serialize;

use super::kinds;
use crate::time::Millis;

/// A condition that keeps a view or a partition from being what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Stable word in kebab-case.
    pub code: TroubleCode,
    /// For people: what happened, and what to do where there is something.
    pub detail: String,
    /// When it began.
    pub since: Millis,
}

kinds! {
    /// What kind of trouble it is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum TroubleCode {
        /// No broker answers.
        BrokerUnreachable = "broker-unreachable",
        /// The cluster has no such topic (any more).
        TopicMissing = "topic-missing",
        /// A right is missing.
        Unauthorized = "unauthorized",
        /// The topic is not only compacted, and the view is told to refuse such a topic.
        PolicyMismatch = "policy-mismatch",
        /// The bootstrap address leads to another cluster than before.
        WrongCluster = "wrong-cluster",
        /// The disk is full; nothing is applied until there is space.
        DiskFull = "disk-full",
        /// The store refuses to write.
        StorageError = "storage-error",
        /// The log no longer holds what comes next.
        OutOfRange = "out-of-range",
        /// What the log holds cannot be read.
        Undeliverable = "undeliverable",
        /// There is something to read and nothing arrives.
        NoProgress = "no-progress",
        /// Stored bytes are damaged.
        StorageCorruption = "storage-corruption",
    }
}

/// What is wrong with one thing, if something is.
#[derive(Debug, Default)]
pub(super) struct Cell(Mutex<Option<Trouble>>);

impl TroubleCode {
    /// Returns whether it is the store of the view that cannot do its part, and not the topic.
    pub(super) fn is_of_store(self) -> bool {
        matches!(self, Self::DiskFull | Self::StorageError)
    }

    /// Returns whether the topic cannot be followed before a person has seen to it, however well the store writes.
    pub(super) fn leaves_nothing_to_write(self) -> bool {
        matches!(self, Self::TopicMissing | Self::WrongCluster | Self::PolicyMismatch)
    }
}

impl Cell {
    pub(super) fn get(&self) -> Option<Trouble> {
        self.0.lock().clone()
    }

    /// Returns whether it is another kind than before; trouble of the same kind keeps its beginning.
    pub(super) fn set(&self, code: TroubleCode, detail: String) -> bool {
        let mut trouble = self.0.lock();
        let known = trouble.as_ref().filter(|known| known.code == code);
        let since = known.map_or_else(Millis::now, |known| known.since);
        let news = known.is_none();
        *trouble = Some(Trouble { code, detail, since });
        news
    }

    /// Returns what it was.
    pub(super) fn clear(&self) -> Option<Trouble> {
        self.0.lock().take()
    }
}
