//! How far the builds of a view are, over all its partitions.

use std::time::Duration;

use crate::view::{PartitionStatus, ViewStatus};

/// One partition on its way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Part {
    /// Offsets between the start of the log and the target.
    pub(super) offsets: u64,
    /// Share of them passed, 0 to 1.
    pub(super) share: f64,
    /// Records applied.
    pub(super) records: u64,
    /// Records per second.
    pub(super) rate: f64,
    /// Upper bound of the seconds left, if known.
    pub(super) eta_s: Option<f64>,
}

/// All partitions on their way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Restoration {
    /// Records applied.
    pub(super) records: u64,
    /// Records per second.
    pub(super) rate: f64,
    /// Share of the offsets passed, 0 to 1.
    pub(super) share: f64,
    /// Upper bound of the time left; none while it is not known of every partition.
    pub(super) eta: Option<Duration>,
}

/// A longer time left is as good as unknown.
const ETA_SECONDS_MAX: f64 = 100.0 * 24.0 * 3600.0;

impl Restoration {
    /// Adds partitions up; none when there are none.
    #[expect(clippy::cast_precision_loss, reason = "a share is an estimate")]
    pub(super) fn of(parts: impl IntoIterator<Item = Part>) -> Option<Self> {
        let parts: Vec<Part> = parts.into_iter().collect();
        if parts.is_empty() {
            return None;
        }
        // An empty partition counts a little, so that a view of empty ones has a share at all.
        let weight = |part: &Part| part.offsets.max(1) as f64;
        let all: f64 = parts.iter().map(weight).sum();
        let passed: f64 = parts.iter().map(|part| weight(part) * part.share.clamp(0.0, 1.0)).sum();
        let known = |part: &Part| part.eta_s.filter(|eta| (0.0..ETA_SECONDS_MAX).contains(eta));
        let eta = parts.iter().map(known).try_fold(0.0_f64, |most, eta| Some(most.max(eta?)));
        Some(Self {
            records: parts.iter().map(|part| part.records).sum(),
            rate: parts.iter().map(|part| part.rate).sum(),
            share: passed / all,
            eta: eta.map(Duration::from_secs_f64),
        })
    }

    /// Adds up what is on its way in a view.
    pub(super) fn of_view(status: &ViewStatus) -> Option<Self> {
        Self::of(status.partitions.iter().filter_map(part))
    }

    /// Returns the share in whole percent; 100 only when nothing is left.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100")]
    pub(super) fn percent(&self) -> u64 {
        (self.share * 100.0).floor() as u64
    }

    /// Returns rate and time left in words, such as `310 k/s, at most 12 s left`.
    pub(super) fn pace(&self) -> String {
        let rate = rate(self.rate);
        match self.eta {
            Some(eta) => format!("{rate}, at most {} left", left(eta)),
            None => rate,
        }
    }
}

fn part(partition: &PartitionStatus) -> Option<Part> {
    let restore = partition.restore.as_ref()?;
    let start = partition.log_start.map_or(0, |start| start.get());
    Some(Part {
        offsets: restore.target.get().abs_diff(start),
        share: restore.progress,
        records: restore.records,
        rate: restore.records_per_second,
        eta_s: restore.eta_s_max,
    })
}

fn rate(per_second: f64) -> String {
    if per_second >= 10_000.0 {
        format!("{:.0} k/s", per_second / 1000.0)
    } else {
        format!("{per_second:.0}/s")
    }
}

/// Rounds up to a whole second: an upper bound stays one.
fn left(eta: Duration) -> String {
    let seconds = eta.as_secs() + u64::from(eta.subsec_nanos() > 0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(offsets: u64, share: f64, eta_s: Option<f64>) -> Part {
        Part { offsets, share, records: 10, rate: 5000.0, eta_s }
    }

    #[test]
    fn partitions_count_by_their_offsets() {
        let sum = Restoration::of([part(900, 0.5, Some(2.0)), part(100, 1.0, Some(0.0))]).unwrap();

        assert_eq!((sum.records, sum.percent()), (20, 55));
        assert_eq!(sum.pace(), "10 k/s, at most 2 s left");
    }

    #[test]
    fn the_slowest_partition_decides_and_an_unknown_one_leaves_it_open() {
        let eta = |parts: &[Part]| Restoration::of(parts.iter().copied()).unwrap().eta;

        assert_eq!(eta(&[part(1, 0.0, Some(1.0)), part(1, 0.0, Some(9.0))]), Some(Duration::from_secs(9)));
        assert_eq!(eta(&[part(1, 0.0, Some(1.0)), part(1, 0.0, None)]), None);
        for odd in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            assert_eq!(eta(&[part(1, 0.0, Some(odd))]), None);
        }
    }

    #[test]
    fn a_hundred_percent_means_that_nothing_is_left() {
        assert_eq!(Restoration::of([part(1_000_000, 0.999_999, None)]).unwrap().percent(), 99);
        assert_eq!(Restoration::of([part(0, 1.0, None)]).unwrap().percent(), 100);
        assert_eq!(Restoration::of([]), None);
    }

    #[test]
    fn times_and_rates_read_well_at_every_size() {
        let words = [1, 59, 60, 3599, 3600, 90_000].map(|seconds| left(Duration::from_secs(seconds)));
        assert_eq!(words, ["1 s", "59 s", "1 min 00 s", "59 min 59 s", "1 h 00 min", "25 h 00 min"]);
        assert_eq!(left(Duration::from_millis(1)), "1 s");
        assert_eq!([rate(0.4), rate(9999.0), rate(310_000.0)], ["0/s", "9999/s", "310 k/s"]);
    }
}
