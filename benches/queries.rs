//! Batches and exports against RocksDB itself, on the same files.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rocksdb::{BlockBasedOptions, Cache, DB, Options, ReadOptions};

use crate::report::Report;
use crate::service::{BLOCK_CACHE_MIB, Service};

const BATCH: u32 = 100;
const SECONDS: u32 = 3;
const ROUNDS: usize = 4;
/// Batches that are written before the time begins: few are asked for twice.
const REQUESTS: usize = 5000;
/// First byte of the key space of entries.
const ENTRIES: [u8; 1] = [1];
/// Every so manieth key is one of those the reference asks for.
const SAMPLE: usize = 4;
/// Bytes that the last line of an export fits into, with what HTTP adds.
const TAIL_BYTES: usize = 4096;

/// One thread and one connection ask, so that both sides have one request at a time.
pub fn measure(service: &Service, records: u64, report: &mut Report) {
    service.wait_until_calm();
    let db = open(service);
    // In turn, so that a machine whose speed drifts slows both; the first round fills the caches.
    let export = || (export(&service.address("http"), records), export_raw(&db));
    let exports: Vec<_> = (0..=ROUNDS).map(|_| export()).skip(1).collect();
    let [(_, raw), ..] = &exports[..] else { panic!("there are rounds") };
    assert!(raw.keys.len() as u64 * SAMPLE as u64 >= records, "the store holds the profiles");
    let rate = |seconds: f64| (raw.bytes * ROUNDS) as f64 / seconds / f64::from(1 << 20);
    report.at_least(
        "export",
        "MiB/s of keys and values exported against a raw iterator",
        rate(exports.iter().map(|(seconds, _)| seconds).sum()),
        rate(exports.iter().map(|(_, raw)| raw.seconds).sum()),
        0.5,
    );
    let address = service.address("http");
    let batch = || (batches(&address, records), multi_get(&db, &raw.keys));
    let rounds: Vec<_> = (0..=ROUNDS).map(|_| batch()).skip(1).collect();
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| rounds.iter().map(of).sum::<f64>() / ROUNDS as f64;
    let (ours, reference) = (mean(&|round| round.0), mean(&|round| round.1));
    report.at_least("batch", "keys/s in batches of 100 against a raw multi-get", ours, reference, 0.5);
}

struct Raw {
    keys: Vec<Vec<u8>>,
    bytes: usize,
    seconds: f64,
}

/// Beside the service, which goes on: a reader takes no lock.
fn open(service: &Service) -> DB {
    let mut table = BlockBasedOptions::default();
    let bytes = usize::try_from(BLOCK_CACHE_MIB << 20).unwrap();
    table.set_block_cache(&Cache::new_hyper_clock_cache(bytes, 4096));
    table.set_bloom_filter(10.0, false);
    table.set_cache_index_and_filter_blocks(true);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    DB::open_for_read_only(&options, service.dir.path().join("data/users/db"), false).unwrap()
}

fn export_raw(db: &DB) -> Raw {
    let mut reading = ReadOptions::default();
    reading.fill_cache(false);
    let (mut keys, mut bytes, mut count) = (Vec::new(), 0, 0);
    let begun = Instant::now();
    let mut rows = db.raw_iterator_opt(reading);
    rows.seek(ENTRIES);
    while let Some((key, value)) = rows.item() {
        bytes += key.len() + value.len();
        if count % SAMPLE == 0 {
            keys.push(key.to_vec());
        }
        count += 1;
        rows.next();
    }
    rows.status().unwrap();
    Raw { keys, bytes, seconds: begun.elapsed().as_secs_f64() }
}

/// Keys per second of one thread.
fn multi_get(db: &DB, keys: &[Vec<u8>]) -> f64 {
    let (begun, mut asked) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(SECONDS.into()) {
        let batch = (0..BATCH).map(|_| &keys[fastrand::usize(0..keys.len())]);
        for found in db.multi_get(batch) {
            assert!(found.unwrap().is_some());
            asked += 1;
        }
    }
    f64::from(asked) / begun.elapsed().as_secs_f64()
}

/// Seconds that the export of the whole view takes. What comes is not looked at before its end: how fast a client reads
/// lines is not the question, and it has to share the machine with the service.
fn export(address: &str, records: u64) -> f64 {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = "Host: bench\r\nConnection: close\r\nAccept: application/x-ndjson";
    write!(stream, "GET /v1/views/users/entries HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
    let (mut piece, mut tail) = (vec![0; 1 << 18], Vec::new());
    loop {
        let read = stream.read(&mut piece).unwrap();
        if read == 0 {
            break;
        }
        tail.extend_from_slice(&piece[read.saturating_sub(TAIL_BYTES)..read]);
        tail.drain(..tail.len().saturating_sub(TAIL_BYTES));
    }
    let seconds = begun.elapsed().as_secs_f64();
    let tail = String::from_utf8_lossy(&tail);
    let last = tail.lines().rfind(|line| line.starts_with("{\"end\"")).unwrap_or_default();
    let trailer: serde_json::Value = serde_json::from_str(last).unwrap_or_default();
    assert_eq!((&trailer["end"], &trailer["count"]), (&true.into(), &records.into()), "{trailer}");
    seconds
}

/// Keys per second of a client that asks for one batch after the other. wrk takes an eighth of the time for itself.
fn batches(address: &str, records: u64) -> f64 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let requests: Vec<String> = (0..REQUESTS).map(|_| request(records)).collect();
    let (mut answer, mut asked) = (vec![0; 1 << 20], 0);
    let begun = Instant::now();
    for request in
        requests.iter().cycle().take_while(|_| begun.elapsed() < Duration::from_secs(SECONDS.into()))
    {
        stream.write_all(request.as_bytes()).unwrap();
        let (mut read, mut whole) = (0, None);
        while whole != Some(read) {
            let more = stream.read(&mut answer[read..]).unwrap();
            assert!(more > 0, "the answer is cut off");
            read += more;
            whole = whole.or_else(|| answer_bytes(&answer[..read]));
        }
        // Once is enough: looking takes time.
        if asked == 0 {
            let found = String::from_utf8_lossy(&answer[..read]).matches("\"found\":true").count();
            assert_eq!(found, BATCH as usize);
        }
        asked += BATCH;
    }
    f64::from(asked) / begun.elapsed().as_secs_f64()
}

fn request(records: u64) -> String {
    let keys: Vec<String> = (0..BATCH).map(|_| format!("\"u{}\"", fastrand::u64(0..records))).collect();
    let body = format!("{{\"keys\":[{}]}}", keys.join(","));
    let head = format!("Host: bench\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
    format!("POST /v1/views/users/lookup HTTP/1.1\r\n{head}\r\n\r\n{body}")
}

/// Bytes of an answer, head and body, once its head has come.
fn answer_bytes(begun: &[u8]) -> Option<usize> {
    let end = begun.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&begun[..end]).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    Some(end + length.unwrap_or_else(|| panic!("{head}")).parse::<usize>().unwrap())
}
