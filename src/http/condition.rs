//! Conditional requests: `If-None-Match`.

use http::header::IF_NONE_MATCH;
use http::{HeaderMap, HeaderValue};

/// Returns whether the client holds `etag` already, by weak comparison.
pub(super) fn is_held(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    headers.get_all(IF_NONE_MATCH).iter().any(|list| names(list.as_bytes(), etag.as_bytes()))
}

/// Returns `etag` as the client holds it: weak if it says so, because its copy was compressed.
///
/// Invariant: a cache finds the copy that a 304 is about by its entity tag.
pub(super) fn as_held(headers: &HeaderMap, etag: HeaderValue) -> HeaderValue {
    let Ok(weak) = HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat()) else { return etag };
    // A quote ends a tag, so this cannot stand within another.
    let names_weak = |list: &HeaderValue| list.as_bytes().windows(weak.len()).any(|part| weak == part);
    if headers.get_all(IF_NONE_MATCH).iter().any(names_weak) { weak } else { etag }
}

/// Returns whether a list of entity tags names `etag`; what cannot be read ends the list.
fn names(list: &[u8], etag: &[u8]) -> bool {
    let mut rest = list.trim_ascii();
    if rest == b"*" {
        return true;
    }
    loop {
        while let Some(after) = rest.strip_prefix(b",") {
            rest = after.trim_ascii_start();
        }
        let tag = rest.strip_prefix(b"W/").unwrap_or(rest);
        if !tag.starts_with(b"\"") {
            return false;
        }
        let Some(length) = tag.iter().skip(1).position(|byte| *byte == b'"') else { return false };
        let (tag, after) = tag.split_at(length + 2);
        if tag == etag {
            return true;
        }
        rest = after.trim_ascii_start();
        if !rest.starts_with(b",") {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_weak_tags_and_the_star_name_a_tag() {
        for (list, held) in [
            (r#""t.3.9.j""#, true),
            (r#"W/"t.3.9.j""#, true),
            (r#""a", "t.3.9.j" , "b""#, true),
            (r#" ,, "a","t.3.9.j""#, true),
            (r#""a,b", "t.3.9.j""#, true),
            ("*", true),
            (" * ", true),
            (r#""t.3.9.r""#, false),
            ("t.3.9.j", false),
            (r#""t.3.9.j"#, false),
            (r#""a" "t.3.9.j""#, false),
            (r#"w/"t.3.9.j""#, false),
            ("", false),
            (",", false),
            ("\"", false),
        ] {
            assert_eq!(names(list.as_bytes(), br#""t.3.9.j""#), held, "{list}");
        }
    }

    #[test]
    fn the_header_may_come_in_several_lines() {
        let mut headers = HeaderMap::new();
        headers.append(IF_NONE_MATCH, HeaderValue::from_static("\"a\""));
        let etag = HeaderValue::from_static("\"b\"");
        assert!(!is_held(&headers, &etag));
        headers.append(IF_NONE_MATCH, HeaderValue::from_static("\"b\""));
        assert!(is_held(&headers, &etag));
    }
}
