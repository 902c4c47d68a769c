//! What can go wrong with a store, by what the caller can do about it.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use crate::entry::SlotNumber;

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, Error>;

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the directory open.
    #[error("{path} is in use by another process; stop it, or give this one its own data_dir")]
    Locked {
        /// The store's directory.
        path: PathBuf,
    },
    /// Written by a later version; nothing was touched.
    #[error("{path} has store format {found}, this version reads up to {known}; use a newer statusquo")]
    Newer {
        /// The store's directory.
        path: PathBuf,
        /// Format found.
        found: u32,
        /// Newest format this version reads.
        known: u32,
    },
    /// The directory is a store of another topic; nothing was touched.
    #[error(
        "{path} holds topic '{found}', the configuration says '{wanted}'; name the view differently, or move the \
         directory away to start over"
    )]
    OtherTopic {
        /// The store's directory.
        path: PathBuf,
        /// Topic the store was made for.
        found: String,
        /// Topic that was asked for.
        wanted: String,
    },
    /// The directory holds files that are no store; nothing was touched.
    #[error("{path} holds files that are not a statusquo store; choose another data_dir, or move them away")]
    NotAStore {
        /// The store's directory.
        path: PathBuf,
    },
    /// The stored bytes are damaged.
    #[error("the store is damaged: {detail}")]
    Corrupt {
        /// What was found.
        detail: String,
        /// Slot that was read; none where it was not about one.
        slot: Option<SlotNumber>,
    },
    /// The stored bytes are damaged, and a person is to decide what happens.
    #[error(
        "{path} holds a damaged store: {detail}; move the directory away to restore from Kafka, or set \
         store.on_corruption = \"rebuild\""
    )]
    Halted {
        /// The store's directory.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// The disk is full; writes may work again once there is space.
    #[error("no space left on the disk of the store: {detail}")]
    NoSpace {
        /// What was being done.
        detail: String,
    },
    /// The operating system refused.
    #[error(
        "cannot use {path}: {cause}; check its owner, its rights and the disk, or choose another data_dir"
    )]
    Io {
        /// File or directory.
        path: PathBuf,
        /// Why; told here and not as a source, since status and log show one text.
        cause: io::Error,
    },
    /// RocksDB refused for another reason.
    #[error("the store refused: {detail}")]
    Refused {
        /// What RocksDB said.
        detail: String,
    },
}

impl Error {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |cause| match cause.kind() {
            io::ErrorKind::StorageFull => Self::NoSpace { detail: path.display().to_string() },
            _ => Self::Io { path: path.to_owned(), cause },
        }
    }

    pub(super) fn corrupt(detail: impl Display) -> Self {
        Self::Corrupt { detail: format!("{detail}"), slot: None }
    }

    /// Says which slot was read when damage was found.
    pub(super) fn in_slot(self, number: SlotNumber) -> Self {
        match self {
            Self::Corrupt { detail, .. } => Self::Corrupt { detail, slot: Some(number) },
            other => other,
        }
    }

    /// Returns whether the same operation may succeed later without anything else being done.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::NoSpace { .. } | Self::Io { .. } | Self::Refused { .. })
    }
}

impl From<rocksdb::Error> for Error {
    fn from(error: rocksdb::Error) -> Self {
        let detail = error.to_string();
        match error.kind() {
            _ if detail.contains("No space left on device") => Self::NoSpace { detail },
            rocksdb::ErrorKind::Corruption => Self::Corrupt { detail, slot: None },
            _ => Self::Refused { detail },
        }
    }
}
