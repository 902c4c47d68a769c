//! Load by wrk.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::machine;

/// What wrk did to a server, and what that cost it.
pub struct Load {
    pub per_second: f64,
    /// Microseconds of processor time of the server per request.
    pub cpu_us: f64,
}

/// Asks for random keys of profiles below `root` with GET; fails when an answer is not 2xx.
pub fn look_ups(dir: &Path, address: &str, root: &str, records: u64, server: u32, seconds: u32) -> Load {
    let script = dir.join(format!("{root}.lua"));
    let text = format!(
        "local n = 0\nfunction setup(thread) n = n + 1; thread:set(\"id\", n) end\nfunction init() \
         math.randomseed(os.time() + id) end\nfunction request() return wrk.format(\"GET\", \
         \"/{root}/views/users/keys/u\" .. math.random(0, {})) end\n",
        records - 1
    );
    fs::write(&script, text).unwrap();
    run(&script, address, server, seconds)
}

/// Runs both in turn, so that a machine whose speed drifts slows both; returns the means.
pub fn in_turn(rounds: usize, reference: impl Fn() -> Load, ours: impl Fn() -> Load) -> (Load, Load) {
    let (references, ours): (Vec<_>, Vec<_>) = (0..rounds).map(|_| (reference(), ours())).unzip();
    (mean(&references), mean(&ours))
}

fn mean(loads: &[Load]) -> Load {
    let mean = |figure: fn(&Load) -> f64| loads.iter().map(figure).sum::<f64>() / loads.len() as f64;
    Load { per_second: mean(|load| load.per_second), cpu_us: mean(|load| load.cpu_us) }
}

fn run(script: &Path, address: &str, server: u32, seconds: u32) -> Load {
    let before = machine::cpu_seconds(server);
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "-c32", "-d", &seconds.to_string(), "-s"]);
    let output = wrk.arg(script).arg(format!("http://{address}")).output();
    let cpu = machine::cpu_seconds(server) - before;
    let output = output.expect("wrk is installed (make bench installs it)");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "{text}");
    let number = |line: &str, word: usize| -> f64 {
        let found = text.lines().find(|each| each.contains(line)).unwrap_or_else(|| panic!("{text}"));
        found.split_whitespace().nth(word).unwrap().parse().unwrap()
    };
    let requests = number("requests in", 0);
    Load { per_second: number("Requests/sec:", 1), cpu_us: cpu / requests * 1e6 }
}
