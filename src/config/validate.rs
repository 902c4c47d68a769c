//! What types, shape and limits do not say: how values must fit the outside world and each other.

mod listen;
mod text;

use std::path::Path;

use super::merge::Sources;
use super::problem::Problems;
use super::properties;
use super::secret::Secret;
use super::sections::{Config, KafkaConfig, OpsConfig};
use super::text_file;

/// Longer than any token; keeps out a file given by mistake.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// Collects the problems of a typed configuration.
pub(super) struct Validation<'a> {
    sources: &'a Sources,
    problems: &'a mut Problems,
}

impl<'a> Validation<'a> {
    pub(super) fn new(sources: &'a Sources, problems: &'a mut Problems) -> Self {
        Self { sources, problems }
    }

    /// Checks the configuration and reads the files with secrets into it.
    pub(super) fn run(mut self, config: &mut Config) {
        if config.data_dir.as_os_str().is_empty() {
            self.wrong("data_dir", "must not be empty");
        }
        self.kafka(&config.kafka);
        let kafka = &mut config.kafka;
        self.secret("kafka.sasl_password", &mut kafka.sasl_password, kafka.sasl_password_file.as_deref());
        self.listeners(config);
        self.admin(&mut config.ops);
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

    /// Checks a secret that can be given as it is or in a file, and reads it from there.
    fn secret(&mut self, key: &str, secret: &mut Option<Secret>, file: Option<&Path>) {
        let file_key = format!("{key}_file");
        if secret.as_ref().is_some_and(|secret| secret.expose().is_empty()) {
            self.wrong(key, "must not be empty");
        }
        let Some(path) = file else { return };
        if secret.is_some() {
            self.wrong(&file_key, format!("and `{key}` are both set: keep one of the two"));
            return;
        }
        match text_file::read(path, SECRET_BYTES_MAX) {
            Ok(text) => {
                let text = text_file::without_newline(&text);
                if text.is_empty() {
                    self.wrong(&file_key, format!("{}: the file is empty", path.display()));
                }
                *secret = Some(Secret::from(text.to_owned()));
            }
            Err(what) => self.wrong(&file_key, format!("{}: {what}", path.display())),
        }
    }

    fn admin(&mut self, ops: &mut OpsConfig) {
        self.secret("ops.admin_token", &mut ops.admin_token, ops.admin_token_file.as_deref());
        if let Some(token) = &ops.admin_token {
            let key = if ops.admin_token_file.is_some() { "ops.admin_token_file" } else { "ops.admin_token" };
            self.check(key, text::token(token.expose()));
        }
        if ops.admin
            && ops.admin_token.is_none()
            && !self.concern(&["ops.admin_token", "ops.admin_token_file"])
        {
            self.check("ops.admin", listen::admin_only_from_here(ops.listen));
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
