//! Describes a service before it starts.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::TestApp;
use super::instance::{Exit, Instance};
use crate::kafka::{TestKafka, TestTopic};

/// Describes a service: its views and settings.
pub struct AppBuilder<'k> {
    kafka: &'k TestKafka,
    views: BTreeMap<String, String>,
    instance: Instance,
}

impl<'k> AppBuilder<'k> {
    pub(super) fn new(kafka: &'k TestKafka) -> Self {
        let mut instance = Instance::new();
        instance.set("kafka.bootstrap", kafka.bootstrap());
        Self { kafka, views: BTreeMap::new(), instance }
    }

    /// Adds a view of a topic.
    pub fn view(self, view: &str, topic: &TestTopic<'_>) -> Self {
        self.view_of(view, topic.name())
    }

    /// Adds a view of a topic that may not exist.
    pub fn view_of(mut self, view: &str, topic: &str) -> Self {
        self.instance.set(&format!("views.{view}.topic"), topic);
        self.views.insert(view.to_owned(), topic.to_owned());
        self
    }

    /// Sets a configuration key, such as `batch.records_max`; a part with dots goes into double quotes.
    pub fn set(mut self, path: &str, value: impl Into<toml::Value>) -> Self {
        self.instance.set(path, value);
        self
    }

    /// Sets an environment variable of the service.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.instance.env(name, value);
        self
    }

    /// Starts the service with a soft limit on its file descriptors.
    pub fn soft_limit(mut self, descriptors: u32) -> Self {
        self.instance.soft_limit(descriptors);
        self
    }

    /// Uses a data directory that outlives the service.
    pub fn data_dir(mut self, path: &Path) -> Self {
        self.instance.use_data_dir(path);
        self
    }

    /// Starts the service and waits until it listens.
    pub fn start(self) -> TestApp<'k> {
        let Self { kafka, views, mut instance } = self;
        instance.start();
        TestApp { kafka, views, instance }
    }

    /// Starts a service that is expected to end by itself, and waits for that.
    pub fn run_to_exit(mut self) -> Exit {
        self.instance.run_to_exit(Duration::from_secs(30))
    }
}
