//! Bodies of requests: JSON, announced as such, of a bounded length.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt as _;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use tokio::time::timeout;

use super::code::Code;
use super::problem::Problem;
use crate::room::{Room, Share};

/// What the bodies of all requests may take in memory, and what is kept of them.
const ROOM_BYTES: usize = 64 * 1024 * 1024;

/// Reads the bodies of requests.
#[derive(Debug)]
pub(super) struct Bodies {
    room: Arc<Room>,
    time_max: Duration,
}

/// A body that was read; its room is given back with it.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) bytes: Vec<u8>,
    share: Share,
}

impl Bodies {
    /// Reads bodies that must come within `time_max` each.
    pub(super) fn new(time_max: Duration) -> Self {
        Self { room: Room::new(ROOM_BYTES), time_max }
    }

    /// Reads the body of a request, which must hold an object of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// `unsupported-media-type`, `content-too-large`, `overloaded`, and `bad-body` for what is not there to its end;
    /// none of them for what is no JSON.
    pub(super) async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
        bytes_max: usize,
    ) -> Result<Whole, Problem> {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(Code::UNSUPPORTED_MEDIA_TYPE, "send the body as `application/json`"));
        }
        let late = |_| {
            let seconds = self.time_max.as_secs_f64();
            Problem::new(Code::BAD_BODY, format!("the body did not come to its end within {seconds} seconds"))
        };
        timeout(self.time_max, self.whole(body, bytes_max)).await.map_err(late)?
    }

    async fn whole(&self, body: Body, bytes_max: usize) -> Result<Whole, Problem> {
        let mut pieces = body.into_data_stream();
        let mut whole = Whole { bytes: Vec::new(), share: self.room.share() };
        while let Some(piece) = pieces.next().await {
            // What the error says is for those who look after the service, and it is the client that made it.
            let piece = piece.map_err(|_| Problem::new(Code::BAD_BODY, "the body is broken or cut off"))?;
            if piece.len() > bytes_max - whole.bytes.len() {
                let detail = format!("the body has more than {bytes_max} bytes");
                return Err(Problem::new(Code::CONTENT_TOO_LARGE, detail));
            }
            // Taken as the bytes come: a client that only announces many holds nothing back from others.
            if !whole.share.take(piece.len()) {
                return Err(no_room());
            }
            whole.bytes.extend_from_slice(&piece);
        }
        Ok(whole)
    }
}

impl Whole {
    /// Drops the body, and returns the room of the bytes that are kept of it.
    ///
    /// # Errors
    /// `overloaded`.
    pub(super) fn into_room_of(mut self, kept: usize) -> Result<Share, Problem> {
        let read = self.bytes.len();
        if !self.share.take(kept.saturating_sub(read)) {
            return Err(no_room());
        }
        self.share.give_back(read.saturating_sub(kept));
        Ok(self.share)
    }
}

fn no_room() -> Problem {
    Problem::new(Code::OVERLOADED, "the bodies of other requests take all the room there is")
}

/// Returns whether the bytes begin as an object does: serde would take a list for the members in their order.
pub(super) fn is_object(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"{")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[tokio::test]
    async fn bodies_that_find_no_room_are_refused_until_others_have_given_theirs_back() {
        let bodies = Bodies { room: Room::new(10), time_max: Duration::from_secs(60) };
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let read = async || bodies.read(&headers, Body::from(r#"{"a":1}"#), 100).await;
        let first = read().await.unwrap();
        assert_eq!(first.bytes, br#"{"a":1}"#);
        assert_eq!(read().await.unwrap_err().code(), Code::OVERLOADED);
        drop(first);
        assert_eq!(
            bodies.read(&headers, Body::from("{}"), 1).await.unwrap_err().code(),
            Code::CONTENT_TOO_LARGE
        );
        assert!(read().await.is_ok(), "nobody keeps room who is refused");
        for (kept, left) in [(0, 10), (4, 6), (7, 3), (10, 0)] {
            let room = read().await.unwrap().into_room_of(kept).unwrap();
            assert_eq!(bodies.room.left(), left);
            drop(room);
        }
        assert_eq!(read().await.unwrap().into_room_of(11).unwrap_err().code(), Code::OVERLOADED);
        assert_eq!(bodies.room.left(), 10);
    }
}
