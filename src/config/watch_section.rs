//! The section of watches.

use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units;

/// Watching views: `GET /v1/views/{view}/watch`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WatchConfig {
    /// Bound on watchers at the same time; further ones are refused.
    pub watchers_max: usize,
    /// Bound on the changes kept per view: how far back a client that was away can go on.
    pub changes_max: usize,
    /// Bound on the memory of those changes, per view.
    #[serde(with = "units::size")]
    #[schemars(with = "units::Size")]
    pub changes_bytes_max: ByteSize,
    /// Bound on the memory of what watchers were told before its turn in those changes, of all watchers together.
    #[serde(with = "units::size")]
    #[schemars(with = "units::Size")]
    pub ahead_bytes_max: ByteSize,
    /// How often a watcher is told how fresh the view is, which also keeps its connection alive.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub bookmark_interval: Duration,
    /// Longest life of a watch; it ends after half of this at the earliest, and the client comes back by itself.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub lifetime: Duration,
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self {
            watchers_max: 1_000,
            changes_max: 100_000,
            changes_bytes_max: ByteSize::mib(16),
            ahead_bytes_max: ByteSize::mib(32),
            bookmark_interval: Duration::from_secs(15),
            lifetime: Duration::from_secs(3600),
        }
    }
}
