//! `statusquo healthcheck`.

use super::args::{HealthcheckArguments, Settings};
use super::client::{Client, Timeouts};
use super::exit::{Exit, Failure};
use super::target;

/// Characters of the answer that are shown; a container runtime keeps little.
const REASON_CHARACTERS_MAX: usize = 500;

/// Asks whether the service is alive, or ready; container runtimes know 0 and 1 only.
pub(super) fn run(arguments: &HealthcheckArguments, settings: &Settings) -> anyhow::Result<Exit> {
    let path = if arguments.ready { "/readyz" } else { "/livez" };
    let base = target::ops(arguments.url.as_deref(), settings).map_err(|error| failed(&error))?;
    let client = Client::new(&base, Timeouts::PROBE).map_err(|error| failed(&error))?;
    let answer = client.get(path).map_err(|failure| failed(&failure.into()))?;
    if answer.status.is_success() {
        return Ok(Exit::Success);
    }
    let reason: String =
        String::from_utf8_lossy(&answer.body).trim().chars().take(REASON_CHARACTERS_MAX).collect();
    Err(Failure::new(Exit::Failed, format!("{path} says {}: {reason}", answer.status.as_u16())).into())
}

fn failed(error: &anyhow::Error) -> anyhow::Error {
    Failure::new(Exit::Failed, format!("{error:#}")).into()
}
