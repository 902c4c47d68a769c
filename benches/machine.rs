//! What the operating system says of a process.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

/// Processor seconds a process has used so far, in user and system mode.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name may hold spaces and brackets; the numbers follow the last bracket.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // USER_HZ is 100 on every Linux this runs on.
    ticks as f64 / 100.0
}

/// Largest resident memory of a process so far, in bytes.
pub fn peak_rss(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Bytes of the data files of a store; its log, which has a bound of its own, and files that go away count nothing.
pub fn data_bytes(dir: &Path) -> u64 {
    let is_data = |path: &Path| path.extension().is_some_and(|extension| extension == "sst");
    let files = fs::read_dir(dir).unwrap().filter_map(Result::ok).filter(|file| is_data(&file.path()));
    files.filter_map(|file| Some(file.metadata().ok()?.blocks() * 512)).sum()
}

/// Keeps all threads of a process off the first of several processors while `act` runs.
pub fn off_the_first_processor<T>(pid: u32, act: impl FnOnce() -> T) -> T {
    let all = sched_getaffinity(None).unwrap();
    let mut others = all;
    if all.count() > 1 {
        others.unset((0..CpuSet::MAX_CPU).find(|processor| all.is_set(*processor)).unwrap());
    }
    run_on(pid, &others);
    let done = act();
    run_on(pid, &all);
    done
}

/// A thread that a thread starts runs where that one may.
fn run_on(pid: u32, processors: &CpuSet) {
    for thread in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let id = thread.unwrap().file_name().to_str().unwrap().parse().unwrap();
        // One that has just ended needs no processor.
        let _ = sched_setaffinity(Pid::from_raw(id), processors);
    }
}
