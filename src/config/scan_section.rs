//! The section of reads that are about many entries.

use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units;

/// Reads of many entries: scans, exports and batches.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScanConfig {
    /// Bound on the entries of one page.
    pub page_entries_max: usize,
    /// Bound on the time one page reads; it ends early then.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub page_time_max: Duration,
    /// Bound on the bytes of one answer: a page ends early, a batch is refused. Times `parallel` it bounds finished answers.
    #[serde(with = "units::size")]
    #[schemars(with = "units::Size")]
    pub answer_bytes_max: ByteSize,
    /// Pages and large batches that are read at the same time; further ones wait for a second.
    pub parallel: usize,
    /// Exports that run at the same time; further ones wait for a second.
    pub exports_max: usize,
    /// Bound on the time one export may take: until then the store keeps what was overwritten since its beginning.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub export_time_max: Duration,
}

impl Default for ScanConfig {
    fn default() -> Self {
        Self {
            page_entries_max: 1000,
            page_time_max: Duration::from_secs(1),
            answer_bytes_max: ByteSize::mib(8),
            parallel: 8,
            exports_max: 4,
            export_time_max: Duration::from_secs(600),
        }
    }
}
