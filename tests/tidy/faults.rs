//! The rows of docs/faults.md: each has a test that names it, or a remark why not.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::TextFile;

pub const ROWS: &str = "docs/faults.md";
pub const PROMISES: &str = "docs/guarantees.md";

/// How a test names the rows it shows. In two parts, so that this file does not find itself.
const MARK: &str = concat!("/// FAU", "LTS row");

/// Returns the numbers after the mark in a line: up to the end of the sentence or the colon.
fn named_rows(line: &str) -> Vec<u32> {
    let Some((_, rest)) = line.split_once(MARK) else { return Vec::new() };
    let rest = rest.split(['.', ':']).next().unwrap_or_default();
    rest.split(|letter: char| !letter.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// Returns line, number and remark of every row.
fn rows(table: &TextFile) -> Vec<(usize, u32, &str)> {
    let lines = (1..).zip(table.text.lines());
    lines.filter_map(|(line, text)| row(text).map(|(number, remark)| (line, number, remark))).collect()
}

fn row(line: &str) -> Option<(u32, &str)> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
    let [number, .., remark] = cells[..] else { return None };
    Some((number.parse().ok()?, remark))
}

/// Finds rows without a test, and tests of rows that are not there.
pub fn check(files: &[TextFile]) -> Vec<Finding> {
    let table = files.iter().find(|file| file.path == ROWS).expect("the table of faults");
    let rows = rows(table);
    let known: BTreeSet<u32> = rows.iter().map(|(_, number, _)| *number).collect();
    let mut shown = BTreeSet::new();
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
        for (line, text) in (1..).zip(file.text.lines()) {
            for number in named_rows(text) {
                shown.insert(number);
                if !known.contains(&number) {
                    findings.push(Finding::new(&file.path, line, format!("{ROWS} has no row {number}")));
                }
            }
        }
    }
    let bare = rows.iter().filter(|(_, number, remark)| remark.is_empty() && !shown.contains(number));
    findings.extend(
        bare.map(|(line, number, _)| Finding::new(ROWS, *line, format!("no test names row {number}"))),
    );
    findings
}

/// Finds tests named in the table of promises that do not exist.
pub fn check_promises(files: &[TextFile]) -> Vec<Finding> {
    let promises = files.iter().find(|file| file.path == PROMISES).expect("the table of promises");
    let exists = |name: &str| {
        let head = format!("fn {name}(");
        files.iter().any(|file| file.path.ends_with(".rs") && file.text.contains(&head))
    };
    let is_test = |name: &&str| {
        name.len() > 20
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let mut findings = Vec::new();
    for (line, text) in (1..).zip(promises.text.lines()) {
        // Every second piece stands between two backticks.
        for name in text.split('`').skip(1).step_by(2).filter(is_test).filter(|name| !exists(name)) {
            findings.push(Finding::new(PROMISES, line, format!("there is no test {name}")));
        }
    }
    findings
}

#[test]
fn rows_without_a_test_and_tests_without_a_row_are_found() {
    let file = |path: &str, text: &str| TextFile { path: path.to_owned(), text: text.to_owned() };
    let table = file(
        ROWS,
        "| row | x | y |\n|---|---|---|\n| 1 | a | |\n| 2 | b | |\n| 30 | c | not met |\n| 4 | d | |\n",
    );
    let tests = file("tests/it/a.rs", &format!("{MARK}s 1 and 4: 2 of them.\n{MARK} 5.\n"));
    let found: Vec<_> =
        check(&[table, tests]).into_iter().map(|finding| (finding.path, finding.line)).collect();
    assert_eq!(found, [("tests/it/a.rs".to_owned(), 2), (ROWS.to_owned(), 4)]);
}

#[test]
fn a_promise_without_its_test_is_found() {
    let file = |path: &str, text: &str| TextFile { path: path.to_owned(), text: text.to_owned() };
    let promises =
        file(PROMISES, "`View-Position` `a_test_that_is_really_there`\n`a_test_that_is_not_there`\n");
    let tests = file("src/a.rs", "fn a_test_that_is_really_there() {}");
    let lines: Vec<_> = check_promises(&[promises, tests]).iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [2]);
}
