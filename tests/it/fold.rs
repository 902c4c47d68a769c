//! The oracle: what a topic says, worked out with a map and none of the service's code.

use std::collections::{BTreeMap, BTreeSet};

use crate::kafka::{LogRecord, TestKafka};

/// The state of a topic: for each key and partition the last record.
#[derive(Debug, Clone, Default)]
pub struct Fold {
    latest: BTreeMap<Vec<u8>, BTreeMap<i32, Latest>>,
    keys: BTreeSet<Vec<u8>>,
}

#[derive(Debug, Clone)]
struct Latest {
    timestamp_ms: i64,
    offset: i64,
    value: Option<Vec<u8>>,
}

/// The live record of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub value: Vec<u8>,
    pub partition: i32,
    pub offset: i64,
    pub timestamp_ms: i64,
}

impl Fold {
    /// Folds the topic as a fresh read_committed reader sees it from its log start.
    pub fn of_topic(kafka: &TestKafka, topic: &str) -> Self {
        Self::of_records(&kafka.read(topic))
    }

    /// Folds records; the order of partitions among each other does not matter.
    pub fn of_records(records: &[LogRecord]) -> Self {
        let mut fold = Self::default();
        records.iter().for_each(|record| fold.apply(record));
        fold
    }

    /// Adds keys that must be absent unless the topic holds them.
    pub fn know_keys(&mut self, keys: impl IntoIterator<Item = Vec<u8>>) {
        self.keys.extend(keys);
    }

    /// Returns the live entries by key.
    ///
    /// A key in several partitions has the record with the newest timestamp, then the highest offset, then the
    /// highest partition; if that is a tombstone the key is gone.
    pub fn entries(&self) -> BTreeMap<Vec<u8>, Entry> {
        let winner = |partitions: &BTreeMap<i32, Latest>| {
            let rank =
                |(partition, latest): &(&i32, &Latest)| (latest.timestamp_ms, latest.offset, **partition);
            let (partition, latest) = partitions.iter().max_by_key(rank)?;
            let (partition, offset, timestamp_ms) = (*partition, latest.offset, latest.timestamp_ms);
            Some(Entry { value: latest.value.clone()?, partition, offset, timestamp_ms })
        };
        self.latest.iter().filter_map(|(key, partitions)| Some((key.clone(), winner(partitions)?))).collect()
    }

    /// Returns the keys that were seen and hold nothing.
    pub fn absent(&self) -> BTreeSet<Vec<u8>> {
        let live = self.entries();
        self.keys.iter().filter(|key| !live.contains_key(*key)).cloned().collect()
    }

    fn apply(&mut self, record: &LogRecord) {
        // A record without a key says nothing about any key.
        let Some(key) = record.key.clone() else { return };
        self.keys.insert(key.clone());
        let latest =
            Latest { timestamp_ms: record.timestamp_ms, offset: record.offset, value: record.value.clone() };
        let partitions = self.latest.entry(key).or_default();
        let newer = partitions.get(&record.partition).is_none_or(|known| known.offset < record.offset);
        if newer {
            partitions.insert(record.partition, latest);
        }
    }
}
