//! The client examples do what they say.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::app::TestApp;
use crate::browser::Browser;
use crate::eventually::{eventually, within};
use crate::kafka::{LogRecord, Record, TestKafka, TestTopic};
use crate::process::{Process, scratch};

/// Bound on everything a test waits for; a Java example is compiled first.
const DEADLINE: Duration = Duration::from_secs(60);

/// Keys that are there from the start.
const KEYS: usize = 20;

/// One of the examples.
struct Example {
    name: &'static str,
    /// The program and what stands before the address.
    command: Vec<String>,
}

impl Example {
    fn new(name: &'static str, command: &[&str], file: &str) -> Self {
        let file = format!("{}/examples/{file}", env!("CARGO_MANIFEST_DIR"));
        let command = command.iter().map(|word| (*word).to_owned()).chain([file]).collect();
        Self { name, command }
    }

    fn command(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).args([url, "users"]).args(arguments);
        command
    }

    /// Runs it to its end and returns the lines it printed.
    fn run(&self, app: &TestApp<'_>, arguments: &[&str]) -> Vec<String> {
        let output = self.command(&app.http_url(), arguments).output().expect("an example that starts");
        assert!(output.status.success(), "{}: {}", self.name, said(&output));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// All examples; one whose runtime is missing is left out, loudly, and in CI it fails.
fn examples() -> Vec<Example> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/python-tools");
    let tools = Command::new(script).args(["examples", "requests==2.34.2"]).output().expect(script);
    let python = format!("{}/bin/python", String::from_utf8_lossy(&tools.stdout).trim());
    let all = [
        (Example::new("shell", &["sh"], "shell/client.sh"), "jq"),
        (Example::new("Python", &[&python], "python/client.py"), &*python),
        (Example::new("JavaScript", &["node"], "javascript/client.mjs"), "node"),
        (Example::new("Java", &["java"], "java/Client.java"), "java"),
    ];
    let runs = |(example, runtime): (Example, &str)| {
        let found =
            Command::new(runtime).arg("--version").output().is_ok_and(|output| output.status.success());
        if !found {
            let missing = format!("the {} example did not run: {runtime} is missing", example.name);
            assert!(std::env::var_os("CI").is_none(), "{missing}; scripts/install-packages test installs it");
            eprintln!("SKIPPED: {missing}");
        }
        found.then_some(example)
    };
    all.into_iter().filter_map(runs).collect()
}

/// A watch that goes on while others do, and what it printed so far.
struct Watch {
    name: &'static str,
    _process: Process,
    printed: PathBuf,
}

impl Watch {
    fn start(example: &Example, url: &str, directory: &Path) -> Self {
        let printed = directory.join(example.name);
        let mut command = example.command(url, &["watch"]);
        command.stdout(File::create(&printed).unwrap());
        command.stderr(File::create(printed.with_extension("errors")).unwrap());
        Self { name: example.name, _process: Process::spawn(&mut command).expect("an example"), printed }
    }

    /// Tells whether it printed a line; keys may stand in quotes.
    fn printed(&self, line: &str) -> bool {
        let printed = fs::read_to_string(&self.printed).unwrap().replace('"', "");
        printed.lines().any(|printed| printed == line)
    }

    fn wait_for(&self, line: &str) {
        eventually(DEADLINE, &format!("the {} example: {line}", self.name), || {
            self.printed(line).then_some(())
        });
    }
}

fn start(topic: &TestTopic<'_>) -> (TestApp<'static>, TempDir) {
    topic.write_all((0..KEYS).map(|number| Record::put(format!("u/{number}"), "1")));
    let app = TestApp::builder(TestKafka::shared()).view("users", topic).start().restored();
    (app, scratch("examples-"))
}

#[test]
fn the_client_examples_look_up_with_a_cache_and_read_their_writes() {
    let topic = TestKafka::shared().topic("examples").partitions(3).create();
    let (app, _directory) = start(&topic);
    app.wait_until_applied("users", &topic.put("empty", ""));
    for (number, example) in examples().iter().enumerate() {
        assert_eq!(example.run(&app, &["get", "u/1"]), ["200 1", "304 1"], "{}", example.name);
        assert_eq!(example.run(&app, &["get", "empty"]), ["200 ", "304 "], "{}", example.name);
        let value = (100 + number).to_string();
        let LogRecord { partition, offset, .. } = topic.put("u/2", &*value);
        let printed = example.run(&app, &["after", "u/2", &format!("{partition}:{offset}")]);
        assert_eq!(printed, [format!("200 {value}")], "{}", example.name);
    }
}

