//! One reader and one writer on a store in a temporary directory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use crossbeam_channel::{Receiver, Sender, bounded};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::script::{ScriptedTopic, row};
use crate::batch::Batch;
use crate::config::sections::{BatchConfig, StoreConfig};
use crate::materializer::pace::Pace;
use crate::materializer::reader::{self, Command, PartitionFailure, Reader};
use crate::materializer::writer::{self, Work, WriteLoop};
use crate::position::{Partition, Position};
use crate::progress::{Progress, TopicFacts};
use crate::resume::BuildReason;
use crate::source::Start;
use crate::store::{BuildPlan, Opened, Resources, Stager, Store};
use crate::time::Millis;
use crate::topic_id::TopicId;

const TOPIC_ID: TopicId = TopicId::new([1; 16]);
const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) records_max: usize,
    pub(super) bytes_max: u64,
    /// Bytes of the batches that are staged as files; none writes all records one by one.
    pub(super) staged: Option<usize>,
}

struct Running {
    commands: Sender<Command>,
    work: Sender<Work>,
    failures: Receiver<PartitionFailure>,
    threads: Vec<JoinHandle<anyhow::Result<()>>>,
    stop: CancellationToken,
}

pub(super) struct Pipeline {
    dir: TempDir,
    topic: ScriptedTopic,
    limits: Limits,
    progress: Arc<Progress>,
    store: Option<Arc<Store>>,
    running: Option<Running>,
}

impl Pipeline {
    pub(super) fn new(topic: &ScriptedTopic, limits: Limits) -> Self {
        let (dir, topic) = (TempDir::new().unwrap(), topic.clone());
        let mut pipeline = Self { dir, topic, limits, progress: Arc::default(), store: None, running: None };
        pipeline.open();
        pipeline
    }

    fn open(&mut self) {
        let resources = Resources::new(&StoreConfig::default(), 1).unwrap();
        let Opened { store, writer, quarantined } =
            Store::open(self.dir.path(), "topic", &resources, 1).unwrap();
        assert!(quarantined.is_none());
        let (filled_in, filled) = bounded(1);
        let (emptied, empty) = bounded(2);
        let (commands, commands_out) = bounded(64);
        let (failures_in, failures) = bounded(64);
        let (work, work_out) = bounded(64);
        for _ in 0..2 {
            emptied.send(Batch::new(64, true)).unwrap();
        }
        let limits = BatchConfig {
            records_max: self.limits.records_max,
            bytes_max: ByteSize::b(self.limits.bytes_max),
            wait_restoring: Duration::from_millis(5),
            wait_following: Duration::from_millis(1),
        };
        let stop = CancellationToken::new();
        let ports = reader::Ports { commands: commands_out, failures: failures_in, filled: filled_in, empty };
        let pace = Arc::new(Pace::default());
        pace.set_following(true);
        let mut reader = Reader::new(self.topic.source(), ports, limits, pace, stop.clone());
        if let Some(bytes_max) = self.limits.staged {
            reader = reader.with_stager(Stager::new(&store, bytes_max).unwrap());
        }
        let ports = writer::Ports { filled, emptied, work: work_out };
        let writer = WriteLoop::new(writer, Arc::clone(&self.progress), ports, 64, stop.clone());
        let threads =
            vec![std::thread::spawn(move || reader.run()), std::thread::spawn(move || writer.run())];
        self.store = Some(store);
        self.running = Some(Running { commands, work, failures, threads, stop });
    }

    fn store(&self) -> &Arc<Store> {
        self.store.as_ref().unwrap()
    }

    /// Reads every partition: on where its slot stands, or into a fresh one.
    pub(super) fn start(&mut self) {
        for (partition, (start, end)) in (0..).zip(self.topic.ends()) {
            let table = self.store().table();
            let slot = table.building().get(&partition).or_else(|| table.serving().get(&partition));
            let (slot, position) = match slot {
                Some(slot) => (slot.number(), slot.position()),
                None => self.build(partition, start, end),
            };
            let running = self.running.as_ref().unwrap();
            let start = Start { topic_id: TOPIC_ID, position, epoch: None };
            running.commands.send(Command::Follow { partition, slot, start }).unwrap();
        }
    }

