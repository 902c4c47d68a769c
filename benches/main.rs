//! The figures of the service, as ratios from one run on one machine: `make bench`.
//!
//! Every row compares a figure of ours with a reference measured in the same run: a consumer that does nothing
//! with what it fetches, a handler that looks nothing up behind the same server, the configured memory budget.
//! `cargo bench --bench measure -- rebuild` measures the rebuild alone; so do `queries` and `watches`.
//! `make bench-unchanged` compares look-ups with those of an earlier binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a measurement that meets the unexpected stops, and says where"
)]

use std::path::Path;

mod load;
mod machine;
mod measure;
mod noop;
mod pace;
mod queries;
mod rebuild;
mod report;
mod service;
mod unchanged;
mod watches;
mod wrk;

/// What the integration tests are made of.
#[allow(dead_code, unused_imports, reason = "shared with the integration tests")]
#[path = "../tests/it"]
mod harness {
    pub mod eventually;
    pub mod fold;
    pub mod kafka;
    pub mod process;
}

use harness::{eventually, fold, kafka, process};
use kafka::TestKafka;
use report::Report;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.get(1..) {
        Some(["noop-consumer", bootstrap, topic, pace @ ..]) => {
            noop::consume(bootstrap, topic, pace.first().and_then(|pace| pace.parse().ok()));
        }
        // By hand, to look at the service under a profiler.
        Some(["load", bootstrap, topic, count]) => load::fill(bootstrap, topic, count.parse().unwrap()),
        Some(["noop-server", address]) => noop::serve(address),
        // By hand, in a minute.
        Some(["watches"]) => run(200_000, measure::watches_only),
        Some(["queries"]) => run(2_000_000, measure::queries_only),
        Some(["rebuild", ..]) => run(1_000_000, measure::rebuild),
        Some(["unchanged", before, ..]) => run(1_000_000, |kafka, topic, records, report| {
            unchanged::measure(kafka.bootstrap(), topic, records, Path::new(before), report);
        }),
        _ => run(2_000_000, measure::all),
    }
}

fn run(records: u64, measure: impl Fn(&TestKafka, &str, u64, &mut Report)) {
    let records: u64 =
        std::env::var("BENCH_RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(records);
    let kafka = TestKafka::start();
    eprintln!("loading {records} profiles ...");
    let topic = load::profiles(&kafka, records);
    let mut report = Report::default();
    measure(&kafka, topic.name(), records, &mut report);
    report.print();
    report.write();
}
