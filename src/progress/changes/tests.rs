use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::position::Offset;

const UNBOUNDED: Bounds = Bounds { changes: usize::MAX, bytes: usize::MAX };

type Written = Vec<(Offset, Vec<u8>)>;

/// Everything that ever happened, by partition: the slots one after the other, each with its changes.
#[derive(Default)]
struct Model {
    changes: Changes,
    serving: BTreeMap<Partition, (SlotNumber, Written)>,
    next_slot: u32,
    builds: u64,
}

/// What a watcher that saw everything so far would be told to remember, and the slots it saw.
struct Token {
    known: Known,
    slots: BTreeMap<Partition, SlotNumber>,
}

#[derive(Debug, Clone)]
enum Act {
    /// Writes one key more than the number, with a gap before it in the log.
    Write(Partition, u8),
    /// The position passes records that change nothing.
    Pass(Partition),
    Move(Partition),
    Drop(Partition),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0..3, 0..4_u8).prop_map(|(partition, keys)| Act::Write(partition, keys)),
        1 => (0..3).prop_map(Act::Pass),
        2 => (0..3).prop_map(Act::Move),
        1 => (0..3).prop_map(Act::Drop),
    ]
}

impl Model {
    fn new(bounds: Bounds) -> Self {
        let mut model = Self { changes: Changes::new(bounds), ..Self::default() };
        let begun = |partition| {
            let slot = SlotNumber(u32::try_from(partition).unwrap());
            (partition, Reached { slot, position: Position::ZERO })
        };
        model.changes.begin((0..3).map(begun), Builds(0));
        model.serving =
            (0..3).map(begun).map(|(partition, begun)| (partition, (begun.slot, vec![]))).collect();
        model.next_slot = 3;
        model
    }

    fn position(&self, partition: Partition) -> Position {
        let last = self.serving.get(&partition).and_then(|(_, changes)| changes.last());
        last.map_or(Position::ZERO, |(offset, _)| offset.next())
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Write(partition, keys) => {
                let first = self.position(partition).get() + 1;
                let Some((slot, changes)) = self.serving.get_mut(&partition) else { return };
                let written = (0..=keys).map(|key| (Offset::new(first + i64::from(key)), vec![key]));
                let written: Vec<_> = written.collect();
                let mut applied = Applied::new(partition, *slot, written.last().unwrap().0.next());
                for (offset, key) in &written {
                    applied.push(key, *offset);
                }
                changes.extend(written);
                self.changes.applied([applied]);
            }
            Act::Pass(partition) => {
                let position = self.position(partition);
                let Some((slot, _)) = self.serving.get(&partition) else { return };
                self.changes.applied([Applied::new(partition, *slot, position)]);
            }
            Act::Move(partition) => {
                let (slot, reason) = (SlotNumber(self.next_slot), Reason::Rebuilt);
                let position = self.position(partition);
                self.next_slot += 1;
                // The new slot stands where the old one stood: only the builds tell them apart.
                let last = self.serving.remove(&partition).and_then(|(_, changes)| changes.last().cloned());
                self.serving.insert(partition, (slot, last.into_iter().collect()));
                self.moved(Moved {
                    partition,
                    to: Some(Reached { slot, position }),
                    reason,
                    entangled: false,
                    builds: Builds(0),
                });
            }
            Act::Drop(partition) => {
                if self.serving.remove(&partition).is_some() {
                    let (to, reason) = (None, Reason::TopicRecreated);
                    self.moved(Moved { partition, to, reason, entangled: false, builds: Builds(0) });
                }
            }
        }
    }

    fn moved(&mut self, moved: Moved) {
        self.builds += 1;
        self.changes.moved(Moved { builds: Builds(self.builds), ..moved });
    }

    fn token(&self) -> Token {
        let positions = self.serving.keys().map(|partition| (*partition, self.position(*partition)));
        let known = Known { positions: positions.collect(), builds: Some(Builds(self.builds)) };
        Token {
            known,
            slots: self.serving.iter().map(|(partition, (slot, _))| (*partition, *slot)).collect(),
        }
    }

    /// Follows the ring as a watcher does.
    fn follow(&self, joined: &Joined) -> BTreeMap<Partition, Written> {
        let mut told: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for step in self.changes.since(joined.from, usize::MAX).expect("a watcher that just joined") {
            let Step::Applied(applied) = &*step else { continue };
            let Some(reached) = joined.reached.get(&applied.partition()) else { continue };
            if applied.slot() != reached.slot {
                continue;
            }
            let changes = (0..applied.len()).map(|number| applied.change(number).unwrap());
            let new = changes.filter(|(_, offset)| *offset >= Offset::new(reached.position.get()));
            told.entry(applied.partition())
                .or_default()
                .extend(new.map(|(key, offset)| (offset, key.to_vec())));
        }
        told
    }

    fn check(&self, token: &Token) {
        let joined = self.changes.rejoin(&token.known);
        if let Some(first) = self.changes.since(joined.from, 1).expect("a watcher that just joined").first() {
            let Step::Applied(applied) = &**first else { panic!("{first:?} is not new") };
            let known = joined.reached[&applied.partition()];
            assert!(applied.slot() == known.slot && applied.position() > known.position);
        }
        let told = self.follow(&joined);
        for (partition, (slot, changes)) in &self.serving {
            if joined.lost.values().any(|lost| lost.contains(partition)) {
                continue;
            }
            assert_eq!(token.slots.get(partition), Some(slot), "who knows another slot has lost it");
            let position = token.known.positions[partition];
            let missed = changes.iter().filter(|(offset, _)| offset.next() > position);
            let missed: Vec<_> = missed.cloned().collect();
            assert_eq!(told.get(partition).cloned().unwrap_or_default(), missed);
        }
    }
}

