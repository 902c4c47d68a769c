//! How tests wait.

use super::Finding;
use super::code::{line_of, test_modules};
use super::tree::SourceFile;
use super::words::words;

/// The one helper that may sleep.
const HELPER: &str = "tests/it/eventually.rs";

pub fn check(file: &SourceFile) -> Vec<Finding> {
    let tests = test_modules(&file.code);
    let in_test = |at| file.is_test() || tests.iter().any(|range| range.contains(&at));
    let sleeps = words(&file.code).into_iter().filter(|word| word.text == "sleep" && in_test(word.start));
    let finding = |at| Finding::new(&file.path, line_of(&file.code, at), "`sleep` in a test");
    sleeps.filter(|_| file.path != HELPER).map(|word| finding(word.start)).collect()
}

#[test]
fn a_sleep_in_a_test_is_found() {
    let lines = |path: &str, text: &str| -> Vec<usize> {
        check(&SourceFile::new(path, text)).iter().map(|finding| finding.line).collect()
    };
    assert_eq!(lines("tests/it/app.rs", "\nthread::sleep(x);"), [2]);
    assert_eq!(lines("src/view/tests.rs", "tokio::time::sleep(x).await"), [1]);
    assert_eq!(
        lines("src/view.rs", "sleep(x);\n#[cfg(test)]\nmod tests {\n    fn t() { sleep(x); }\n}"),
        [4]
    );
    assert_eq!(lines(HELPER, "sleep(x)"), []);
}