    fn build(
        &self,
        partition: Partition,
        low: Position,
        high: Position,
    ) -> (crate::entry::SlotNumber, Position) {
        let plan = BuildPlan {
            partition,
            partitions: u32::try_from(self.topic.ends().len()).unwrap(),
            cluster_id: "cluster".to_owned(),
            topic_id: TOPIC_ID,
            low,
            high,
            observed_at: Millis::now(),
            reason: BuildReason::FirstStart,
        };
        let (answer, started) = bounded(1);
        self.running.as_ref().unwrap().work.send(Work::Build(vec![plan], answer)).unwrap();
        let (_, slot, position) = started.recv().unwrap().remove(0);
        (slot, position)
    }

    /// Starts a build over the running one, while the reader still fills the old slot.
    pub(super) fn drop_slot_while_reading(&self, topic: &ScriptedTopic) {
        let end = Position::new(topic.next(0));
        self.build(0, Position::ZERO, Position::new(end.get() + 1));
        topic.append(0, row(end.get(), "lost", Some("x")));
        self.build(0, Position::ZERO, Position::new(end.get() + 1));
    }

    pub(super) fn restart(&mut self) {
        self.end();
        self.open();
        self.start();
    }

    fn end(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.stop.cancel();
        drop((running.commands, running.work));
        for thread in running.threads {
            thread.join().unwrap().unwrap();
        }
        self.store = None;
    }

    pub(super) fn failure(&self) -> PartitionFailure {
        self.running.as_ref().unwrap().failures.recv_timeout(DEADLINE).unwrap()
    }

    pub(super) fn positions(&self) -> Vec<Position> {
        self.store().table().serving().values().map(|slot| slot.position()).collect()
    }

    pub(super) fn building_positions(&self) -> Vec<Position> {
        self.store().table().building().values().map(|slot| slot.position()).collect()
    }

    pub(super) fn wait_until_read(&self) {
        let ends: Vec<_> = self.topic.ends().into_iter().map(|(_, end)| end).collect();
        self.wait_until(|positions| positions == ends);
    }

    pub(super) fn wait_until(&self, reached: impl Fn(&[Position]) -> bool) {
        let begun = Instant::now();
        while !reached(&self.positions()) {
            assert!(begun.elapsed() < DEADLINE, "positions stay at {:?}", self.positions());
            std::thread::yield_now();
        }
    }

    /// Waits until the writer is done with what it does after the first swap.
    pub(super) fn wait_until_told_restored(&self) {
        self.wait_until(|_| !self.progress.events().is_empty());
    }

    pub(super) fn was_complete(&self) -> bool {
        self.store().table().was_complete()
    }

    /// Takes notice, as the coordinator does, of how many partitions the topic has.
    pub(super) fn know_topic(&self, partitions: u32) {
        let facts = TopicFacts {
            cluster_id: "cluster".to_owned(),
            topic_id: TOPIC_ID,
            topic_id_derived: false,
            partitions,
        };
        self.progress.set_topic(facts);
    }

    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    pub(super) fn wait_for(&self, event: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async { tokio::time::timeout(DEADLINE, event).await.unwrap() });
    }

    /// Swaps the slot being filled for the serving one, as the coordinator does.
    pub(super) fn promote_when_read(&self) {
        let end = Position::new(self.topic.next(0));
        self.wait_until(|_| self.building_positions() == [end]);
        let (answer, promoted) = bounded(1);
        self.running.as_ref().unwrap().work.send(Work::Promote(0, answer)).unwrap();
        assert!(promoted.recv_timeout(DEADLINE).unwrap());
    }

    /// Writes it took so far, by the metric an operator sees.
    pub(super) fn batches(&self) -> u64 {
        let mut text = String::new();
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register("batch", "batch", self.progress.metrics().batch_seconds.clone());
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix("batch_count ")).unwrap();
        count.parse().unwrap()
    }

    pub(super) fn null_keys(&self) -> u64 {
        self.progress.metrics().null_keys.get()
    }

    /// Every key a script of these tests can hold, looked up one by one.
    pub(super) fn contents(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let table = self.store().table();
        let keys = (0..3).flat_map(|partition| (0..12).map(move |key| format!("k{partition}-{key}")));
        let keys = keys.chain(["a", "b", "c", "lost"].map(str::to_owned));
        keys.filter_map(|key| {
            let entry = self.store().find(&table, key.as_bytes()).unwrap()?;
            Some((key.into_bytes(), entry.value().unwrap().to_vec()))
        })
        .collect()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}
