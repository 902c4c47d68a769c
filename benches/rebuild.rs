//! A rebuild of the whole view while it serves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::load::PARTITIONS;
use crate::report::Report;
use crate::service::{PARALLEL, Service, post};
use crate::{machine, pace};

const PER_SECOND: u32 = 500;
const BEFORE: Duration = Duration::from_secs(8);
const POLL: Duration = Duration::from_millis(20);

/// Processor seconds of a second of serving, and the times of its look-ups.
fn serve(service: &Service, records: u64) -> (f64, Vec<Duration>) {
    let over = AtomicBool::new(false);
    let cpu = machine::cpu_seconds(service.process.id());
    let times = thread::scope(|scope| {
        let address = service.address("http");
        let over = &over;
        let clients = scope.spawn(move || pace::look_ups(&address, records, PER_SECOND, over));
        thread::sleep(BEFORE);
        over.store(true, Ordering::Relaxed);
        clients.join().unwrap()
    });
    ((machine::cpu_seconds(service.process.id()) - cpu) / BEFORE.as_secs_f64(), times)
}

/// Rebuilds all partitions under a fixed load; `restore_cpu` is what a record of the first restore cost, in us.
pub fn measure(service: &Service, records: u64, restore_cpu: f64, report: &mut Report) {
    service.wait_until_calm();
    let (idle, before) = serve(service, records);
    let store = service.dir.path().join("data/users/db");
    let disk = machine::data_bytes(&store);
    let generation = service.status()["generation"].as_u64().unwrap() + u64::from(PARTITIONS.unsigned_abs());
    let (pid, over) = (service.process.id(), AtomicBool::new(false));
    let (begun, cpu) = (Instant::now(), machine::cpu_seconds(pid));
    let (mut peak, mut seconds, mut spent) = (disk, 0.0, 0.0);
    let during = thread::scope(|scope| {
        let (address, over) = (service.address("http"), &over);
        let clients = scope.spawn(move || pace::look_ups(&address, records, PER_SECOND, over));
        let answer = post(&service.address("ops"), "/admin/v1/views/users/rebuild", "{}");
        assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        while service.status()["generation"].as_u64().unwrap() < generation {
            peak = peak.max(machine::data_bytes(&store));
            assert!(begun.elapsed() < Duration::from_secs(120), "{}", service.status());
            thread::sleep(POLL);
        }
        (seconds, spent) = (begun.elapsed().as_secs_f64(), machine::cpu_seconds(pid) - cpu);
        over.store(true, Ordering::Relaxed);
        clients.join().unwrap()
    });
    let extra = (spent - idle * seconds) / records as f64 * 1e6;
    report.at_most(
        "rebuild_cpu",
        "CPU us/record of a rebuild while serving against the restore",
        extra,
        restore_cpu,
        1.3,
    );
    let millis = |times: &[Duration]| pace::p99(times) * 1e3;
    report.at_most(
        "rebuild_p99",
        "p99 ms of 500 GET/s during the rebuild against before",
        millis(&during),
        millis(&before),
        3.0,
    );
    let room = f64::from(PARALLEL) / f64::from(PARTITIONS) + 0.2;
    report.at_most(
        "rebuild_disk",
        "extra data on disk at the peak against parallel/partitions + 0.2",
        peak as f64 / disk as f64 - 1.0,
        room,
        1.0,
    );
}
