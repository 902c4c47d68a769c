//! The command line: reads arguments, does one thing, says in one line what went wrong.

mod args;
mod client;
mod completions;
mod config;
mod demo;
mod entries;
mod exit;
mod export;
mod get;
mod healthcheck;
mod help;
mod interrupt;
mod key;
mod output;
mod problem;
mod range_arguments;
mod rebuild;
mod restoration;
mod restore_bar;
mod scan;
mod serve;
mod status;
mod status_document;
mod status_table;
mod target;
mod terminal;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

pub use exit::{Exit, Failure};

use self::args::{Arguments, Command, ConfigCommand, Settings};
use crate::config::{Loaded, Problems};

/// Runs the program; `arguments` start with its name.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => end(dispatch(arguments)).into(),
        Err(error) => {
            // Help and version come this way too; where the output is closed there is nobody to tell.
            let _ = error.print();
            if error.use_stderr() { Exit::Usage.into() } else { Exit::Success.into() }
        }
    }
}

fn dispatch(arguments: Arguments) -> anyhow::Result<Exit> {
    let Arguments { settings, command } = arguments;
    match command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(&load(&settings)?).map(|()| Exit::Success),
        Command::Demo(options) => demo::run(options.into()).map(|()| Exit::Success),
        Command::Get(get) => get::run(&get, &settings),
        Command::Watch(watch) => watch::run(&watch, &settings),
        Command::Scan(scan) => scan::run(&scan, &settings),
        Command::Export(export) => export::run(&export, &settings),
        Command::Status(status) => status::run(&status, &settings),
        Command::Rebuild(rebuild) => rebuild::run(&rebuild, &settings),
        Command::Config(command) => show_config(command, &settings),
        Command::Healthcheck(healthcheck) => healthcheck::run(&healthcheck, &settings),
        Command::Completions { shell } => completions::run(shell).map(|()| Exit::Success),
    }
}

fn show_config(command: ConfigCommand, settings: &Settings) -> anyhow::Result<Exit> {
    let text = match command {
        ConfigCommand::Check => config::check(&Ok(load(settings)?)),
        ConfigCommand::Print => config::print(&load(settings)?)?,
        ConfigCommand::Schema => config::schema(),
    };
    output::write(text.as_bytes())?;
    Ok(Exit::Success)
}

fn load(settings: &Settings) -> Result<Loaded, Problems> {
    crate::config::load(&settings.files, crate::config::environment(), &settings.overrides)
}

fn end(outcome: anyhow::Result<Exit>) -> Exit {
    match outcome {
        Ok(exit) => exit,
        Err(error) => {
            if let Some(text) = exit::text_of(&error) {
                output::note(&text);
            }
            Exit::after(&error)
        }
    }
}
