//! Which module may import which.

use super::Finding;
use super::code::{blocks, line_of};
use super::tree::SourceFile;
use super::words::{Word, below, words};

/// Top modules by layer, from the bottom. Modules of one layer do not see each other: `materializer` writes and
/// `http` reads, and they meet in the layers below them.
const LAYERS: [&[&str]; 11] = [
    &["position", "topic_id", "time", "config", "metrics", "room", "supervisor"],
    &["record", "partitioner", "resume"],
    &["entry", "interpretation", "source"],
    &["batch", "progress"],
    &["kafka", "store", "schema"],
    &["view"],
    &["materializer", "http", "page"],
    &["app", "telemetry"],
    &["demo"],
    &["cli"],
    &["main"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// The root of the library lists the modules and belongs to none of them.
fn is_root(module: &str) -> bool {
    module == "lib"
}

pub fn check_known(file: &SourceFile) -> Vec<Finding> {
    let Some(module) = file.module() else { return Vec::new() };
    if is_root(module[0]) || layer(module[0]).is_some() {
        return Vec::new();
    }
    vec![Finding::new(&file.path, 1, format!("module `{}` is in no layer", module[0]))]
}

pub fn check(file: &SourceFile) -> Vec<Finding> {
    let Some(module) = file.module() else { return Vec::new() };
    let Some(own) = layer(module[0]) else { return Vec::new() };
    let mut imports = below(&file.code, "crate");
    imports.extend(below(&file.code, "statusquo"));
    let forbidden = imports.into_iter().filter(|import| {
        import.text != module[0] && layer(import.text).is_some_and(|imported| imported >= own)
    });
    let describe = |import: Word<'_>| {
        let message = format!(
            "`{}` (layer {own}) imports `{}` (layer {})",
            module[0],
            import.text,
            layer(import.text).unwrap_or_default()
        );
        Finding::new(&file.path, line_of(&file.code, import.start), message)
    };
    forbidden.map(describe).chain(check_supers(file, module.len())).collect()
}

/// A path of `super`s that leaves the top module would hide an import from this check.
fn check_supers(file: &SourceFile, depth: usize) -> Vec<Finding> {
    let modules = blocks(&file.code, "mod");
    let all = words(&file.code);
    let mut findings = Vec::new();
    let mut length = 0;
    for (index, word) in all.iter().enumerate() {
        if word.text != "super" {
            length = 0;
            continue;
        }
        length += 1;
        let inline = modules.iter().filter(|block| block.range.contains(&word.start)).count();
        let last = all.get(index + 1).is_none_or(|next| next.text != "super");
        if last && length >= depth + inline {
            let message = "`super` leaves the top module; name it from `crate`";
            findings.push(Finding::new(&file.path, line_of(&file.code, word.start), message));
        }
    }
    findings
}

fn lines(path: &str, text: &str) -> Vec<usize> {
    check(&SourceFile::new(path, text)).iter().map(|finding| finding.line).collect()
}

#[test]
fn an_import_upwards_or_sideways_is_found() {
    assert_eq!(lines("src/store.rs", "use crate::position::Offset;\nuse crate::{batch, http::Keys};"), [2]);
    assert_eq!(lines("src/store/read.rs", "fn f() {\n    crate::kafka::poll()\n}"), [2]);
    assert_eq!(lines("src/materializer.rs", "use crate::http;"), [1]);
    assert_eq!(lines("src/http/keys.rs", "use crate::materializer;"), [1]);
    assert_eq!(lines("src/demo.rs", "use statusquo::{app, cli};"), [1]);
}

#[test]
fn an_import_downwards_or_inside_is_fine() {
    assert_eq!(lines("src/store/read.rs", "use crate::store::Slot;\nuse crate::batch::Batch;"), []);
    assert_eq!(lines("src/main.rs", "use statusquo::{app, cli, demo};"), []);
    assert_eq!(lines("src/record.rs", "// crate::http\nlet text = \"crate::http\";"), []);
}

#[test]
fn a_way_around_by_super_is_found() {
    assert_eq!(lines("src/record.rs", "use super::http;"), [1]);
    assert_eq!(lines("src/store/read.rs", "use super::Slot;\nuse super::super::http;"), [2]);
    assert_eq!(
        lines("src/record.rs", "mod tests {\n    use super::Key;\n    use super::super::http;\n}"),
        [3]
    );
}

#[test]
fn a_module_without_a_layer_is_found() {
    assert_eq!(check_known(&SourceFile::new("src/helpers/text.rs", "")).len(), 1);
    assert_eq!(check_known(&SourceFile::new("src/store/text.rs", "")), []);
    assert_eq!(check_known(&SourceFile::new("tests/it/app.rs", "")), []);
}
