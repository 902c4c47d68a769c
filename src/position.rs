//! Offsets and positions: two numbers that must not be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Number of a partition within its topic.
pub type Partition = i32;

/// A record's own number in its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(i64);

/// The offset of the next record to read: everything below it is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(i64);

impl Offset {
    /// Wraps a record's offset as the broker gave it.
    #[must_use]
    pub const fn new(offset: i64) -> Self {
        Self(offset)
    }

    /// Returns the bare number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Returns the position after this record. The only place that adds one.
    #[must_use]
    pub const fn next(self) -> Position {
        Position(self.0.saturating_add(1))
    }
}

impl Position {
    /// The position before any record.
    pub const ZERO: Self = Self(0);

    /// Wraps an offset that names the next record to read, such as a log start or an end offset.
    #[must_use]
    pub const fn new(next: i64) -> Self {
        Self(next)
    }

    /// Returns the bare number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Returns the last offset below this position; none when nothing lies below.
    #[must_use]
    pub const fn last(self) -> Option<Offset> {
        if self.0 > 0 { Some(Offset(self.0 - 1)) } else { None }
    }

    /// Returns how many offsets lie between this position and `end`; zero when it is past it.
    #[must_use]
    pub const fn lag(self, end: Self) -> u64 {
        if end.0 > self.0 { end.0.abs_diff(self.0) } else { 0 }
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_position_after_a_record_leads_back_to_it() {
        assert_eq!(Offset::new(41).next(), Position::new(42));
        assert_eq!(Position::new(42).last(), Some(Offset::new(41)));
        assert_eq!(Position::ZERO.last(), None);
    }

    #[test]
    fn lag_is_never_negative() {
        assert_eq!(Position::new(3).lag(Position::new(10)), 7);
        assert_eq!(Position::new(10).lag(Position::new(3)), 0);
    }
}
