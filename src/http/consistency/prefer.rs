//! `Prefer` (RFC 7240), of which `wait` is understood.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

/// What a client would like; what is not understood is passed over, as the standard asks for.
pub(in crate::http) const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Returns how long the client would wait for an answer. The first preference of that name counts.
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    headers.get_all(PREFER).iter().find_map(|value| wait_in(value.as_bytes()))?
}

/// The outer result tells whether the list names `wait` at all, the inner one whether its value is a number.
fn wait_in(list: &[u8]) -> Option<Option<Duration>> {
    pieces(list, b',').find_map(|preference| {
        // Parameters of a preference follow after semicolons; `wait` has none.
        let own = pieces(preference, b';').next()?;
        let mut parts = own.splitn(2, |byte| *byte == b'=');
        let name = parts.next()?.trim_ascii();
        name.eq_ignore_ascii_case(b"wait").then(|| parts.next().and_then(seconds))
    })
}

/// Splits at a separator that does not stand within quotes.
fn pieces(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => return *byte == separator && !quoted,
        }
        false
    })
}

/// A number too large to hold means as long as possible.
fn seconds(value: &[u8]) -> Option<Duration> {
    let value = value.trim_ascii();
    let bare = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
    let digits = !bare.is_empty() && bare.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(bare).ok().filter(|_| digits)?;
    Some(Duration::from_secs(text.parse::<u32>().unwrap_or(u32::MAX).into()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn asked(lines: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(PREFER, HeaderValue::from_str(line).unwrap());
        }
        wait(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_found_among_other_preferences() {
        for (lines, seconds) in [
            (&["wait=30"][..], Some(30)),
            (&["respond-async, wait=10"], Some(10)),
            (&["return=minimal; foo=\"a, wait=3\"", "WAIT = 7 ; x=y"], Some(7)),
            (&["a=\"\\\",wait=1\", wait=2"], Some(2)),
            (&["wait=\"5\""], Some(5)),
            (&["wait=0"], Some(0)),
            (&[" ,, ,wait=4,"], Some(4)),
            (&["wait=99999999999999999999"], Some(u32::MAX.into())),
        ] {
            assert_eq!(asked(lines), seconds, "{lines:?}");
        }
    }

    #[test]
    fn the_first_of_several_counts_even_if_it_is_no_number() {
        assert_eq!(asked(&["wait=3, wait=9", "wait=1"]), Some(3));
        assert_eq!(asked(&["wait=soon", "wait=1"]), None);
    }

    #[test]
    fn what_is_no_wait_is_passed_over() {
        for line in ["", "wait", "wait=", "wait=-1", "wait=1.5", "waits=3", "foo; wait=3", "\"wait=3", "x=\\"]
        {
            assert_eq!(asked(&[line]), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(lines in proptest::collection::vec("[ -~\u{80}-\u{ff}]{0,40}", 0..4)) {
            let mut headers = HeaderMap::new();
            for line in &lines {
                headers.append(PREFER, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            let _ = wait(&headers);
        }

        #[test]
        fn a_number_of_seconds_is_read_back(seconds in any::<u32>(), other in "[a-z]{1,8}=[a-z]{0,8}") {
            prop_assume!(!other.starts_with("wait="));
            prop_assert_eq!(asked(&[&format!("{other} ,wait={seconds}")]), Some(seconds.into()));
        }
    }
}
