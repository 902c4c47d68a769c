//! Answers of any length: a line per item, and a last one that says that it was the last.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::code::Code;
use super::entry_document::push_text;
use super::many::{self, push_moment};
use super::pool::Turn;
use super::problem::Problem;
use crate::store::{self, SlotTable, Snapshot};
use crate::view::{LookUpError, Moment, View};

/// Content type of such an answer.
pub(super) const CONTENT_TYPE: &str = "application/x-ndjson";
/// Bytes that are handed on at once; a line may make it more. Smaller ones cost a tenth more: every one wakes two threads.
const CHUNK_BYTES: usize = 128 * 1024;
/// Chunks a client may be behind before the read waits for it.
const CHUNKS_AHEAD: usize = 4;

/// The lines of one answer on their way to a client.
#[derive(Debug)]
pub(super) struct Lines {
    chunk: Vec<u8>,
    /// Lines in the chunk.
    held: u64,
    /// Lines that were handed on before it.
    sent: u64,
    chunks: mpsc::Sender<Bytes>,
    runtime: Handle,
    deadline: Instant,
}

/// Why an answer ends before everything was written.
#[derive(Debug)]
pub(super) enum Cut {
    /// The client has gone.
    Left,
    /// It takes too long, here or at the client.
    Late,
    /// The rest cannot be read.
    Unreadable(LookUpError),
}

/// How a view is read: which snapshot, and what is written of it.
pub(super) trait Lined: Send + 'static {
    /// Takes the snapshot of the whole answer.
    fn open<'v>(&self, view: &'v View) -> Result<Snapshot<'v>, LookUpError>;
    /// Writes all lines but the last.
    fn write(&self, view: &View, snapshot: &Snapshot<'_>, lines: &mut Lines) -> Result<(), Cut>;
}

/// Begins an answer in its turn, and returns what it reflects and its body. It is read while it is sent, within
/// `time_max`. There is none where the view has another table of slots than the one that is wanted.
///
/// # Errors
/// Why there is no snapshot.
pub(super) async fn answer(
    turn: Turn,
    view: &Arc<View>,
    time_max: Duration,
    wanted: Option<Arc<SlotTable>>,
    lined: impl Lined,
) -> Result<Option<(Moment, Body)>, Problem> {
    let (chunks, received) = mpsc::channel(CHUNKS_AHEAD);
    let (opened, moment) = oneshot::channel();
    let (runtime, deadline) = (Handle::current(), Instant::now() + time_max);
    let lines = Lines { chunk: Vec::new(), held: 0, sent: 0, chunks, runtime, deadline };
    let view = Arc::clone(view);
    let last = turn.start(move || produce(&view, wanted.as_ref(), &lined, opened, lines));
    let broken = |_| Problem::new(Code::INTERNAL, "the service made a mistake while it read");
    let moment = moment.await.map_err(broken)??;
    Ok(moment.map(|moment| (moment, body(received, last))))
}

/// Returns the last line. It is handed over when the snapshot has been given back: a client that never takes
/// the lines before it holds nothing up.
fn produce(
    view: &View,
    wanted: Option<&Arc<SlotTable>>,
    lined: &impl Lined,
    opened: oneshot::Sender<Result<Option<Moment>, Problem>>,
    mut lines: Lines,
) -> Bytes {
    let snapshot = match lined.open(view) {
        Ok(snapshot) => snapshot,
        Err(error) => {
            // Nobody is told where the client has gone.
            let _ = opened.send(Err(many::refused(view, &error)));
            return Bytes::new();
        }
    };
    if !many::is_of(&snapshot, wanted) {
        let _ = opened.send(Ok(None));
        return Bytes::new();
    }
    let moment = Moment::of(&snapshot);
    if opened.send(Ok(Some(moment.clone()))).is_err() {
        return Bytes::new();
    }
    let written = lined.write(view, &snapshot, &mut lines);
    drop(snapshot);
    lines.end(view, written, &moment)
}

fn body(received: mpsc::Receiver<Bytes>, last: JoinHandle<Bytes>) -> Body {
    let next = |rest: Option<(mpsc::Receiver<Bytes>, JoinHandle<Bytes>)>| async move {
        let (mut received, last) = rest?;
        match received.recv().await {
            Some(chunk) => Some((Ok(chunk), Some((received, last)))),
            // Without the last line the connection is broken off, so that nobody takes a part for the whole.
            None => Some((last.await.map_err(io::Error::other), None)),
        }
    };
    Body::from_stream(stream::unfold(Some((received, last)), next))
}

impl Lines {
    /// Adds the line that `write` writes.
    pub(super) fn push(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), store::Error>,
    ) -> Result<(), Cut> {
        let start = self.chunk.len();
        if let Err(error) = write(&mut self.chunk) {
            self.chunk.truncate(start);
            return Err(error.into());
        }
        self.chunk.push(b'\n');
        self.held += 1;
        if self.chunk.len() < CHUNK_BYTES { Ok(()) } else { self.send() }
    }

    /// Looks whether it is worth going on where there is no line to add for long.
    pub(super) fn breathe(&self) -> Result<(), Cut> {
        if self.chunks.is_closed() {
            return Err(Cut::Left);
        }
        if Instant::now() >= self.deadline { Err(Cut::Late) } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), Cut> {
        let room = CHUNK_BYTES + CHUNK_BYTES / 4;
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(room));
        // Order matters: a chunk that does not get on is dropped, and its lines do not count.
        let lines = std::mem::take(&mut self.held);
        self.hand_on(chunk)?;
        self.sent += lines;
        Ok(())
    }

    fn hand_on(&self, chunk: Vec<u8>) -> Result<(), Cut> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Cut::Late);
        }
        match self.chunks.try_send(chunk.into()) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(Cut::Left),
            Err(TrySendError::Full(chunk)) => {
                // Not on a thread of the runtime: it may wait.
                match self.runtime.block_on(timeout(left, self.chunks.send(chunk))) {
                    Ok(sent) => sent.map_err(|_| Cut::Left),
                    Err(_) => Err(Cut::Late),
                }
            }
        }
    }

    /// Returns what is left to send, with the last line.
    fn end(mut self, view: &View, written: Result<(), Cut>, moment: &Moment) -> Bytes {
        let (out, count) = (&mut self.chunk, self.sent + self.held);
        let problem = match written {
            Ok(()) => {
                push_text(out, format_args!("{{\"end\":true,\"count\":{count}"));
                push_moment(out, moment);
                out.extend_from_slice(b"}\n");
                return self.chunk.into();
            }
            Err(Cut::Left) => return Bytes::new(),
            Err(Cut::Late) => Problem::new(
                Code::OVERLOADED,
                "the answer was not at its end within `http.scan.export_time_max`",
            ),
            Err(Cut::Unreadable(error)) => many::refused(view, &error),
        };
        push_text(out, format_args!("{{\"end\":false,\"count\":{count},\"error\":"));
        problem.push_brief(out);
        out.extend_from_slice(b"}\n");
        self.chunk.into()
    }
}

impl From<store::Error> for Cut {
    fn from(error: store::Error) -> Self {
        Self::Unreadable(error.into())
    }
}

impl From<LookUpError> for Cut {
    fn from(error: LookUpError) -> Self {
        Self::Unreadable(error)
    }
}
