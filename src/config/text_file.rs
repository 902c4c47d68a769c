//! Reads a small text file, or says why not.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Reads a whole UTF-8 file of at most `bytes_max` bytes.
///
/// # Errors
/// Returns words for a person: what is wrong with this file.
pub fn read(path: &Path, bytes_max: u64) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes)).map_err(|error| {
        match error.kind() {
            ErrorKind::NotFound => "the file does not exist".to_owned(),
            ErrorKind::IsADirectory => "is a directory, not a file".to_owned(),
            _ => format!("the file cannot be read: {error}"),
        }
    })?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("the file has more than {bytes_max} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "the file is not valid UTF-8".to_owned())
}

/// Returns a text without the one newline an editor leaves at its end.
#[must_use]
pub fn without_newline(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text)
}
