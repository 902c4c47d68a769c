//! Where a value comes from, in the words of the person who set it.

use std::fmt;
use std::path::PathBuf;

/// What the names of our environment variables start with.
///
/// The underscore is double because Kubernetes gives `STATUSQUO_PORT`, `STATUSQUO_SERVICE_HOST` and more to
/// every pod beside a service called `statusquo`.
pub(super) const PREFIX: &str = "STATUSQUO__";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A configuration file.
    File(PathBuf),
    /// An environment variable, by name.
    Variable(String),
    /// A `--set` flag, by key.
    Flag(String),
}

impl Origin {
    /// Spells a key the way this origin has to write it.
    pub(super) fn spell(&self, key: &str) -> String {
        match self {
            Self::Variable(_) => format!("{PREFIX}{}", key.to_uppercase().replace('.', "__")),
            Self::File(_) | Self::Flag(_) => key.to_owned(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(key) => write!(f, "flag --set {key}"),
        }
    }
}
