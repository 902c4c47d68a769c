//! One watch, as a body that goes on until somebody has enough.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::{coop, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use super::event::Writer;
use super::event_id;
use super::watchers::Watcher;
use crate::http::about;
use crate::http::state::AppState;
use crate::store;
use crate::view::feed::{Feed, Update};

/// A watch that is so many steps behind has more to read than is done between two other tasks.
const STEPS_AT_ONCE: u64 = 4;

/// A watch. It does nothing unless its client takes what it is told, and holds nothing meanwhile.
pub(super) struct Stream {
    state: AppState,
    feed: Feed,
    writer: Writer,
    watcher: Watcher,
    next: watch::Receiver<u64>,
    bookmark_at: Instant,
    ends_at: Instant,
    begun: bool,
}

/// What a watch waits for.
enum Call {
    /// With a turn, if there is much to read.
    News(Option<OwnedSemaphorePermit>),
    Bookmark,
    End,
}

impl Stream {
    pub(super) fn new(state: &AppState, feed: Feed, writer: Writer, watcher: Watcher) -> Self {
        let next = writer.view().progress().changes().next();
        let bookmark_at = Instant::now() + state.watchers().bookmark_interval();
        let ends_at = state.watchers().end();
        Self { state: state.clone(), feed, writer, watcher, next, bookmark_at, ends_at, begun: false }
    }

    pub(super) fn into_body(self) -> Body {
        let pieces = stream::unfold(Some(self), |stream| async move {
            let (piece, rest) = stream?.piece().await?;
            Some((Ok::<_, Infallible>(piece), rest))
        });
        Body::from_stream(pieces)
    }

    /// Returns what comes next and the rest of the stream, if there is one.
    async fn piece(mut self) -> Option<(Bytes, Option<Self>)> {
        let mut out = Vec::new();
        if !self.begun {
            self.begun = true;
            let settled = self.feed.is_settled();
            Writer::begin(&mut out, (!settled).then_some(event_id::NOWHERE));
            // Who begins with changes, or goes on, learns at once where that is.
            if settled {
                self.bookmark(&mut out);
            }
            return Some((out.into(), Some(self)));
        }
        loop {
            // Many clients with much to be told take turns with everybody else.
            coop::consume_budget().await;
            let turn = match self.call().await {
                Call::End => {
                    self.bookmark(&mut out);
                    return Some((out.into(), None));
                }
                Call::Bookmark => {
                    self.bookmark(&mut out);
                    return Some((out.into(), Some(self)));
                }
                Call::News(turn) => turn,
            };
            let (stream, told) = self.advance(turn).await?;
            self = stream;
            let told = told.and_then(|updates| self.write(&mut out, &updates));
            if let Err(error) = told {
                // The client comes back, and is told what is wrong if it still is.
                about::failed(self.writer.view(), &error);
                return None;
            }
            if !out.is_empty() {
                return Some((out.into(), Some(self)));
            }
        }
    }

    /// Waits until there is something to do.
    async fn call(&mut self) -> Call {
        let Self { state, feed, next, .. } = self;
        let news = async {
            if !feed.is_walking() {
                // The sender lives as long as the view.
                let _ = next.wait_for(|head| *head > feed.next()).await;
            }
            let behind = next.borrow().saturating_sub(feed.next());
            let has_much = feed.is_walking() || feed.is_amid_a_step() || behind > STEPS_AT_ONCE;
            if has_much { state.watchers().turn().await } else { None }
        };
        // Order matters: who has always much to read, or waits for a turn, is reached by all of this first.
        tokio::select! {
            biased;
            () = state.health().stopping() => Call::End,
            () = sleep_until(self.ends_at) => Call::End,
            () = sleep_until(self.bookmark_at) => Call::Bookmark,
            turn = news => Call::News(turn),
        }
    }

    /// Reads what is to be told: a few changes at once, much on a thread for that.
    async fn advance(
        mut self,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Option<(Self, Result<Vec<Update>, store::Error>)> {
        let Some(turn) = turn else {
            let told = self.feed.advance();
            return Some((self, told));
        };
        let read = spawn_blocking(move || {
            let told = self.feed.advance();
            drop(turn);
            (self, told)
        });
        // The panic hook has told where it happened.
        read.await.ok()
    }

    fn write(&mut self, out: &mut Vec<u8>, updates: &[Update]) -> Result<(), store::Error> {
        let Some((last, others)) = updates.split_last() else { return Ok(()) };
        // Who drops what it knows cannot go on from before.
        let nowhere = |update: &Update| matches!(update, Update::Reset { .. }).then_some(event_id::NOWHERE);
        for update in others {
            self.writer.push(out, update, nowhere(update))?;
        }
        // All before it is known with the last one.
        let id = self.id();
        self.writer.push(out, last, id.as_deref().or(nowhere(last)))?;
        self.watcher.count(updates);
        Ok(())
    }

    fn bookmark(&mut self, out: &mut Vec<u8>) {
        self.bookmark_at = Instant::now() + self.state.watchers().bookmark_interval();
        let id = self.id();
        self.writer.push_bookmark(out, id.as_deref());
    }

    fn id(&mut self) -> Option<String> {
        let tag = event_id::tag(self.writer.view());
        self.feed.is_settled().then(|| event_id::of(&mut self.feed, tag))
    }
}
