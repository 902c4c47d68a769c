//! The measurements.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::eventually::within;
use crate::kafka::{TestKafka, free_ports};
use crate::machine;
use crate::process::Process;
use crate::rebuild::{self, Source};
use crate::report::Report;
use crate::service::{BLOCK_CACHE_MIB, Service, get};
use crate::wrk;
use crate::{queries, watches};

/// Runs of the no-op consumer; the median counts.
const RUNS: usize = 3;
const WRK_SECONDS: u32 = 6;
const WRK_ROUNDS: usize = 3;
const WARM_UP_SECONDS: u32 = 15;

/// Restores the view from nothing, then looks keys up, rebuilds it, then restarts it.
pub fn all(kafka: &TestKafka, topic: &str, records: u64, report: &mut Report) {
    let noop = noop_consumer(kafka.bootstrap(), topic, records);
    let mut service = Service::start(kafka.bootstrap(), topic);
    let took = service.wait_until_ready();
    let pid = service.process.id();
    let (cpu, rss) = (machine::cpu_seconds(pid), machine::peak_rss(pid));
    let count = records as f64;
    report.at_least(
        "restore",
        "records/s against a no-op consumer",
        count / took.as_secs_f64(),
        count / noop.seconds,
        0.30,
    );
    report.at_most(
        "restore_cpu",
        "CPU us/record against a no-op consumer",
        cpu / count * 1e6,
        noop.cpu / count * 1e6,
        4.0,
    );
    look_ups(&service, records, report);
    let rss = rss.max(machine::peak_rss(pid));
    // Block cache, three memtables, fetch queue and two batches.
    let budget = (BLOCK_CACHE_MIB + 3 * 64 + 16 + 2 * 8) << 20;
    report.at_most("rss", "peak MiB against the configured budget", mib(rss), mib(budget), 1.5);
    let source = Source { kafka, topic, records };
    rebuild::measure(&service, source, cpu / count * 1e6, report);
    queries::measure(&service, records, report);
    watches::measure(kafka.bootstrap(), topic, &service, records, report);
    service.wait_until_live();
    service.kill_and_start_again();
    let ready = service.wait_until_ready();
    report.at_most(
        "restart",
        "seconds from kill -9 to ready against one second",
        ready.as_secs_f64(),
        1.0,
        1.0,
    );
    service.wait_until_live();
    let twice = service.records_applied() as f64;
    report.at_most("read_twice", "records read twice after kill -9, of all", twice, count, 0.000_001);
}

/// Only what is watched of a restored view.
pub fn watches_only(kafka: &TestKafka, topic: &str, records: u64, report: &mut Report) {
    let service = Service::start(kafka.bootstrap(), topic);
    service.wait_until_ready();
    watches::measure(kafka.bootstrap(), topic, &service, records, report);
}

/// Only batches and exports of a restored view.
pub fn queries_only(kafka: &TestKafka, topic: &str, records: u64, report: &mut Report) {
    let service = Service::start(kafka.bootstrap(), topic);
    service.wait_until_ready();
    queries::measure(&service, records, report);
}

/// Rebuilds the view, and nothing else.
pub fn rebuild(kafka: &TestKafka, topic: &str, records: u64, report: &mut Report) {
    let service = Service::start(kafka.bootstrap(), topic);
    service.wait_until_ready();
    let cpu = machine::cpu_seconds(service.process.id()) / records as f64 * 1e6;
    let source = Source { kafka, topic, records };
    rebuild::measure(&service, source, cpu, report);
}

struct Noop {
    seconds: f64,
    cpu: f64,
}

fn noop_consumer(bootstrap: &str, topic: &str, records: u64) -> Noop {
    let mut runs: Vec<Noop> = (0..RUNS)
        .map(|_| {
            let begun = Instant::now();
            let mut command = Command::new(std::env::current_exe().unwrap());
            let output = command.args(["noop-consumer", bootstrap, topic]).output().unwrap();
            let seconds = begun.elapsed().as_secs_f64();
            let text = String::from_utf8(output.stdout).unwrap();
            let words: Vec<&str> = text.split_whitespace().collect();
            assert_eq!(words[0], records.to_string(), "{}", String::from_utf8_lossy(&output.stderr));
            Noop { seconds, cpu: words[2].parse().unwrap() }
        })
        .collect();
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    runs.swap_remove(RUNS / 2)
}

/// Starts the server that looks nothing up; returns its address too.
pub fn noop_server() -> (Process, String) {
    let [port] = free_ports::<1>();
    let address = format!("127.0.0.1:{port}");
    let mut command = Command::new(std::env::current_exe().unwrap());
    let noop = Process::spawn(command.args(["noop-server", &address]).stdout(Stdio::null())).unwrap();
    within(Duration::from_secs(10), Duration::from_millis(5), || {
        (!get(&address, "/noop/views/users/keys/u1").is_empty()).then_some(())
    })
    .expect("the no-op server answers");
    (noop, address)
}

fn look_ups(service: &Service, records: u64, report: &mut Report) {
    let (noop, address) = noop_server();
    let (http, dir) = (service.address("http"), service.dir.path());
    let run = |seconds| wrk::look_ups(dir, &http, "v1", records, service.process.id(), seconds);
    let run_noop = |seconds| wrk::look_ups(dir, &address, "noop", records, noop.id(), seconds);
    service.wait_until_calm();
    // Until most of the profiles are in the cache.
    let _ = run(WARM_UP_SECONDS);
    let (reference, ours) = wrk::in_turn(WRK_ROUNDS, || run_noop(WRK_SECONDS), || run(WRK_SECONDS));
    report.at_least(
        "get",
        "requests/s of existing keys against a no-op handler",
        ours.per_second,
        reference.per_second,
        0.70,
    );
    report.at_most("get_cpu", "CPU us/look-up against a no-op handler", ours.cpu_us, reference.cpu_us, 1.7);
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
