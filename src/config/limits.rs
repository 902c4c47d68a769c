//! The lowest and highest value of every number in the configuration.
//!
//! Low bounds keep out what cannot work, mostly zero. High bounds keep out slips, such as a unit too many.

use std::time::Duration;

use bytesize::ByteSize;

/// The lowest and highest value of a key, both allowed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limits {
    /// Of a count.
    Count(u64, u64),
    /// Of a size.
    Size(ByteSize, ByteSize),
    /// Of a duration.
    Timespan(Duration, Duration),
}

/// Returns the limits of a key; every count, size and duration has them.
pub(super) fn of(key: &str) -> Option<Limits> {
    use Limits::{Count, Size, Timespan};
    const MS: Duration = Duration::from_millis(1);
    const HOUR: Duration = Duration::from_secs(3600);
    // librdkafka allows no more for the timeout of a request.
    const REQUEST_MAX: Duration = Duration::from_secs(300);

    if let Some((_, key)) = key.strip_prefix("views.").and_then(|rest| rest.split_once('.')) {
        return of_view(key);
    }
    let limits = match key {
        // librdkafka counts kibibytes in 31 bits.
        "kafka.queue" => Size(ByteSize::kib(64), ByteSize::gib(1)),
        // A view that was not compared with the log for ten seconds counts as stale.
        "kafka.poll_interval" => Timespan(10 * MS, Duration::from_secs(5)),
        "kafka.request_timeout" => Timespan(10 * MS, REQUEST_MAX),
        // Clients ask for whole seconds.
        "http.wait_max" => Timespan(Duration::from_secs(1), HOUR),
        "http.waiters_max" | "http.watch.watchers_max" => Count(0, 1_000_000),
        "http.connections_max" | "batch.records_max" | "http.scan.page_entries_max" => Count(1, 1_000_000),
        "http.header_timeout"
        | "http.write_timeout"
        | "http.request_timeout"
        | "http.scan.page_time_max"
        | "shutdown.grace" => Timespan(MS, HOUR),
        "http.scan.export_time_max" => Timespan(MS, 24 * HOUR),
        "ready.max_staleness" | "rebuild.tombstones_kept" => Timespan(MS, 365 * 24 * HOUR),
        "store.block_cache" => Size(ByteSize::mib(1), ByteSize::tib(1)),
        "store.write_buffer" => Size(ByteSize::mib(1), ByteSize::gib(4)),
        // With a single memtable every flush would stop the writer.
        "store.write_buffers" => Count(2, 64),
        // Each is a thread.
        "store.background_jobs" | "http.scan.parallel" | "http.scan.exports_max" => Count(1, 256),
        "store.corrupt_kept" => Count(0, 1000),
        "http.watch.changes_max" => Count(1, 100_000_000),
        "http.watch.ahead_bytes_max" | "http.watch.changes_bytes_max" => {
            Size(ByteSize::kib(64), ByteSize::gib(16))
        }
        "http.watch.bookmark_interval" => Timespan(10 * MS, HOUR),
        "http.watch.lifetime" => Timespan(10 * MS, 365 * 24 * HOUR),
        "batch.bytes_max" | "http.scan.answer_bytes_max" => Size(ByteSize::kib(1), ByteSize::gib(1)),
        "batch.wait_restoring" | "batch.wait_following" => Timespan(MS, Duration::from_secs(60)),
        "mirror.interval" => Timespan(100 * MS, HOUR),
        "rebuild.parallel" => Count(1, 1000),
        "rebuild.records_per_second" => Count(0, 100_000_000),
        _ => return None,
    };
    Some(limits)
}

fn of_view(key: &str) -> Option<Limits> {
    // Kafka bounds a record at 2 GiB.
    (key == "max_value_bytes").then(|| Limits::Size(ByteSize::b(1), ByteSize::gib(2)))
}

#[cfg(test)]
mod tests {
    use super::super::leaf::Leaf;
    use super::super::shape::Shape;
    use super::*;

    fn check(path: &str, shape: &Shape) {
        match shape {
            Shape::Section(keys) => {
                for (key, shape) in keys {
                    check(format!("{path}.{key}").trim_matches('.'), shape);
                }
            }
            Shape::Views(view) => check(&format!("{path}.<name>"), view),
            Shape::Leaf(Leaf::Count) => assert!(matches!(of(path), Some(Limits::Count(..))), "{path}"),
            Shape::Leaf(Leaf::Size) => assert!(matches!(of(path), Some(Limits::Size(..))), "{path}"),
            Shape::Leaf(Leaf::Timespan) => assert!(matches!(of(path), Some(Limits::Timespan(..))), "{path}"),
            Shape::Leaf(_) | Shape::Properties => assert!(of(path).is_none(), "{path}"),
        }
    }

    #[test]
    fn every_number_has_a_lowest_and_a_highest_value() {
        check("", &Shape::of_config());
    }
}
