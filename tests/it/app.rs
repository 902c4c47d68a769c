//! The service under test: its real binary, its configuration, its answers.

mod builder;
mod claims;
mod compare;
mod facts;
mod http;
mod instance;
mod onlookers;
mod watcher;

pub use builder::AppBuilder;
pub use http::{Connection, Response};
pub use instance::Exit;
pub use onlookers::versioned;
pub use watcher::{Watcher, Watching};

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::eventually::within;
use crate::kafka::{LogRecord, TestKafka};
use crate::process::Signal;
use instance::Instance;

/// Bound on restoring the topics of a test.
const RESTORE_DEADLINE: Duration = Duration::from_secs(60);

/// Bound on a clean stop; the service's own grace is 25 s.
const STOP_DEADLINE: Duration = Duration::from_secs(40);

/// A running service.
pub struct TestApp<'k> {
    kafka: &'k TestKafka,
    /// Topic by view.
    views: BTreeMap<String, String>,
    instance: Instance,
}

impl<'k> TestApp<'k> {
    /// Starts to describe a service that reads from a node.
    pub fn builder(kafka: &'k TestKafka) -> AppBuilder<'k> {
        AppBuilder::new(kafka)
    }

    /// Waits until every view is restored; see [`wait_until_restored`](Self::wait_until_restored).
    pub fn restored(self) -> Self {
        self.wait_until_restored();
        self
    }

    /// Waits until every partition of every view is live, without lag, at the topic's real end offset.
    pub fn wait_until_restored(&self) {
        let restored = within(RESTORE_DEADLINE, Duration::from_millis(50), || {
            self.views.iter().all(|(view, topic)| self.is_restored(view, topic)).then_some(())
        });
        assert!(restored.is_some(), "not restored within {RESTORE_DEADLINE:?}\n{}", self.describe());
    }

    /// Waits until a view has applied a record.
    pub fn wait_until_applied(&self, view: &str, record: &LogRecord) {
        let applied = within(RESTORE_DEADLINE, Duration::from_millis(20), || {
            self.position(view, record.partition).filter(|position| *position > record.offset)
        });
        assert!(applied.is_some(), "offset {} was not applied\n{}", record.offset, self.describe());
    }

    /// Looks a key up as UTF-8.
    pub fn get(&self, view: &str, key: impl AsRef<[u8]>) -> Response {
        self.get_raw(compare::key_path(view, key.as_ref()))
    }

    /// Sends a GET whose target reaches the service byte for byte.
    pub fn get_raw(&self, target: impl AsRef<[u8]>) -> Response {
        self.connect().get(target)
    }

    /// Sends any request to the data listener.
    pub fn request(
        &self,
        method: &str,
        target: impl AsRef<[u8]>,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        self.connect().request(method, target, headers, body).expect("an answer of the data listener")
    }

    /// Sends a GET to the ops listener.
    pub fn get_ops(&self, target: &str) -> Response {
        Connection::open(self.instance.addresses().ops).expect("the ops listener").get(target)
    }

    /// Returns the address of the data listener.
    pub fn http_address(&self) -> SocketAddr {
        self.instance.addresses().http
    }

    /// Returns the id of the service's process.
    pub fn process_id(&self) -> u32 {
        self.instance.process_id()
    }

    /// Returns the address of the data listener, for commands.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.instance.addresses().http)
    }

    /// Sends a request with a JSON body to the ops listener.
    pub fn request_ops(&self, method: &str, target: &str, body: &[u8]) -> Response {
        let mut connection = Connection::open(self.instance.addresses().ops).expect("the ops listener");
        let headers = [("Content-Type", "application/json")];
        connection.request(method, target, &headers, body).expect("an answer of the ops listener")
    }

    /// Returns the address of the ops listener, for commands.
    pub fn ops_url(&self) -> String {
        format!("http://{}", self.instance.addresses().ops)
    }

    /// Returns the address of the ops listener.
    pub fn ops_address(&self) -> SocketAddr {
        self.instance.addresses().ops
    }

    /// Returns the address of the data listener, for commands.
    pub fn url(&self) -> String {
        format!("http://{}", self.instance.addresses().http)
    }

    /// Opens a connection to the data listener.
    pub fn connect(&self) -> Connection {
        Connection::open(self.instance.addresses().http).expect("the data listener")
    }

    /// Returns the status of a view.
    pub fn status(&self, view: &str) -> Value {
        let response = self.get_raw(format!("/v1/views/{view}/status"));
        assert_eq!(response.status, 200, "status of {view}: {}", response.text());
        response.json()
    }

    /// Returns the next offset to read of a partition, as the status tells it.
    pub fn position(&self, view: &str, partition: i32) -> Option<i64> {
        partition_status(&self.status(view), partition)?.get("position")?.as_i64()
    }

    /// Kills the service with SIGKILL.
    pub fn kill(&mut self) {
        self.instance.kill();
    }

    /// Sends SIGTERM and waits for the end of the process.
    pub fn terminate(&mut self) -> Exit {
        self.instance.terminate(STOP_DEADLINE)
    }

    /// Waits for the end of a process that was asked to stop.
    pub fn wait_for_exit(&mut self) -> Exit {
        self.instance.wait_for_exit(STOP_DEADLINE)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.instance.signal(signal);
    }

    /// Starts the service again on the same data directory, with the settings as they are now.
    pub fn start_again(&mut self) {
        self.instance.start();
    }

    /// Changes a setting for the next start.
    pub fn set(&mut self, path: &str, value: impl Into<toml::Value>) {
        self.instance.set(path, value);
    }

    /// Returns the directory that holds the views.
    pub fn data_dir(&self) -> &Path {
        self.instance.data_dir()
    }

    /// Returns the file with everything the service logged.
    pub fn log_path(&self) -> PathBuf {
        self.instance.log_path()
    }

    /// Returns everything the service logged.
    pub fn log(&self) -> String {
        self.instance.log()
    }

    fn is_restored(&self, view: &str, topic: &str) -> bool {
        let response = self.get_raw(format!("/v1/views/{view}/status"));
        if response.status != 200 {
            return false;
        }
        let status = response.json();
        self.kafka.end_offsets(topic).iter().all(|(partition, end)| {
            partition_status(&status, *partition).is_some_and(|partition| {
                let reached = partition["position"].as_i64().is_some_and(|position| position >= *end);
                reached && partition["state"] == "live" && partition["lag"] == 0
            })
        })
    }

    /// Tells what the service says about itself: the status of every view and the end of the log.
    fn describe(&self) -> String {
        let mut text = String::new();
        for (view, topic) in &self.views {
            let status = self.get_raw(format!("/v1/views/{view}/status"));
            let _ = writeln!(text, "end offsets of {topic}: {:?}", self.kafka.end_offsets(topic));
            let _ = writeln!(text, "status of {view}: {} {}", status.status, status.text());
        }
        text + "last log lines:\n" + &self.instance.last_words()
    }
}

fn partition_status(status: &Value, partition: i32) -> Option<&Value> {
    status["partitions"].as_array()?.iter().find(|each| each["partition"] == partition)
}
