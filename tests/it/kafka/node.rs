//! The process of one node: its directory, its ports, its life.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use uuid::Uuid;

use super::install::Install;
use super::ports::free_ports;
use crate::process::{Process, Signal, last_lines, scratch};

const PROPERTIES: &str = include_str!("../../kafka/server.properties");

/// Bound on a controlled shutdown; alone it takes 0.3 s.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// For a listener that asks for a SCRAM user; whoever comes by the plain one may do everything.
const SECURED: [&str; 5] = [
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users=User:ANONYMOUS",
    "sasl.enabled.mechanisms=SCRAM-SHA-512",
    "listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=\
     org.apache.kafka.common.security.scram.ScramLoginModule required;",
    "connection.failed.authentication.delay.ms=0",
];

pub struct Node {
    directory: TempDir,
    broker: u16,
    secured: u16,
    process: Option<Process>,
}

/// What one node has to know of its cluster.
pub struct Member {
    id: usize,
    controller: u16,
    voters: String,
    cluster_id: String,
}

impl Member {
    /// Returns the members of a new cluster, numbered from 1.
    pub fn of_cluster<const N: usize>() -> [Self; N] {
        let controllers = free_ports::<N>();
        let voters = (1..).zip(controllers).map(|(id, port)| format!("{id}@127.0.0.1:{port}"));
        let (voters, cluster_id) = (voters.collect::<Vec<_>>().join(","), cluster_id());
        std::array::from_fn(|at| Self {
            id: at + 1,
            controller: controllers[at],
            voters: voters.clone(),
            cluster_id: cluster_id.clone(),
        })
    }
}

impl Node {
    /// Makes the directory of a node, formatted for its cluster.
    pub fn create(member: &Member, properties: &[(&str, &str)], asks_for_users: bool) -> Self {
        let directory = scratch("kafka-");
        let [broker, secured] = free_ports();
        let (id, controller) = (member.id, member.controller);
        let logs = directory.path().join("logs");
        let mut listeners = format!("PLAINTEXT://127.0.0.1:{broker}");
        if asks_for_users {
            listeners += &format!(",SASL_PLAINTEXT://127.0.0.1:{secured}");
        }
        let mut lines = vec![
            PROPERTIES.to_owned(),
            format!("node.id={id}"),
            format!("controller.quorum.voters={}", member.voters),
            format!("listeners={listeners},CONTROLLER://127.0.0.1:{controller}"),
            format!("advertised.listeners={listeners}"),
            format!("log.dirs={}", logs.display()),
        ];
        lines.extend(SECURED.iter().filter(|_| asks_for_users).map(|line| (*line).to_owned()));
        lines.extend(properties.iter().map(|(name, value)| format!("{name}={value}")));
        fs::write(directory.path().join("server.properties"), lines.join("\n")).expect("server.properties");

        // What `kafka-storage format` does, without starting a JVM for it.
        fs::create_dir(&logs).expect("a log directory");
        fs::copy(Install::find().checkpoint(), logs.join("bootstrap.checkpoint"))
            .expect("bootstrap.checkpoint");
        let meta = format!("version=1\ncluster.id={}\nnode.id={id}\n", member.cluster_id);
        fs::write(logs.join("meta.properties"), meta).expect("meta.properties");
        Self { directory, broker, secured, process: None }
    }

    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.broker)
    }

    /// Returns `host:port` of the listener that asks for a user.
    pub fn secured(&self) -> String {
        format!("127.0.0.1:{}", self.secured)
    }

    /// Starts the JVM; does not wait until it answers.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "the node runs already");
        let log = File::options().create(true).append(true).open(self.log()).expect("kafka.log");
        let mut java = Install::find().java(&["-Xms128m", "-Xmx384m"], "warn", "kafka.Kafka");
        java.arg(self.directory.path().join("server.properties"));
        java.stdout(log.try_clone().expect("kafka.log")).stderr(log);
        self.process = Some(Process::spawn(&mut java).expect("java"));
    }

    /// Ends the JVM with a signal and waits until it is gone.
    pub fn end(&mut self, signal: Signal) {
        let mut process = self.process.take().expect("a node that runs");
        process.signal(signal);
        let ended = process.wait_within(STOP_DEADLINE);
        assert!(ended.is_some(), "the node did not stop within {STOP_DEADLINE:?}\n{}", self.last_words());
    }

    pub fn signal(&self, signal: Signal) {
        self.running().signal(signal);
    }

    pub fn process_id(&self) -> u32 {
        self.running().id()
    }

    fn running(&self) -> &Process {
        self.process.as_ref().expect("a node that runs")
    }

    /// Panics with the end of its log if the JVM has ended by itself.
    pub fn assert_alive(&mut self) {
        let Some(process) = &mut self.process else { return };
        let ended = process.exited();
        assert!(ended.is_none(), "the node ended by itself: {ended:?}\n{}", self.last_words());
    }

    pub fn last_words(&self) -> String {
        last_lines(&self.log(), 40)
    }

    /// Returns the directory with all its data, to be touched while it is stopped.
    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("logs")
    }

    /// Returns the file with the first records of a partition.
    pub fn segment(&self, topic: &str, partition: i32) -> PathBuf {
        self.data_dir().join(format!("{topic}-{partition}/00000000000000000000.log"))
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("kafka.log")
    }
}

/// Returns 16 random bytes the way Kafka prints ids.
fn cluster_id() -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes())
}
