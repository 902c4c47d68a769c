//! `statusquo status`.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::args::{Settings, StatusArguments, StatusOutput};
use super::client::{Answer, Client, Timeouts};
use super::exit::{Exit, Failure};
use super::status_document::{Status, ViewList};
use super::{output, problem, status_table, target};

/// Shows all views, or one with its partitions.
pub(super) fn run(arguments: &StatusArguments, settings: &Settings) -> anyhow::Result<Exit> {
    let base = target::data(arguments.target.url.as_deref(), settings)?;
    let client = Client::new(&base, Timeouts::COMMAND)?;
    let names = match &arguments.view {
        Some(view) => vec![view.to_string()],
        None => names(&client)?,
    };
    let mut answers = Vec::with_capacity(names.len());
    for name in names {
        answers.push(ask(&client, &format!("/v1/views/{name}/status"))?);
    }
    let text = match arguments.output {
        StatusOutput::Json => json(&answers, arguments.view.is_some())?,
        StatusOutput::Table => {
            let documents = answers.iter().map(read).collect::<Result<Vec<Status>, _>>()?;
            status_table::text(&documents, arguments.view.is_some())
        }
    };
    output::write(text.as_bytes())?;
    Ok(Exit::Success)
}

fn names(client: &Client) -> anyhow::Result<Vec<String>> {
    let list: ViewList = read(&ask(client, "/v1/views")?)?;
    Ok(list.views.into_iter().map(|view| view.name).collect())
}

fn ask(client: &Client, path: &str) -> Result<Answer, Failure> {
    problem::check(client.get(path)?)
}

/// Passes documents on as the service sent them, also the members this version does not know: one as it is,
/// several in a list.
fn json(answers: &[Answer], single: bool) -> anyhow::Result<String> {
    let documents = answers.iter().map(read).collect::<Result<Vec<Box<RawValue>>, _>>()?;
    Ok(match documents.as_slice() {
        [document] if single => format!("{document}\n"),
        documents => format!("{}\n", serde_json::to_string(documents)?),
    })
}

fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        let text =
            format!("the answer is not the status of a view ({error}); is this the address of a statusquo?");
        Failure::new(Exit::Failed, text)
    })
}
