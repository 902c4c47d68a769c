//! Reads Rust just well enough for the rules: hides comments and literals, finds words, blocks and functions.

use std::ops::Range;

use super::words::words;

/// Replaces comments and the contents of literals by spaces; lines and columns stay.
pub fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut masked = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = hidden_until(bytes, at);
        for byte in &mut masked[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&masked).into_owned()
}

/// Returns the end of the comment or literal that starts here, or `at` if none does.
fn hidden_until(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let starts_word = at == 0 || !is_word(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => at + line_length(rest),
        [b'/', b'*', ..] => at + block_comment_length(rest),
        [b'"', ..] => at + quoted_length(rest),
        [b'\'', ..] => at + char_length(rest),
        [b'r' | b'b' | b'c', ..] if starts_word => at + raw_length(rest),
        _ => at,
    }
}

fn line_length(rest: &[u8]) -> usize {
    rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
}

fn block_comment_length(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted_length(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != b'"' {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// A character literal; a lifetime is not one.
fn char_length(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        let end = rest.iter().skip(3).position(|byte| *byte == b'\'');
        return end.map_or(rest.len(), |end| end + 4);
    }
    // One character, of up to four bytes, between the quotes.
    let end = rest.iter().skip(2).take(4).position(|byte| *byte == b'\'').map(|end| end + 2);
    match end {
        Some(end) if str::from_utf8(&rest[1..end]).is_ok_and(|text| text.chars().count() == 1) => end + 1,
        _ => 0,
    }
}

/// A raw string such as `br#"..."#`. The prefix of another literal is left alone, its quote is found next.
fn raw_length(rest: &[u8]) -> usize {
    let Some(prefix) = rest.iter().position(|byte| !matches!(byte, b'r' | b'b' | b'c')) else { return 0 };
    let raw = prefix <= 2 && rest[prefix - 1] == b'r';
    let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
    if !raw || rest.get(prefix + hashes) != Some(&b'"') {
        return 0;
    }
    let closing = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    let body = prefix + hashes + 1;
    let end = rest[body..].windows(closing.len()).position(|window| window == closing);
    end.map_or(rest.len(), |end| body + end + closing.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Returns the line of a byte; the first is 1.
pub fn line_of(code: &str, at: usize) -> usize {
    code.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Returns the end of the block whose opening brace stands at `open`.
pub fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// Returns the opening brace of an item whose head starts at `at`; none if it ends in a semicolon.
pub fn body_start(code: &str, at: usize) -> Option<usize> {
    let mut nested = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(at) {
        match byte {
            b'(' | b'[' => nested += 1,
            b')' | b']' => nested = nested.saturating_sub(1),
            b';' if nested == 0 => return None,
            b'{' if nested == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// A function with a body, or an inline module.
pub struct Block<'c> {
    pub name: &'c str,
    /// From the keyword to the closing brace.
    pub range: Range<usize>,
}

/// Returns the items with a body that a keyword, `fn` or `mod`, introduces.
pub fn blocks<'c>(code: &'c str, keyword: &str) -> Vec<Block<'c>> {
    let all = words(code);
    let pairs = all.iter().zip(all.iter().skip(1));
    let named = pairs.filter(|(word, name)| {
        let between = &code[word.start + word.text.len()..name.start];
        word.text == keyword && between.trim().is_empty()
    });
    let block = |word: usize, name: &'c str| {
        let open = body_start(code, word)?;
        Some(Block { name, range: word..block_end(code, open) })
    };
    named.filter_map(|(word, name)| block(word.start, name.text)).collect()
}

/// Returns the bodies of modules that exist in test builds only.
pub fn test_modules(code: &str) -> Vec<Range<usize>> {
    let is_test = |block: &Block<'_>| {
        let before = code[..block.range.start].trim_end();
        let before = before.strip_suffix("pub").unwrap_or(before).trim_end();
        // Other attributes may stand between.
        before.rsplit(['}', ';']).next().is_some_and(|head| head.contains("#[cfg(test)]"))
    };
    blocks(code, "mod").into_iter().filter(is_test).map(|block| block.range).collect()
}

#[test]
fn comments_and_literals_are_hidden() {
    let cases = [
        ("a // unsafe\nb", "a          \nb"),
        ("a /* x /* y */ z */ b", "a                     b".trim_end_matches(' ')),
        ("a(\"un\\\"safe\") b", "a(          ) b"),
        ("r#\"a \" b\"# c", "           c".trim_end_matches(' ')),
        ("br\"x\" b'\"' c", "      b    c"),
        ("x: &'a str, 'b', '\\n', '\\'' y", "x: &'a str,    ,     ,      y"),
        ("crate::a", "crate::a"),
    ];
    for (text, expected) in cases {
        let squeeze =
            |text: &str| text.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        assert_eq!(squeeze(&mask(text)), squeeze(expected), "{text}");
        assert_eq!(mask(text).len(), text.len());
    }
}

#[test]
fn functions_and_test_modules_are_found() {
    let code = "fn a(x: [u8; 4]) -> u8 { { 1 } }\ntrait T { fn b(); }\n#[cfg(test)]\nmod tests { fn c() {} }\nmod d {}";
    let names: Vec<&str> = blocks(code, "fn").iter().map(|block| block.name).collect();
    assert_eq!(names, ["a", "c"]);
    let tests: Vec<&str> = test_modules(code).into_iter().map(|range| &code[range]).collect();
    assert_eq!(tests, ["mod tests { fn c() {} }"]);
}
