//! Requests that wait: until a position is passed, or until a key changes.
//!
//! They cost no thread, and each is woken for what it waits for alone. A waiter enters its place and looks once
//! more before it waits. Whoever changes something makes it readable first and rings afterwards. Both take the
//! lock of the queue, so what changes while somebody enters is either seen or heard.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::position::{Partition, Position};

/// Everybody who waits for something in one view.
#[derive(Debug, Default)]
pub struct Waiters {
    positions: Queue<(Partition, Position)>,
    keys: Queue<Box<[u8]>>,
}

/// A place among those who wait; left when it is dropped.
#[derive(Debug)]
pub struct Place<'q, K: Ord> {
    queue: &'q Queue<K>,
    at: K,
    bell: CancellationToken,
}

/// Who waits for what; those who wait for the same share a bell.
#[derive(Debug)]
struct Queue<K>(Mutex<BTreeMap<K, Bell>>);

#[derive(Debug)]
struct Bell {
    /// Rung once: who hears it enters again.
    rung: CancellationToken,
    waiting: usize,
}

impl Waiters {
    /// Enters the place of those who wait until everything below `position` is applied, unless it turns out there
    /// that this is over: it is applied, or something else has to be waited for by now.
    pub fn at_position(
        &self,
        partition: Partition,
        position: Position,
        is_over: impl FnOnce() -> bool,
    ) -> Option<Place<'_, (Partition, Position)>> {
        let place = self.positions.enter((partition, position));
        // Order matters: looked at again from the place, no step gets by between the look and the wait.
        (!is_over()).then_some(place)
    }

    /// Enters the place of those who wait until other slots answer.
    #[must_use]
    pub fn at_swap(&self) -> Place<'_, (Partition, Position)> {
        // No slot gets that far.
        self.positions.enter((Partition::MAX, Position::new(i64::MAX)))
    }

    /// Enters the place of those who wait until `key` changes.
    #[must_use]
    pub fn at_key(&self, key: &[u8]) -> Place<'_, Box<[u8]>> {
        self.keys.enter(key.into())
    }

    /// Wakes those whose position is reached by the positions that answers reflect now.
    pub fn reached(&self, positions: impl Iterator<Item = (Partition, Position)>) {
        let mut bells = self.positions.0.lock();
        for (partition, reached) in positions {
            let passed = (partition, Position::new(i64::MIN))..=(partition, reached);
            while let Some((at, _)) = bells.range(passed.clone()).next() {
                let at = *at;
                ring(&mut bells, &at);
            }
        }
    }

    /// Wakes those who wait for one of `keys`, which have changed.
    pub fn changed<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        let mut bells = self.keys.0.lock();
        for key in keys {
            // With nobody left the rest need not be looked at.
            if bells.is_empty() {
                return;
            }
            ring(&mut bells, key);
        }
    }

    /// Wakes everybody: other slots answer now, or other partitions belong to the view.
    pub fn wake_all(&self) {
        self.positions.ring_all();
        self.keys.ring_all();
    }
}

impl<K: Ord> Place<'_, K> {
    /// Waits until there is reason to look again; at once if there was one since the place was entered.
    pub async fn rung(&self) {
        self.bell.cancelled().await;
    }
}

impl<K: Ord> Drop for Place<'_, K> {
    fn drop(&mut self) {
        let mut bells = self.queue.0.lock();
        // One that was rung is out of the queue; what hangs there by now belongs to others.
        if self.bell.is_cancelled() {
            return;
        }
        if let Some(bell) = bells.get_mut(&self.at) {
            bell.waiting -= 1;
            if bell.waiting == 0 {
                bells.remove(&self.at);
            }
        }
    }
}

impl<K: Ord + Clone> Queue<K> {
    fn enter(&self, at: K) -> Place<'_, K> {
        let mut bells = self.0.lock();
        let bell = bells.entry(at.clone()).or_insert_with(Bell::new);
        bell.waiting += 1;
        Place { queue: self, at, bell: bell.rung.clone() }
    }
}

