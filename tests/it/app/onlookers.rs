//! Readers that look on while something happens to a view.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::compare::key_path;
use super::{Connection, TestApp};

/// Readers side by side.
const READERS: usize = 4;

/// A value that says which key it belongs to and which version it is.
pub fn versioned(key: &str, version: u64) -> String {
    format!("{key}={version}")
}

impl TestApp<'_> {
    /// Reads keys without a pause while `work` runs.
    ///
    /// Asserts that every answer is a value of its key, written by [`versioned`], and that no reader ever sees
    /// an older version than it saw before. There is at least one pass over the keys after `work`.
    pub fn read_while<T>(&self, view: &str, keys: &[String], work: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            // A panic of `work` has to end the readers too.
            let _end = EndOf(&over);
            for _ in 0..READERS {
                scope.spawn(|| read_on(self.connect(), view, keys, &over));
            }
            work()
        })
    }
}

struct EndOf<'a>(&'a AtomicBool);

impl Drop for EndOf<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn read_on(mut connection: Connection, view: &str, keys: &[String], over: &AtomicBool) {
    let mut seen = vec![0; keys.len()];
    loop {
        let last_pass = over.load(Ordering::Acquire);
        for (key, seen) in keys.iter().zip(&mut seen) {
            let response = connection.get(key_path(view, key.as_bytes()));
            let text = response.text();
            assert_eq!(response.status, 200, "{key}: {text}");
            let version = text.strip_prefix(key.as_str()).and_then(|rest| rest.strip_prefix('='));
            let version: u64 =
                version.and_then(|version| version.parse().ok()).unwrap_or_else(|| panic!("{key} is {text}"));
            assert!(*seen <= version, "{key} went back from version {seen} to {version}");
            *seen = version;
        }
        if last_pass {
            return;
        }
    }
}
