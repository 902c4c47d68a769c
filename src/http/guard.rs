//! Who may ask for a rebuild.

use http::header::{AUTHORIZATION, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};

use super::code::Code;
use super::problem::Problem;
use crate::config::Secret;

/// Lets in whoever has the token; without one the listener is on loopback, and everybody there but a web page.
#[derive(Debug, Clone)]
pub(super) struct Guard(Option<Secret>);

impl Guard {
    pub(super) fn new(token: Option<Secret>) -> Self {
        Self(token)
    }

    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(token) = &self.0 else { return refuse_web_pages(headers) };
        let Some(given) = bearer(headers) else {
            let challenge = HeaderValue::from_static("Bearer");
            return Err(Problem::new(
                Code::UNAUTHENTICATED,
                "send `Authorization: Bearer` and the admin token",
            )
            .with_header(WWW_AUTHENTICATE, challenge));
        };
        match equal(given, token.expose().as_bytes()) {
            true => Ok(()),
            false => Err(Problem::new(Code::FORBIDDEN, "the token is not the one of `ops.admin_token`")),
        }
    }
}

/// A name that leads to loopback makes a page of another site look like one of ours to the browser. It still
/// says where a request comes from.
fn refuse_web_pages(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.contains_key(ORIGIN) {
        true => Err(Problem::new(Code::FORBIDDEN, "a web page may not ask for this")),
        false => Ok(()),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// Takes as long for a token that is almost right as for any other of its length.
fn equal(one: &[u8], other: &[u8]) -> bool {
    let different = one.iter().zip(other).fold(0, |different, (one, other)| different | (one ^ other));
    one.len() == other.len() && std::hint::black_box(different) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(guard: &Guard, name: &'static str, value: &'static str) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        guard.admit(&headers).err().map(|problem| problem.code().name)
    }

    #[test]
    fn only_the_whole_token_is_let_in() {
        let guard = Guard::new(Some(Secret::from("s3cret".to_owned())));
        for right in ["Bearer s3cret", "bearer s3cret", "Bearer  s3cret "] {
            assert_eq!(verdict(&guard, "authorization", right), None, "{right}");
        }
        for wrong in ["Bearer s3cre", "Bearer s3crets", "Bearer S3cret", "Bearer "] {
            assert_eq!(verdict(&guard, "authorization", wrong), Some("forbidden"), "{wrong}");
        }
        for none in ["", "Bearer", "Basic czNjcmV0", "s3cret"] {
            assert_eq!(verdict(&guard, "authorization", none), Some("unauthenticated"), "{none}");
        }
    }

    #[test]
    fn without_a_token_a_web_page_is_kept_out() {
        let guard = Guard::new(None);
        assert_eq!(verdict(&guard, "accept", "*/*"), None);
        assert_eq!(verdict(&guard, "origin", "http://example.com"), Some("forbidden"));
    }
}
