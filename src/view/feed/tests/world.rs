//! A view whose writer the test holds, the log it was written from, and a client that keeps a map.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::batch::Batch;
use crate::config::sections::{StoreConfig, ViewConfig};
use crate::interpretation::latest_value;
use crate::partitioner::Partitioner;
use crate::position::Position;
use crate::progress::{Bounds, Progress, TopicFacts};
use crate::record::{Record, Timestamp, TimestampKind};
use crate::resume::BuildReason;
use crate::store::{BuildPlan, Opened, Resources, Store, Writer};
use crate::time::Millis;
use crate::topic_id::TopicId;
use crate::view::telling;

/// Keys with their values, and the records that set them.
pub(super) type Map = BTreeMap<Vec<u8>, (Partition, Offset, Vec<u8>)>;

#[derive(Debug, Clone)]
struct Logged {
    offset: i64,
    at: i64,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

pub(super) struct World {
    _dir: TempDir,
    view: Arc<View>,
    writer: Writer,
    logs: Vec<Vec<Logged>>,
    /// Where each log ends.
    ends: Vec<i64>,
    now: i64,
    room: Arc<Room>,
}

pub(super) fn key(number: u32) -> Vec<u8> {
    format!("key-{number}").into_bytes()
}

/// What a client of `feed` would remember.
pub(super) fn known(feed: &mut Feed) -> Known {
    let (position, builds) = feed.position();
    let positions = position.map(|(partition, last)| (partition, last.next())).collect();
    Known { positions, builds: Some(builds) }
}

impl World {
    pub(super) fn new(partitions: usize, changes: usize) -> Self {
        let dir = TempDir::new().unwrap();
        let resources = Resources::new(&StoreConfig::default(), 1).unwrap();
        let Opened { store, writer, .. } = Store::open(dir.path(), "topic", &resources, 1).unwrap();
        let bounds = Bounds { changes, ..Bounds::default() };
        let progress = Arc::new(Progress::new(bounds));
        let (cluster_id, topic_id) = ("cluster".to_owned(), TopicId::new([1; 16]));
        let count = u32::try_from(partitions).unwrap();
        progress.set_topic(TopicFacts { cluster_id, topic_id, topic_id_derived: false, partitions: count });
        let config: ViewConfig = serde_json::from_str(r#"{"topic":"topic"}"#).unwrap();
        let view = View::new("users".parse().unwrap(), config, store, progress, Duration::from_secs(60));
        let (logs, ends) = (vec![Vec::new(); partitions], vec![0; partitions]);
        let room = Room::new(1 << 20);
        let mut world = Self { _dir: dir, view: Arc::new(view), writer, logs, ends, now: 0, room };
        for partition in 0..partitions {
            world.rebuild(i32::try_from(partition).unwrap());
        }
        world
    }

    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view)
    }

    /// What its clients share.
    pub(super) fn room(&self) -> Arc<Room> {
        Arc::clone(&self.room)
    }

    pub(super) fn set_room(&mut self, bytes: usize) {
        self.room = Room::new(bytes);
    }

    fn log(&mut self, partition: Partition) -> &mut Vec<Logged> {
        &mut self.logs[usize::try_from(partition).unwrap()]
    }

    fn grow(&mut self, partition: Partition) -> i64 {
        let end = &mut self.ends[usize::try_from(partition).unwrap()];
        *end += 1;
        *end - 1
    }

    /// The log goes on with a record that changes nothing.
    pub(super) fn pass(&mut self, partition: Partition) {
        let position = Offset::new(self.grow(partition)).next();
        let slot = Arc::clone(&self.view.store().table().serving()[&partition]);
        self.reach(&slot, partition, position);
    }

    fn reach(&mut self, slot: &Slot, partition: Partition, position: Position) {
        let mut batch = Batch::new(64, true);
        batch.reach(slot.number(), partition, position);
        self.commit(batch);
    }

