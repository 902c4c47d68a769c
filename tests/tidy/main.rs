//! Rules of the source tree that no compiler checks. Each says why it exists when it fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected stops, and says where"
)]

mod code;
mod faults;
mod layers;
mod machine;
mod mutants;
mod ownership;
mod size;
mod tree;
mod waiting;
mod words;

use tree::{SourceFile, TextFile, source_files, text_files};

/// Something a rule objects to.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// Path from the root of the repository.
    path: String,
    /// First line of a file is 1.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

fn assert_sources(reason: &str, rule: impl Fn(&SourceFile) -> Vec<Finding>) {
    assert_none(reason, &source_files().iter().flat_map(rule).collect::<Vec<_>>());
}

fn assert_texts(reason: &str, rule: impl Fn(&TextFile) -> Vec<Finding>) {
    assert_none(reason, &text_files().iter().flat_map(rule).collect::<Vec<_>>());
}

fn assert_none(reason: &str, findings: &[Finding]) {
    let line = |finding: &Finding| format!("{}:{}: {}", finding.path, finding.line, finding.message);
    let lines: Vec<String> = findings.iter().map(line).collect();
    assert!(lines.is_empty(), "{reason}\n{}", lines.join("\n"));
}

#[test]
fn modules_import_lower_layers_only() {
    let reason =
        "A module imports from lower layers and from its own subtree; the table is in tests/tidy/layers.rs.";
    assert_sources(reason, layers::check);
}

#[test]
fn every_module_has_a_layer() {
    assert_sources("The layer of a module is decided once, in tests/tidy/layers.rs.", layers::check_known);
}

#[test]
fn files_stay_readable() {
    assert_sources("A file has one subject; a longer one has two.", size::check_file);
}

#[test]
fn functions_stay_readable() {
    assert_sources("A function fits on a screen.", size::check_functions);
}

#[test]
fn modules_are_named_after_their_file() {
    assert_sources("`name.rs` beside `name/`: the name of a file says what it is.", size::check_name);
}

#[test]
fn libraries_stay_behind_their_module() {
    assert_sources(
        "Types of a library stay in one module, so that the rest can be read without it.",
        ownership::check,
    );
}

#[test]
fn output_goes_through_the_log() {
    assert_sources("Only main and the command line print; everything else logs.", ownership::check_prints);
}

#[test]
fn imports_are_named() {
    assert_sources("A glob import hides where a name comes from.", ownership::check_globs);
}

#[test]
fn tests_wait_for_facts() {
    assert_sources("A test waits with `eventually`, for a fact and not for time.", waiting::check);
}

#[test]
fn nothing_depends_on_one_machine() {
    assert_texts(
        "The repository works on every machine: no home directories, no private registries.",
        machine::check,
    );
}

#[test]
fn mutants_apply_and_name_their_tests() {
    let sources = source_files();
    assert_texts(
        "`git apply` tells where: make the patch anew, with one line of context.",
        mutants::check_applies,
    );
    assert_texts("The tests that catch a mutant have to exist.", |file| mutants::check_tests(file, &sources));
}

#[test]
fn every_fault_has_a_test_that_names_it() {
    assert_none(
        "A row of docs/faults.md has a test with `/// FAULTS row N.` above it.",
        &faults::check(&text_files()),
    );
}

#[test]
fn promises_name_tests_that_exist() {
    assert_none(
        "docs/guarantees.md says which tests show a promise.",
        &faults::check_promises(&text_files()),
    );
}
