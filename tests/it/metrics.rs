//! Reads single samples of a scrape.

use crate::app::TestApp;

/// Returns a count from the service's metrics; `series` is the name with its labels.
pub fn sample(app: &TestApp<'_>, series: &str) -> u64 {
    let scrape = app.get_ops("/metrics").text();
    let found = scrape.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("{series} is missing in\n{scrape}"))
}

/// Returns how many records a view has applied since the process started.
pub fn records_applied(app: &TestApp<'_>, view: &str) -> u64 {
    sample(app, &format!("statusquo_view_applied_records_total{{view=\"{view}\"}}"))
}
