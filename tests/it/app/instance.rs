//! One process of the service: its directory, its configuration file, its log.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;
use toml::{Table, Value};

use crate::eventually::within;
use crate::process::{Process, Signal, last_lines, scratch};

/// Bound on the time from the start to both listeners.
const LISTEN_DEADLINE: Duration = Duration::from_secs(30);

/// Where the service listens, as it says in `listen.json`.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Addresses {
    pub http: SocketAddr,
    pub ops: SocketAddr,
}

/// How a service ended.
#[derive(Debug)]
pub struct Exit {
    /// The exit code; `None` if a signal ended the process.
    pub code: Option<i32>,
    /// Everything it logged.
    pub log: String,
}

/// A service that runs or can run.
pub struct Instance {
    directory: TempDir,
    data_dir: PathBuf,
    config: Table,
    environment: Vec<(String, String)>,
    soft_limit: Option<u32>,
    process: Option<Process>,
    addresses: Option<Addresses>,
}

impl Instance {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let directory = scratch("app-");
        let data_dir = directory.path().join("data");
        let config = Table::new();
        let mut instance = Self {
            directory,
            data_dir,
            config,
            environment: Vec::new(),
            soft_limit: None,
            process: None,
            addresses: None,
        };
        let group = format!("statusquo-test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        instance.set("data_dir", instance.data_dir.display().to_string());
        instance.set("kafka.group", group);
        instance.set("http.listen", "127.0.0.1:0");
        instance.set("ops.listen", "127.0.0.1:0");
        instance.set("log.format", "text");
        instance
    }

    /// Sets a key of the configuration; `path` is a dotted TOML key.
    pub fn set(&mut self, path: &str, value: impl Into<Value>) {
        // TOML itself knows how a dotted and quoted key reads.
        let line: Table = format!("{path} = {}", value.into()).parse().expect("a dotted key");
        merge(&mut self.config, line);
    }

    pub fn env(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub fn soft_limit(&mut self, descriptors: u32) {
        self.soft_limit = Some(descriptors);
    }

    pub fn process_id(&self) -> u32 {
        self.process.as_ref().expect("a service that runs").id()
    }

    pub fn use_data_dir(&mut self, path: &Path) {
        self.data_dir = path.to_owned();
        self.set("data_dir", path.display().to_string());
    }

    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    pub fn addresses(&self) -> Addresses {
        self.addresses.expect("a service that listens")
    }

    /// Starts the process and waits until it says where it listens.
    pub fn start(&mut self) {
        let listen = self.data_dir.join("listen.json");
        // One left behind by a killed process would name old ports.
        let _ = fs::remove_file(&listen);
        self.spawn();
        let found = within(LISTEN_DEADLINE, Duration::from_millis(10), || {
            let ended = self.process.as_mut().and_then(Process::exited);
            assert!(ended.is_none(), "the service ended: {ended:?}\n{}", self.last_words());
            serde_json::from_slice(&fs::read(&listen).ok()?).ok()
        });
        assert!(found.is_some(), "no listen.json within {LISTEN_DEADLINE:?}\n{}", self.last_words());
        self.addresses = found;
    }

    pub fn run_to_exit(&mut self, deadline: Duration) -> Exit {
        self.spawn();
        self.wait_for_exit(deadline)
    }

    pub fn terminate(&mut self, deadline: Duration) -> Exit {
        self.signal(Signal::TERM);
        self.wait_for_exit(deadline)
    }

    pub fn kill(&mut self) {
        self.process.take().expect("a service that runs").kill();
    }

    pub fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("a service that runs").signal(signal);
    }

    pub fn log_path(&self) -> PathBuf {
        self.directory.path().join("stderr.log")
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    pub fn last_words(&self) -> String {
        last_lines(&self.log_path(), 40)
    }

    fn spawn(&mut self) {
        assert!(self.process.is_none(), "the service runs already");
        let config = self.directory.path().join("statusquo.toml");
        fs::write(&config, toml::to_string(&self.config).expect("TOML")).expect("statusquo.toml");
        let log = File::options().create(true).append(true).open(self.log_path()).expect("stderr.log");
        let service = env!("CARGO_BIN_EXE_statusquo");
        let mut command = match self.soft_limit {
            None => Command::new(service),
            Some(descriptors) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -Sn {descriptors} && exec \"$@\""), "sh", service]);
                shell
            }
        };
        command.args(["serve", "--config"]).arg(config);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.directory.path());
        command.stdout(log.try_clone().expect("stderr.log")).stderr(log);
        self.process = Some(Process::spawn(&mut command).expect("the service's binary"));
        self.addresses = None;
    }

    pub fn wait_for_exit(&mut self, deadline: Duration) -> Exit {
        let status = self.process.as_mut().and_then(|process| process.wait_within(deadline));
        assert!(status.is_some(), "the service did not end within {deadline:?}\n{}", self.last_words());
        self.process = None;
        Exit { code: status.and_then(|status| status.code()), log: self.log() }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- last log lines of the service\n{}", self.last_words());
        }
    }
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}
