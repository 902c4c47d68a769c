//! Loading as a whole: precedence, types, and where values come from.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

mod problems;
mod shipped_file;

const SMALLEST: &str = "[kafka]\nbootstrap = \"127.0.0.1:9092\"\n[views.users]\ntopic = \"user-profiles\"\n";

/// What a process starts with: files, environment variables and flags.
#[derive(Default)]
struct Start {
    directory: Option<TempDir>,
    files: Vec<PathBuf>,
    variables: Vec<(String, String)>,
    flags: Vec<(String, String)>,
}

impl Start {
    fn with(text: &str) -> Self {
        Self::default().file("statusquo.toml", text)
    }

    fn file(mut self, name: &str, text: &str) -> Self {
        let path = self.directory.get_or_insert_with(|| tempfile::tempdir().unwrap()).path().join(name);
        std::fs::write(&path, text).unwrap();
        self.files.push(path);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn flag(mut self, key: &str, value: &str) -> Self {
        self.flags.push((key.to_owned(), value.to_owned()));
        self
    }

    fn load(&self) -> Result<Loaded, Problems> {
        load(&self.files, self.variables.iter().cloned(), &self.flags)
    }

    fn config(&self) -> Config {
        self.load().unwrap_or_else(|problems| panic!("{problems}")).into_config()
    }

    /// Returns the lines about problems, the directory of the test left out.
    fn problems(&self) -> Vec<String> {
        let text = self.load().map(|_| ()).unwrap_err().to_string();
        let text = match &self.directory {
            Some(directory) => text.replace(&format!("{}/", directory.path().display()), ""),
            None => text,
        };
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        assert!(lines.pop().unwrap().contains("in the configuration: correct"), "{text}");
        lines
    }
}

#[test]
fn the_smallest_useful_file_loads_and_the_rest_has_defaults() {
    let config = Start::with(SMALLEST).config();

    assert_eq!(config.kafka.bootstrap, "127.0.0.1:9092");
    assert_eq!(config.views["users"].topic, "user-profiles");
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert!(config.views["users"].required);
}

#[test]
fn later_sources_go_over_earlier_ones_and_are_remembered() {
    let start = Start::with(SMALLEST)
        .file(
            "more.toml",
            "[http]\nlisten = \"127.0.0.1:1\"\nconnections_max = 1\n[batch]\nrecords_max = 1\n",
        )
        .variable("STATUSQUO__HTTP__LISTEN", "127.0.0.1:2")
        .variable("STATUSQUO__HTTP__CONNECTIONS_MAX", "2")
        .flag("http.listen", "127.0.0.1:3");
    let loaded = start.load().unwrap();

    assert_eq!(loaded.config().http.listen.port(), 3);
    assert_eq!(loaded.config().http.connections_max, 2);
    assert_eq!(loaded.config().batch.records_max, 1);
    assert_eq!(loaded.config().kafka.bootstrap, "127.0.0.1:9092");
    assert_eq!(loaded.sources().of("http.listen"), Some("flag --set http.listen"));
    let variable = "environment variable STATUSQUO__HTTP__CONNECTIONS_MAX";
    assert_eq!(loaded.sources().of("http.connections_max"), Some(variable));
    assert!(loaded.sources().of("batch.records_max").unwrap().ends_with("more.toml"));
    assert_eq!(loaded.sources().of("http.request_timeout"), None);
}

#[test]
fn every_type_can_be_set_from_the_environment() {
    let config = Start::with(SMALLEST)
        .variable("STATUSQUO__MIRROR__ENABLED", "false")
        .variable("STATUSQUO__STORE__WRITE_BUFFERS", "4")
        .variable("STATUSQUO__STORE__BLOCK_CACHE", "1GiB")
        .variable("STATUSQUO__KAFKA__QUEUE", "1048576")
        .variable("STATUSQUO__SHUTDOWN__GRACE", "1m 30s")
        .variable("STATUSQUO__LOG__FORMAT", "json")
        .variable("STATUSQUO__VIEWS__USERS__KEY", "i64")
        .config();

    assert!(!config.mirror.enabled);
    assert_eq!(config.store.write_buffers, 4);
    assert_eq!(config.store.block_cache.as_u64(), 1 << 30);
    assert_eq!(config.kafka.queue.as_u64(), 1 << 20);
    assert_eq!(config.shutdown.grace.as_secs(), 90);
    assert_eq!(config.log.format, sections::LogFormat::Json);
    assert_eq!(config.views["users"].key, sections::KeyFormat::I64);
}

#[test]
fn text_from_the_environment_is_never_taken_for_a_number() {
    let config = Start::default()
        .variable("STATUSQUO__KAFKA__BOOTSTRAP", "kafka:9092")
        .variable("STATUSQUO__KAFKA__SASL_PASSWORD", "1e5")
        .variable("STATUSQUO__VIEWS__USERS__TOPIC", "007")
        .config();

    assert_eq!(config.views["users"].topic, "007");
    assert_eq!(config.kafka.sasl_password.unwrap().expose(), "1e5");
}

#[test]
fn yaml_is_read_by_the_name_of_the_file_and_an_empty_section_wipes_nothing_out() {
    let config =
        Start::with(SMALLEST).file("more.yml", "kafka:\nhttp:\n  connections_max: 7\n  listen:\n").config();

    assert_eq!(config.http.connections_max, 7);
    assert_eq!(config.kafka.bootstrap, "127.0.0.1:9092");
}

#[test]
fn what_kubernetes_injects_and_what_is_empty_is_ignored() {
    let config = Start::with(SMALLEST)
        .variable("STATUSQUO_PORT", "tcp://10.0.0.1:8080")
        .variable("STATUSQUO_SERVICE_HOST", "10.0.0.1")
        .variable("STATUSQUO__HTTP__LISTEN", "")
        .config();

    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn librdkafka_properties_come_from_every_source() {
    let config = Start::with(&format!(
        "{SMALLEST}[kafka.properties]\n\"security.protocol\" = \"PLAINTEXT\"\n\"socket.timeout.ms\" = 1000\n\
         \"socket.nagle.disable\" = true\n"
    ))
    .variable("STATUSQUO__KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SSL")
    .variable("STATUSQUO__KAFKA__PROPERTIES__LOG_LEVEL", "7")
    .flag("kafka.properties.ssl.ca.location", "/ca.pem")
    .config();

    let properties: Vec<_> = config.kafka.properties.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        properties,
        [
            "log_level=7",
            "security.protocol=SSL",
            "socket.nagle.disable=true",
            "socket.timeout.ms=1000",
            "ssl.ca.location=/ca.pem",
        ]
    );
}

#[test]
fn a_view_with_a_dash_is_found_by_a_variable_with_an_underscore() {
    let views = "[kafka]\nbootstrap = \"kafka:9092\"\n[views.user-profiles]\ntopic = \"a\"\n";
    let config = Start::with(views).variable("STATUSQUO__VIEWS__USER_PROFILES__TOPIC", "b").config();

    assert_eq!(config.views.keys().map(ViewName::as_str).collect::<Vec<_>>(), ["user-profiles"]);
    assert_eq!(config.views["user-profiles"].topic, "b");
}

#[test]
fn the_password_comes_from_a_file_without_its_newline() {
    let start = Start::with(SMALLEST).file("password", "hun\nter2\n\n");
    let path = start.directory.as_ref().unwrap().path().join("password");
    let mut start = start.flag("kafka.sasl_password_file", path.to_str().unwrap());
    start.files.pop();

    assert_eq!(start.config().kafka.sasl_password.unwrap().expose(), "hun\nter2\n");
}

#[test]
fn no_secret_is_in_a_debug_form_or_a_problem() {
    let start = Start::with(&format!("{SMALLEST}[kafka.properties]\n\"ssl.key.pem\" = \"hunter2\"\n"))
        .variable("STATUSQUO__KAFKA__PROPERTIES__SSL_KEY_PASSWORD", "hunter2")
        .flag("kafka.sasl_password", "hunter2");

    let debug = format!("{:?}", start.load().unwrap());
    assert!(!debug.contains("hunter2") && debug.contains("ssl.key.pem"), "{debug}");

    let problems = start
        .variable("STATUSQUO__KAFKA__PASSWORD", "hunter2")
        .flag("kafka.properties.sasl.password", "hunter2")
        .flag("kafka.properties.sasl.jaas.config", "hunter2")
        .problems();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(!problems.join("\n").contains("hunter2"), "{problems:?}");
}

#[test]
fn another_address_than_loopback_needs_a_word() {
    let config = Start::with(SMALLEST)
        .flag("http.listen", "0.0.0.0:8080")
        .flag("http.allow_unauthenticated", "true")
        .flag("ops.listen", "0.0.0.0:8081")
        .config();

    assert_eq!(config.http.listen.to_string(), "0.0.0.0:8080");
}

#[test]
fn two_views_of_one_topic_are_fine() {
    let config = Start::with(&format!("{SMALLEST}[views.people]\ntopic = \"user-profiles\"\n")).config();

    assert_eq!(config.views.len(), 2);
}
