//! What types, shape and limits do not say: how values must fit the outside world and each other.

mod listen;
mod text;

use super::merge::Sources;
use super::problem::Problems;
use super::properties;
use super::secret::Secret;
use super::sections::{Config, KafkaConfig};
use super::text_file;

/// Longer than any token; keeps out a file given by mistake.
const PASSWORD_BYTES_MAX: u64 = 64 * 1024;

/// Collects the problems of a typed configuration.
pub(super) struct Validation<'a> {
    sources: &'a Sources,
    problems: &'a mut Problems,
}

impl<'a> Validation<'a> {
    pub(super) fn new(sources: &'a Sources, problems: &'a mut Problems) -> Self {
        Self { sources, problems }
    }

    /// Checks the configuration and reads the file with the password into it.
    pub(super) fn run(mut self, config: &mut Config) {
        if config.data_dir.as_os_str().is_empty() {
            self.wrong("data_dir", "must not be empty");
        }
        self.kafka(&config.kafka);
        self.password(&mut config.kafka);
        self.listeners(config);
        self.check("log.level", text::log_filter(&config.log.level));
        for (name, view) in &config.views {
            self.check(&format!("views.{name}.topic"), text::topic(&view.topic));
            self.check(&format!("views.{name}.cache_control"), text::header(&view.cache_control));
        }
    }

    fn kafka(&mut self, kafka: &KafkaConfig) {
        self.check("kafka.bootstrap", text::bootstrap(&kafka.bootstrap));
        self.check("kafka.instance", text::name(&kafka.instance));
        self.check("kafka.group", kafka.group.as_deref().map_or(Ok(()), text::name));
        self.check("kafka.sasl_username", kafka.sasl_username.as_deref().map_or(Ok(()), text::name));
        for name in kafka.properties.keys() {
            if let Some(why) = properties::why_refused(name) {
                self.wrong(&format!("kafka.properties.{name}"), format!("is not yours to set: {why}"));
            }
        }
    }

    fn password(&mut self, kafka: &mut KafkaConfig) {
        if kafka.sasl_password.as_ref().is_some_and(|password| password.expose().is_empty()) {
            self.wrong("kafka.sasl_password", "must not be empty");
        }
        let Some(path) = &kafka.sasl_password_file else { return };
        if kafka.sasl_password.is_some() {
            self.wrong(
                "kafka.sasl_password_file",
                "and `kafka.sasl_password` are both set: keep one of the two",
            );
            return;
        }
        match text_file::read(path, PASSWORD_BYTES_MAX) {
            Ok(text) => {
                let without_newline = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n'));
                let password = without_newline.unwrap_or(&text);
                if password.is_empty() {
                    self.wrong("kafka.sasl_password_file", format!("{}: the file is empty", path.display()));
                }
                kafka.sasl_password = Some(Secret::from(password.to_owned()));
            }
            Err(what) => self.wrong("kafka.sasl_password_file", format!("{}: {what}", path.display())),
        }
    }

    fn listeners(&mut self, config: &Config) {
        let (http, ops) = (&config.http, &config.ops);
        if self.concern(&["http.listen", "ops.listen"]) {
            // One of them is a default now that nobody asked for.
            return;
        }
        if !http.allow_unauthenticated {
            self.check("http.listen", listen::only_from_here(http.listen));
        }
        self.check("ops.listen", listen::apart(http.listen, ops.listen));
    }

    fn concern(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.problems.concern(key))
    }

    fn check(&mut self, key: &str, result: Result<(), String>) {
        if let Err(what) = result {
            self.wrong(key, what);
        }
    }

    fn wrong(&mut self, key: &str, what: impl Into<String>) {
        self.problems.push(key, what, self.sources.of(key).map(str::to_owned));
    }
}
