//! Names, units and buckets of what is measured; labels are bounded.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;

/// Upper bounds of batch times in seconds: from an almost empty batch to a disk that stalls.
const BATCH_SECONDS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// What the write side of one view counts; clones share their numbers.
#[derive(Debug, Clone)]
pub struct WriteMetrics {
    /// Records applied, skipped ones included.
    pub records: Counter,
    /// Bytes of their keys and values.
    pub bytes: Counter,
    /// Records without a key, which no view can hold.
    pub null_keys: Counter,
    /// Records whose value was larger than the view keeps.
    pub values_too_large: Counter,
    /// Writes that failed and were tried again.
    pub write_errors: Counter,
    /// Partitions that are rebuilt because an operator reset them in the group.
    pub resets_obeyed: Counter,
    /// Partitions an operator set forward in the group, in vain: that would skip records.
    pub resets_refused: Counter,
    /// Seconds from a batch being handed over to its being readable.
    pub batch_seconds: Histogram,
}

impl Default for WriteMetrics {
    fn default() -> Self {
        Self {
            records: Counter::default(),
            bytes: Counter::default(),
            null_keys: Counter::default(),
            values_too_large: Counter::default(),
            write_errors: Counter::default(),
            resets_obeyed: Counter::default(),
            resets_refused: Counter::default(),
            batch_seconds: Histogram::new(BATCH_SECONDS),
        }
    }
}
