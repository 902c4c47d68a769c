//! A browser without a screen.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::app::Connection;
use crate::eventually::eventually;
use crate::process::{Process, scratch};

/// Bound on its start: the first one on a machine is slow.
const DEADLINE: Duration = Duration::from_secs(60);

/// What it is called: in Debian, where it comes from Google, in Ubuntu.
const NAMES: [&str; 3] = ["chromium", "google-chrome", "chromium-browser"];

/// Keeps it from asking anybody but the page it shows, and from what needs a screen or a kernel that lets it.
const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
];

/// A browser that shows one page.
pub struct Browser {
    _process: Process,
    directory: TempDir,
}

impl Browser {
    /// Shows a page; none where there is no browser, which is said loudly, and is a failure in CI.
    pub fn open(url: &str) -> Option<Self> {
        let runs =
            |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|run| run.status.success());
        let Some(name) = NAMES.into_iter().find(runs) else {
            let missing = "nothing was shown in a browser: chromium is missing";
            assert!(std::env::var_os("CI").is_none(), "{missing}; scripts/install-packages test installs it");
            eprintln!("SKIPPED: {missing}");
            return None;
        };
        let directory = scratch("browser-");
        let mut command = Command::new(name);
        command.args(ARGUMENTS).arg(format!("--user-data-dir={}", directory.path().display())).arg(url);
        command.stdout(Stdio::null()).stderr(File::create(directory.path().join("errors")).expect("a file"));
        let process = Process::spawn(&mut command).expect("a browser");
        Some(Self { _process: process, directory })
    }

    /// Waits until the title of the page is `title`.
    pub fn wait_for_title(&self, title: &str) {
        eventually(DEADLINE, &format!("a page called {title}"), || (self.title()? == title).then_some(()));
    }

    fn title(&self) -> Option<String> {
        let port = fs::read_to_string(self.port_file()).ok()?;
        let address = format!("127.0.0.1:{}", port.lines().next()?).parse().ok()?;
        let pages = Connection::open(address).ok()?.request("GET", "/json/list", &[], b"").ok()?.json();
        let page = pages.as_array()?.iter().find(|page| page["type"] == "page")?;
        Some(page["title"].as_str()?.to_owned())
    }

    /// The browser writes there where it can be asked.
    fn port_file(&self) -> PathBuf {
        self.directory.path().join("DevToolsActivePort")
    }
}
