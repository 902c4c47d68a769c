//! A rebuild of the whole view while it serves.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::kafka::TestKafka;
use crate::load::PARTITIONS;
use crate::report::Report;
use crate::service::{PARALLEL, Service, post};
use crate::{machine, pace};

const PER_SECOND: u32 = 500;
const BEFORE: Duration = Duration::from_secs(8);
const POLL: Duration = Duration::from_millis(20);

/// Where the records come from.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub kafka: &'a TestKafka,
    pub topic: &'a str,
    pub records: u64,
}

/// The times of look-ups at the fixed rate while `beside` runs, and what that returns.
fn look_ups<T>(service: &Service, records: u64, beside: impl FnOnce() -> T) -> (Vec<Duration>, T) {
    let (address, over) = (service.address("http"), AtomicBool::new(false));
    thread::scope(|scope| {
        let clients = scope.spawn(|| pace::look_ups(&address, records, PER_SECOND, &over));
        let done = beside();
        over.store(true, Ordering::Relaxed);
        (clients.join().unwrap(), done)
    })
}

/// Has a consumer that does nothing read the topic as fast as a rebuild does.
fn consume(source: Source<'_>, per_second: f64) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["noop-consumer", source.kafka.bootstrap(), source.topic, &per_second.to_string()]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What a rebuild under load came to.
struct Run {
    before: Vec<Duration>,
    during: Vec<Duration>,
    beside: Vec<Duration>,
    /// Processor seconds of the service beyond what it uses for look-ups.
    extra_cpu: f64,
    /// Bytes of data on the disk before it, and at its peak.
    disk: u64,
    peak: u64,
}

/// Rebuilds all partitions under a fixed load; `restore_cpu` is what a record of the first restore cost, in us.
///
/// The broker stands for one on other machines. It leaves the first processor alone meanwhile, as a rebuild does:
/// otherwise most of what look-ups wait for is the broker.
pub fn measure(service: &Service, source: Source<'_>, restore_cpu: f64, report: &mut Report) {
    service.wait_until_calm();
    let broker = source.kafka.process_id();
    let run = machine::off_the_first_processor(broker, || run(service, source));
    report.at_most(
        "rebuild_cpu",
        "CPU us/record of a rebuild while serving against the restore",
        run.extra_cpu / source.records as f64 * 1e6,
        restore_cpu,
        1.3,
    );
    let millis = |times: &[Duration]| pace::p99(times) * 1e3;
    report.at_most(
        "rebuild_p99",
        "p99 ms of 500 GET/s during the rebuild against before",
        millis(&run.during),
        millis(&run.before),
        3.0,
    );
    // What broker and client alone make of it on this machine.
    report.at_most(
        "rebuild_beside",
        "p99 ms of 500 GET/s during the rebuild against beside a no-op consumer as fast",
        millis(&run.during),
        millis(&run.beside),
        1.5,
    );
    let room = f64::from(PARALLEL) / f64::from(PARTITIONS) + 0.2;
    report.at_most(
        "rebuild_disk",
        "extra data on disk at the peak against parallel/partitions + 0.2",
        run.peak as f64 / run.disk as f64 - 1.0,
        room,
        1.0,
    );
}

fn run(service: &Service, source: Source<'_>) -> Run {
    let (records, pid) = (source.records, service.process.id());
    let cpu = machine::cpu_seconds(pid);
    let (before, ()) = look_ups(service, records, || thread::sleep(BEFORE));
    let idle = (machine::cpu_seconds(pid) - cpu) / BEFORE.as_secs_f64();
    let store = service.dir.path().join("data/users/db");
    let (disk, cpu) = (machine::data_bytes(&store), machine::cpu_seconds(pid));
    // What is compacted afterwards counts as well.
    let (peak, (during, seconds, spent)) = most_bytes(&store, || {
        let (during, seconds) = look_ups(service, records, || rebuild(service));
        let spent = machine::cpu_seconds(pid) - cpu;
        service.wait_until_calm();
        (during, seconds, spent)
    });
    let pace = records as f64 / seconds;
    let (beside, ()) = look_ups(service, records, || consume(source, pace));
    Run { before, during, beside, extra_cpu: spent - idle * seconds, disk, peak }
}

/// Rebuilds all partitions; returns how many seconds it took.
fn rebuild(service: &Service) -> f64 {
    let generation = service.status()["generation"].as_u64().unwrap() + u64::from(PARTITIONS.unsigned_abs());
    let begun = Instant::now();
    let answer = post(&service.address("ops"), "/admin/v1/views/users/rebuild", "{}");
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    while service.status()["generation"].as_u64().unwrap() < generation {
        assert!(begun.elapsed() < Duration::from_secs(120), "{}", service.status());
        thread::sleep(POLL);
    }
    begun.elapsed().as_secs_f64()
}

/// Returns the most bytes of data there were on the disk while `act` ran, and what that returns.
fn most_bytes<T>(store: &Path, act: impl FnOnce() -> T) -> (u64, T) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut peak = 0;
            while !over.load(Ordering::Relaxed) {
                peak = peak.max(machine::data_bytes(store));
                thread::sleep(POLL);
            }
            peak
        });
        let done = act();
        over.store(true, Ordering::Relaxed);
        (watch.join().unwrap(), done)
    })
}
