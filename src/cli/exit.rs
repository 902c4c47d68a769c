//! Exit codes of the process, and which error leads to which.

use std::process::ExitCode;

use crate::config::Problems;
use crate::kafka;

use super::output::Closed;

/// How the process ends, for scripts and service managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Success,
    /// It failed; trying again changes nothing by itself.
    Failed,
    /// The command line is wrong.
    Usage,
    /// The key has no value.
    NotFound,
    /// Ctrl-C was pressed before it was done.
    Interrupted,
    /// Not now: nobody answers, or the view is not ready. Try again later.
    Temporary,
    /// The configuration is wrong.
    Config,
}

/// An error that knows how the process is to end.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// How the process ends.
    pub exit: Exit,
    message: String,
}

impl Exit {
    /// Returns the number; those above 64 are the ones of `sysexits.h`.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Temporary => 75,
            Self::Config => 78,
            Self::Interrupted => 130,
        }
    }

    /// Returns how the process ends after an error.
    #[must_use]
    pub fn after(error: &anyhow::Error) -> Self {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            failure.exit
        } else if error.is::<Closed>() {
            Self::Success
        } else if error.is::<Problems>() || is_property(error) {
            Self::Config
        } else {
            Self::Failed
        }
    }
}

/// A property that librdkafka refuses comes from the configuration too.
fn is_property(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(kafka::Error::Property(_)))
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Failure {
    /// Makes an error from how the process ends and one readable sentence.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

/// Returns the text of an error for a terminal; none when there is nobody to tell.
///
/// Everything is on one line, but for the problems of a configuration, which have a line each. Texts may come
/// from a server: what could steer a terminal becomes a space.
#[must_use]
pub fn text_of(error: &anyhow::Error) -> Option<String> {
    if error.is::<Closed>() {
        return None;
    }
    if let Some(problems) = error.downcast_ref::<Problems>() {
        return Some(problems.to_string());
    }
    let line = format!("{error:#}");
    Some(format!("statusquo: {}", line.replace(char::is_control, " ")))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config;
    use crate::store;

    #[test]
    fn every_way_to_end_has_its_own_number() {
        let all = [
            Exit::Success,
            Exit::Failed,
            Exit::Usage,
            Exit::NotFound,
            Exit::Temporary,
            Exit::Config,
            Exit::Interrupted,
        ];

        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 75, 78, 130]);
    }

    #[test]
    fn the_cause_decides_whatever_context_was_added() {
        let problems = config::load(&[], std::iter::empty(), &[]).unwrap_err();
        let locked = store::Error::Locked { path: PathBuf::from("data/users") };
        let cases = [
            (anyhow::Error::from(problems), Exit::Config),
            (anyhow::Error::from(kafka::Error::Property("no such property".into())), Exit::Config),
            (anyhow::Error::from(locked), Exit::Failed),
            (anyhow::Error::from(Failure::new(Exit::Temporary, "later")), Exit::Temporary),
            (anyhow::Error::from(Closed), Exit::Success),
            (anyhow::anyhow!("address in use"), Exit::Failed),
        ];
        for (error, exit) in cases {
            assert_eq!(Exit::after(&error.context("while starting")), exit);
        }
    }

    #[test]
    fn an_error_with_its_causes_is_one_line_that_cannot_steer_a_terminal() {
        let error = anyhow::anyhow!("first\nsecond \u{1b}[2J").context("cannot start");

        assert_eq!(text_of(&error).unwrap(), "statusquo: cannot start: first second  [2J");
    }

    #[test]
    fn nobody_is_told_when_the_reader_of_the_output_has_gone() {
        assert_eq!(text_of(&anyhow::Error::from(Closed)), None);
    }
}
