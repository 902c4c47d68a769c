//! A number that is not known before it was counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that is not known before it was counted.
#[derive(Debug, Default)]
pub struct Count(
    /// One more than the number; zero stands for unknown.
    AtomicU64,
);

impl Count {
    /// Returns the number; none before it was counted.
    #[must_use]
    pub fn get(&self) -> Option<u64> {
        self.0.load(Ordering::Relaxed).checked_sub(1)
    }

    /// Takes notice of the number.
    pub fn set(&self, number: u64) {
        self.0.store(number.saturating_add(1), Ordering::Relaxed);
    }
}
