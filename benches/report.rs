//! The table of figures.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;

#[derive(Serialize)]
pub struct Row {
    pub name: &'static str,
    /// Unit of `ours` and `reference`, and what the reference is.
    pub what: &'static str,
    pub ours: f64,
    pub reference: f64,
    pub ratio: f64,
    /// At least (positive) or at most (negative) this ratio.
    pub goal: f64,
    pub ok: bool,
}

#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds a figure that is good when large.
    pub fn at_least(&mut self, name: &'static str, what: &'static str, ours: f64, reference: f64, goal: f64) {
        let ratio = ours / reference;
        self.rows.push(Row { name, what, ours, reference, ratio, goal, ok: ratio >= goal });
    }

    /// Adds a figure that is good when small.
    pub fn at_most(&mut self, name: &'static str, what: &'static str, ours: f64, reference: f64, goal: f64) {
        let ratio = ours / reference;
        self.rows.push(Row { name, what, ours, reference, ratio, goal: -goal, ok: ratio <= goal });
    }

    pub fn print(&self) {
        println!(
            "{:<14} {:>12} {:>12} {:>7} {:>8}  {:<4} what",
            "name", "ours", "reference", "ratio", "goal", "ok"
        );
        for row in &self.rows {
            let goal = if row.goal < 0.0 { format!("<={}", -row.goal) } else { format!(">={}", row.goal) };
            println!(
                "{:<14} {:>12.2} {:>12.2} {:>7.2} {:>8}  {:<4} {}",
                row.name,
                row.ours,
                row.reference,
                row.ratio,
                goal,
                if row.ok { "yes" } else { "NO" },
                row.what
            );
        }
    }

    /// Writes `target/bench/report.json` beside the checkout's sources, or into `BENCH_DIR`.
    pub fn write(&self) {
        let dir = std::env::var_os("BENCH_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench"), PathBuf::from);
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("report.json");
        fs::write(&path, serde_json::to_string_pretty(&self.rows).unwrap()).unwrap();
        println!("written to {}", path.display());
    }
}
