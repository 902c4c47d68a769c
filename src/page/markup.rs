//! The page as markup, with the state of the views as they are now.

use maud::{DOCTYPE, Markup, html};

use crate::config::sections::{KeyFormat, ViewConfig};
use crate::progress::Event;
use crate::view::{PartitionStatus, ViewStatus, WarningStatus};

/// Encodings a key may be written in, as the API names them.
const ENCODINGS: [(&str, &str); 6] = [
    ("utf8", "text"),
    ("base64url", "base64url"),
    ("hex", "hexadecimal"),
    ("i32", "32-bit number"),
    ("i64", "64-bit number"),
    ("uuid", "UUID"),
];

/// More partitions than this are folded away.
const PARTITIONS_OPEN_MAX: usize = 16;

/// A view's configuration and status.
type Shown<'a> = (&'a ViewConfig, ViewStatus);

pub(super) fn page(views: &[Shown<'_>]) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "statusquo" }
                link rel="icon" href="assets/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="assets/page.css";
                script src="assets/page.js" defer {}
            }
            body {
                header.top {
                    h1 { "statusquo" }
                    p { "The current state of your Kafka topics, over HTTP." }
                    nav aria-label="API" {
                        a href="docs" { "API" }
                        a href="problems" { "Errors" }
                    }
                }
                p #connection .alert role="status" hidden {}
                p #news .unseen role="status" aria-live="polite" {}
                main {
                    @for (config, status) in views { (view(config, status, views.len() == 1)) }
                }
                footer { "version " (env!("CARGO_PKG_VERSION")) }
            }
        }
    }
}

fn view(config: &ViewConfig, status: &ViewStatus, only: bool) -> Markup {
    let name = &status.view;
    html! {
        article.view data-view=(name) aria-labelledby={ "view-" (name) } {
            header {
                h2 id={ "view-" (name) } { (name) }
                span.state data-field="state" data-state=(status.state.as_str()) { (status.state.as_str()) }
                span.reason data-field="reason" { (status.reason.as_deref().unwrap_or_default()) }
            }
            p.alert data-field="detail" hidden[status.detail.is_none()] {
                (status.detail.as_deref().unwrap_or_default())
            }
            ul.warnings data-field="warnings" hidden[status.warnings.is_empty()] {
                @for warning in &status.warnings { (warning_line(warning)) }
            }
            (progress(status))
            dl.facts {
                (fact("Topic", "topic", &status.topic))
                (fact("Ready", "ready", if status.ready { "yes" } else { "no" }))
                (fact("Lag", "lag", &format!("{} records", status.lag)))
                (fact("Staleness", "staleness", &seconds(status.staleness_s)))
                (fact("Keys, about", "keys", &status.keys_estimated.to_string()))
                (fact("Rate", "rate", "–"))
                (fact("Generation", "generation", &status.generation.to_string()))
                (fact("On disk", "disk", &bytesize::ByteSize(status.disk_bytes).to_string()))
            }
            (look_up(name, config.key))
            (changes(only))
            details open[status.partitions.len() <= PARTITIONS_OPEN_MAX] {
                summary { "Partitions " span.count data-field="partition-count" { (status.partitions.len()) } }
                (partitions(&status.partitions))
            }
            details {
                summary { "Last events " span.count data-field="event-count" { (status.events.len()) } }
                ol.events data-field="events" {
                    @for event in status.events.iter().rev() { (event_line(event)) }
                }
            }
        }
    }
}

fn fact(label: &str, field: &str, value: &str) -> Markup {
    html! { div { dt { (label) } dd data-field=(field) { (value) } } }
}

/// The bar of all partitions on their way; scripts fill in rate and time left.
fn progress(status: &ViewStatus) -> Markup {
    let shares: Vec<f64> = status
        .partitions
        .iter()
        .filter_map(|partition| partition.restore.as_ref().map(|restore| restore.progress))
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "partitions are few")]
    let share = if shares.is_empty() { 1.0 } else { shares.iter().sum::<f64>() / shares.len() as f64 };
    let id = format!("restore-{}", status.view);
    html! {
        div.restore data-field="restore" hidden[shares.is_empty()] {
            label for=(id) { "Restoring" }
            progress id=(id) data-field="restore-bar" max="1" value=(format!("{share:.4}")) {}
            span data-field="restore-text" { (format!("{:.0} %", (share * 100.0).floor())) }
        }
    }
}

fn partitions(partitions: &[PartitionStatus]) -> Markup {
    let number = |value: Option<crate::position::Position>| {
        value.map_or_else(|| "–".to_owned(), |value| value.get().to_string())
    };
    html! {
        div.wide role="region" aria-label="Partitions" tabindex="0" {
            table {
                thead {
                    tr {
                        @for label in ["Partition", "State", "Position", "End offset", "Lag", "Staleness"] {
                            th scope="col" { (label) }
                        }
                    }
                }
                tbody data-field="partitions" {
                    @for partition in partitions {
                        tr {
                            th scope="row" { (partition.partition) }
                            td {
                                (partition.state.as_str())
                                @if let Some(reason) = partition.reason { ": " (reason) }
                            }
                            td { (number(partition.position)) }
                            td { (number(partition.end_offset)) }
                            td { (partition.lag) }
                            td { (seconds(partition.staleness_s)) }
                        }
                    }
                }
            }
        }
    }
}

fn warning_line(warning: &WarningStatus) -> Markup {
    html! {
        li {
            strong { (warning.code.as_str()) }
            @if let Some(partition) = warning.partition { " partition " (partition) }
            ": " (warning.detail)
        }
    }
}

/// What scripts show of the changes as they come; of one view at a time, since a browser has few connections.
fn changes(open: bool) -> Markup {
    html! {
        details data-field="changes" name="changes" open[open] hidden {
            summary { "Latest changes " span.count data-field="changes-state" {} }
            ol.events.changes data-field="changes-list" {}
        }
    }
}

fn event_line(event: &Event) -> Markup {
    html! {
        li {
            time datetime=(event.at) { (event.at) }
            " " strong { (event.kind) }
            @if let Some(partition) = event.partition { " partition " (partition) }
            " " (event.detail)
        }
    }
}

/// A form of the API itself, so that it works without scripts.
fn look_up(view: &str, key: KeyFormat) -> Markup {
    let usual = encoding(key);
    html! {
        form.look-up method="get" action={ "v1/views/" (view) "/lookup" } data-field="look-up" {
            label for={ "key-" (view) } { "Key" }
            input id={ "key-" (view) } name="key" type="text" autocomplete="off" autocapitalize="none"
                spellcheck="false";
            label for={ "enc-" (view) } { "written as" }
            select id={ "enc-" (view) } name="enc" {
                @for (word, label) in ENCODINGS {
                    option value=(word) selected[word == usual] { (label) }
                }
            }
            button type="submit" { "Look up" }
        }
        section.answer data-field="answer" aria-label={ "Answer of " (view) } hidden {
            p.request { code data-field="request" {} }
            p.status role="status" data-field="status-line" {}
            dl.headers data-field="headers" {}
            pre tabindex="0" data-field="value" aria-label="Value" {}
            p.note data-field="note" {}
        }
    }
}

fn encoding(key: KeyFormat) -> &'static str {
    match key {
        KeyFormat::String | KeyFormat::Json => "utf8",
        KeyFormat::Bytes => "base64url",
        KeyFormat::I32 => "i32",
        KeyFormat::I64 => "i64",
        KeyFormat::Uuid => "uuid",
    }
}

fn seconds(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.1} s"))
}
