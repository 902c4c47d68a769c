//! Kafka's own command-line tools, as an operator uses them.

use super::TestKafka;
use super::install::Install;

impl TestKafka {
    /// Runs `kafka-consumer-groups` with these arguments; returns what it prints.
    pub fn groups(&self, arguments: &[&str]) -> String {
        self.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", arguments)
    }

    /// Runs `kafka-configs`, which also manages SCRAM users.
    pub fn configs(&self, arguments: &[&str]) -> String {
        self.tool("kafka.admin.ConfigCommand", arguments)
    }

    /// Runs `kafka-acls`.
    pub fn acls(&self, arguments: &[&str]) -> String {
        self.tool("org.apache.kafka.tools.AclCommand", arguments)
    }

    fn tool(&self, class: &str, arguments: &[&str]) -> String {
        let mut java = Install::find().java(&["-Xmx256m"], "error", class);
        let output =
            java.args(["--bootstrap-server", self.bootstrap()]).args(arguments).output().expect("java");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        // The tools report many failures with exit code 0.
        let refused = printed.lines().any(|line| line.starts_with("Error"));
        assert!(output.status.success() && !refused, "{class} {arguments:?}\n{printed}\n{errors}");
        printed
    }
}
