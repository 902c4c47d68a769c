//! Headers of answers, as the documents describe them.

use serde_json::json;
use utoipa::openapi::{Header, HeaderBuilder, RefOr};

/// Name, example, and what it tells.
const HEADERS: [(&str, &str, &str); 16] = [
    (
        "ETag",
        "\"k3Qz7pWx.3.99017.1795422322123.j\"",
        "Topic, partition, offset, timestamp and form: equal on all replicas if and only if it is the same record in the same form. Weak where the answer is compressed.",
    ),
    (
        "Cache-Control",
        "private, no-cache",
        "What `cache_control` of the view says; problems and documents have their own.",
    ),
    (
        "Vary",
        "Accept, Accept-Encoding, Prefer, Read-After, Read-Consistency",
        "The headers of the request that the answer depends on.",
    ),
    ("Record-Partition", "3", "Partition of the record."),
    ("Record-Offset", "99017", "Offset of the record in its partition."),
    ("Record-Timestamp", "2026-11-23T08:25:22.123Z", "Timestamp of the record, if it has one."),
    (
        "View-Position",
        "v1=3:99199;t=k3Qz7pWx",
        "Offsets the answer reflects at least, inclusive; left out where nothing is applied.",
    ),
    (
        "View-Status",
        "state=live, lag=0, staleness=0.4, generation=7",
        "How fresh the answer is: a dictionary of RFC 9651.",
    ),
    ("Preference-Applied", "wait=5", "The wait of `Prefer` that was granted."),
    ("Retry-After", "1", "Seconds after which it makes sense to try again."),
    ("Link", "</v1/views/users/entries?cursor=...>; rel=\"next\"", "Where the next page is."),
    ("Location", "/admin/v1/operations/5f0c2f4be6a84c0d9a6d1f0e7c0b1a52", "Where to ask how far it is."),
    ("WWW-Authenticate", "Bearer", "How to say who you are."),
    ("Content-Encoding", "zstd", "How the body is compressed, if it is."),
    ("X-Accel-Buffering", "no", "Has a proxy hand each event on as it comes."),
    (
        "X-Request-Id",
        "8f2c41d07be6a953",
        "Id of the request: the client's, or a new one. The log has it, and `instance` of a problem.",
    ),
];

/// Returns the headers of these names.
pub(super) fn named(names: &[&str]) -> impl Iterator<Item = (String, RefOr<Header>)> {
    let known = HEADERS.iter().filter(|(name, ..)| names.contains(name));
    known.map(|(name, example, description)| {
        let header = HeaderBuilder::new().description(Some(*description)).example(Some(json!(example)));
        ((*name).to_owned(), header.build().into())
    })
}
