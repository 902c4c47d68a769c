//! A topic in memory, with holes, late starts, control-record tails and failures where a test wants them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::position::{Offset, Partition, Position};
use crate::record::{Record, Timestamp, TimestampKind};
use crate::source::{Event, Failure, Source, Start};
use crate::time::Millis;

/// An odd factor that takes neighbours to opposite ends of the numbers.
const WILD: i64 = -0x61c8_8646_80b5_83eb;

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) offset: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
}

#[derive(Debug, Clone)]
pub(super) struct ScriptedPartition {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) records: Vec<Row>,
}

#[derive(Default)]
struct State {
    partitions: Vec<ScriptedPartition>,
    failures: BTreeMap<Partition, Failure>,
    delivered: usize,
}

/// Shared by the test, which appends, and the source, which reads.
#[derive(Clone, Default)]
pub(super) struct ScriptedTopic(Arc<(Mutex<State>, Condvar)>);

pub(super) struct ScriptedSource {
    topic: ScriptedTopic,
    positions: BTreeMap<Partition, i64>,
    ended: BTreeMap<Partition, i64>,
}

pub(super) fn row(offset: i64, key: &str, value: Option<&str>) -> Row {
    Row { offset, key: Some(key.as_bytes().to_vec()), value: value.map(|value| value.as_bytes().to_vec()) }
}

impl ScriptedPartition {
    pub(super) fn new(records: Vec<Row>) -> Self {
        Self { start: 0, end: records.last().map_or(0, |row| row.offset + 1), records }
    }
}

impl ScriptedTopic {
    pub(super) fn of(partitions: Vec<ScriptedPartition>) -> Self {
        Self(Arc::new((Mutex::new(State { partitions, ..State::default() }), Condvar::new())))
    }

    pub(super) fn source(&self) -> ScriptedSource {
        ScriptedSource { topic: self.clone(), positions: BTreeMap::new(), ended: BTreeMap::new() }
    }

    pub(super) fn append(&self, partition: usize, row: Row) {
        let mut state = self.0.0.lock();
        let to = &mut state.partitions[partition];
        to.end = row.offset + 1;
        to.records.push(row);
        self.0.1.notify_all();
    }

    pub(super) fn fail(&self, partition: Partition, failure: Failure) {
        self.0.0.lock().failures.insert(partition, failure);
    }

    pub(super) fn next(&self, partition: usize) -> i64 {
        self.0.0.lock().partitions[partition].end
    }

    pub(super) fn ends(&self) -> Vec<(Position, Position)> {
        let state = self.0.0.lock();
        let log = |log: &ScriptedPartition| (Position::new(log.start), Position::new(log.end));
        state.partitions.iter().map(log).collect()
    }

    /// Records handed out so far, to any reader.
    pub(super) fn delivered(&self) -> usize {
        self.0.0.lock().delivered
    }
}

impl Source for ScriptedSource {
    fn assign(&mut self, partition: Partition, start: Start) {
        self.positions.insert(partition, start.position.get());
        self.ended.remove(&partition);
    }

    fn unassign(&mut self, partition: Partition) {
        self.positions.remove(&partition);
    }

    fn poll(&mut self, wait: Duration, sink: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>) {
        let topic = Arc::clone(&self.topic.0);
        let (state, appended) = &*topic;
        let mut state = state.lock();
        let news = |state: &State, positions: &BTreeMap<Partition, i64>, ended: &BTreeMap<Partition, i64>| {
            positions.keys().any(|partition| {
                ended.get(partition) != Some(&state.partitions[partition.unsigned_abs() as usize].end)
            })
        };
        if !news(&state, &self.positions, &self.ended) {
            appended.wait_for(&mut state, wait);
        }
        for partition in self.positions.keys().copied().collect::<Vec<_>>() {
            if self.poll_partition(partition, &mut state, sink).is_break() {
                break;
            }
        }
    }
}

impl ScriptedSource {
    fn poll_partition(
        &mut self,
        partition: Partition,
        state: &mut State,
        sink: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if let Some(failure) = state.failures.get(&partition) {
            self.positions.remove(&partition);
            return sink(Event::Failed { partition, failure: failure.clone() });
        }
        let log = &state.partitions[partition.unsigned_abs() as usize];
        let position = self.positions.get_mut(&partition).unwrap();
        let from = *position;
        for row in log.records.iter().filter(|row| row.offset >= from) {
            *position = row.offset + 1;
            state.delivered += 1;
            sink(Event::Record(record(partition, row)))?;
        }
        if self.ended.insert(partition, log.end) != Some(log.end) {
            *position = log.end;
            sink(Event::End { partition, position: Position::new(log.end) })?;
        }
        ControlFlow::Continue(())
    }
}

fn record(partition: Partition, row: &Row) -> Record<'_> {
    Record {
        partition,
        offset: Offset::new(row.offset),
        leader_epoch: None,
        // Wild on purpose, negative ones included: the order is that of offsets.
        timestamp: Timestamp { at: Millis::new(row.offset.wrapping_mul(WILD)), kind: TimestampKind::Create },
        key: row.key.as_deref(),
        value: row.value.as_deref(),
        headers: &[],
    }
}
