//! Watches: what reaches a hundred clients, and how soon a change reaches one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::pace;
use crate::report::Report;
use crate::service::Service;
use crate::{load, measure};

const CLIENTS: usize = 100;
/// Changes that each of them is told.
const CHANGES: u64 = 20_000;
const PER_SECOND: u32 = 1000;
const SECONDS: u32 = 8;

/// A client that counts the events it is told.
struct Client {
    stream: tokio::net::TcpStream,
    events: u64,
    /// The last byte was a line break: with another one an event ends.
    ending: bool,
}

/// Tells changes of `topic` to a hundred clients, as fast as they come; then to one, at a fixed rate.
pub fn measure(bootstrap: &str, topic: &str, service: &Service, records: u64, report: &mut Report) {
    service.wait_until_calm();
    let (_noop, reference) = measure::noop_server();
    let path = format!("/noop/views/users/watch?events={CHANGES}");
    let reference = to_many(&reference, &path, 0, || ());
    let path = "/v1/views/users/watch?initial=none";
    let producer = load::producer(bootstrap, "5");
    // The block with `retry` and the first bookmark come before the changes.
    let ours = to_many(&service.address("http"), path, 2, move || produce(&producer, topic, CHANGES));
    report.at_least(
        "watch",
        "events/s to 100 clients against a server that sends the same bytes",
        ours,
        reference,
        0.1,
    );
    let times = to_one(bootstrap, topic, &service.address("http"), records);
    report.at_most(
        "watch_p99",
        "p99 ms from produce to event at 1000 updates/s against 50 ms",
        pace::p99(&times) * 1e3,
        50.0,
        1.0,
    );
}

/// Returns the events per second that reach all clients together; `first` of each come before `begin`.
fn to_many(address: &str, path: &str, first: u64, begin: impl FnOnce() + Send) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connect = join_all((0..CLIENTS).map(|_| Client::connect(address, path, first)));
    let mut clients = runtime.block_on(connect);
    let begun = Instant::now();
    thread::scope(|scope| {
        scope.spawn(begin);
        runtime.block_on(join_all(clients.iter_mut().map(|client| client.read_to(first + CHANGES))));
    });
    (CLIENTS as u64 * CHANGES) as f64 / begun.elapsed().as_secs_f64()
}

impl Client {
    async fn connect(address: &str, path: &str, first: u64) -> Self {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut client = Self { stream, events: 0, ending: false };
        client.read_to(first).await;
        client
    }

    async fn read_to(&mut self, events: u64) {
        let mut bytes = vec![0; 1 << 16];
        while self.events < events {
            let read = self.stream.read(&mut bytes).await.unwrap();
            assert!(read > 0, "{} of {events} events", self.events);
            for byte in &bytes[..read] {
                let breaks = *byte == b'\n';
                self.events += u64::from(breaks && self.ending);
                self.ending = breaks && !self.ending;
            }
        }
    }
}

/// Writes `count` profiles anew.
fn produce(producer: &ThreadedProducer<DefaultProducerContext>, topic: &str, count: u64) {
    for id in 0..count {
        let (key, value) = (format!("u{id}"), load::profile(id));
        producer.send(BaseRecord::to(topic).key(&key).payload(&value)).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(Duration::from_secs(60)).unwrap();
}

/// Returns the times from the moment a record is handed to the producer until its event is read, in order of size.
fn to_one(bootstrap: &str, topic: &str, address: &str, records: u64) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /v1/views/users/watch?initial=none HTTP/1.1\r\nHost: bench\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    lines.find(|line| line.starts_with("event: bookmark")).unwrap();
    let (begun, count) = (Instant::now(), PER_SECOND * SECONDS);
    let mut times: Vec<Duration> = thread::scope(|scope| {
        scope.spawn(|| {
            let producer = load::producer(bootstrap, "0");
            for number in 0..count {
                let due = Duration::from_secs(1) * number / PER_SECOND;
                thread::sleep(due.saturating_sub(begun.elapsed()));
                let (key, sent) = (format!("u{}", fastrand::u64(0..records)), begun.elapsed().as_nanos());
                let value = format!("{{\"sent\":{sent},\"about\":\"{}\"}}", "a".repeat(200));
                let record = BaseRecord::to(topic).key(&key).payload(&value);
                producer.send(record).map_err(|(error, _)| error).unwrap();
            }
            producer.flush(Duration::from_secs(60)).unwrap();
        });
        let sent = lines.filter_map(|line| {
            let sent = line.split_once("\"sent\":")?.1.split_once(',')?.0.parse().ok()?;
            Some(begun.elapsed() - Duration::from_nanos(sent))
        });
        // A key that changed twice at once comes once.
        sent.take(count as usize * 99 / 100).collect()
    });
    // The first second is that of a producer which connects.
    times.drain(..PER_SECOND as usize);
    times.sort();
    times
}
