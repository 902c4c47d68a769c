//! The one place where tests wait.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time between two looks: short against a test, long against the cost of a look.
const POLL: Duration = Duration::from_millis(20);

/// Waits until `probe` finds something; panics with `what` when the deadline passes.
pub fn eventually<T>(deadline: Duration, what: &str, probe: impl FnMut() -> Option<T>) -> T {
    within(deadline, POLL, probe).unwrap_or_else(|| panic!("{what}: not within {deadline:?}"))
}

/// Waits until `probe` finds something and looks every `poll`; `None` when the deadline passes.
pub fn within<T>(deadline: Duration, poll: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if started.elapsed() >= deadline {
            return None;
        }
        sleep(poll);
    }
}
