//! The files the rules look at.

use std::fs;
use std::path::Path;

use super::code;

/// Directories of sources; every rule about code looks here.
const SOURCE_ROOTS: [&str; 3] = ["src", "tests", "benches"];

/// What builds and runs leave in a checkout, and what belongs to git.
const SKIPPED: [&str; 5] = [".git", "target", "data", "statusquo-data", ".venv"];

/// A Rust file.
pub struct SourceFile {
    /// Path from the root of the repository, with slashes.
    pub path: String,
    /// The text without comments and without the contents of literals; same lines, same columns.
    pub code: String,
}

/// Any file that is text.
pub struct TextFile {
    pub path: String,
    pub text: String,
}

impl SourceFile {
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), code: code::mask(text) }
    }

    /// Whether the whole file is test code.
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// The module path of a file of `src`: `src/http/keys.rs` is `["http", "keys"]`. None for other files.
    pub fn module(&self) -> Option<Vec<&str>> {
        Some(self.path.strip_prefix("src/")?.strip_suffix(".rs")?.split('/').collect())
    }
}

/// Returns all Rust files.
pub fn source_files() -> Vec<SourceFile> {
    let in_roots =
        |file: &TextFile| SOURCE_ROOTS.iter().any(|root| file.path.starts_with(&format!("{root}/")));
    let files = text_files().into_iter().filter(|file| in_roots(file) && file.path.ends_with(".rs"));
    files.map(|file| SourceFile::new(&file.path, &file.text)).collect()
}

/// Returns all files that are UTF-8.
pub fn text_files() -> Vec<TextFile> {
    let mut files = Vec::new();
    collect(Path::new(env!("CARGO_MANIFEST_DIR")), "", &mut files);
    assert!(files.iter().any(|file| file.path == "src/lib.rs"), "the rules look at the wrong directory");
    files
}

fn collect(directory: &Path, prefix: &str, files: &mut Vec<TextFile>) {
    let mut entries: Vec<_> = fs::read_dir(directory).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().unwrap();
        if SKIPPED.contains(&name.as_str()) || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() {
            collect(&entry.path(), &format!("{path}/"), files);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            files.push(TextFile { path, text });
        }
    }
}
