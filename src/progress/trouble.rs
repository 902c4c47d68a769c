//! What keeps a view or a partition from being what it should be.

use parking_lot::Mutex;
use serde::Serialize;

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

/// What kind of trouble it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TroubleCode {
    /// No broker answers.
    BrokerUnreachable,
    /// The cluster has no such topic (any more).
    TopicMissing,
    /// A right is missing.
    Unauthorized,
    /// The topic is not only compacted, and the view is told to refuse such a topic.
    PolicyMismatch,
    /// The bootstrap address leads to another cluster than before.
    WrongCluster,
    /// The disk is full; nothing is applied until there is space.
    DiskFull,
    /// The store refuses to write.
    StorageError,
    /// The log no longer holds what comes next.
    OutOfRange,
    /// What the log holds cannot be read.
    Undeliverable,
    /// There is something to read and nothing arrives.
    NoProgress,
    /// Stored bytes are damaged.
    StorageCorruption,
}

/// What is wrong with one thing, if something is.
#[derive(Debug, Default)]
pub(super) struct Cell(Mutex<Option<Trouble>>);

impl TroubleCode {
    /// Returns the stable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BrokerUnreachable => "broker-unreachable",
            Self::TopicMissing => "topic-missing",
            Self::Unauthorized => "unauthorized",
            Self::PolicyMismatch => "policy-mismatch",
            Self::WrongCluster => "wrong-cluster",
            Self::DiskFull => "disk-full",
            Self::StorageError => "storage-error",
            Self::OutOfRange => "out-of-range",
            Self::Undeliverable => "undeliverable",
            Self::NoProgress => "no-progress",
            Self::StorageCorruption => "storage-corruption",
        }
    }

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