impl<K: Ord> Queue<K> {
    fn ring_all(&self) {
        let mut bells = self.0.lock();
        while let Some((_, bell)) = bells.pop_first() {
            bell.rung.cancel();
        }
    }
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl Bell {
    fn new() -> Self {
        Self { rung: CancellationToken::new(), waiting: 0 }
    }
}

/// Invariant: a bell is rung while the queue is locked, so that it hangs there if and only if it is silent.
fn ring<K: Ord + Borrow<Q>, Q: Ord + ?Sized>(bells: &mut BTreeMap<K, Bell>, at: &Q) {
    if let Some(bell) = bells.remove(at) {
        bell.rung.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use futures_util::FutureExt as _;

    use super::*;

    fn enter(waiters: &Waiters, partition: Partition, position: i64) -> Place<'_, (Partition, Position)> {
        waiters.at_position(partition, Position::new(position), || false).unwrap()
    }

    fn is_rung<K: Ord>(place: &Place<'_, K>) -> bool {
        place.rung().now_or_never().is_some()
    }

    fn waiting(waiters: &Waiters) -> (usize, usize) {
        (waiters.positions.0.lock().len(), waiters.keys.0.lock().len())
    }

    #[test]
    fn only_those_whose_position_is_reached_wake() {
        let waiters = Waiters::default();
        let at = |partition, position| enter(&waiters, partition, position);
        let (near, same, far, other) = (at(0, 5), at(0, 5), at(0, 6), at(1, 1));
        waiters.reached([(0, Position::new(4))].into_iter());
        assert!(!is_rung(&near));
        waiters.reached([(0, Position::new(5)), (2, Position::new(9))].into_iter());
        assert_eq!([&near, &same, &far, &other].map(is_rung), [true, true, false, false]);
        waiters.reached([(0, Position::new(100)), (1, Position::new(1))].into_iter());
        assert!(is_rung(&far) && is_rung(&other));
        assert_eq!(waiting(&waiters), (0, 0));
    }

    #[test]
    fn a_key_wakes_those_who_wait_for_it_and_nobody_else() {
        let waiters = Waiters::default();
        let (one, other) = (waiters.at_key(b"u1"), waiters.at_key(b"u10"));
        waiters.changed([&b"u0"[..], b"u1", b"u2"].into_iter());
        assert!(is_rung(&one) && !is_rung(&other));
        waiters.wake_all();
        assert!(is_rung(&other));
    }

    #[test]
    fn who_leaves_is_forgotten_and_those_who_came_after_a_ring_stay() {
        let waiters = Waiters::default();
        let (first, second) = (waiters.at_key(b"a"), waiters.at_key(b"a"));
        drop(first);
        assert_eq!(waiting(&waiters), (0, 1));
        waiters.changed([&b"a"[..]].into_iter());
        let later = waiters.at_key(b"a");
        drop(second);
        assert_eq!(waiting(&waiters), (0, 1));
        waiters.changed([&b"a"[..]].into_iter());
        assert!(is_rung(&later));
        let place = enter(&waiters, 0, 1);
        assert_eq!(waiting(&waiters), (1, 0));
        drop(place);
        assert_eq!(waiting(&waiters), (0, 0));
    }

    #[test]
    fn no_step_is_lost_between_a_look_and_a_wait() {
        let waiters = Waiters::default();
        let step = || waiters.reached([(0, Position::new(5))].into_iter());
        // It came before the place was entered, and is seen from there.
        step();
        assert!(waiters.at_position(0, Position::new(5), || true).is_none());
        assert_eq!(waiting(&waiters), (0, 0));
        // It comes while the place is entered: too late to be seen, but it is heard.
        let is_applied = || {
            step();
            false
        };
        assert!(is_rung(&waiters.at_position(0, Position::new(5), is_applied).unwrap()));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn every_waiter_gets_past_every_step() {
        const STEPS: i64 = 20_000;
        let (waiters, position) = (Arc::new(Waiters::default()), Arc::new(AtomicI64::new(0)));
        let wait = |first: i64| {
            let (waiters, position) = (Arc::clone(&waiters), Arc::clone(&position));
            tokio::spawn(async move {
                for target in (first..=STEPS).step_by(7) {
                    let is_applied = || position.load(Ordering::Acquire) >= target;
                    if let Some(place) = waiters.at_position(0, Position::new(target), is_applied) {
                        place.rung().await;
                        assert!(is_applied());
                    }
                }
            })
        };
        let tasks: Vec<_> = (1..=16).map(wait).collect();
        let (ringing, moved) = (Arc::clone(&waiters), Arc::clone(&position));
        let writer = std::thread::spawn(move || {
            for step in 1..=STEPS {
                moved.store(step, Ordering::Release);
                ringing.reached([(0, Position::new(step))].into_iter());
            }
        });
        for task in tasks {
            tokio::time::timeout(std::time::Duration::from_secs(30), task).await.unwrap().unwrap();
        }
        writer.join().unwrap();
        assert_eq!(waiting(&waiters), (0, 0));
    }
}
