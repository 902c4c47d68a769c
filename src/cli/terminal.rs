//! Standard error, shared by log lines and progress bars without tearing either.

use std::io::{self, IsTerminal, Write};

use indicatif::{MultiProgress, ProgressDrawTarget};
use tracing_subscriber::fmt::MakeWriter;

/// Standard error; clones share the bars that are on it.
#[derive(Debug, Clone)]
pub struct Terminal {
    bars: MultiProgress,
}

/// Makes the writers of log lines.
#[derive(Debug, Clone)]
pub struct LogWriter {
    bars: MultiProgress,
}

/// One log line on its way; it is written as a whole.
#[derive(Debug)]
pub struct Line {
    bars: MultiProgress,
    text: Vec<u8>,
}

impl Terminal {
    /// Takes standard error as it is; bars appear on it only if it is a terminal.
    #[must_use]
    pub fn new() -> Self {
        Self { bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()) }
    }

    /// Returns whether a person can watch it.
    #[must_use]
    pub fn is_interactive(&self) -> bool {
        io::stderr().is_terminal() && !self.bars.is_hidden()
    }

    /// Returns where log lines go: past the bars.
    #[must_use]
    pub fn log_writer(&self) -> LogWriter {
        LogWriter { bars: self.bars.clone() }
    }

    /// Writes text past the bars; where standard error is closed there is nobody left to tell.
    pub fn note(&self, text: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr().lock(), "{text}");
        });
    }

    pub(super) fn bars(&self) -> &MultiProgress {
        &self.bars
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { bars: self.bars.clone(), text: Vec::new() }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(&mut self.text);
        self.bars.suspend(|| io::stderr().lock().write_all(&text))
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // A log that cannot be written has no place to say so.
        let _ = self.flush();
    }
}
