//! Traces of the machine somebody worked on.

use super::Finding;
use super::tree::TextFile;

/// Directories of people and of machines. Written in two parts, so that this file does not find itself.
const PATHS: [(&str, &str); 5] =
    [("/ro", "ot/"), ("/ho", "me/"), ("/Us", "ers/"), ("/wo", "rk/"), ("C:\\", "Users")];

/// Settings that send a package manager to another registry, and the files they would stand in.
const REGISTRIES: [(&str, &str, &str); 6] = [
    (".toml", "[regis", "tries"),
    (".toml", "replace", "-with"),
    (".xml", "<reposi", "tor"),
    (".xml", "<mir", "ror"),
    (".txt", "index", "-url"),
    ("", "--index", "-url"),
];

/// The only source of crates.
const CRATES: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

pub fn check(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let mut report = |message: String| findings.push(Finding::new(&file.path, index + 1, message));
        if file.path == "Cargo.lock" && line.starts_with("source = ") && line != CRATES {
            report(format!("crate from elsewhere: {line}"));
        }
        let paths = PATHS.iter().map(|(first, second)| format!("{first}{second}"));
        for path in paths.filter(|path| names_path(line, path)) {
            report(format!("path of one machine: {path}"));
        }
        let settings = REGISTRIES.iter().filter(|(extension, ..)| file.path.ends_with(extension));
        for setting in settings.map(|(_, first, second)| format!("{first}{second}")) {
            if line.contains(&setting) {
                report(format!("private registry: {setting}"));
            }
        }
    }
    findings
}

/// Whether a line has an absolute path that begins like this; `$HOME/work/x` or a URL's path does not count.
fn names_path(line: &str, path: &str) -> bool {
    let starts = line.match_indices(path).map(|(at, _)| line[..at].chars().next_back());
    let continues = |before: char| before.is_alphanumeric() || "._-}/)".contains(before);
    starts.into_iter().any(|before| !before.is_some_and(continues))
}

#[test]
fn a_trace_of_a_machine_is_found() {
    let lines = |path: &str, text: &str| -> Vec<usize> {
        let file = TextFile { path: path.to_owned(), text: text.to_owned() };
        check(&file).iter().map(|finding| finding.line).collect()
    };
    let home = PATHS.map(|(first, second)| format!("{first}{second}"));
    assert_eq!(lines("README.md", &format!("fine\nsee {}me/notes", home[1])), [2]);
    assert_eq!(lines("Makefile", &format!("CACHE={}cache", home[0])), [1]);
    assert_eq!(lines("README.md", &format!("https://example.com{0}x $HOME{0}x ..{0}x", home[3])), []);
    assert_eq!(
        lines("Cargo.lock", &format!("{CRATES}\nsource = \"registry+https://mirror.example/index\"")),
        [2]
    );
    assert_eq!(lines("tests/kafka/pom.xml", concat!("<reposi", "tories>")), [1]);
    assert_eq!(lines(".cargo/config.toml", concat!("[source.x]\nreplace", "-with = \"y\"")), [2]);
}
