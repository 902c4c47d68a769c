//! Child processes and temporary directories that never outlive the test process.

mod reaper;

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

pub use rustix::process::Signal;
use tempfile::TempDir;

use crate::eventually::within;

/// A child process; dropped means killed, and so does the end of the test process.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a command with no standard input, outside the terminal's process group: Ctrl-C then ends the
    /// test process alone, and the reaper ends the rest.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.stdin(Stdio::null()).process_group(0).spawn()?;
        reaper::watch(child.id());
        Ok(Self { child })
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a process id"), signal)
            .expect("a child that can be signalled");
    }

    /// Returns how the process ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().expect("a child that can be waited for");
        if status.is_some() {
            reaper::forget(self.child.id());
        }
        status
    }

    /// Waits for the end of the process.
    pub fn wait_within(&mut self, deadline: Duration) -> Option<ExitStatus> {
        within(deadline, Duration::from_millis(10), || self.exited())
    }

    /// Kills the process and waits until it is gone.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child that can be killed");
        self.child.wait().expect("a child that can be waited for");
        reaper::forget(self.child.id());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The result does not matter: a process that has ended cannot be killed, and that is the aim.
        let _ = self.child.kill();
        let _ = self.child.wait();
        reaper::forget(self.child.id());
    }
}

/// Makes a temporary directory that goes away with the value, at the latest with the test process.
pub fn scratch(prefix: &str) -> TempDir {
    tempfile::Builder::new().prefix(prefix).tempdir_in(reaper::root()).expect("a temporary directory")
}

/// Returns the last lines of a log file.
pub fn last_lines(path: &Path, count: usize) -> String {
    let text = fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
