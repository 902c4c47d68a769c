//! The arguments of the command line and the texts that teach them.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::entries::Form;
use super::help;
use super::range_arguments::{ExportArguments, ScanArguments};
use super::watch::WatchArguments;
use crate::config::ViewName;
use crate::demo;

/// Longest wait that can be asked for; the service cuts it to what it grants.
const WAIT_SECONDS_MAX: u64 = 3600;

/// The current state of your Kafka topics, over HTTP.
#[derive(Debug, Parser)]
#[command(name = "statusquo", version, about, long_about = help::ABOUT, after_help = help::AFTER)]
#[command(propagate_version = true, disable_help_subcommand = true, max_term_width = 100)]
pub struct Arguments {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub settings: Settings,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Where the configuration comes from; later goes over earlier: files, STATUSQUO__ variables, --set.
#[derive(Debug, Clone, Default, Args)]
pub struct Settings {
    /// Configuration file, TOML or YAML; give it several times to lay files over each other
    #[arg(long = "config", value_name = "FILE", global = true, env = "STATUSQUO_CONFIG")]
    pub files: Vec<PathBuf>,
    /// Sets one key of the configuration, such as `--set http.listen=127.0.0.1:9000`; repeatable
    #[arg(long = "set", value_name = "KEY=VALUE", global = true, value_parser = setting)]
    pub overrides: Vec<(String, String)>,
}

/// What the process is asked to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Materializes the configured topics and answers look-ups (the default)
    #[command(after_help = help::SERVE)]
    Serve,
    /// Shows everything in one process: a Kafka broker in memory, changing user profiles, the API, a web page
    #[command(after_help = help::DEMO)]
    Demo(DemoArguments),
    /// Prints the value of a key
    #[command(after_help = help::GET)]
    Get(GetArguments),
    /// Prints what a view holds, then every change, until Ctrl-C
    #[command(after_help = help::WATCH)]
    Watch(WatchArguments),
    /// Prints the entries of a range of keys
    #[command(after_help = help::SCAN)]
    Scan(ScanArguments),
    /// Writes all entries of a range of keys, as of one moment, and makes sure that they are all there
    #[command(after_help = help::EXPORT)]
    Export(ExportArguments),
    /// Shows how far the views of a running service are
    #[command(after_help = help::STATUS)]
    Status(StatusArguments),
    /// Builds a view again from its topic, while the old state answers
    #[command(after_help = help::REBUILD)]
    Rebuild(RebuildArguments),
    /// Checks, prints or describes the configuration; connects to nothing
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Ends with 0 if the service is alive, with 1 if not: for containers
    #[command(after_help = help::HEALTHCHECK)]
    Healthcheck(HealthcheckArguments),
    /// Prints a script that completes commands in your shell
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// `statusquo config ...`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigCommand {
    /// Reports every problem at once; ends with 78 if there are any
    Check,
    /// Prints the effective configuration as TOML, and where each value comes from; no secrets
    Print,
    /// Prints the JSON Schema of a configuration file, for editors
    Schema,
}

/// `statusquo get`
#[derive(Debug, Args)]
pub struct GetArguments {
    /// Name of the view
    pub view: ViewName,
    /// The key; any bytes the shell can pass. Write `--` before one that starts with a dash
    pub key: OsString,
    /// The service.
    #[command(flatten)]
    pub target: Target,
    /// How the key is written; without it the way the view is configured
    #[arg(long, value_enum, value_name = "ENCODING")]
    pub enc: Option<KeyEncoding>,
    /// Form of the value: the stored bytes, JSON, or JSON with key, partition, offset, timestamp and headers
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Prints the entry, with partition, offset, timestamp and headers, instead of the bytes of its value
    #[arg(short, long, value_enum, value_name = "FORM", conflicts_with = "format")]
    pub output: Option<Form>,
    /// Answers only once these records are applied: PARTITION:OFFSET as a producer was told, or a View-Position
    #[arg(long, value_name = "POSITION")]
    pub read_after: Option<String>,
    /// Waits that long for --read-after; without it for the key to appear
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub wait: Option<Duration>,
    /// Prints the status line and the headers that say how fresh the answer is, on standard error
    #[arg(short, long)]
    pub include: bool,
}

/// `statusquo status`
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// One view, with its partitions; without it all views
    pub view: Option<ViewName>,
    /// The service.
    #[command(flatten)]
    pub target: Target,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = StatusOutput::Table)]
    pub output: StatusOutput,
}

