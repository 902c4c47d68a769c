//! `statusquo watch`.

mod events;
mod show;

use std::ffi::OsString;
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};

use self::events::Events;
use super::args::{KeyEncoding, Settings, Target};
use super::client::{Client, Head, Timeouts};
use super::entries::Form;
use super::exit::Exit;
use super::range_arguments::DemandArguments;
use super::{interrupt, key, output, target};
use crate::config::ViewName;

/// Pauses before a connection is tried again, from the first to the longest.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// `statusquo watch`
#[derive(Debug, Args)]
pub struct WatchArguments {
    /// Name of the view
    pub view: ViewName,
    /// The service.
    #[command(flatten)]
    pub target: Target,
    /// Watches this key only
    #[arg(long, value_name = "KEY", conflicts_with = "prefix")]
    pub key: Option<OsString>,
    /// Watches the keys that start with this only
    #[arg(long, value_name = "KEY")]
    pub prefix: Option<OsString>,
    /// How keys are written; without it the way the view is configured
    #[arg(long, value_enum, value_name = "ENCODING")]
    pub enc: Option<KeyEncoding>,
    /// Goes on from this event id, or from a View-Position
    #[arg(long, value_name = "ID", conflicts_with = "read_after")]
    pub from: Option<String>,
    /// Whether what there is already is shown too, or only what changes
    #[arg(long, value_enum, default_value_t = Initial::Snapshot)]
    pub initial: Initial,
    /// What the beginning has to reflect.
    #[command(flatten)]
    pub demand: DemandArguments,
    /// Form of the output, a line per event; json and ndjson are the same
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Form::Table)]
    pub output: Form,
}

/// What comes before the changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Initial {
    /// All there is
    Snapshot,
    /// Nothing
    None,
}

/// Prints what happens to a view, until Ctrl-C. Where the connection breaks, it goes on from the last event.
pub(super) fn run(arguments: &WatchArguments, settings: &Settings) -> anyhow::Result<Exit> {
    let base = target::data(arguments.target.url.as_deref(), settings)?;
    let (client, path) = (Client::new(&base, Timeouts::COMMAND)?, path(arguments));
    interrupt::ends_with(Exit::Success, || {})?;
    let (mut id, mut pause, mut began) = (None::<String>, PAUSE, false);
    loop {
        let mut events = Events::default();
        let last = id.clone();
        let head = Head { last_event_id: last.as_deref(), wait: arguments.demand.wait, ..Head::default() };
        let ended = client.stream(&path, head, |piece| {
            began = true;
            for event in events.read(piece) {
                pause = PAUSE;
                output::write(show::line(&event, arguments.output).as_bytes())?;
            }
            if let Some(last) = events.last_id() {
                id = Some(last.to_owned());
            }
            Ok(())
        });
        // Who never got anything is told why; so is who is refused for good.
        let passes = |error: &anyhow::Error| began && Exit::after(error) == Exit::Temporary;
        ended.or_else(|error| if passes(&error) { Ok(()) } else { Err(error) })?;
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

fn path(arguments: &WatchArguments) -> String {
    let mut path = format!("/v1/views/{}/watch", arguments.view);
    let keys = [("key", &arguments.key), ("prefix", &arguments.prefix)];
    let keys = keys
        .into_iter()
        .filter_map(|(name, key)| Some((name, key::encode(key.as_ref()?.as_encoded_bytes()))));
    let enc = arguments.enc.and_then(|enc| Some(enc.to_possible_value()?.get_name().to_owned()));
    let initial = (arguments.initial == Initial::None).then(|| "none".to_owned());
    let from = arguments.from.as_ref().map(|from| key::encode(from.as_bytes()));
    let words = [("enc", enc), ("initial", initial), ("from", from)];
    let words = words.into_iter().filter_map(|(name, word)| Some((name, word?)));
    let words = words.chain(arguments.demand.parameter());
    for (number, (name, value)) in keys.chain(words).enumerate() {
        let separator = if number == 0 { '?' } else { '&' };
        path.push_str(&format!("{separator}{name}={value}"));
    }
    path
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Arguments, Command};

    fn path_of(words: &[&str]) -> Option<String> {
        let all = ["statusquo", "watch"].iter().chain(words);
        match Arguments::try_parse_from(all).ok()?.command {
            Some(Command::Watch(watch)) => Some(path(&watch)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_path_says_what_is_watched() {
        assert_eq!(path_of(&["users"]).unwrap(), "/v1/views/users/watch");
        assert_eq!(
            path_of(&["users", "--prefix", "a/b", "--enc", "utf8", "--initial", "none"]).unwrap(),
            "/v1/views/users/watch?prefix=a%2Fb&enc=utf8&initial=none"
        );
        assert_eq!(path_of(&["users", "--key", ""]).unwrap(), "/v1/views/users/watch?key=");
        assert_eq!(
            path_of(&["users", "--read-after", "3:7", "--wait", "5"]).unwrap(),
            "/v1/views/users/watch?read_after=3%3A7"
        );
        for wrong in [["--key", "a", "--prefix", "b"], ["--from", "3:7", "--read-after", "3:9"]] {
            assert_eq!(path_of(&[&["users"], &wrong[..]].concat()), None);
        }
        assert_eq!(path_of(&["users", "--wait", "5"]), None);
    }
}
