//! Wall-clock time in milliseconds, as Kafka counts it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Milliseconds since 1970-01-01T00:00:00Z; records may carry negative or absurd ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(i64);

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

    /// Returns the seconds from `earlier` to this time; zero when the clock went backwards.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "ages are far below 2^53 ms")]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0).max(0) as f64 / 1000.0
    }

    /// Returns RFC 3339 in UTC with milliseconds; none beyond the years 0 to 9999.
    #[must_use]
    pub fn rfc3339(self) -> Option<String> {
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000).ok()?;
        let text = time.format(&Rfc3339).ok()?;
        let (date, fraction) = match text.trim_end_matches('Z').split_once('.') {
            Some((date, fraction)) => (date.to_owned(), fraction.to_owned()),
            None => (text.trim_end_matches('Z').to_owned(), String::new()),
        };
        Some(format!("{date}.{fraction:0<3}Z"))
    }
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
    fn an_absurd_time_has_no_text_form() {
        assert_eq!(Millis::new(i64::MAX).rfc3339(), None);
        assert_eq!(Millis::new(i64::MIN).rfc3339(), None);
    }
}