proptest! {
    #[test]
    fn who_comes_back_is_told_all_it_missed_or_that_it_has_lost_it(
        acts in proptest::collection::vec(act(), 1..60),
        changes in 1..40_usize,
    ) {
        let mut model = Model::new(Bounds { changes, ..UNBOUNDED });
        let mut tokens = vec![model.token()];
        for act in &acts {
            model.act(act);
            tokens.push(model.token());
            for token in &tokens {
                model.check(token);
            }
            prop_assert!(model.changes.ring.lock().changes <= changes);
        }
    }

    #[test]
    fn without_bounds_only_partitions_that_moved_are_lost(acts in proptest::collection::vec(act(), 1..60)) {
        let mut model = Model::new(UNBOUNDED);
        let token = model.token();
        for act in &acts {
            model.act(act);
        }
        let joined = model.changes.rejoin(&token.known);
        let lost: Vec<_> = joined.lost.values().flatten().copied().collect();
        let moved = |partition: &Partition| {
            model.serving.get(partition).map(|(slot, _)| slot) != token.slots.get(partition)
        };
        let expected: Vec<_> = (0..3).filter(moved).collect();
        prop_assert_eq!({ let mut lost = lost; lost.sort_unstable(); lost }, expected);
    }
}

#[test]
fn who_knows_other_builds_or_a_position_that_is_still_to_come_has_lost_everything() {
    let mut model = Model::new(UNBOUNDED);
    model.act(&Act::Write(0, 0));
    let Token { known, .. } = model.token();
    let all = BTreeMap::from([(Reason::Gap, (0..3).collect())]);
    let other = Known { builds: Some(Builds(77)), ..known.clone() };
    assert_eq!(model.changes.rejoin(&other).lost, all);
    let mut ahead = known;
    ahead.positions.insert(1, Position::new(1));
    assert_eq!(model.changes.rejoin(&ahead).lost, BTreeMap::from([(Reason::Gap, [1].into())]));
}

#[test]
fn a_bare_position_counts_as_long_as_its_partition_did_not_move() {
    let mut model = Model::new(UNBOUNDED);
    model.act(&Act::Write(0, 0));
    let bare = Known { builds: None, ..model.token().known };
    assert!(model.changes.rejoin(&bare).lost.is_empty());
    model.act(&Act::Move(0));
    assert_eq!(model.changes.rejoin(&bare).lost, BTreeMap::from([(Reason::Rebuilt, [0].into())]));
}

#[test]
fn a_reader_that_is_too_slow_is_told_and_others_hear_of_every_step() {
    let mut model = Model::new(Bounds { changes: 2, ..UNBOUNDED });
    let joined = model.changes.join();
    let next = model.changes.next();
    model.act(&Act::Write(0, 0));
    assert!(next.has_changed().unwrap());
    assert_eq!(model.changes.since(joined.from, 10).unwrap().len(), 1);
    model.act(&Act::Write(0, 1));
    assert_eq!(model.changes.since(joined.from, 10).unwrap_err(), Overflow);
    assert_eq!(model.changes.since(*next.borrow(), 10).unwrap().len(), 0);
}

#[test]
fn who_missed_little_is_not_among_the_first_to_be_overtaken() {
    let mut model = Model::new(Bounds { changes: 10, ..UNBOUNDED });
    // One partition is quiet, and one has moved within what is kept.
    model.act(&Act::Write(2, 0));
    (0..10).for_each(|_| model.act(&Act::Write(0, 0)));
    model.act(&Act::Move(1));
    let known = model.token().known;
    model.act(&Act::Write(0, 0));
    model.act(&Act::Pass(2));
    let joined = model.changes.rejoin(&known);
    assert!(joined.lost.is_empty());
    assert_eq!(joined.until - joined.from, 1);
    (0..9).for_each(|_| model.act(&Act::Write(0, 0)));
    assert_eq!(model.changes.since(joined.from, 100).unwrap().len(), 10);
}

#[test]
fn what_changed_nothing_is_known_to_who_has_looked_at_all_steps_of_the_slot() {
    let mut model = Model::new(UNBOUNDED);
    let Joined { from, mut reached, .. } = model.changes.join();
    model.act(&Act::Write(0, 0));
    let (position, slot) = (Position::new(9), reached[&0].slot);
    model.changes.applied([Applied::new(0, slot, position)]);
    model.changes.pass_over(from, &mut reached);
    assert_eq!(reached[&0].position, Position::ZERO, "a step is in between");
    model.changes.pass_over(from + 1, &mut reached);
    assert_eq!(reached[&0].position, position);
    model.act(&Act::Move(0));
    model.act(&Act::Write(0, 0));
    model.changes.pass_over(from + 3, &mut reached);
    assert_eq!(reached[&0], Reached { slot, position }, "another slot is not known");
}

#[test]
fn memory_is_bounded_too() {
    let mut model = Model::new(Bounds { bytes: 1000, ..UNBOUNDED });
    for _ in 0..100 {
        model.act(&Act::Write(0, 3));
        assert!(model.changes.ring.lock().bytes <= 1000);
    }
    assert!(!model.changes.ring.lock().steps.is_empty());
}
