//! What belongs to one place only.

use super::Finding;
use super::code::{line_of, test_modules};
use super::tree::SourceFile;
use super::words::{macro_calls, words};

/// Words and the modules of `src` that may use them.
const OWNERS: [(&str, &str); 4] = [
    ("rdkafka", "src/kafka"),
    ("rdkafka_sys", "src/kafka"),
    ("rocksdb", "src/store"),
    ("unsafe", "src/kafka/ffi"),
];

const PRINTS: [&str; 5] = ["println", "eprintln", "print", "eprint", "dbg"];
const PRINTERS: [&str; 2] = ["src/main", "src/cli"];

/// Whether a file is a module or lies below it.
fn is_in(file: &SourceFile, module: &str) -> bool {
    let rest = file.path.strip_prefix(module);
    rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

pub fn check(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for word in words(&file.code) {
        let owner = OWNERS.iter().find(|(owned, _)| *owned == word.text).map(|(_, owner)| *owner);
        let Some(owner) = owner.filter(|owner| file.path.starts_with("src/") && !is_in(file, owner)) else {
            continue;
        };
        let message = format!("`{}` belongs to {owner}", word.text);
        findings.push(Finding::new(&file.path, line_of(&file.code, word.start), message));
    }
    findings
}

pub fn check_prints(file: &SourceFile) -> Vec<Finding> {
    if !file.path.starts_with("src/") || PRINTERS.iter().any(|printer| is_in(file, printer)) {
        return Vec::new();
    }
    let calls = |name: &&str| {
        let found = macro_calls(&file.code, name).into_iter();
        let finding = |at| Finding::new(&file.path, line_of(&file.code, at), format!("`{name}!`"));
        found.map(finding).collect::<Vec<_>>()
    };
    PRINTS.iter().flat_map(calls).collect()
}

pub fn check_globs(file: &SourceFile) -> Vec<Finding> {
    if file.is_test() {
        return Vec::new();
    }
    let tests = test_modules(&file.code);
    let uses = words(&file.code).into_iter().filter(|word| word.text == "use").map(|word| word.start);
    let is_glob = |start: &usize| {
        let statement = file.code[*start..].split(';').next().unwrap_or_default();
        statement.contains('*') && !tests.iter().any(|range| range.contains(start))
    };
    let finding = |start| Finding::new(&file.path, line_of(&file.code, start), "glob import");
    uses.filter(is_glob).map(finding).collect()
}

fn lines(rule: fn(&SourceFile) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
    rule(&SourceFile::new(path, text)).iter().map(|finding| finding.line).collect()
}

#[test]
fn a_library_out_of_its_module_is_found() {
    assert_eq!(lines(check, "src/store/open.rs", "use rocksdb::DB;\nuse rdkafka::Offset;"), [2]);
    assert_eq!(lines(check, "src/kafka_tools.rs", "rdkafka_sys::x()"), [1]);
    assert_eq!(lines(check, "src/kafka.rs", "use rdkafka::Offset; // rocksdb"), []);
    assert_eq!(lines(check, "tests/it/kafka.rs", "use rdkafka::Offset;"), []);
}

#[test]
fn unsafe_code_is_found() {
    assert_eq!(lines(check, "src/kafka/reader.rs", "\nunsafe { x() }"), [2]);
    assert_eq!(lines(check, "src/kafka/ffi.rs", "#![allow(unsafe_code)]\nunsafe { x() }"), []);
    assert_eq!(lines(check, "src/kafka/ffi/epoch.rs", "unsafe { x() }"), []);
}

#[test]
fn a_print_is_found() {
    assert_eq!(
        lines(check_prints, "src/http.rs", "fn f() {\n    eprintln!(\"x\");\n    dbg!(1);\n}"),
        [2, 3]
    );
    assert_eq!(lines(check_prints, "src/cli/status.rs", "println!()"), []);
    assert_eq!(lines(check_prints, "src/climate.rs", "println!()"), [1]);
}

#[test]
fn a_glob_import_is_found() {
    assert_eq!(lines(check_globs, "src/http.rs", "use a::b;\nuse a::{\n    c::*,\n};\nlet x = 2 * 3;"), [2]);
    assert_eq!(lines(check_globs, "src/http.rs", "#[cfg(test)]\nmod tests {\n    use super::*;\n}"), []);
    assert_eq!(lines(check_globs, "tests/it/app.rs", "use super::*;"), []);
}
