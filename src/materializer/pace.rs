//! How fast a reader reads: the coordinator says, the reader keeps to it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the coordinator asks of one reader; shared by the two.
#[derive(Debug, Default)]
pub(super) struct Pace {
    following: AtomicBool,
    /// Zero stands for no bound.
    records_per_second: AtomicU64,
    rested: AtomicBool,
}

/// Keeps one reader to its bound. What was not read is not made up for: there are no bursts.
#[derive(Debug)]
pub(super) struct Throttle {
    free_at: Instant,
}

impl Pace {
    /// Returns whether all partitions have caught up: small batches soon rather than large ones.
    pub(super) fn follows(&self) -> bool {
        self.following.load(Ordering::Relaxed)
    }

    pub(super) fn set_following(&self, following: bool) {
        self.following.store(following, Ordering::Relaxed);
    }

    /// Returns whether the reader has rested for its bound since this was asked last.
    pub(super) fn has_rested(&self) -> bool {
        self.rested.swap(false, Ordering::Relaxed)
    }

    /// Bounds the records read per second; zero takes the bound away.
    pub(super) fn set_records_per_second(&self, bound: u64) {
        self.records_per_second.store(bound, Ordering::Relaxed);
    }
}

impl Throttle {
    pub(super) fn new() -> Self {
        Self { free_at: Instant::now() }
    }

    /// Takes notice of `records` that were read.
    #[expect(clippy::cast_precision_loss, reason = "a rate is an estimate")]
    pub(super) fn note(&mut self, pace: &Pace, records: u64) {
        let bound = pace.records_per_second.load(Ordering::Relaxed);
        if bound > 0 {
            let cost = Duration::from_secs_f64(records as f64 / bound as f64);
            self.free_at = self.free_at.max(Instant::now()) + cost;
        }
    }

    /// Returns how long to read nothing; a bound that was taken away holds nobody back.
    pub(super) fn rest(&self, pace: &Pace) -> Duration {
        let rest = match pace.records_per_second.load(Ordering::Relaxed) {
            0 => return Duration::ZERO,
            _ => self.free_at.saturating_duration_since(Instant::now()),
        };
        if !rest.is_zero() {
            pace.rested.store(true, Ordering::Relaxed);
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_rested_for_until_the_bound_is_taken_away() {
        let (pace, mut throttle) = (Pace::default(), Throttle::new());
        throttle.note(&pace, 1_000_000);
        assert_eq!(throttle.rest(&pace), Duration::ZERO, "no bound");
        pace.set_records_per_second(10);
        throttle.note(&pace, 1000);
        throttle.note(&pace, 1000);
        let rest = throttle.rest(&pace);
        assert!(rest > Duration::from_secs(150) && rest <= Duration::from_secs(200), "{rest:?}");
        pace.set_records_per_second(0);
        assert_eq!(throttle.rest(&pace), Duration::ZERO);
    }
}
