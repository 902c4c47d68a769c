//! `statusquo scan`.

use std::io::BufWriter;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::args::Settings;
use super::client::{Client, Timeouts};
use super::entries::Printer;
use super::exit::{Exit, Failure};
use super::range_arguments::ScanArguments;
use super::{output, problem, target};
use crate::config::ViewName;

/// Entries the service is asked for at once, if it allows as many.
const PAGE: usize = 1000;

/// What a view says of itself.
#[derive(Debug, Deserialize)]
struct Description {
    limits: Limits,
}

#[derive(Debug, Deserialize)]
struct Limits {
    page_entries_max: usize,
}

/// A page, its items as they came.
#[derive(Debug, Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
    next: Option<String>,
}

/// Prints the entries of a range.
pub(super) fn run(arguments: &ScanArguments, settings: &Settings) -> anyhow::Result<Exit> {
    let base = target::data(arguments.target.url.as_deref(), settings)?;
    let client = Client::new(&base, Timeouts::COMMAND)?;
    let page_max = page_max(&client, &arguments.view)?;
    let mut left = arguments.limit as usize;
    let limit = ("limit", left.min(page_max).to_string());
    let parameters = [limit].into_iter().chain(arguments.demand.parameter());
    let mut path = arguments.range.path(&arguments.view, parameters);
    let mut printer = Printer::new(BufWriter::new(output::Stdout), arguments.output);
    loop {
        let answer = problem::check(client.get_within(&path, arguments.demand.wait)?)?;
        let page: Page<'_> = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
        for item in &page.items {
            printer.push(item.get().as_bytes())?;
        }
        printer.flush()?;
        left = left.saturating_sub(page.items.len());
        match page.next {
            Some(next) if left > 0 => path = limited(&next, left.min(page_max)),
            next => {
                printer.end()?;
                if next.is_some() {
                    output::note("there are more entries: give a higher --limit, or use `statusquo export`");
                }
                return Ok(Exit::Success);
            }
        }
    }
}

/// Asks for how many entries the service may be asked at once: more is refused.
fn page_max(client: &Client, view: &ViewName) -> anyhow::Result<usize> {
    let answer = problem::check(client.get(&format!("/v1/views/{view}"))?)?;
    let description: Description = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
    Ok(description.limits.page_entries_max.min(PAGE))
}

/// Returns the address of the next page with another limit than that of the page before.
fn limited(next: &str, limit: usize) -> String {
    let (path, query) = next.split_once('?').unwrap_or((next, ""));
    let others = query.split('&').filter(|parameter| !parameter.starts_with("limit="));
    let limit = format!("limit={limit}");
    let query: Vec<&str> = others.chain([limit.as_str()]).collect();
    format!("{path}?{}", query.join("&"))
}

fn unreadable() -> Failure {
    Failure::new(Exit::Failed, "the answer is no page of entries; is this the address of a statusquo?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_asked_for_no_more_than_is_left() {
        let next = "/v1/views/users/entries?prefix=limit%3D&limit=1000&cursor=AclC";
        assert_eq!(limited(next, 500), "/v1/views/users/entries?prefix=limit%3D&cursor=AclC&limit=500");
    }
}
