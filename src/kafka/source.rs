//! Records of one topic, fetched by a client of its own.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::fetcher::{Fetcher, Standing};
use crate::config::sections::KafkaConfig;
use crate::position::Partition;
use crate::source::{Event, Failure, Fatal, Source, Start};

/// How long a client is kept that fetches nothing: a hand-over takes a partition away and gives it back.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// The partitions of one topic, assigned one by one at given positions.
///
/// It has a client only while it reads, and a while after: rebuilds are rare, a client costs memory.
pub struct KafkaSource {
    config: KafkaConfig,
    topic: String,
    role: String,
    cluster: Arc<Cluster>,
    fetcher: Option<Fetcher>,
    /// When something was fetched last.
    busy_at: Instant,
    /// Partitions that cannot be read on and of which that is still to be said.
    failed: Vec<(Partition, Failure)>,
}

impl KafkaSource {
    /// Makes a source for `topic`; `cluster` is asked which incarnation of it the records belong to.
    #[must_use]
    pub fn new(config: &KafkaConfig, topic: &str, role: &str, cluster: &Arc<Cluster>) -> Self {
        Self {
            config: config.clone(),
            topic: topic.to_owned(),
            role: role.to_owned(),
            cluster: Arc::clone(cluster),
            fetcher: None,
            busy_at: Instant::now(),
            failed: Vec::new(),
        }
    }

    fn give_up(&mut self, failure: &Failure) {
        let partitions = self.fetcher.take().into_iter().flat_map(Fetcher::into_assigned);
        self.failed.extend(partitions.map(|partition| (partition, failure.clone())));
    }
}

impl Source for KafkaSource {
    fn assign(&mut self, partition: Partition, start: Start) -> Result<(), Fatal> {
        if self.fetcher.as_ref().is_some_and(|fetcher| fetcher.topic_id() != start.topic_id) {
            self.give_up(&Failure::Gone);
        }
        self.failed.retain(|(failed, _)| *failed != partition);
        let stuck = self.fetcher.take_if(|fetcher| fetcher.has(partition));
        let fetcher = match &mut self.fetcher {
            Some(fetcher) => fetcher,
            None => {
                let made = Fetcher::new(&self.config, &self.topic, &self.role, start.topic_id, &self.cluster);
                self.fetcher.insert(made.map_err(|error| Fatal(error.to_string()))?)
            }
        };
        // Whoever assigns what is assigned has waited in vain. A client that lost all its brokers at once never
        // connects again, so it takes another one.
        if let Some(stuck) = stuck {
            tracing::warn!(topic = self.topic, partition, "a client that delivers nothing is replaced");
            fetcher.go_on_from(stuck)?;
        }
        fetcher.assign(partition, start)
    }

    fn unassign(&mut self, partition: Partition) -> Result<(), Fatal> {
        self.failed.retain(|(failed, _)| *failed != partition);
        self.fetcher.as_mut().map_or(Ok(()), |fetcher| fetcher.unassign(partition))
    }

    fn poll(
        &mut self,
        wait: Duration,
        sink: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<(), Fatal> {
        for (partition, failure) in std::mem::take(&mut self.failed) {
            let _ = sink(Event::Failed { partition, failure });
        }
        if self.fetcher.as_ref().is_some_and(|fetcher| !fetcher.is_idle()) {
            self.busy_at = Instant::now();
        } else if self.busy_at.elapsed() >= IDLE_MAX {
            self.fetcher = None;
        }
        let Some(fetcher) = &mut self.fetcher else {
            std::thread::sleep(wait);
            return Ok(());
        };
        match fetcher.poll(wait, sink)? {
            Standing::Same | Standing::Open => {}
            Standing::Gone => self.give_up(&Failure::Gone),
            Standing::Unauthorized(reason) => self.give_up(&Failure::Unauthorized(reason)),
        }
        Ok(())
    }
}
