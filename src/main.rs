//! The `statusquo` program.

use std::process::ExitCode;

/// Serves RocksDB and librdkafka too, because it takes the place of `malloc`; glibc's fragments under RocksDB.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    statusquo::cli::run(std::env::args_os())
}
