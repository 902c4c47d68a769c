//! A browser without a screen.

use std::cell::{Cell, OnceCell};
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Write as _, pipe};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

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
    "--remote-debugging-pipe",
];

/// Has the browser take its orders from what is its standard error here, and answer them to its standard output.
const PIPED: &str = r#"exec "$@" 3<&2 4>&1 >"$0" 2>&1"#;

/// A browser that shows one page.
pub struct Browser {
    _process: Process,
    _directory: TempDir,
    orders: PipeWriter,
    answers: Receiver<Value>,
    asked: Cell<u32>,
    /// The page, once it is there.
    page: OnceCell<String>,
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
        let (ordered, orders) = pipe().expect("a pipe");
        let (answers, answered) = pipe().expect("a pipe");
        let mut command = Command::new("sh");
        command.args(["-c", PIPED]).arg(directory.path().join("errors")).arg(name).args(ARGUMENTS);
        command.arg(format!("--user-data-dir={}", directory.path().display())).arg(url);
        let process = Process::spawn(command.stdout(answered).stderr(ordered)).expect("a browser");
        let (asked, page) = (Cell::new(0), OnceCell::new());
        let answers = messages(answers);
        Some(Self { _process: process, _directory: directory, orders, answers, asked, page })
    }

    /// Waits until the title of the page is `title`.
    pub fn wait_for_title(&self, title: &str) {
        self.wait_until(&format!("document.title === {title:?}"));
    }

    /// Waits until a condition, an expression of JavaScript, is true on the page.
    pub fn wait_until(&self, condition: &str) {
        eventually(DEADLINE, condition, || (self.run(condition)? == true).then_some(()));
    }

    /// Runs an expression on the page and returns its value; none while there is no page.
    pub fn run(&self, expression: &str) -> Option<Value> {
        let page = match self.page.get() {
            Some(page) => page,
            None => {
                let page = self.find_page()?;
                self.page.get_or_init(|| page)
            }
        };
        let parameters = json!({"expression": expression, "returnByValue": true});
        Some(self.ask(Some(page), "Runtime.evaluate", &parameters)["result"]["result"]["value"].clone())
    }

    fn find_page(&self) -> Option<String> {
        let targets = self.ask(None, "Target.getTargets", &json!({}));
        let targets = targets["result"]["targetInfos"].as_array()?;
        let id = &targets.iter().find(|target| target["type"] == "page")?["targetId"];
        let page = self.ask(None, "Target.attachToTarget", &json!({"targetId": id, "flatten": true}));
        Some(page["result"]["sessionId"].as_str()?.to_owned())
    }

    /// Orders end with a zero byte, as answers do.
    fn ask(&self, page: Option<&str>, method: &str, parameters: &Value) -> Value {
        let id = self.asked.get() + 1;
        self.asked.set(id);
        let mut order = json!({"id": id, "method": method, "params": parameters});
        if let Some(page) = page {
            order["sessionId"] = page.into();
        }
        (&self.orders).write_all(format!("{order}\0").as_bytes()).expect("a browser that listens");
        loop {
            let answer = self.answers.recv_timeout(DEADLINE).expect("a browser that answers");
            if answer["id"] == id {
                return answer;
            }
        }
    }
}

/// Reads what the browser says until it has gone.
fn messages(said: PipeReader) -> Receiver<Value> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let messages = BufReader::new(said).split(0).map_while(Result::ok);
        let mut messages = messages.filter_map(|message| serde_json::from_slice(&message).ok());
        messages.try_for_each(|message| sender.send(message))
    });
    receiver
}
