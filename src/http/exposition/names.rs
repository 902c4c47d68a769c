//! Names, units and descriptions of the metrics.
//!
//! A unit is added to the name: `statusquo_view_staleness` in seconds is `statusquo_view_staleness_seconds`.
//! A counter ends in `_total`.

use prometheus_client::registry::Unit;

use super::describe::Described;

macro_rules! metrics {
    ($($constant:ident = $name:literal $unit:expr, $help:literal;)+) => {
        $(
            #[doc = $help]
            pub(in crate::http) const $constant: Described = Described { name: $name, unit: $unit, help: $help };
        )+
    };
}

metrics! {
    VIEW_POSITION = "statusquo_view_position" None, "Next offset to read";
    VIEW_END_OFFSET = "statusquo_view_end_offset" None, "Next offset the log will give";
    VIEW_LAG = "statusquo_view_lag" None, "Records between position and end of the log";
    VIEW_STALENESS = "statusquo_view_staleness" Some(Unit::Seconds), "Time for which the partition is not known to be current";
    VIEW_STATE = "statusquo_view_state" None, "1 for the state the view is in, 0 for all others";
    VIEW_TROUBLE = "statusquo_view_trouble" None, "Partitions, or 1 for the view as a whole, that have the trouble";
    VIEW_WARNING = "statusquo_view_warning" None, "Partitions, or 1 for the view as a whole, that live with the condition";
    VIEW_WITHHELD_RECORDS = "statusquo_view_withheld_records" None, "Offsets behind an open transaction, which cannot be read yet";
    VIEW_WITHHELD = "statusquo_view_withheld" Some(Unit::Seconds), "Time for which the same transaction has been seen open";
    VIEW_READY = "statusquo_view_ready" None, "1 if the view counts as ready";
    VIEW_GENERATION = "statusquo_view_generation" None, "Swaps that readers could see";
    VIEW_APPLIED_RECORDS = "statusquo_view_applied_records" None, "Records applied, skipped ones included";
    VIEW_APPLIED_BYTES = "statusquo_view_applied" Some(Unit::Bytes), "Bytes of keys and values applied";
    VIEW_NULL_KEYS = "statusquo_view_null_keys" None, "Records without a key, which no view can hold";
    VIEW_CONFLICTS = "statusquo_view_conflicts" None, "Keys that have a value which a newer record in another partition hides";
    VIEW_VALUES_TOO_LARGE = "statusquo_view_values_too_large" None, "Records whose value was larger than the view keeps";
    VIEW_WRITE_ERRORS = "statusquo_view_write_errors" None, "Writes that failed and were tried again";
    VIEW_RESETS = "statusquo_view_resets" None, "Partitions an operator reset in the group, by whether that was obeyed";
    VIEW_BATCH_SECONDS = "statusquo_view_batch" Some(Unit::Seconds), "Time from a batch being handed over to its being readable";
    VIEW_KEYS = "statusquo_view_keys_estimated" None, "Keys, counted up to 1000 that take up to 1 MiB on the disk; more are estimated by RocksDB";
    VIEW_DISK_BYTES = "statusquo_view_disk" Some(Unit::Bytes), "Size of the store on disk";
    VIEW_MEMTABLE_BYTES = "statusquo_view_memtable" Some(Unit::Bytes), "Size of the memtables of the store";
    VIEW_COMPACTION_BYTES = "statusquo_view_pending_compaction" Some(Unit::Bytes), "Compaction still to be done, estimated by RocksDB";
    BLOCK_CACHE_BYTES = "statusquo_block_cache" Some(Unit::Bytes), "Size of what the block cache of all views holds";
    HTTP_REQUESTS = "statusquo_http_requests" None, "Requests answered";
    HTTP_REQUEST_SECONDS = "statusquo_http_request" Some(Unit::Seconds), "Time to answer a request";
    HTTP_CONNECTIONS = "statusquo_http_connections" None, "Connections open";
    HTTP_WAITING = "statusquo_http_waiting" None, "Requests that wait for a position, a key or a view";
    WATCHERS = "statusquo_watch_watchers" None, "Watches that go on";
    WATCH_EVENTS = "statusquo_watch_events" None, "Changes and values told to those who watch, resets included";
    WATCH_RESETS = "statusquo_watch_resets" None, "Times a client was told to begin anew, by reason";
    BUILD_INFO = "statusquo_build_info" None, "Always 1; the labels name the build";
    PROCESS_RESIDENT_MEMORY = "process_resident_memory" Some(Unit::Bytes), "Memory in RAM";
    PROCESS_OPEN_FDS = "process_open_fds" None, "Open file descriptors";
    PROCESS_START_TIME = "process_start_time" Some(Unit::Seconds), "Start of the process since 1970";
}