#[test]
fn the_client_examples_keep_a_copy_of_a_view_over_interruptions() {
    let topic = TestKafka::shared().topic("copies").partitions(3).create();
    let (mut app, directory) = start(&topic);
    let examples = examples();
    let watches: Vec<_> =
        examples.iter().map(|example| Watch::start(example, &app.http_url(), directory.path())).collect();
    let all = |line: &str| watches.iter().for_each(|watch| watch.wait_for(line));

    all(&format!("synced - {KEYS}"));
    topic.put("fresh", "2");
    all(&format!("put fresh {}", KEYS + 1));
    // No JSON, no text, and a text that is what the base64 of the other one is.
    topic.put("empty", "");
    all(&format!("put empty {}", KEYS + 2));
    topic.put(b"\xff", "2");
    all(&format!("put /w== {}", KEYS + 3));
    topic.put("/w==", "2");
    all(&format!("put /w== {}", KEYS + 4));
    topic.delete(b"\xff");
    all(&format!("delete /w== {}", KEYS + 3));
    topic.delete("u/3");
    all(&format!("delete u/3 {}", KEYS + 2));

    let address = app.http_address().to_string();
    app.set("http.listen", address);
    app.terminate();
    topic.delete("u/4");
    topic.write_all(["one", "two"].map(|key| Record::put(key, "3")));
    app.start_again();
    // Whoever is not back yet misses a change, or finds it in a snapshot; so it comes again and again.
    let line = format!("put again {}", KEYS + 4);
    let back = within(DEADLINE, Duration::from_millis(300), || {
        topic.put("again", "4");
        watches.iter().all(|watch| watch.printed(&line)).then_some(())
    });
    let late: Vec<_> = watches.iter().filter(|watch| !watch.printed(&line)).map(|watch| watch.name).collect();
    assert!(back.is_some(), "{line}: not printed by {late:?}");
}

/// The shell example names files by keys.
#[test]
fn the_client_examples_keep_a_long_key() {
    let topic = TestKafka::shared().topic("long").create();
    let (app, directory) = start(&topic);
    let examples = examples().into_iter().filter(|example| example.name != "shell");
    let watches: Vec<_> =
        examples.map(|example| Watch::start(&example, &app.http_url(), directory.path())).collect();
    watches.iter().for_each(|watch| watch.wait_for(&format!("synced - {KEYS}")));
    let key = "k".repeat(8000);
    topic.put(&*key, "1");
    watches.iter().for_each(|watch| watch.wait_for(&format!("put {key} {}", KEYS + 1)));
}

/// `serve.mjs` in front of a service.
struct Proxy {
    _process: Process,
    url: String,
}

impl Proxy {
    fn start(service: &str, port: &str, directory: &Path) -> Self {
        let printed = directory.join("proxy");
        let mut command = Command::new("node");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/javascript/serve.mjs"));
        command.args([service, port]).stdout(File::create(&printed).unwrap());
        let process = Process::spawn(&mut command).expect("an example");
        let url = eventually(DEADLINE, "serve.mjs says where it is", || {
            let printed = fs::read_to_string(&printed).unwrap();
            Some(printed.strip_suffix("/\n")?.to_owned())
        });
        Self { _process: process, url }
    }
}

#[test]
fn clients_and_a_browser_go_on_by_themselves_where_a_connection_broke() {
    let topic = TestKafka::shared().topic("broken").partitions(3).create();
    let (app, directory) = start(&topic);
    let examples = examples();
    if !examples.iter().any(|example| example.name == "JavaScript") {
        return;
    }
    let proxy = Proxy::start(&app.http_url(), "0", directory.path());
    let watches: Vec<_> =
        examples.iter().map(|example| Watch::start(example, &proxy.url, directory.path())).collect();
    let browser = Browser::open(&format!("{}/?view=users", proxy.url));
    let all = |event: &str, size: usize| {
        watches.iter().for_each(|watch| watch.wait_for(&format!("{event} {size}")));
        browser
            .iter()
            .for_each(|browser| browser.wait_for_title(&format!("users: {size} entries, complete")));
    };
    all("synced -", KEYS);
    topic.put("tail", "2");
    all("put tail", KEYS + 1);

    let port = proxy.url.rsplit(':').next().unwrap().to_owned();
    drop(proxy);
    browser
        .iter()
        .for_each(|browser| browser.wait_for_title(&format!("users: {} entries, interrupted", KEYS + 1)));
    eventually(DEADLINE, "nobody watches", || (app.watch_metric("watchers") == 0).then_some(()));
    let told = app.watch_metric("events_total");
    app.wait_until_applied("users", &topic.put("away", "3"));
    let _proxy = Proxy::start(&app.http_url(), &port, directory.path());
    all("put away", KEYS + 2);
    // Each sent the id of its last event: it was told the one change, and nothing from the beginning.
    let clients = watches.len() + browser.iter().count();
    assert_eq!(
        (app.watch_metric("events_total") - told, app.watch_metric("resets_total")),
        (clients as u64, 0)
    );
}

