//! SIGTERM and SIGINT: the first stops the service in order, the second at once.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for a signal that asks to stop; returns its name.
///
/// # Errors
/// When signals cannot be listened to.
pub(super) async fn first() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

/// Ends the process at the next signal, whatever is still running.
pub(super) async fn exit_at_the_next() {
    if let Ok(name) = first().await {
        tracing::warn!(signal = name, "stopping at once");
        std::process::exit(1);
    }
}