/// `statusquo rebuild`
#[derive(Debug, Args)]
pub struct RebuildArguments {
    /// Name of the view
    pub view: ViewName,
    /// A partition to rebuild; repeatable. Without it all of them
    #[arg(long = "partition", value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub partitions: Vec<i32>,
    /// Waits until the fresh state answers
    #[arg(long)]
    pub wait: bool,
    /// Address of the ops listener; without it `ops.listen` of the configuration
    #[arg(long = "ops-url", value_name = "URL", env = "STATUSQUO_OPS_URL")]
    pub url: Option<String>,
    /// File with the admin token; without it that of the configuration, if the address comes from there too
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Which service to ask.
#[derive(Debug, Clone, Default, Args)]
pub struct Target {
    /// Address of the service; without it `http.listen` of the configuration
    #[arg(long, value_name = "URL", env = "STATUSQUO_URL")]
    pub url: Option<String>,
}

/// `statusquo healthcheck`
#[derive(Debug, Args)]
pub struct HealthcheckArguments {
    /// Address of the ops listener; without it `ops.listen` of the configuration
    #[arg(long, value_name = "URL", env = "STATUSQUO_OPS_URL")]
    pub url: Option<String>,
    /// Asks whether every required view may be asked, not only whether the process is alive
    #[arg(long)]
    pub ready: bool,
}

/// `statusquo demo`
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// A real Kafka to use; without it one runs in memory
    #[arg(long, value_name = "HOST:PORT")]
    pub bootstrap: Option<String>,
    /// Keeps the view in this directory; without it in a temporary one that is removed at the end
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Changes per second once all users have signed up
    #[arg(long, value_name = "N", default_value_t = demo::RATE, value_parser = clap::value_parser!(u32).range(0..=50_000))]
    pub rate: u32,
    /// Users that sign up at once
    #[arg(long, value_name = "N", default_value_t = demo::USERS, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub users: u32,
    /// Address of the API and the web page [default: 127.0.0.1:8080, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Address of probes and metrics [default: 127.0.0.1:8081, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    pub ops_listen: Option<SocketAddr>,
}

/// How a key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeyEncoding {
    /// Text; its bytes are the key
    Utf8,
    /// Any bytes in base64 with - and _
    Base64url,
    /// Any bytes in hexadecimal
    Hex,
    /// Decimal number, 4 bytes, as the Java serializer writes it
    I32,
    /// Decimal number, 8 bytes, as the Java serializer writes it
    I64,
    /// UUID, 16 bytes
    Uuid,
}

/// Form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The stored bytes
    Raw,
    /// JSON
    Json,
    /// JSON with key, partition, offset, timestamp and headers
    Entry,
}

/// Form of the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusOutput {
    /// For people
    Table,
    /// As the service says it, for scripts
    Json,
}

impl From<DemoArguments> for demo::Options {
    fn from(arguments: DemoArguments) -> Self {
        let DemoArguments { bootstrap, data_dir, rate, users, listen, ops_listen } = arguments;
        Self { bootstrap, data_dir, rate, users, listen, ops_listen }
    }
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE, such as http.listen=127.0.0.1:9000".to_owned()),
    }
}

/// Reads how long a service may wait.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0..=WAIT_SECONDS_MAX).contains(seconds));
    let wrong = || format!("write whole seconds, {WAIT_SECONDS_MAX} at most");
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn settings_may_stand_before_or_after_the_command() {
        for words in [["statusquo", "--set", "a=b", "serve"], ["statusquo", "serve", "--set", "a=b"]] {
            let arguments = Arguments::try_parse_from(words).unwrap();
            assert_eq!(arguments.settings.overrides, [("a".to_owned(), "b".to_owned())]);
        }
    }

    #[test]
    fn the_value_of_a_setting_may_hold_equals_signs() {
        assert_eq!(setting("a.b=c=d"), Ok(("a.b".to_owned(), "c=d".to_owned())));
        assert!(setting("=x").is_err() && setting("x").is_err());
    }

    #[test]
    fn a_key_may_start_with_a_dash() {
        let arguments = Arguments::try_parse_from(["statusquo", "get", "users", "--", "-i"]).unwrap();
        let Some(Command::Get(get)) = arguments.command else { panic!("{arguments:?}") };
        assert_eq!((get.key, get.include), (OsString::from("-i"), false));
    }
}
