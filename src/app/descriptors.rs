//! File descriptors: one for each connection, some for the stores and for Kafka.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors beside those of connections, per view: the files of a store, the brokers, the log.
const PER_VIEW: u64 = 1024;

/// Raises the soft limit to the hard one, and says if even that is too low.
///
/// The usual soft limit of 1024 is for programs that use `select`; the hard one is what the machine grants.
pub(super) fn raise(connections_max: usize, views: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // No limit is the highest.
    let raised =
        current.is_none() || setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let Some(limit) = (if raised { maximum } else { current }) else { return };
    let needed = needed(connections_max, views);
    if limit < needed {
        tracing::warn!(
            limit,
            needed,
            "file descriptors may run out; raise the hard limit (ulimit -Hn, LimitNOFILE) or lower \
             http.connections_max"
        );
    }
}

/// Each of the two listeners has connections of its own.
fn needed(connections_max: usize, views: usize) -> u64 {
    let [connections, views] = [connections_max, views].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
    connections.saturating_mul(2).saturating_add(views.max(1).saturating_mul(PER_VIEW))
}
