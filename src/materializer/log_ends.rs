//! The thread that asks the cluster how far the log reaches, when a request wants the latest state.
//!
//! Not the coordinator's work: that may wait for a writer or a reader, and a request should not.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::kafka::Cluster;
use crate::progress::Unknown;
use crate::view::View;

/// How often a wait for a question looks whether the process is to end.
const IDLE: Duration = Duration::from_millis(200);

/// Answers questions until asked to stop.
pub(super) fn run(view: &View, cluster: &Cluster, stop: &CancellationToken) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        if let Some(question) = view.progress().log_ends().next(IDLE) {
            let ends = cluster.log_ends(&view.config().topic);
            let unknown =
                |error: crate::kafka::Error| Unknown { code: error.trouble(), detail: error.to_string() };
            question.answer(ends.map_err(unknown));
        }
    }
    Ok(())
}
