//! `statusquo demo`.

use std::sync::Arc;

use super::restore_bar;
use super::terminal::Terminal;
use crate::demo::{Demo, Options};

/// Runs the demo until it is told to stop.
pub(super) fn run(options: Options) -> anyhow::Result<()> {
    let terminal = Terminal::new();
    let demo = Demo::start(options, terminal.log_writer())?;
    terminal.note(&demo.banner());
    let bars = restore_bar::watch(Arc::clone(demo.views()), terminal)?;
    demo.wait(bars)
}
