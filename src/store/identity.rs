//! The identity file beside RocksDB.
//!
//! A truncated MANIFEST opens as an empty database without an error. The file says which database belongs
//! here, so that such a loss is told from a first start.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::{Error, Result};
use crate::time::Millis;

/// Newest store format this version reads, and the one it writes.
pub const FORMAT: u32 = 1;
const FILE: &str = "IDENTITY";
const DRAFT: &str = "IDENTITY.new";

/// What names one store; written to the identity file and into the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Store format.
    pub format: u32,
    /// Random name of this store; a copy of the directory shares it.
    pub incarnation: Uuid,
    /// Topic the store was made for.
    pub topic: String,
    /// When it was made.
    pub created_at: Millis,
}

/// Only what must be readable whatever the format.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl Identity {
    pub(super) fn new(topic: &str) -> Self {
        Self {
            format: FORMAT,
            incarnation: Uuid::new_v4(),
            topic: topic.to_owned(),
            created_at: Millis::now(),
        }
    }

    /// Reads the file in `dir`; none when there is none.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&path)(error)),
        };
        let damaged = |error| Error::corrupt(format!("{}: {error}", path.display()));
        let FormatOnly { format } = serde_json::from_slice(&text).map_err(damaged)?;
        if format > FORMAT {
            return Err(Error::Newer { path: dir.to_owned(), found: format, known: FORMAT });
        }
        serde_json::from_slice(&text).map_err(damaged).map(Some)
    }

    /// Writes a draft, before the database is made: a database beside a draft is an unfinished first start.
    pub(super) fn write_draft(&self, dir: &Path) -> Result<()> {
        let path = dir.join(DRAFT);
        let text = serde_json::to_vec(self).map_err(Error::corrupt)?;
        let written = File::create(&path)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| File::open(dir)?.sync_all());
        written.map_err(Error::io(&path))
    }

    /// Makes the draft the file: after a power cut it is one or the other.
    pub(super) fn keep_draft(dir: &Path) -> Result<()> {
        let kept = fs::rename(dir.join(DRAFT), dir.join(FILE)).and_then(|()| File::open(dir)?.sync_all());
        kept.map_err(Error::io(dir))
    }

    /// Returns whether there is a draft.
    pub(super) fn has_draft(dir: &Path) -> bool {
        dir.join(DRAFT).exists()
    }

    pub(super) fn move_to(dir: &Path, aside: &Path) -> Result<()> {
        match fs::rename(dir.join(FILE), aside.join(FILE)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(dir)(error)),
            _ => Ok(()),
        }
    }
}
