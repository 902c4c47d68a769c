//! The id of a request: the client's, or one made here.

use http::{HeaderMap, HeaderName, HeaderValue};

pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken over: a UUID with a prefix fits.
const LENGTH_MAX: usize = 64;

/// Returns the id the client gave if it is short and plainly visible, else a new one.
pub(super) fn of(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(X_REQUEST_ID).filter(|id| is_sane(id.as_bytes()));
    given.cloned().unwrap_or_else(new)
}

fn is_sane(id: &[u8]) -> bool {
    (1..=LENGTH_MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

fn new() -> HeaderValue {
    let id = format!("{:016x}", fastrand::u64(..));
    HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_id_is_kept_and_any_other_replaced() {
        let longest = "x".repeat(64);
        let too_long = "x".repeat(65);
        for (given, kept) in [
            ("a-1/b", true),
            (&*longest, true),
            (&*too_long, false),
            ("", false),
            ("a b", false),
            ("é", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(given.as_bytes()).unwrap());
            assert_eq!(of(&headers) == given, kept, "{given:?}");
        }
        assert_ne!(of(&HeaderMap::new()), of(&HeaderMap::new()));
    }
}
