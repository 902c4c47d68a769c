//! The measurements.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::eventually::within;
use crate::kafka::{TestKafka, free_ports};
use crate::machine;
use crate::process::Process;
use crate::report::Report;
use crate::service::{BLOCK_CACHE_MIB, Service, get};

/// Runs of the no-op consumer; the median counts.
const RUNS: usize = 3;
const WRK_SECONDS: &str = "8";

/// Restores the view from nothing, then looks keys up, then restarts it.
pub fn restore(kafka: &TestKafka, topic: &str, records: u64, report: &mut Report) {
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

fn look_ups(service: &Service, records: u64, report: &mut Report) {
    let [port] = free_ports::<1>();
    let address = format!("127.0.0.1:{port}");
    let mut command = Command::new(std::env::current_exe().unwrap());
    let _noop = Process::spawn(command.args(["noop-server", &address]).stdout(Stdio::null())).unwrap();
    within(Duration::from_secs(10), Duration::from_millis(5), || {
        (!get(&address, "/noop/views/users/keys/u1").is_empty()).then_some(())
    })
    .expect("the no-op server answers");
    let run = |address: &str, root: &str| {
        let script = service.dir.path().join(format!("{root}.lua"));
        fs::write(&script, random_keys(root, records)).unwrap();
        wrk(address, script.to_str().unwrap())
    };
    let ours = service.address("http");
    // In turn, so that a machine whose speed drifts slows both.
    let (a, b) = (run(&address, "noop"), run(&ours, "v1"));
    let (c, d) = (run(&address, "noop"), run(&ours, "v1"));
    report.at_least(
        "get",
        "requests/s of existing keys against a no-op handler",
        (b + d) / 2.0,
        (a + c) / 2.0,
        0.70,
    );
}

/// A script for wrk that asks for random keys below `root`.
fn random_keys(root: &str, records: u64) -> String {
    format!(
        "local n = 0\nfunction setup(thread) n = n + 1; thread:set(\"id\", n) end\nfunction init() \
         math.randomseed(id) end\nfunction request() return wrk.format(\"GET\", \"/{root}/views/users/keys/u\" .. \
         math.random(0, {})) end\n",
        records - 1
    )
}

/// Requests per second; fails when any answer was not 2xx.
fn wrk(address: &str, script: &str) -> f64 {
    let url = format!("http://{address}");
    let arguments = ["-t1", "-c32", "-d", WRK_SECONDS, "-s", script, &url];
    let output =
        Command::new("wrk").args(arguments).output().expect("wrk is installed (make bench installs it)");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("Non-2xx"), "{text}");
    let line =
        text.lines().find(|line| line.starts_with("Requests/sec:")).unwrap_or_else(|| panic!("{text}"));
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
