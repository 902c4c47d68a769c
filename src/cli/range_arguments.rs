//! The arguments of commands about many entries.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::args::{KeyEncoding, Target, seconds};
use super::entries::Form;
use super::key;
use crate::config::ViewName;

/// `statusquo scan`
#[derive(Debug, Args)]
pub struct ScanArguments {
    /// Name of the view
    pub view: ViewName,
    /// Which entries.
    #[command(flatten)]
    pub range: RangeArguments,
    /// Entries at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub limit: u32,
    /// What they have to reflect.
    #[command(flatten)]
    pub demand: DemandArguments,
    /// Form of the output
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Form::Table)]
    pub output: Form,
    /// The service.
    #[command(flatten)]
    pub target: Target,
}

/// `statusquo export`
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// Name of the view
    pub view: ViewName,
    /// Which entries.
    #[command(flatten)]
    pub range: RangeArguments,
    /// What they have to reflect.
    #[command(flatten)]
    pub demand: DemandArguments,
    /// Form of the output
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Form::Ndjson)]
    pub output: Form,
    /// Writes to this file, which appears only once everything has arrived; without it to standard output
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The service.
    #[command(flatten)]
    pub target: Target,
}

/// Which entries, in which order.
#[derive(Debug, Default, Args)]
pub struct RangeArguments {
    /// The keys that begin with this
    #[arg(long, value_name = "KEY", conflicts_with_all = ["start", "end"])]
    pub prefix: Option<OsString>,
    /// The keys from this one on
    #[arg(long, value_name = "KEY")]
    pub start: Option<OsString>,
    /// The keys before this one
    #[arg(long, value_name = "KEY")]
    pub end: Option<OsString>,
    /// Which way the keys are walked, byte by byte
    #[arg(long, value_enum, value_name = "ORDER")]
    pub order: Option<Order>,
    /// How keys are written; without it the way the view is configured
    #[arg(long, value_enum, value_name = "ENCODING")]
    pub enc: Option<KeyEncoding>,
}

/// Which way keys are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// From the first key on
    Asc,
    /// From the last key back
    Desc,
}

/// What an answer about many entries has to reflect.
#[derive(Debug, Default, Args)]
pub struct DemandArguments {
    /// Begins only once these records are applied: PARTITION:OFFSET as a producer was told, or a View-Position
    #[arg(long, value_name = "POSITION")]
    pub read_after: Option<String>,
    /// Waits that long for --read-after
    #[arg(long, value_name = "SECONDS", requires = "read_after", value_parser = seconds)]
    pub wait: Option<Duration>,
}

impl DemandArguments {
    /// Returns the parameter of the API, if there is one.
    pub(super) fn parameter(&self) -> Option<(&'static str, String)> {
        Some(("read_after", key::encode(self.read_after.as_ref()?.as_bytes())))
    }
}

impl RangeArguments {
    /// Returns the path of the entries of a view, with the range in its query; `more` are further parameters.
    pub(super) fn path<'a>(
        &self,
        view: &ViewName,
        more: impl IntoIterator<Item = (&'a str, String)>,
    ) -> String {
        let key = |key: &Option<OsString>| key.as_deref().map(OsStr::as_encoded_bytes).map(key::encode);
        let (order, enc) = (word(self.order), word(self.enc));
        let known = [
            ("prefix", key(&self.prefix)),
            ("start", key(&self.start)),
            ("end", key(&self.end)),
            ("order", order),
            ("enc", enc),
        ];
        let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let parameters = known.chain(more).map(|(name, value)| format!("{name}={value}"));
        let query = parameters.collect::<Vec<_>>().join("&");
        let separator = if query.is_empty() { "" } else { "?" };
        format!("/v1/views/{view}/entries{separator}{query}")
    }
}

/// Returns the word of the API that a choice on the command line stands for: they are the same.
pub(super) fn word(value: Option<impl ValueEnum>) -> Option<String> {
    Some(value?.to_possible_value()?.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Arguments, Command};

    fn path_of(words: &[&str]) -> Result<String, clap::Error> {
        let all = ["statusquo", "scan"].iter().chain(words);
        match Arguments::try_parse_from(all)?.command {
            Some(Command::Scan(scan)) => {
                let limit = ("limit", scan.limit.to_string());
                Ok(scan.range.path(&scan.view, [limit].into_iter().chain(scan.demand.parameter())))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_path_names_view_range_and_order() {
        assert_eq!(path_of(&["users"]).unwrap(), "/v1/views/users/entries?limit=100");
        assert_eq!(
            path_of(&["users", "--prefix", "a/b", "--order", "desc", "--limit", "7"]).unwrap(),
            "/v1/views/users/entries?prefix=a%2Fb&order=desc&limit=7"
        );
        assert_eq!(
            path_of(&["users", "--start", "", "--end", "ff", "--enc", "hex"]).unwrap(),
            "/v1/views/users/entries?start=&end=ff&enc=hex&limit=100"
        );
        let range = RangeArguments::default();
        assert_eq!(range.path(&"users".parse().unwrap(), []), "/v1/views/users/entries");
    }

    #[test]
    fn a_wait_is_for_a_position() {
        assert_eq!(
            path_of(&["users", "--read-after", "v1=3:7;t=k3Qz7pWx", "--wait", "5"]).unwrap(),
            "/v1/views/users/entries?limit=100&read_after=v1%3D3%3A7%3Bt%3Dk3Qz7pWx"
        );
        assert!(path_of(&["users", "--wait", "5"]).unwrap_err().to_string().contains("--read-after"));
        for wait in ["-1", "3601", "5s"] {
            let wait = format!("--wait={wait}");
            assert!(path_of(&["users", "--read-after", "3:7", &wait]).is_err(), "{wait}");
        }
    }

    #[test]
    fn a_prefix_goes_without_start_and_end() {
        assert!(path_of(&["users", "--prefix", "a", "--end", "b"]).is_err());
        assert!(path_of(&["users", "--limit", "0"]).is_err());
    }
}
