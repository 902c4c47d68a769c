//! The real binary under measurement.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::eventually::within;
use crate::machine;
use crate::process::{Process, scratch};

/// Partitions rebuilt at a time.
pub const PARALLEL: u32 = 4;

/// Holds all the profiles: the question is what a look-up costs, not how fast the disk is.
pub const BLOCK_CACHE_MIB: u64 = 768;

const DEADLINE: Duration = Duration::from_secs(240);

pub struct Service {
    pub dir: TempDir,
    pub process: Process,
    pub started: Instant,
    binary: PathBuf,
    config: PathBuf,
}

impl Service {
    pub fn start(bootstrap: &str, topic: &str) -> Self {
        Self::start_binary(Path::new(env!("CARGO_BIN_EXE_statusquo")), bootstrap, topic)
    }

    /// As [`Service::start`], of another version.
    pub fn start_binary(binary: &Path, bootstrap: &str, topic: &str) -> Self {
        let dir = scratch("bench");
        let config = dir.path().join("statusquo.toml");
        let data = dir.path().join("data");
        let text = format!(
            "data_dir = {data:?}\n[kafka]\nbootstrap = {bootstrap:?}\n[http]\nlisten = \"127.0.0.1:0\"\n[ops]\nlisten = \
             \"127.0.0.1:0\"\nadmin = true\n[rebuild]\nparallel = {PARALLEL}\n[store]\nblock_cache = \"{BLOCK_CACHE_MIB}MiB\"\n[views.users]\ntopic = {topic:?}\n"
        );
        fs::write(&config, text).unwrap();
        let (process, started) = spawn(binary, &config);
        Self { dir, process, started, binary: binary.to_owned(), config }
    }

    pub fn kill_and_start_again(&mut self) {
        self.process.kill();
        let _ = fs::remove_file(self.dir.path().join("data/listen.json"));
        (self.process, self.started) = spawn(&self.binary, &self.config);
    }

    pub fn address(&self, listener: &str) -> String {
        let path = self.dir.path().join("data/listen.json");
        within(DEADLINE, Duration::from_millis(1), || {
            let text = fs::read_to_string(&path).ok()?;
            let addresses: serde_json::Value = serde_json::from_str(&text).ok()?;
            Some(addresses[listener].as_str()?.to_owned())
        })
        .expect("the service tells its addresses")
    }

    /// Waits for `200` of `/readyz`; returns how long after the start that was.
    pub fn wait_until_ready(&self) -> Duration {
        let address = self.address("ops");
        within(DEADLINE, Duration::from_millis(2), || {
            get(&address, "/readyz").starts_with("HTTP/1.1 200").then_some(())
        })
        .expect("the service gets ready");
        self.started.elapsed()
    }

    /// Waits until nothing is flushed or compacted any more: a look-up then costs what it costs.
    pub fn wait_until_calm(&self) {
        let pid = self.process.id();
        let mut last = machine::cpu_seconds(pid);
        within(DEADLINE, Duration::from_secs(1), || {
            let before = std::mem::replace(&mut last, machine::cpu_seconds(pid));
            let calm = last - before <= 0.03 && self.metric("statusquo_view_pending_compaction_bytes") == 0;
            calm.then_some(())
        })
        .expect("the service calms down");
    }

    /// Records applied since the start of the process.
    pub fn records_applied(&self) -> u64 {
        self.metric("statusquo_view_applied_records_total")
    }

    fn metric(&self, name: &str) -> u64 {
        let scrape = get(&self.address("ops"), "/metrics");
        let found = scrape.lines().find(|line| line.starts_with(name));
        found.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("{scrape}"))
    }

    pub fn status(&self) -> serde_json::Value {
        let answer = get(&self.address("http"), "/v1/views/users/status");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_default()
    }

    pub fn wait_until_live(&self) {
        within(DEADLINE, Duration::from_millis(20), || (self.status()["state"] == "live").then_some(()))
            .expect("the view gets live");
    }
}

fn spawn(binary: &Path, config: &Path) -> (Process, Instant) {
    let log = fs::File::create(config.with_extension("log")).unwrap();
    let mut command = Command::new(binary);
    command.args(["serve", "--config"]).arg(config).stdout(Stdio::null()).stderr(log);
    let started = Instant::now();
    (Process::spawn(&mut command).unwrap(), started)
}

/// One request on a connection of its own; empty when that fails.
pub fn get(address: &str, path: &str) -> String {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"))
}

/// As [`get`], with a document.
pub fn post(address: &str, path: &str, document: &str) -> String {
    let length = document.len();
    let head = "Host: bench\r\nConnection: close\r\nContent-Type: application/json";
    exchange(
        address,
        &format!("POST {path} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{document}"),
    )
}

fn exchange(address: &str, request: &str) -> String {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().unwrap_or_default()
}
