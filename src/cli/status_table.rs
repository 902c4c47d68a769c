//! The status of views as a table.

use bytesize::ByteSize;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::restoration::Restoration;
use super::status_document::{PartitionStatus, Status};

/// A column and the side its cells keep to.
pub(super) type Column = (&'static str, CellAlignment);

const VIEWS: [Column; 9] = [
    ("VIEW", CellAlignment::Left),
    ("TOPIC", CellAlignment::Left),
    ("STATE", CellAlignment::Left),
    ("READY", CellAlignment::Left),
    ("LAG", CellAlignment::Right),
    ("STALENESS", CellAlignment::Right),
    ("KEYS", CellAlignment::Right),
    ("DISK", CellAlignment::Right),
    ("PROGRESS", CellAlignment::Left),
];

const PARTITIONS: [Column; 7] = [
    ("PARTITION", CellAlignment::Right),
    ("STATE", CellAlignment::Left),
    ("POSITION", CellAlignment::Right),
    ("END", CellAlignment::Right),
    ("LAG", CellAlignment::Right),
    ("STALENESS", CellAlignment::Right),
    ("PROGRESS", CellAlignment::Left),
];

/// Lays out views, and their partitions if asked for; what is wrong follows in sentences.
pub(super) fn text(views: &[Status], with_partitions: bool) -> String {
    let mut text = table(&VIEWS, views.iter().map(view_row));
    for view in views {
        if with_partitions {
            text.push('\n');
            text.push_str(&table(&PARTITIONS, view.partitions.iter().map(partition_row)));
        }
        if let Some(detail) = view.detail.as_deref().filter(|detail| !detail.is_empty()) {
            text.push_str(&format!("\n{}: {}\n", view.view, plain(detail)));
        }
        for warning in &view.warnings {
            let partition = warning.partition.map(|partition| format!(" in partition {partition}"));
            let (code, detail) = (plain(&warning.code), plain(&warning.detail));
            text.push_str(&format!("\n{}: {code}{}: {detail}\n", view.view, partition.unwrap_or_default()));
        }
    }
    text
}

fn view_row(view: &Status) -> Vec<String> {
    vec![
        plain(&view.view),
        plain(&view.topic),
        state(&view.state, view.reason.as_deref()),
        if view.ready { "yes" } else { "no" }.to_owned(),
        view.lag.to_string(),
        staleness(view.staleness_s),
        view.keys_estimated.to_string(),
        ByteSize(view.disk_bytes).to_string(),
        progress(view.restoration()),
    ]
}

fn partition_row(partition: &PartitionStatus) -> Vec<String> {
    let offset = |offset: Option<i64>| offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
    vec![
        partition.partition.to_string(),
        state(&partition.state, partition.reason.as_deref()),
        offset(partition.position),
        offset(partition.end_offset),
        partition.lag.to_string(),
        staleness(partition.staleness_s),
        progress(partition.restoration()),
    ]
}

fn state(state: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("{} ({})", plain(state), plain(reason)),
        None => plain(state),
    }
}

fn staleness(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_owned(),
        Some(seconds) if seconds < 100.0 => format!("{seconds:.1} s"),
        Some(seconds) if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        Some(seconds) => format!("{:.0} h", seconds / 3600.0),
    }
}

fn progress(restoration: Option<Restoration>) -> String {
    restoration.map_or_else(String::new, |it| format!("{} %, {}", it.percent(), it.pace()))
}

/// What a server sends must not steer the terminal.
fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Lays out rows below the names of their columns.
fn table(columns: &[Column], rows: impl Iterator<Item = Vec<String>>) -> String {
    let head: Vec<String> = columns.iter().map(|column| column.0.to_owned()).collect();
    grid(columns, &head, rows).0.concat()
}

/// Lays out rows below a head; returns the lines, the head first, and the widths of the columns.
pub(super) fn grid(
    columns: &[Column],
    head: &[String],
    rows: impl Iterator<Item = Vec<String>>,
) -> (Vec<String>, Vec<u16>) {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head);
    table.add_rows(rows);
    for (column, (_, alignment)) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, 2)).set_cell_alignment(*alignment);
    }
    let lines = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    (lines, table.column_max_content_widths())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(json: &str) -> Status {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_view_is_one_line_that_reads_well() {
        let view = status(
            r#"{"view":"users","topic":"user-profiles","state":"live","reason":null,"ready":true,"lag":3,
                "staleness_s":0.41,"keys_estimated":20000,"disk_bytes":2097152,"unknown_member":1}"#,
        );

        assert_eq!(
            text(&[view], false),
            "VIEW   TOPIC          STATE  READY  LAG  STALENESS   KEYS     DISK  PROGRESS\n\
             users  user-profiles  live   yes      3      0.4 s  20000  2.0 MiB\n"
        );
    }

    #[test]
    fn a_restore_shows_percent_rate_and_the_time_left() {
        let view = status(
            r#"{"view":"users","state":"restoring","reason":"broker-unreachable","detail":"no broker\nanswers",
                "partitions":[{"partition":3,"state":"restoring","position":41,"log_start":0,"end_offset":100,"lag":59,
                "restore":{"records":41,"records_per_second":10,"target":100,"progress":0.41,"eta_s_max":5.9}}]}"#,
        );
        let text = text(&[view], true);

        assert!(text.contains("restoring (broker-unreachable)  no "), "{text}");
        assert!(text.contains("41  100   59          -  41 %, 10/s, at most 6 s left\n"), "{text}");
        assert!(text.ends_with("\nusers: no broker answers\n"), "{text}");
    }

    #[test]
    fn staleness_keeps_to_the_unit_that_matters() {
        let words = [None, Some(0.04), Some(600.0), Some(90_000.0)].map(staleness);
        assert_eq!(words, ["-", "0.0 s", "10 min", "25 h"]);
    }
}
