//! Words and paths of masked code.

/// An identifier or keyword and where it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'c> {
    pub text: &'c str,
    pub start: usize,
}

/// Returns all words.
pub fn words(code: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, byte) in code.bytes().chain([b' ']).enumerate() {
        let inside = byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        match (inside, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                words.push(Word { text: &code[from..at], start: from });
                start = None;
            }
            _ => {}
        }
    }
    words
}

/// Returns where macros of this name are called.
pub fn macro_calls(code: &str, name: &str) -> Vec<usize> {
    let calls = |word: &Word<'_>| word.text == name && code[word.start + name.len()..].starts_with('!');
    words(code).iter().filter(|word| calls(word)).map(|word| word.start).collect()
}

/// Returns the second segment of every path that starts with `root`: `root::x` and `root::{a, b::c}` give
/// x, a and b, each with its place.
pub fn below<'c>(code: &'c str, root: &str) -> Vec<Word<'c>> {
    let roots = words(code).into_iter().filter(|word| word.text == root);
    roots.flat_map(|word| heads(code, word.start + root.len())).collect()
}

/// Returns the first segments after a `::` at this place.
fn heads(code: &str, at: usize) -> Vec<Word<'_>> {
    let rest = &code[at..];
    let Some(after) = rest.trim_start().strip_prefix("::") else { return Vec::new() };
    let start = code.len() - after.trim_start().len();
    if !code[start..].starts_with('{') {
        return words_within(code, start, 1);
    }
    let mut found = Vec::new();
    let mut depth = 0_usize;
    for (offset, byte) in code[start..].bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        // An element of the outer list begins after its brace or one of its commas.
        if depth == 1 && matches!(byte, b'{' | b',') {
            found.extend(words_within(code, start + offset + 1, 1));
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// Returns the word that starts here after white space, if one does.
fn words_within(code: &str, at: usize, count: usize) -> Vec<Word<'_>> {
    let start = code.len() - code[at..].trim_start().len();
    let found = words(&code[start..]).into_iter().take(count).filter(|word| word.start == 0);
    found.map(|word| Word { text: word.text, start: start + word.start }).collect()
}

#[test]
fn paths_are_found_in_braces_too() {
    let code = "use crate::a;\nuse crate::{b, c::{d, e}, self, f as g,};\nlet x = crate :: h::i(); x::crate_y; xcrate::z";
    let names: Vec<&str> = below(code, "crate").iter().map(|word| word.text).collect();
    assert_eq!(names, ["a", "b", "c", "self", "f", "h"]);
}

#[test]
fn macros_are_found_by_their_whole_name() {
    assert_eq!(macro_calls("eprintln!(); println!(); println();", "println"), [13]);
}
