//! Requests at a fixed rate, timed from the moment they were due: a server that stalls is not asked less.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const CONNECTIONS: u32 = 4;

/// Looks random profiles up until `over`, `per_second` times a second; returns the times in order of size.
pub fn look_ups(address: &str, records: u64, per_second: u32, over: &AtomicBool) -> Vec<Duration> {
    let interval = Duration::from_secs(1) * CONNECTIONS / per_second;
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let client =
            |number: u32| move || ask(address, records, interval, interval / CONNECTIONS * number, over);
        let clients: Vec<_> = (0..CONNECTIONS).map(|number| scope.spawn(client(number))).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    times.sort();
    times
}

/// Returns the time that 99 of 100 are below.
pub fn p99(times: &[Duration]) -> f64 {
    times[times.len() * 99 / 100].as_secs_f64()
}

fn ask(address: &str, records: u64, interval: Duration, first: Duration, over: &AtomicBool) -> Vec<Duration> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut stream = BufReader::new(stream);
    let mut due = Instant::now() + first;
    let mut times = Vec::new();
    while !over.load(Ordering::Relaxed) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let key = fastrand::u64(0..records);
        let request = format!("GET /v1/views/users/keys/u{key} HTTP/1.1\r\nhost: bench\r\n\r\n");
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        read_answer(&mut stream);
        times.push(due.elapsed());
        due += interval;
    }
    times
}

fn read_answer(stream: &mut BufReader<TcpStream>) {
    let (mut line, mut length) = (String::new(), 0);
    stream.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    while line.trim_end() != "" {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
        stream.read_line(&mut line).unwrap();
    }
    stream.read_exact(&mut vec![0; length]).unwrap();
}
