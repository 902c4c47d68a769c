//! Sizes and names of files and functions.

use super::Finding;
use super::code::{Block, blocks, line_of};
use super::tree::SourceFile;

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

pub fn check_file(file: &SourceFile) -> Vec<Finding> {
    let lines = file.code.lines().count();
    let finding = || Finding::new(&file.path, lines, format!("{lines} lines, more than {FILE_LINES_MAX}"));
    (lines > FILE_LINES_MAX).then(finding).into_iter().collect()
}

pub fn check_functions(file: &SourceFile) -> Vec<Finding> {
    let check = |block: Block<'_>| {
        let first = line_of(&file.code, block.range.start);
        let lines = line_of(&file.code, block.range.end - 1) - first + 1;
        let message = format!("`{}` has {lines} lines, more than {FUNCTION_LINES_MAX}", block.name);
        (lines > FUNCTION_LINES_MAX).then(|| Finding::new(&file.path, first, message))
    };
    blocks(&file.code, "fn").into_iter().filter_map(check).collect()
}

pub fn check_name(file: &SourceFile) -> Vec<Finding> {
    let bad = file.path.ends_with("/mod.rs");
    bad.then(|| Finding::new(&file.path, 1, "`mod.rs` is not used here")).into_iter().collect()
}

#[test]
fn a_long_file_is_found() {
    assert_eq!(check_file(&SourceFile::new("src/a.rs", &"\n".repeat(401))).len(), 1);
    assert_eq!(check_file(&SourceFile::new("src/a.rs", &"\n".repeat(400))), []);
}

#[test]
fn a_long_function_is_found() {
    let function = |lines: usize| format!("struct A;\nimpl A {{\nfn f() {{{}}}\n}}", "\n".repeat(lines - 1));
    let findings = check_functions(&SourceFile::new("src/a.rs", &function(71)));
    assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [3]);
    assert_eq!(check_functions(&SourceFile::new("src/a.rs", &function(70))), []);
}

#[test]
fn a_mod_rs_is_found() {
    assert_eq!(check_name(&SourceFile::new("src/http/mod.rs", "")).len(), 1);
    assert_eq!(check_name(&SourceFile::new("src/http.rs", "")), []);
}
