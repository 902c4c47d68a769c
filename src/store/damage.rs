//! The file that says a store is damaged: written by the process that found it, obeyed by the next start.
//!
//! A flipped block shows when it is read, not when the store is opened: without the file the next process would
//! open the same store, meet the same block and end again.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::error::{Error, Result};

const FILE: &str = "DAMAGED";

/// Returns what was found by an earlier process; none when nothing was.
pub(super) fn read(dir: &Path) -> Result<Option<String>> {
    let path = dir.join(FILE);
    match fs::read(&path) {
        Ok(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(&path)(error)),
    }
}

/// Says what was found. An empty file, as a power cut may leave it, says enough.
pub(super) fn write(dir: &Path, detail: &str) -> Result<()> {
    let path = dir.join(FILE);
    let written = File::create(&path)
        .and_then(|mut file| file.write_all(detail.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| File::open(dir)?.sync_all());
    written.map_err(Error::io(&path))
}

pub(super) fn move_to(dir: &Path, aside: &Path) -> Result<()> {
    match fs::rename(dir.join(FILE), aside.join(FILE)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(dir)(error)),
        _ => Ok(()),
    }
}
