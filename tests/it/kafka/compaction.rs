//! Makes the log cleaner of the node work while a test waits.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::record::{LogRecord, Record};
use super::topic::TestTopic;
use crate::eventually::within;

/// Bound on a compaction; alone it takes 2 s.
const DEADLINE: Duration = Duration::from_secs(60);

/// Longer than `segment.ms`, so that each record rolls the segment before it.
const ROLL: Duration = Duration::from_millis(200);

impl TestTopic<'_> {
    /// Compacts what is in the topic now: tombstones are gone, and of each key one record is left.
    ///
    /// The cleaner leaves the active segment alone and only looks at a log that grew, so this appends records
    /// of keys `roll-N` until it has done its work. They stay in the topic and in its fold.
    pub fn compact_now(&self) {
        let fast = self.config("segment.ms").is_some_and(|value| value == "100");
        assert!(fast, "a topic that is to be compacted needs TopicBuilder::fast_compaction");
        let ends = self.kafka().end_offsets(self.name());
        let rolls = self.roll_keys();
        let compacted = within(DEADLINE, ROLL, || {
            self.write_all(rolls.values().map(|key| Record::put(key, "")));
            is_compacted(&self.kafka().read(self.name()), &ends).then_some(())
        });
        assert!(compacted.is_some(), "{} was not compacted within {DEADLINE:?}", self.name());
    }

    /// Finds one key for each partition that the partitioner sends there: a record in a partition it does not
    /// belong to would change what readers conclude about the topic's partitioner.
    fn roll_keys(&self) -> BTreeMap<i32, String> {
        let partitions = self.partition_count();
        let mut keys = BTreeMap::new();
        for number in 0.. {
            if keys.len() == usize::try_from(partitions).expect("a count of partitions") {
                break;
            }
            let key = format!("roll-{number}");
            let written = self.put(&key, "");
            keys.entry(written.partition).or_insert(key);
        }
        keys
    }
}

/// Whether below `ends` no tombstone is left and no record that a later one replaces.
fn is_compacted(records: &[LogRecord], ends: &BTreeMap<i32, i64>) -> bool {
    let mut newer = BTreeSet::new();
    records.iter().rev().all(|record| {
        let replaced = !newer.insert((record.partition, &record.key));
        record.offset >= ends[&record.partition] || !(replaced || record.value.is_none())
    })
}
