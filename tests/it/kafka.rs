//! A real Apache Kafka for tests: one KRaft node on loopback, or three, and what a test does to them.

mod admin;
mod compaction;
mod install;
mod link;
mod log;
mod node;
mod ports;
mod producer;
mod record;
mod report;
mod tools;
mod topic;
mod transaction;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::BaseConsumer;

use crate::process::Signal;
pub use link::Link;
use node::{Member, Node};
#[allow(unused_imports, reason = "for listeners that a test adds")]
pub use ports::free_ports;
pub use producer::Partitioner;
#[allow(unused_imports, reason = "names what TestTopic::producer returns")]
pub use producer::TestProducer;
pub use record::{LogRecord, Record};
pub use topic::TestTopic;
#[allow(unused_imports, reason = "names what TestTopic::begin returns")]
pub use transaction::Transaction;

/// Bound on the start of a node: about 2 s alone, more when the machine compiles beside it.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// For nodes that tests kill: the controller forgets a killed broker after this time and not before, so the
/// default of 9 s is what a restart would take.
const SESSION: [(&str, &str); 2] =
    [("broker.session.timeout.ms", "2000"), ("broker.heartbeat.interval.ms", "500")];

/// Bound on one request of the fixture.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A Kafka node that belongs to the tests.
///
/// Order matters: fields drop from the top, and clients leave before the node they talk to.
pub struct TestKafka {
    admin: OnceLock<AdminClient<DefaultClientContext>>,
    observer: OnceLock<BaseConsumer>,
    bootstrap: String,
    nodes: Vec<Mutex<Node>>,
}

impl TestKafka {
    /// Returns the node that all tests of this process share; a test that stops its node starts its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<TestKafka> = OnceLock::new();
        report::used_by_this_test();
        SHARED.get_or_init(|| Self::launch(&[], false))
    }

    /// Starts a node of its own.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a node of its own with extra server properties; they win over those of the fixture.
    pub fn start_with(properties: &[(&str, &str)]) -> Self {
        report::used_by_this_test();
        Self::launch(&[&SESSION, properties].concat(), false)
    }

    /// Starts a node of its own that is reached by way of a link alone, once it was asked for its address.
    pub fn start_behind(link: &Link) -> Self {
        report::used_by_this_test();
        let advertised = format!("PLAINTEXT://{}", link.address());
        let nodes = Self::nodes(Member::of_cluster::<1>(), &[("advertised.listeners", &advertised)], false);
        link.lead_to(nodes[0].bootstrap());
        Self::run(nodes)
    }

    /// Starts a node of its own with a second listener that asks for a SCRAM user and grants what ACLs grant.
    pub fn start_secured() -> Self {
        report::used_by_this_test();
        Self::launch(&SESSION, true)
    }

    /// Starts a cluster of three nodes of its own, numbered from 1.
    pub fn start_three(properties: &[(&str, &str)]) -> Self {
        report::used_by_this_test();
        Self::launch_cluster(Member::of_cluster::<3>(), &[&SESSION, properties].concat(), false)
    }

    fn launch(properties: &[(&str, &str)], asks_for_users: bool) -> Self {
        Self::launch_cluster(Member::of_cluster::<1>(), properties, asks_for_users)
    }

    fn launch_cluster<const N: usize>(
        members: [Member; N],
        properties: &[(&str, &str)],
        asks_for_users: bool,
    ) -> Self {
        Self::run(Self::nodes(members, properties, asks_for_users))
    }

    fn nodes<const N: usize>(members: [Member; N], properties: &[(&str, &str)], users: bool) -> [Node; N] {
        members.map(|member| Node::create(&member, properties, users))
    }

    fn run<const N: usize>(mut nodes: [Node; N]) -> Self {
        nodes.iter_mut().for_each(Node::start);
        let bootstrap: Vec<_> = nodes.iter().map(Node::bootstrap).collect();
        let nodes = nodes.into_iter().map(Mutex::new).collect();
        let (admin, observer) = (OnceLock::new(), OnceLock::new());
        let kafka = Self { admin, observer, bootstrap: bootstrap.join(","), nodes };
        kafka.wait_until_it_answers();
        kafka
    }

    /// Returns `host:port` of the plain listener; the same for the whole life of the node.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Returns `host:port` of the listener that asks for a user.
    pub fn secured(&self) -> String {
        self.node().secured()
    }

    /// Makes a SCRAM user.
    pub fn add_user(&self, name: &str, password: &str) {
        let credentials = format!("SCRAM-SHA-512=[password={password}]");
        let user = ["--entity-type", "users", "--entity-name", name];
        self.configs(&[&["--alter", "--add-config", &credentials], &user[..]].concat());
    }

    /// Grants a user an operation on a resource, such as `--topic NAME`.
    pub fn grant(&self, user: &str, operation: &str, resource: [&str; 2]) {
        self.change_acl(&["--add"], user, operation, resource);
    }

    /// Takes back what was granted.
    pub fn revoke(&self, user: &str, operation: &str, resource: [&str; 2]) {
        self.change_acl(&["--remove", "--force"], user, operation, resource);
    }

    fn change_acl(&self, verb: &[&str], user: &str, operation: &str, resource: [&str; 2]) {
        let principal = format!("User:{user}");
        let rest = ["--allow-principal", &principal, "--operation", operation];
        self.acls(&[verb, &rest[..], &resource[..]].concat());
    }

    /// Starts to describe a topic; its name begins with `prefix` and is unique.
    pub fn topic(&self, prefix: &str) -> topic::TopicBuilder<'_> {
        topic::TopicBuilder::new(self, prefix)
    }

    /// Stops the node as an operator does, with SIGTERM, and waits until it is gone.
    pub fn stop(&self) {
        self.node().end(Signal::TERM);
    }

    /// Kills the node with SIGKILL and waits until it is gone.
    pub fn kill(&self) {
        self.node().end(Signal::KILL);
    }

    /// Starts a stopped or killed node again, on the same port with the same data, and waits until it answers.
    pub fn start_again(&self) {
        self.node().start();
        self.wait_until_it_answers();
    }

    /// Returns the id of the node's process.
    pub fn process_id(&self) -> u32 {
        self.node().process_id()
    }

    /// Returns the directory with all data of the node, to be touched while it is stopped.
    pub fn data_dir(&self) -> PathBuf {
        self.node().data_dir()
    }

    /// Returns the file with the first records of a partition, to be touched while the node is stopped.
    pub fn segment(&self, topic: &str, partition: i32) -> PathBuf {
        self.node().segment(topic, partition)
    }

    /// Freezes the node: connections stay open, nothing answers.
    pub fn suspend(&self) {
        self.node().signal(Signal::STOP);
    }

    /// Lets a suspended node go on.
    pub fn resume(&self) {
        self.node().signal(Signal::CONT);
    }

    /// Stops one node of a cluster and waits until it is gone.
    pub fn end_member(&self, id: i32, signal: Signal) {
        self.member(id).end(signal);
    }

    /// Starts a node of a cluster again; does not wait until it answers.
    pub fn start_member(&self, id: i32) {
        self.member(id).start();
    }

    fn node(&self) -> MutexGuard<'_, Node> {
        self.member(1)
    }

    fn member(&self, id: i32) -> MutexGuard<'_, Node> {
        let at = usize::try_from(id - 1).expect("a number of a node");
        self.nodes[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
