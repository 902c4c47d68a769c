//! Records that lie in the log behind an open transaction, where nobody can read them yet.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::position::Position;

/// What an open transaction keeps back in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withheld {
    /// Offsets from the first open transaction to the end of the log, control records included.
    pub records: u64,
    /// Where the first open transaction begins.
    from: Position,
    /// When it was first seen.
    began: Instant,
}

/// What was kept back when the log was looked at last.
#[derive(Debug, Default)]
pub struct Withholding(Mutex<Option<Withheld>>);

impl Withheld {
    /// Returns how long the same transaction has been seen open.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Withholding {
    /// Takes notice that readers get to see what is below `readable`, and that the log goes on to `written`.
    pub fn set(&self, readable: Position, written: Position) {
        let mut known = self.0.lock();
        let records = readable.lag(written);
        // Another transaction than before keeps back from another offset on.
        let same = known.as_ref().filter(|known| known.from == readable);
        let began = same.map_or_else(Instant::now, |known| known.began);
        *known = (records > 0).then_some(Withheld { records, from: readable, began });
    }

    /// Returns what is kept back; none when no transaction is open.
    #[must_use]
    pub fn get(&self) -> Option<Withheld> {
        *self.0.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_that_of_the_oldest_open_transaction() {
        let withholding = Withholding::default();
        let set = |readable, written| withholding.set(Position::new(readable), Position::new(written));
        set(5, 5);
        assert_eq!(withholding.get(), None);
        set(5, 8);
        let first = withholding.get().unwrap();
        set(5, 9);
        let second = withholding.get().unwrap();
        assert_eq!((first.records, second.records, first.began), (3, 4, second.began));
        set(7, 9);
        assert!(withholding.get().unwrap().began > first.began, "the first has ended");
        set(9, 9);
        assert_eq!(withholding.get(), None);
    }
}
