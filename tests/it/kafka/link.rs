//! A line to a node that can be made slow or silent.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use crate::eventually::within;

/// Bytes passed on at once.
const CHUNK: usize = 16 * 1024;
/// A line that delays each chunk for this long passes nothing on.
const SILENT: u64 = u64::MAX;

/// Passes on what a node and its clients, the test included, say to each other.
#[derive(Clone)]
pub struct Link(Arc<Line>);

struct Line {
    port: u16,
    node: OnceLock<String>,
    /// Milliseconds each chunk is held back, both ways.
    delay: AtomicU64,
}

impl Link {
    /// Listens; leads nowhere before the node is known.
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let link = Self(Arc::new(Line { port, node: OnceLock::new(), delay: AtomicU64::new(0) }));
        let line = Arc::clone(&link.0);
        thread::spawn(move || listener.incoming().flatten().for_each(|client| join(&line, client)));
        link
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.0.port)
    }

    pub(super) fn lead_to(&self, node: String) {
        self.0.node.set(node).expect("one node");
    }

    /// Holds every chunk back for a while.
    pub fn slow_down(&self, delay: Duration) {
        self.0.delay.store(u64::try_from(delay.as_millis()).expect("a short time"), Ordering::Relaxed);
    }

    /// Passes nothing on; connections stay open and are taken, as where a cable is cut.
    pub fn fall_silent(&self) {
        self.0.delay.store(SILENT, Ordering::Relaxed);
    }

    /// Passes everything on at once.
    pub fn recover(&self) {
        self.0.delay.store(0, Ordering::Relaxed);
    }
}

impl Line {
    /// Waits for as long as the line is slow.
    fn hold(&self) {
        let delay = self.delay.load(Ordering::Relaxed);
        within(Duration::from_millis(delay.min(120_000)), Duration::from_millis(5), || {
            (self.delay.load(Ordering::Relaxed) != delay || delay == 0).then_some(())
        });
    }
}

fn join(line: &Arc<Line>, client: TcpStream) {
    let Some(Ok(node)) = line.node.get().map(TcpStream::connect) else { return };
    let back = (node.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
    for (from, to, line) in [(client, node, Arc::clone(line)), (back.0, back.1, Arc::clone(line))] {
        let _ = (from.set_nodelay(true), to.set_nodelay(true));
        thread::spawn(move || pass_on(&line, from, to));
    }
}

fn pass_on(line: &Line, mut from: TcpStream, mut to: TcpStream) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        line.hold();
        if to.write_all(&chunk[..length]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
