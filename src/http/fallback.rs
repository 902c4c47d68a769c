//! Paths and methods that no route takes.

use axum::extract::Request;

use super::code::Code;
use super::problem::Problem;

/// Any path that no route matches.
pub(super) async fn not_found(request: Request) -> Problem {
    let segments: Vec<&str> = request.uri().path().split('/').skip(1).take(6).collect();
    let detail = match segments.as_slice() {
        ["v1", "views", _, "keys"] | ["v1", "views", _, "keys", ""] => {
            "an empty key has no path of its own; ask for it with /v1/views/{view}/lookup?key="
        }
        ["v1", "views", _, "keys", _, ..] => {
            "a key is one segment of the path: write a slash in it as %2F, or ask with \
             /v1/views/{view}/lookup?key="
        }
        _ => "nothing answers at this path",
    };
    Problem::new(Code::NOT_FOUND, detail)
}

/// A path that a route matches with a method it does not take; the router adds `Allow`.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(Code::METHOD_NOT_ALLOWED, "see `Allow` for the methods of this path")
}
