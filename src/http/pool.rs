//! Turns for reads that take long.
//!
//! They are few, so that look-ups and ingest keep their share of the machine however many scans are asked for.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, block_in_place, spawn_blocking};

use super::code::Code;
use super::problem::Problem;
use crate::config::sections::ScanConfig;
use crate::room::{Room, Share};

/// How long a read waits for its turn: longer and the client had better come back.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Turns of one kind of reads.
#[derive(Debug)]
pub(super) struct Pool(Arc<Semaphore>);

/// The pools of the data listener. An export lasts as long as its client likes, so that it has its own.
#[derive(Debug)]
pub(super) struct Pools {
    /// Of pages and batches.
    pub(super) answers: Pool,
    /// Of exports.
    pub(super) exports: Pool,
    /// What finished answers may take in memory until clients have taken them.
    room: Arc<Room>,
}

/// A finished answer in its place.
struct Held {
    answer: Vec<u8>,
    _place: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}

/// A turn in a pool.
#[derive(Debug)]
pub(super) struct Turn(OwnedSemaphorePermit);

impl Pools {
    pub(super) fn new(config: &ScanConfig) -> Self {
        let answer = usize::try_from(config.answer_bytes_max.as_u64()).unwrap_or(usize::MAX);
        let room = Room::new(answer.saturating_mul(config.parallel));
        Self { answers: Pool::new(config.parallel), exports: Pool::new(config.exports_max), room }
    }

    /// Gives an answer its place, until it is sent or dropped; one that is larger than all there is takes all.
    ///
    /// # Errors
    /// `overloaded`.
    pub(super) fn hold(&self, answer: Vec<u8>) -> Result<Bytes, Problem> {
        let mut place = self.room.share();
        if !place.take(answer.len().min(self.room.bytes())) {
            let detail = "finished answers take all the room there is (`http.scan.parallel` times \
                          `http.scan.answer_bytes_max`)";
            return Err(Problem::new(Code::OVERLOADED, detail));
        }
        Ok(Bytes::from_owner(Held { answer, _place: place }))
    }
}

impl Pool {
    fn new(threads: usize) -> Self {
        Self(Arc::new(Semaphore::new(threads.min(Semaphore::MAX_PERMITS))))
    }

    /// Waits for a turn, though not for long.
    ///
    /// # Errors
    /// `overloaded`.
    pub(super) async fn turn(&self) -> Result<Turn, Problem> {
        let permit = tokio::time::timeout(WAIT_MAX, Arc::clone(&self.0).acquire_owned()).await;
        let busy = || Problem::new(Code::OVERLOADED, "as many reads of many entries run as are allowed");
        // Invariant: the semaphore is never closed.
        permit.ok().and_then(Result::ok).map(Turn).ok_or_else(busy)
    }

    /// Waits for a turn, reads, and returns what was read.
    ///
    /// The read stays on the thread it was asked on, whose other tasks go on in another: a hand-off there and back
    /// costs as much as some 20 keys.
    ///
    /// # Errors
    /// `overloaded`, and those of `read`.
    pub(super) async fn run<T>(&self, read: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
        let _held = self.turn().await?;
        block_in_place(read)
    }
}

impl Turn {
    /// Starts to read; the turn is over when that ends.
    pub(super) fn start<T: Send + 'static>(self, read: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        spawn_blocking(move || {
            let _held = self.0;
            read()
        })
    }
}