/// Answers one request with the beginning of a stream, and hangs up once `told` says that it has arrived: in order, or
/// by a reset, as the system does where something was sent that nobody has read.
fn break_off(service: &TcpListener, in_order: bool, told: &Receiver<()>) {
    let mut stream = service.accept().unwrap().0;
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut request = [0; 4096];
    assert_ne!(if in_order { stream.read(&mut request) } else { stream.peek(&mut request) }.unwrap(), 0);
    stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n").unwrap();
    told.recv_timeout(DEADLINE).unwrap();
}

#[test]
fn the_proxy_example_ends_what_its_service_broke_off_and_goes_on() {
    if !examples().iter().any(|example| example.name == "JavaScript") {
        return;
    }
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let directory = scratch("proxy-");
    let proxy = Proxy::start(&format!("http://{}", service.local_addr().unwrap()), "0", directory.path());
    let client = || {
        let mut client = TcpStream::connect(proxy.url.strip_prefix("http://").unwrap()).unwrap();
        client.set_read_timeout(Some(DEADLINE)).unwrap();
        client.write_all(b"GET /v1 HTTP/1.1\r\nhost: here\r\n\r\n").unwrap();
        client
    };
    for in_order in [true, false] {
        let (service, (begun, told)) = (&service, channel());
        thread::scope(|scope| {
            scope.spawn(move || break_off(service, in_order, &told));
            let (mut client, mut answer, mut piece) = (client(), Vec::new(), [0; 4096]);
            let ended = loop {
                match client.read(&mut piece) {
                    Ok(0) => break Ok(()),
                    Ok(length) => answer.extend_from_slice(&piece[..length]),
                    Err(error) => break Err(error.kind()),
                }
                if String::from_utf8_lossy(&answer).contains("begun") {
                    let _ = begun.send(());
                }
            };
            assert!(
                matches!(ended, Ok(()) | Err(ErrorKind::ConnectionReset)),
                "in order {in_order}: {ended:?}"
            );
            assert!(!answer.ends_with(b"0\r\n\r\n"), "what was broken off looks whole");
        });
    }
    drop(service);
    let mut answer = [0; 12];
    client().read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 502");
}

#[test]
fn the_web_page_shows_an_entry_and_the_changes_of_a_view_as_they_come() {
    let topic = TestKafka::shared().topic("page").create();
    let (app, _directory) = start(&topic);
    let Some(browser) = Browser::open(&app.http_url()) else { return };
    eventually(DEADLINE, "the page watches", || (app.watch_metric("watchers") == 1).then_some(()));
    let fresh = topic.put("fresh", r#"{"n": 2e0}"#);
    topic.delete("u/1");
    let shows = |field: &str, text: &str| {
        let field = format!("document.querySelector('[data-field=\"{field}\"]').textContent");
        browser.wait_until(&format!("{field}.includes({text:?})"));
    };
    shows("changes-list", &format!("put 0:{} fresh {{\"n\": 2e0}}", fresh.offset));
    shows("changes-list", &format!("delete 0:{} u/1", fresh.offset + 1));

    browser.run(
        "{ const form = document.querySelector('[data-field=\"look-up\"]'); \
           form.elements.key.value = 'fresh'; form.requestSubmit() }",
    );
    shows("request", "/v1/views/users/keys/fresh?enc=utf8");
    shows("status-line", "200");
    shows("value", "\"n\": 2e0");
    shows("headers", &format!("record-offset{}", fresh.offset));
}
