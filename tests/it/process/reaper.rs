//! Cleans up behind the test process, however it ends: a shell that waits for the end of a pipe.
//!
//! Statics are never dropped, and a killed process drops nothing at all; the kernel closes its pipes in any case.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};

/// Reads `watch PID` and `forget PID`; at the end of input kills what is left and removes the directory `$1`.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
pids=
while read -r verb pid; do
  case $verb in
    watch) pids="$pids $pid" ;;
    forget)
      kept=
      for each in $pids; do [ "$each" = "$pid" ] || kept="$kept $each"; done
      pids=$kept ;;
  esac
done
for each in $pids; do kill -9 "$each"; done
for attempt in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" && break; sleep 0.2; done
"#;

struct Reaper {
    /// Never waited for: it outlives this process.
    _shell: Child,
    orders: Mutex<ChildStdin>,
    root: PathBuf,
}

/// Has a process killed when the test process ends.
pub fn watch(pid: u32) {
    order("watch", pid);
}

/// Takes a process off the list: it has ended, and its id may be given to another.
pub fn forget(pid: u32) {
    order("forget", pid);
}

/// Returns the directory that is removed when the test process ends.
pub fn root() -> &'static Path {
    &reaper().root
}

fn order(verb: &str, pid: u32) {
    let mut orders = reaper().orders.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    writeln!(orders, "{verb} {pid}").expect("a reaper that listens");
}

fn reaper() -> &'static Reaper {
    static REAPER: OnceLock<Reaper> = OnceLock::new();
    REAPER.get_or_init(|| {
        let root =
            tempfile::Builder::new().prefix("statusquo-tests-").tempdir().expect("a temporary directory");
        let root = root.keep();
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "reaper"])
            .arg(&root)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh");
        let orders = shell.stdin.take().expect("a pipe");
        Reaper { _shell: shell, orders: Mutex::new(orders), root }
    })
}
