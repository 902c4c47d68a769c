//! How many keys have records in several partitions, counted beside everything else.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Coordinator;
use crate::position::{Partition, Position};
use crate::progress::WarningCode;
use crate::store::{self, Extent, KeyRange, Order, Step};

/// What a glance may spend on it.
const SLICE: Duration = Duration::from_millis(2);
/// Between two walks lies at least this, and ten times what a walk cost.
const REST: Duration = Duration::from_secs(5);
const REST_FACTOR: u32 = 10;

/// A walk over all keys, done in slices.
pub(super) struct Survey {
    /// What is left of the walk; none between two walks.
    left: Option<KeyRange>,
    found: u64,
    cost: Duration,
    /// Where the slots stood when the last walk began: where nothing moved nothing has to be counted again.
    began_at: Option<(u64, BTreeMap<Partition, Position>)>,
    next: Instant,
}

impl Survey {
    pub(super) fn new() -> Self {
        Self { left: None, found: 0, cost: Duration::ZERO, began_at: None, next: Instant::now() }
    }
}

impl Coordinator {
    /// Where one rule places every key there is no conflict. Else the keys are walked, as long as all are current.
    pub(super) fn count_conflicts(&mut self) {
        let table = self.view.store().table();
        if !table.was_complete() {
            return;
        }
        if !table.has_several_places() {
            self.survey = Survey::new();
            return self.note_conflicts(0);
        }
        if !self.ports.live.pace.follows() || Instant::now() < self.survey.next {
            return;
        }
        let stands = || {
            let positions = table.serving().iter().map(|(partition, slot)| (*partition, slot.position()));
            (table.generation(), positions.collect())
        };
        if self.survey.left.is_none() {
            let stands = Some(stands());
            if self.survey.began_at == stands {
                return;
            }
            (self.survey.began_at, self.survey.left) = (stands, Some(KeyRange::default()));
            (self.survey.found, self.survey.cost) = (0, Duration::ZERO);
        }
        drop(table);
        match self.walk_on() {
            Ok(true) => {
                self.survey.left = None;
                self.survey.next = Instant::now() + REST.max(self.survey.cost * REST_FACTOR);
                self.note_conflicts(self.survey.found);
            }
            Ok(false) => {}
            Err(error) => {
                self.view.note_damage(&error);
                (self.survey.left, self.survey.next) = (None, Instant::now() + REST);
            }
        }
    }

    /// Walks on for one slice; returns whether the walk is over.
    fn walk_on(&mut self) -> store::Result<bool> {
        let Some(range) = self.survey.left.take() else { return Ok(true) };
        let begun = Instant::now();
        let store = self.view.store();
        let snapshot = store.snapshot()?;
        let mut entries = snapshot.entries(&range, Order::Ascending, Extent::Whole)?;
        let mut last = Vec::new();
        let over = loop {
            let (Step::Entry(key, _) | Step::Passed(key)) = entries.step()? else { break true };
            if begun.elapsed() >= SLICE {
                last.extend_from_slice(key);
                break false;
            }
        };
        self.survey.found += entries.hidden();
        self.survey.cost += begun.elapsed();
        self.survey.left = Some(range.after(&last, Order::Ascending));
        Ok(over)
    }

    fn note_conflicts(&self, keys: u64) {
        self.view.progress().conflicts().set(keys);
        let detail = (keys > 0).then(|| {
            format!(
                "{keys} keys have records in several partitions; the newest counts, by timestamp, then offset, then \
                 partition. Producers place keys by different rules, or the topic grew"
            )
        });
        self.mind_warning(WarningCode::Conflicts, None, detail);
    }
}
