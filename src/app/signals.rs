//! SIGTERM, SIGINT and a closed terminal: the first stops the service in order, the second at once.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for a signal that asks to stop; returns its name.
///
/// # Errors
/// When signals cannot be listened to.
pub(super) async fn first() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Order matters: listening to a signal ends its being ignored.
    let mut hangup = if hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
    let hangup = async {
        match &mut hangup {
            Some(hangup) => hangup.recv().await,
            None => std::future::pending().await,
        }
    };
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        _ = hangup => "SIGHUP",
    })
}

/// A process started with `nohup` outlives its terminal.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP is signal 1, the lowest bit.
    mask.is_some_and(|mask| mask & 1 == 1)
}

/// Ends the process at the next signal, whatever is still running.
pub(super) async fn exit_at_the_next() {
    if let Ok(name) = first().await {
        tracing::warn!(signal = name, "stopping at once");
        std::process::exit(1);
    }
}
