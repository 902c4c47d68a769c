//! The mutants of tests/mutants: each still applies, and names tests that exist.

use std::path::Path;
use std::process::Command;

use super::Finding;
use super::tree::{SourceFile, TextFile};

const DIRECTORY: &str = "tests/mutants/";
const TEST: &str = "caught-by: ";

/// Git tells whether a patch applies to the sources as they are.
pub fn check_applies(file: &TextFile) -> Vec<Finding> {
    if !file.path.starts_with(DIRECTORY) {
        return Vec::new();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let git = Command::new("git").args(["apply", "--check", &file.path]).current_dir(root).output();
    let output = git.expect("git is installed");
    match output.status.success() {
        true => Vec::new(),
        false => vec![Finding::new(&file.path, 1, String::from_utf8_lossy(&output.stderr).trim())],
    }
}

/// A test is named as cargo names it, after the binary it is in.
pub fn check_tests(file: &TextFile, sources: &[SourceFile]) -> Vec<Finding> {
    if !file.path.starts_with(DIRECTORY) {
        return Vec::new();
    }
    let named: Vec<_> = (1..).zip(file.text.lines()).filter(|(_, line)| line.starts_with(TEST)).collect();
    if named.is_empty() {
        return vec![Finding::new(&file.path, 1, format!("no line `{TEST}lib|it NAME`"))];
    }
    let exists = |test: &str| {
        let Some((binary, name)) = test.split_once(' ') else { return false };
        let root = match binary {
            "lib" => "src/",
            "it" => "tests/it/",
            _ => return false,
        };
        let head = format!("fn {}(", name.rsplit("::").next().unwrap_or_default());
        sources.iter().any(|source| source.path.starts_with(root) && source.code.contains(&head))
    };
    let unknown = named.into_iter().filter(|(_, line)| !exists(&line[TEST.len()..]));
    unknown.map(|(line, text)| Finding::new(&file.path, line, format!("no such test: {text}"))).collect()
}

/// Reads no directory: a patch that is there must still be seen as one.
#[test]
fn a_patch_that_does_not_fit_and_a_test_that_is_not_there_are_found() {
    let patch = |text: &str| TextFile { path: format!("{DIRECTORY}x.patch"), text: text.to_owned() };
    let sources =
        [SourceFile::new("src/a.rs", "fn one() {}"), SourceFile::new("tests/it/b.rs", "fn two() {}")];
    let found = |text: &str| check_tests(&patch(text), &sources).len();
    assert_eq!(found("caught-by: lib a::tests::one\ncaught-by: it b::two\n"), 0);
    assert_eq!(found("caught-by: lib a::tests::two\ncaught-by: it b::one\ncaught-by: one\n"), 3);
    assert_eq!(found("nothing\n"), 1);
    assert_eq!(check_applies(&patch("")).len(), 1, "there is no such file");
}
