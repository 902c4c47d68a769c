//! The process itself, as Linux tells it.

use std::fmt;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::names;

/// Reads the process at scrape time; what cannot be read is left out.
#[derive(Debug)]
pub(super) struct ProcessCollector {
    started: f64,
}

impl Default for ProcessCollector {
    fn default() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: since.as_secs_f64() }
    }
}

impl Collector for ProcessCollector {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> fmt::Result {
        let build = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        names::BUILD_INFO.gauges(&mut out, [(build, 1_u64)])?;
        names::PROCESS_START_TIME.gauge(&mut out, &self.started)?;
        if let Some(bytes) = resident_bytes() {
            names::PROCESS_RESIDENT_MEMORY.gauge(&mut out, &bytes)?;
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            names::PROCESS_OPEN_FDS.gauge(&mut out, &files.count())?;
        }
        Ok(())
    }
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
