//! `statusquo serve`.

use std::sync::Arc;

use super::restore_bar;
use super::terminal::Terminal;
use crate::app::App;
use crate::config::Loaded;
use crate::{page, telemetry};

/// Runs the service until it is told to stop.
pub(super) fn run(loaded: &Loaded) -> anyhow::Result<()> {
    let terminal = Terminal::new();
    telemetry::install(&loaded.config().log, terminal.log_writer())?;
    let app = App::start(loaded.config(), page::router)?;
    let _bars = restore_bar::watch(Arc::clone(app.views()), terminal)?;
    app.wait()
}
