//! The configuration of the process: built-in defaults, then files, environment variables and flags, each
//! over the one before.
//!
//! Loading reports everything that is wrong at once. It reads files and connects to nothing. A relative path
//! in the configuration is relative to the working directory of the process.
//!
//! - **Files** are TOML, or YAML where the name ends in `.yaml` or `.yml`. A later file goes over an earlier.
//! - **Environment variables** spell a key with `STATUSQUO__` before it and `__` for each dot:
//!   `STATUSQUO__HTTP__LISTEN`, `STATUSQUO__VIEWS__USERS__TOPIC`. Where a view's name has a dash, write an
//!   underscore: `STATUSQUO__VIEWS__USER_PROFILES__TOPIC` is `user-profiles` if a file has that view and no
//!   `user_profiles`. In the name of a librdkafka property a single underscore stands for a dot:
//!   `STATUSQUO__KAFKA__PROPERTIES__SECURITY_PROTOCOL` (but for `log_level`, which is called that). An empty
//!   variable counts as not set; names with a single underscore after `STATUSQUO` are not ours.
//! - **Flags** are `--set key=value`, such as `--set kafka.properties.security.protocol=SSL`.

mod check;
mod layer;
mod leaf;
mod limits;
mod merge;
mod origin;
mod problem;
mod properties;
pub mod redaction;
mod scan_section;
pub mod secret;
pub mod sections;
mod shape;
mod suggest;
pub mod text_file;
mod units;
mod validate;
pub mod view_name;
mod view_section;
mod watch_section;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;

pub use self::merge::Sources;
pub use self::problem::{Problem, Problems};
pub use self::secret::Secret;
pub use self::sections::Config;
pub use self::view_name::ViewName;

use self::layer::Layer;
use self::shape::Shape;
use self::validate::Validation;

/// A configuration without problems, and where its values come from.
#[derive(Debug, Clone)]
pub struct Loaded {
    config: Config,
    sources: Sources,
}

impl Loaded {
    /// Returns the configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the configuration, for the parts of the process to share.
    #[must_use]
    pub fn into_config(self) -> Config {
        self.config
    }

    /// Returns where the values come from that are not built in.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }
}

/// Loads a configuration that a test makes of flags alone.
#[cfg(test)]
pub(crate) fn of_flags(flags: &[(&str, &str)]) -> Config {
    let flags: Vec<_> = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    load(&[], std::iter::empty(), &flags).map_err(|problems| problems.to_string()).unwrap().into_config()
}

/// Loads the configuration from files, environment variables and `--set` flags, the later over the earlier.
///
/// # Errors
/// Returns every problem that can be found without connecting to anything.
pub fn load(
    files: &[PathBuf],
    env: impl Iterator<Item = (String, String)>,
    overrides: &[(String, String)],
) -> Result<Loaded, Problems> {
    let root = Shape::of_config();
    let mut problems = Problems::default();

    let mut layers: Vec<Layer> =
        files.iter().filter_map(|path| Layer::of_file(path, &mut problems)).collect();
    let files_are_read = problems.is_empty();
    let views: BTreeSet<String> = layers.iter().flat_map(Layer::views).collect();
    layers.extend(Layer::of_variables(env, &views, &mut problems));
    layers.extend(overrides.iter().map(|(key, value)| Layer::of_flag(key, value)));
    let layers = layers.into_iter().map(|layer| check::check(layer, &root, &mut problems)).collect();

    let Some((mut config, sources)) = merge::merge(layers, files_are_read, &mut problems) else {
        return Err(problems);
    };
    Validation::new(&sources, &mut problems).run(&mut config);
    if problems.is_empty() { Ok(Loaded { config, sources }) } else { Err(problems) }
}

/// Returns the environment of the process, for [`load`].
///
/// `std::env::vars` panics where a name or a value is not Unicode; here such a value is reported by `load`.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}

/// Returns the JSON Schema of a configuration file.
#[must_use]
pub fn schema() -> serde_json::Value {
    shape::schema().to_value()
}
