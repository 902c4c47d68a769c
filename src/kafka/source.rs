//! Records of one topic, fetched by a client of its own.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cluster::Cluster;
use super::error::Error;
use super::fetcher::{Fetcher, Standing};
use crate::config::sections::KafkaConfig;
use crate::position::Partition;
use crate::source::{Event, Failure, Source, Start};
use crate::topic_id::TopicId;

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

    fn client(&self, topic_id: TopicId) -> Result<Fetcher, Error> {
        Fetcher::new(&self.config, &self.topic, &self.role, topic_id, &self.cluster)
    }

    fn try_assign(&mut self, partition: Partition, start: Start) -> Result<(), Error> {
        // Whoever assigns what is assigned has waited in vain.
        if self.fetcher.as_ref().is_some_and(|fetcher| fetcher.has(partition)) {
            self.replace("nothing arrives");
        }
        let fetcher = match self.fetcher.take() {
            Some(fetcher) => fetcher,
            None => self.client(start.topic_id)?,
        };
        self.fetcher.insert(fetcher).assign(partition, start)
    }

    /// Has another client go on where this one is stuck; one that lost all its brokers at once never connects again.
    fn replace(&mut self, reason: &str) {
        let Some(stuck) = self.fetcher.take() else { return };
        tracing::warn!(topic = self.topic, reason, "a client that delivers nothing is replaced");
        let made = self.client(stuck.topic_id());
        match made.and_then(|fetcher| fetcher.going_on_from(&stuck)) {
            Ok(fetcher) => self.fetcher = Some(fetcher),
            Err(error) => self.fail(stuck, &Failure::Other(error.to_string())),
        }
    }

    fn give_up(&mut self, failure: &Failure) {
        if let Some(fetcher) = self.fetcher.take() {
            self.fail(fetcher, failure);
        }
    }

    fn fail(&mut self, fetcher: Fetcher, failure: &Failure) {
        self.failed.extend(fetcher.into_assigned().map(|partition| (partition, failure.clone())));
    }
}

impl Source for KafkaSource {
    fn assign(&mut self, partition: Partition, start: Start) {
        if self.fetcher.as_ref().is_some_and(|fetcher| fetcher.topic_id() != start.topic_id) {
            self.give_up(&Failure::Gone);
        }
        let failure = self.try_assign(partition, start).err().map(|error| Failure::Other(error.to_string()));
        if let Some(failure) = &failure {
            self.give_up(failure);
        }
        self.failed.retain(|(failed, _)| *failed != partition);
        self.failed.extend(failure.map(|failure| (partition, failure)));
    }

    fn unassign(&mut self, partition: Partition) {
        self.failed.retain(|(failed, _)| *failed != partition);
        let left = self.fetcher.as_mut().map_or(Ok(()), |fetcher| fetcher.unassign(partition));
        if let Err(error) = left {
            self.give_up(&Failure::Other(error.to_string()));
        }
    }

    fn poll(&mut self, wait: Duration, sink: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>) {
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
            return;
        };
        match fetcher.poll(wait, sink) {
            Ok(Standing::Same | Standing::Open) => {}
            Ok(Standing::Lost(reason)) => self.replace(&reason),
            Ok(Standing::Gone) => self.give_up(&Failure::Gone),
            Ok(Standing::Unauthorized(reason)) => self.give_up(&Failure::Unauthorized(reason)),
            Err(error) => self.give_up(&Failure::Other(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::position::Position;

    #[test]
    fn a_client_that_cannot_be_made_fails_the_partition_until_it_can() {
        let directory = tempfile::tempdir().unwrap();
        let certificates = directory.path().join("certificates");
        fs::create_dir(&certificates).unwrap();
        let flags = [("kafka.bootstrap", "127.0.0.1:1"), ("views.v.topic", "t")];
        let mut config = crate::config::of_flags(&flags).kafka;
        let secured = [
            ("security.protocol", "ssl".to_owned()),
            ("ssl.ca.location", certificates.display().to_string()),
        ];
        config.properties.extend(secured.map(|(name, value)| (name.to_owned(), value)));
        let cluster = Arc::new(Cluster::new(&config, "test", CancellationToken::new()).unwrap());
        let mut source = KafkaSource::new(&config, "t", "test", &cluster);
        let start = Start { topic_id: TopicId::new([1; 16]), position: Position::ZERO, epoch: None };
        let failures = |source: &mut KafkaSource| {
            let mut failures = Vec::new();
            source.poll(Duration::ZERO, &mut |event| {
                let Event::Failed { partition, failure: Failure::Other(reason) } = event else {
                    panic!("{event:?}")
                };
                failures.push((partition, reason));
                ControlFlow::Continue(())
            });
            failures
        };

        fs::remove_dir(&certificates).unwrap();
        source.assign(7, start);
        let failed = failures(&mut source);
        assert!(matches!(&failed[..], [(7, reason)] if reason.contains("ssl.ca.location")), "{failed:?}");
        assert_eq!(failures(&mut source), [], "said once");
        fs::create_dir(&certificates).unwrap();
        source.assign(7, start);
        assert_eq!(failures(&mut source), []);
        assert!(source.fetcher.is_some_and(|fetcher| fetcher.has(7)));
    }
}