    pub(super) fn put(&mut self, number: u8, stray: bool, has_value: bool) {
        let key = key(number.into());
        let (home, partitions) = (self.home(&key), i32::try_from(self.logs.len()).unwrap());
        let partition = if stray { (home + 1) % partitions } else { home };
        self.write(partition, vec![key], has_value);
    }

    /// Writes so many keys of a partition in one go.
    pub(super) fn put_many(&mut self, partition: Partition, count: usize, has_value: bool) {
        let keys = (0..).map(key).filter(|key| self.home(key) == partition).take(count).collect();
        self.write(partition, keys, has_value);
    }

    fn home(&self, key: &[u8]) -> Partition {
        Partitioner::Murmur2.partition(key, u32::try_from(self.logs.len()).unwrap())
    }

    fn write(&mut self, partition: Partition, keys: Vec<Vec<u8>>, has_value: bool) {
        let mut records = Vec::new();
        for key in keys {
            self.now += 1;
            let at = self.now;
            let value = has_value.then(|| at.to_string().into_bytes());
            let logged = Logged { offset: self.grow(partition), at, key, value };
            self.log(partition).push(logged.clone());
            records.push(logged);
        }
        let slot = Arc::clone(&self.view.store().table().serving()[&partition]);
        self.apply(&slot, partition, &records);
    }

    fn apply(&mut self, slot: &Slot, partition: Partition, records: &[Logged]) {
        let mut batch = Batch::new(64, true);
        for Logged { offset, at, key, value } in records {
            let timestamp = Timestamp { at: Millis::new(*at), kind: TimestampKind::Create };
            let (key, value) = (Some(key.as_slice()), value.as_deref());
            let offset = Offset::new(*offset);
            let record =
                Record { partition, offset, leader_epoch: None, timestamp, key, value, headers: &[] };
            batch.push(slot.number(), &record, latest_value(&record).unwrap());
        }
        self.commit(batch);
    }

    fn commit(&mut self, mut batch: Batch) {
        let told = telling::before(&self.view.store().table(), &batch);
        self.writer.apply(&mut batch).unwrap();
        telling::applied(self.view.progress().changes(), &told, &mut batch);
    }

    /// Builds the partition from its log into a fresh slot, and has that one answer.
    pub(super) fn rebuild(&mut self, partition: Partition) {
        let log = self.log(partition).clone();
        let high = Position::new(self.ends[usize::try_from(partition).unwrap()]);
        let plan = BuildPlan {
            partition,
            partitions: u32::try_from(self.logs.len()).unwrap(),
            cluster_id: "cluster".to_owned(),
            topic_id: TopicId::new([1; 16]),
            low: Position::ZERO,
            high,
            observed_at: Millis::now(),
            reason: BuildReason::FirstStart,
        };
        let slot = self.writer.start_build(&plan).unwrap();
        self.apply(&slot, partition, &log);
        self.reach(&slot, partition, high);
        let before = self.view.store().table();
        assert!(self.writer.promote(partition).unwrap());
        telling::moved(self.view.progress().changes(), partition, &before, &self.view.store().table());
        self.view.progress().want(partition);
        drop((before, slot));
        self.writer.sweep().unwrap();
    }

    /// The partition goes, and comes back with the same log.
    pub(super) fn drop_and_add(&mut self, partition: Partition) {
        let before = self.view.store().table();
        self.writer.drop_partition(partition).unwrap();
        telling::moved(self.view.progress().changes(), partition, &before, &self.view.store().table());
        drop(before);
        self.rebuild(partition);
    }

    /// Folds the logs: of a key in several partitions the newest record counts.
    pub(super) fn fold(&self) -> Map {
        let mut newest: BTreeMap<Vec<u8>, (i64, Partition, Logged)> = BTreeMap::new();
        for (partition, log) in self.logs.iter().enumerate() {
            for logged in log {
                let known = newest.get(&logged.key).map(|(at, ..)| *at);
                if known < Some(logged.at) {
                    let partition = i32::try_from(partition).unwrap();
                    newest.insert(logged.key.clone(), (logged.at, partition, logged.clone()));
                }
            }
        }
        let live = newest.into_iter().filter_map(|(key, (_, partition, logged))| {
            Some((key, (partition, Offset::new(logged.offset), logged.value?)))
        });
        live.collect()
    }
}

