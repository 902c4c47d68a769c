//! `statusquo rebuild`.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::args::{RebuildArguments, Settings};
use super::client::{Answer, Client, Timeouts};
use super::exit::{Exit, Failure};
use super::restore_bar::{new_bar, units};
use super::terminal::Terminal;
use super::{output, problem, target};
use crate::config::{Secret, text_file};

/// How often a running rebuild is looked at.
const INTERVAL: Duration = Duration::from_millis(200);
/// Longer than any token; keeps out a file given by mistake.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;
const BAR_TEMPLATE: &str = "[{bar:28}] {percent:>3} %  {msg}";

/// What is asked for.
#[derive(Serialize)]
struct Request<'a> {
    #[serde(skip_serializing_if = "<[i32]>::is_empty")]
    partitions: &'a [i32],
}

/// The part of an operation that is shown.
#[derive(Debug, Deserialize)]
struct Operation {
    id: String,
    state: String,
    partitions: Vec<i32>,
    left: Vec<i32>,
    progress: f64,
}

/// Asks for a rebuild, and waits for its end if told to.
pub(super) fn run(arguments: &RebuildArguments, settings: &Settings) -> anyhow::Result<Exit> {
    let (base, configured) = target::admin(arguments.url.as_deref(), settings)?;
    let token = match &arguments.token_file {
        Some(path) => Some(token(path)?),
        None => configured,
    };
    let client = Client::new(&base, Timeouts::COMMAND)?;
    let path = format!("/admin/v1/views/{}/rebuild", arguments.view);
    let begun = Instant::now();
    let asked = Request { partitions: &arguments.partitions };
    let operation = read(client.post_as(&path, token.as_ref(), &asked)?)?;
    let place = format!("/admin/v1/operations/{}", operation.id);
    if !arguments.wait {
        output::write(format!("{place}\n").as_bytes())?;
        return Ok(Exit::Success);
    }
    let count = operation.partitions.len();
    wait(&client, token.as_ref(), &place, operation)?;
    let (view, seconds) = (&arguments.view, begun.elapsed().as_secs_f64());
    output::write(format!("{view}: {count} partitions rebuilt in {seconds:.1} s\n").as_bytes())?;
    Ok(Exit::Success)
}

fn wait(
    client: &Client,
    token: Option<&Secret>,
    place: &str,
    mut operation: Operation,
) -> anyhow::Result<()> {
    let bar = new_bar(&Terminal::new(), BAR_TEMPLATE);
    while operation.state != "done" {
        bar.set_position(units(operation.progress));
        bar.set_message(format!(
            "{} of {} partitions left",
            operation.left.len(),
            operation.partitions.len()
        ));
        thread::sleep(INTERVAL);
        operation = read(client.get_as(place, token)?)?;
    }
    bar.finish_and_clear();
    Ok(())
}

fn token(path: &Path) -> Result<Secret, Failure> {
    let wrong = |what: String| Failure::new(Exit::Usage, format!("{}: {what}", path.display()));
    let text = text_file::read(path, TOKEN_BYTES_MAX).map_err(wrong)?;
    Ok(Secret::from(text_file::without_newline(&text).to_owned()))
}

fn read(answer: Answer) -> Result<Operation, Failure> {
    let is_off = answer.status.as_u16() == 404;
    let answer = problem::check(answer).map_err(|failure| match is_off {
        true => Failure::new(failure.exit, format!("{failure}; does the service have ops.admin = true?")),
        false => failure,
    })?;
    serde_json::from_slice(&answer.body).map_err(|error| {
        let text = format!("the answer is no rebuild ({error}); is this the ops listener of a statusquo?");
        Failure::new(Exit::Failed, text)
    })
}
