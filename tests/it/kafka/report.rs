//! Which tests ran against a real Kafka: the build counts them, so that none is lost in silence.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::thread;

/// Appends the name of this test to the file that `STATUSQUO_KAFKA_TESTS_LOG` names, if it does.
pub fn used_by_this_test() {
    let Some(path) = env::var_os("STATUSQUO_KAFKA_TESTS_LOG") else { return };
    let mut file =
        OpenOptions::new().create(true).append(true).open(path).expect("STATUSQUO_KAFKA_TESTS_LOG");
    let thread = thread::current();
    // One write: tests append side by side.
    let line = format!("{}\n", thread.name().unwrap_or("unnamed"));
    file.write_all(line.as_bytes()).expect("STATUSQUO_KAFKA_TESTS_LOG");
}