pub(super) struct Client {
    feed: Feed,
    room: Arc<Room>,
    map: Map,
    /// The newest record told of a key in a partition.
    versions: BTreeMap<(Vec<u8>, Partition), Offset>,
    token: Before,
}

impl Client {
    pub(super) fn connect(world: &World) -> Self {
        Self::of(&world.view(), &world.room())
    }

    pub(super) fn of(view: &Arc<View>, room: &Arc<Room>) -> Self {
        let feed = Feed::new(view, room, wanted(), &Before::Nothing).unwrap();
        let (room, token) = (Arc::clone(room), Before::Lost(Reason::Gap));
        Self { feed, room, map: Map::new(), versions: BTreeMap::new(), token }
    }

    pub(super) fn reconnect_to(&mut self, view: &Arc<View>) {
        self.feed = Feed::new(view, &self.room, wanted(), &self.token).unwrap();
    }

    pub(super) fn reconnect(&mut self, world: &World) {
        self.reconnect_to(&world.view());
    }

    pub(super) fn read(&mut self) {
        self.read_piece();
    }

    fn read_piece(&mut self) -> Vec<Update> {
        let told = self.feed.advance().unwrap();
        for update in &told {
            self.take(update);
        }
        // The service names a position with the last thing it tells, if there is one to name.
        if self.feed.is_settled() && !told.is_empty() {
            self.token = Before::Known(known(&mut self.feed));
        }
        told
    }

    /// Takes half of a piece, and is told no position.
    pub(super) fn read_half(&mut self) {
        let told = self.feed.advance().unwrap();
        for update in told.iter().take(told.len().div_ceil(2)) {
            self.take(update);
        }
    }

    /// Reads until there is no news.
    pub(super) fn read_told(&mut self) -> Vec<Update> {
        let mut all = Vec::new();
        loop {
            let told = self.read_piece();
            let next = *self.feed.view.progress().changes().next().borrow();
            if told.is_empty() && !self.feed.is_walking() && self.feed.next() == next {
                return all;
            }
            all.extend(told);
        }
    }

    pub(super) fn read_all(&mut self) {
        self.read_told();
    }

    /// Who drops what it knows cannot go on from before.
    fn take(&mut self, update: &Update) {
        if matches!(update, Update::Reset { .. }) {
            self.token = Before::Lost(Reason::Gap);
        }
        match update {
            Update::Put { key, entry } => {
                let (partition, offset) = (entry.slot.partition(), entry.header.offset);
                self.see(key, partition, offset);
                self.map.insert(key.clone(), (partition, offset, entry.value().unwrap().to_vec()));
            }
            Update::Delete { key, partition, offset } => {
                // A key that is gone may be told to be gone once more, by a record before.
                let known =
                    self.versions.get(&(key.clone(), *partition)).filter(|_| !self.map.contains_key(key));
                self.see(key, *partition, known.map_or(*offset, |known| *offset.max(known)));
                self.map.remove(key);
            }
            Update::Reset { partitions: None, .. } => {
                self.map.clear();
                self.versions.clear();
            }
            Update::Reset { partitions: Some(partitions), .. } => {
                self.map.retain(|_, (partition, ..)| !partitions.contains(partition));
                self.versions.retain(|(_, partition), _| !partitions.contains(partition));
            }
            Update::Synced { .. } => {}
        }
    }

    fn see(&mut self, key: &[u8], partition: Partition, offset: Offset) {
        let known = self.versions.insert((key.to_vec(), partition), offset);
        assert!(known <= Some(offset), "an older version after a newer one");
    }

    pub(super) fn map(&self) -> Map {
        self.map.clone()
    }

    pub(super) fn is_settled(&self) -> bool {
        self.feed.is_settled()
    }

    pub(super) fn ahead(&self) -> usize {
        self.feed.ahead.len()
    }
}

fn wanted() -> Wanted {
    Wanted { keys: KeyRange::default(), snapshots: true }
}
