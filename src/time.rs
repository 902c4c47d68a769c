//! Wall-clock time in milliseconds, as Kafka counts it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Milliseconds since 1970-01-01T00:00:00Z; records may carry negative or absurd ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(i64);

/// A moment by the wall clock, which can be set, and by a clock that cannot, which says nothing beyond this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// By the wall clock.
    pub at: Millis,
    /// By the other one.
    pub measured: Instant,
}

impl Moment {
    /// Returns this moment.
    #[must_use]
    pub fn now() -> Self {
        Self { at: Millis::now(), measured: Instant::now() }
    }

    /// Returns the time from `earlier` to this one: at least what was measured, however the wall clock was set.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.at.since(earlier.at).max(self.measured.saturating_duration_since(earlier.measured))
    }
}

impl Millis {
    /// Wraps a count of milliseconds.
    #[must_use]
    pub const fn new(millis: i64) -> Self {
        Self(millis)
    }

    /// Returns the current wall-clock time.
    #[must_use]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Returns the bare number.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Returns the time from `earlier` to this one; zero when the clock went backwards.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }

    /// Returns the seconds from `earlier` to this time; zero when the clock went backwards.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "ages are far below 2^53 ms")]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0).max(0) as f64 / 1000.0
    }

    /// Returns RFC 3339 in UTC with milliseconds; none beyond the years 0 to 9999.
    #[must_use]
    pub fn rfc3339(self) -> Option<String> {
        self.rfc3339_ascii().map(|text| text.iter().copied().map(char::from).collect())
    }

    /// Returns the same as ASCII, without an allocation: lists write one for every entry.
    #[must_use]
    pub fn rfc3339_ascii(self) -> Option<[u8; 24]> {
        let time = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000)).ok()?;
        let ((year, month, day), (hour, minute, second)) = (time.to_calendar_date(), time.to_hms());
        let (year, millis) = (u32::try_from(year).ok()?, u32::try_from(self.0.rem_euclid(1000)).ok()?);
        // None beyond four digits: its hundreds are more than two.
        let small = |number: u32| u8::try_from(number).ok().filter(|number| *number < 100);
        let numbers = [small(year / 100)?, small(year % 100)?, month.into(), day, hour, minute, second];
        let [[c, c1], [y, y1], [m, m1], [d, d1], [h, h1], [i, i1], [s, s1]] = numbers.map(digits);
        let ([f, f1], [f2, _]) = (digits(small(millis / 10)?), digits(small(millis % 10 * 10)?));
        Some([
            c, c1, y, y1, b'-', m, m1, b'-', d, d1, b'T', h, h1, b':', i, i1, b':', s, s1, b'.', f, f1, f2,
            b'Z',
        ])
    }
}

/// Returns the two digits of a number below 100.
fn digits(number: u8) -> [u8; 2] {
    [b'0' + number / 10, b'0' + number % 10]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_milliseconds() {
        assert_eq!(Millis::new(0).rfc3339().unwrap(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Millis::new(1_763_886_322_120).rfc3339().unwrap(), "2025-11-23T08:25:22.120Z");
        assert_eq!(Millis::new(-1).rfc3339().unwrap(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_time_outside_of_four_digit_years_has_no_text_form() {
        assert_eq!(Millis::new(i64::MAX).rfc3339(), None);
        assert_eq!(Millis::new(i64::MIN).rfc3339(), None);
        assert_eq!(Millis::new(-62_167_219_200_000).rfc3339().unwrap(), "0000-01-01T00:00:00.000Z");
        assert_eq!(Millis::new(-62_167_219_200_001).rfc3339(), None);
    }
}
