//! Made-up requests: whatever stands in them, the answer is never a mistake of the service.

use std::sync::OnceLock;

use axum::Router;
use axum::body::Body;
use http::{HeaderName, HeaderValue, Request, Uri};
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

use super::fixture::Fixture;

/// One view for all cases: making one takes longer than asking it.
fn router() -> (&'static Runtime, Router) {
    static SHARED: OnceLock<(Runtime, Fixture)> = OnceLock::new();
    let (runtime, fixture) = SHARED.get_or_init(|| {
        let mut fixture = Fixture::users();
        fixture.put(b"u1", Some(b"{}"));
        (Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(), fixture)
    });
    (runtime, fixture.data())
}

/// Sends a GET; what is no URL or no header value at all does not get this far.
fn ask(target: &str, header: Option<(&'static str, &[u8])>) -> Result<(), TestCaseError> {
    let Ok(uri) = target.parse::<Uri>() else { return Ok(()) };
    let mut request = Request::get(uri).body(Body::empty()).unwrap();
    if let Some((name, value)) = header {
        let Ok(value) = HeaderValue::from_bytes(value) else { return Ok(()) };
        request.headers_mut().insert(HeaderName::from_static(name), value);
    }
    let (runtime, router) = router();
    let status = runtime.block_on(router.oneshot(request)).unwrap().status().as_u16();
    prop_assert!(status < 500 || status == 503 || status == 504, "{}: {}", target, status);
    Ok(())
}

/// Text made of the words and marks that a form knows, which gets deeper into its parser than noise does.
fn of_pieces(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let noise = "[ -~]{0,4}".prop_map(|text| text);
    let piece = prop_oneof![4 => prop::sample::select(pieces).prop_map(str::to_owned), 1 => noise];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

const URL: &[&str] = &[
    "%",
    "%2F",
    "%ff",
    "%00",
    "%zz",
    "+",
    "-",
    "7",
    "a",
    "=",
    "&",
    "key=",
    "enc=",
    "format=",
    "hex",
    "i64",
    "uuid",
    "utf8",
    "base64url",
    "entry",
    "raw",
    "read_after=",
    "0:0",
    "max_staleness=",
    "5s",
    "allow=",
    "restoring",
    "/",
    "..",
];
const ACCEPT: &[&str] =
    &["application", "/", "json", "*", ";", "q=", "0", "1", ".5", ",", " ", "\"", "+json", "text", "plain"];
const POSITION: &[&str] =
    &["v1=", "0", ":", "1", ",", ";t=", "AAAAAAAA", "-", "9223372036854775807", ";b=", " "];
const PREFERENCES: &[&str] =
    &["wait", "=", "0", "1", "-", ",", ";", " ", "\"", "\\", "respond-async", "99999999999"];
const RANGE: &[&str] = &[
    "prefix=", "start=", "end=", "enc=", "hex", "i32", "utf8", "order=", "asc", "desc", "limit=", "0", "1",
    "1000", "fields=", "key", "value", "meta", ",", "&", "%", "ff", "-", "A", "_", "cursor=", "format=",
    "entry",
];
const TAGS: &[&str] = &["\"", "W/", ",", "*", "AAAAAAAA.0.0.0.j", " ", "\\"];
const CODINGS: &[&str] = &["gzip", "zstd", "identity", "*", ";", "q=", "0", "1", ".5", ",", " "];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_target_is_answered(path in of_pieces(URL), query in of_pieces(URL)) {
        ask(&format!("/v1/views/users/keys/{path}?{query}"), None)?;
        ask(&format!("/v1/views/users/lookup?{query}"), None)?;
        ask(&format!("/v1/views/users/entries?{query}"), None)?;
        ask(&format!("/{path}"), None)?;
    }

    #[test]
    fn any_accept_is_answered(text in of_pieces(ACCEPT), bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        for value in [text.as_bytes(), &bytes] {
            ask("/v1/views/users/keys/u1", Some(("accept", value)))?;
        }
    }

    #[test]
    fn any_position_is_answered(text in of_pieces(POSITION), bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        for value in [text.as_bytes(), &bytes] {
            ask("/v1/views/users/keys/u1", Some(("read-after", value)))?;
        }
    }

    #[test]
    fn any_preference_is_answered(text in of_pieces(PREFERENCES), bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        for value in [text.as_bytes(), &bytes] {
            ask("/v1/views/users/keys/u1", Some(("prefer", value)))?;
        }
    }

    #[test]
    fn any_range_cursor_and_event_id_is_answered(range in of_pieces(RANGE), id in of_pieces(POSITION)) {
        ask(&format!("/v1/views/users/entries?{range}"), None)?;
        ask(&format!("/v1/views/users/entries?cursor={range}"), None)?;
        ask(&format!("/v1/views/users/watch?initial=none&from={id}"), None)?;
        ask("/v1/views/users/watch?initial=none", Some(("last-event-id", id.as_bytes())))?;
    }

    #[test]
    fn any_condition_and_coding_is_answered(tags in of_pieces(TAGS), codings in of_pieces(CODINGS)) {
        ask("/v1/views/users/keys/u1", Some(("if-none-match", tags.as_bytes())))?;
        ask("/openapi.json", Some(("accept-encoding", codings.as_bytes())))?;
    }
}
