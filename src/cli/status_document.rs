//! The part of a status document that is shown, as a client reads it.

use serde::Deserialize;

use super::restoration::{Part, Restoration};

/// Answer of `GET /v1/views`.
#[derive(Debug, Deserialize)]
pub(super) struct ViewList {
    pub(super) views: Vec<ViewName>,
}

/// One item of the list.
#[derive(Debug, Deserialize)]
pub(super) struct ViewName {
    pub(super) name: String,
}

/// Answer of `GET /v1/views/{view}/status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) view: String,
    pub(super) topic: String,
    pub(super) state: String,
    pub(super) reason: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) ready: bool,
    pub(super) lag: u64,
    pub(super) staleness_s: Option<f64>,
    pub(super) keys_estimated: u64,
    pub(super) disk_bytes: u64,
    pub(super) warnings: Vec<Warning>,
    pub(super) partitions: Vec<PartitionStatus>,
}

/// A condition the view lives with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Warning {
    pub(super) code: String,
    pub(super) partition: Option<i32>,
    pub(super) detail: String,
}

/// One partition of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PartitionStatus {
    pub(super) partition: i32,
    pub(super) state: String,
    pub(super) reason: Option<String>,
    pub(super) position: Option<i64>,
    pub(super) log_start: Option<i64>,
    pub(super) end_offset: Option<i64>,
    pub(super) lag: u64,
    pub(super) staleness_s: Option<f64>,
    pub(super) restore: Option<Restore>,
}

/// A build that runs.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(default)]
pub(super) struct Restore {
    pub(super) records: u64,
    pub(super) records_per_second: f64,
    pub(super) target: i64,
    pub(super) progress: f64,
    pub(super) eta_s_max: Option<f64>,
}

impl Status {
    /// Returns how far the builds of all partitions are; none when none runs.
    pub(super) fn restoration(&self) -> Option<Restoration> {
        Restoration::of(self.partitions.iter().filter_map(PartitionStatus::part))
    }
}

impl PartitionStatus {
    /// Returns how far the build of this partition is; none when none runs.
    pub(super) fn restoration(&self) -> Option<Restoration> {
        Restoration::of(self.part())
    }

    fn part(&self) -> Option<Part> {
        let restore = self.restore?;
        Some(Part {
            offsets: restore.target.abs_diff(self.log_start.unwrap_or(0)),
            share: restore.progress,
            records: restore.records,
            rate: restore.records_per_second,
            eta_s: restore.eta_s_max,
        })
    }
}
