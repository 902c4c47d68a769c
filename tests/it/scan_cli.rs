//! `statusquo scan` and `statusquo export`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Output, Stdio};
use std::thread;
use std::time::Duration;

use assert_cmd::Command;
use tempfile::TempDir;

use crate::app::TestApp;
use crate::eventually::eventually;
use crate::kafka::{Record, TestKafka};
use crate::process::{Process, Signal};

const DEADLINE: Duration = Duration::from_secs(60);

fn statusquo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_statusquo")).env_clear().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn entries_are_shown_and_exported() {
    let topic = TestKafka::shared().topic("shown").partitions(2).create();
    topic.write_all(
        (0..1500).map(|number| Record::put(format!("u{number:04}"), format!("{{\n\"n\": {number}}}"))),
    );
    topic.delete("u0007");
    // Fewer entries a page than a scan asks for by default.
    let app = TestApp::builder(topic.kafka()).set("http.scan.page_entries_max", 70).view("users", &topic);
    let app = app.start().restored();
    let url = app.url();
    let run = |arguments: &[&str]| statusquo(&[arguments, &["--url", &url]].concat());

    let table = run(&["scan", "users", "--prefix", "u000", "--order", "desc"]);
    let shown = text(&table.stdout);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!((lines.len(), table.status.code()), (10, Some(0)), "{shown}{}", text(&table.stderr));
    assert!(
        lines[0].starts_with("KEY") && lines[1].starts_with("u0009") && lines[9].starts_with("u0000"),
        "{shown}"
    );

    let usual = run(&["scan", "users", "-o", "ndjson"]);
    assert_eq!(text(&usual.stdout).lines().count(), 100, "{}", text(&usual.stderr));

    let document = run(&["scan", "users", "--limit", "150", "-o", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&document.stdout).unwrap();
    assert_eq!(document.as_array().unwrap().len(), 150);

    let many = run(&["scan", "users", "--limit", "1200", "-o", "ndjson"]);
    let (lines, note) = (text(&many.stdout), text(&many.stderr));
    assert_eq!(lines.lines().count(), 1200);
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    assert!(note.contains("there are more entries"), "{note}");

    let dir = TempDir::new().unwrap();
    let file = dir.path().join("users.ndjson");
    let exported = run(&["export", "users", "--file", file.to_str().unwrap()]);
    let note = text(&exported.stderr);
    assert_eq!(exported.status.code(), Some(0), "{note}");
    assert!(note.contains("1499 entries") && note.contains("at v1=0:"), "{note}");
    let written = fs::read_to_string(&file).unwrap();
    let keys: Vec<Vec<u8>> = written
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["key"].as_str().unwrap().into())
        .collect();
    assert_eq!(keys, topic.fold().entries().into_keys().collect::<Vec<_>>());
    let part = run(&["export", "users", "--start", "u1", "--end", "u12"]);
    assert_eq!(text(&part.stdout).lines().count(), 200);
    let document = run(&["export", "users", "--prefix", "u12", "-o", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&document.stdout).unwrap();
    assert_eq!(document.as_array().unwrap().len(), 100);
    let table = text(&run(&["export", "users", "-o", "table"]).stdout);
    assert_eq!((table.lines().count(), table.matches("KEY").count()), (1500, 1));

    let one = |form| text(&run(&["get", "users", "u0001", "-o", form]).stdout);
    for form in ["json", "ndjson"] {
        let entry: serde_json::Value = serde_json::from_str(&one(form)).unwrap();
        assert_eq!((&entry["key"], &entry["value"]["n"]), (&"u0001".into(), &1.into()));
    }
    assert_eq!(one("ndjson").lines().count(), 1);
    assert!(one("table").starts_with("KEY") && one("table").lines().count() == 2, "{}", one("table"));

    let unknown = run(&["export", "orders", "--file", file.to_str().unwrap()]);
    assert_eq!(unknown.status.code(), Some(1), "{}", text(&unknown.stderr));
    assert_eq!(fs::read_to_string(&file).unwrap(), written, "a refused export leaves the file alone");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Answers one request with `body`, chunked; `whole` says whether the chunks come to their end.
fn server(body: &'static str, whole: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
        let end = if whole { "0\r\n\r\n" } else { "" };
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n{end}",
            body.len()
        )
        .unwrap();
    });
    url
}

#[test]
fn an_export_that_is_not_whole_is_a_failure_and_leaves_no_file() {
    const ENTRY: &str = "{\"key\":\"a\",\"value\":1,\"partition\":0,\"offset\":7}\n";
    let wrong_count: &str = "{\"key\":\"a\",\"value\":1,\"partition\":0,\"offset\":7}\n{\"end\":true,\"count\":2,\"position\":null,\"generation\":1}\n";
    let damaged: &str = "{\"end\":false,\"count\":0,\"error\":{\"code\":\"storage-corruption\",\"title\":\"Store is damaged\",\"detail\":\"d\",\"retryable\":false}}\n";
    for (body, whole, code, says) in [
        (ENTRY, false, 75, "cut off after 1 entries"),
        (ENTRY, true, 75, "cut off after 1 entries"),
        (wrong_count, true, 1, "2 entries were sent, 1 arrived"),
        (damaged, true, 1, "Store is damaged"),
    ] {
        let dir = TempDir::new().unwrap();
        let file = dir.path().join("users.ndjson");
        let output =
            statusquo(&["export", "users", "--url", &server(body, whole), "--file", file.to_str().unwrap()]);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{errors}");
        assert!(errors.contains(says) && errors.lines().count() == 1, "{errors}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{body}");

        let table = statusquo(&["export", "users", "--url", &server(body, whole), "-o", "table"]);
        let (printed, errors) = (text(&table.stdout), text(&table.stderr));
        assert_eq!(table.status.code(), Some(code), "{errors}");
        assert!(errors.contains(says), "{errors}");
        let came = body.matches("\"value\":").count();
        assert_eq!(printed.lines().skip(1).filter(|line| line.starts_with('a')).count(), came, "{printed}");
    }
}

#[test]
fn commands_about_many_entries_wait_for_a_position_or_say_that_it_is_not_reached() {
    let topic = TestKafka::shared().topic("cli-after").create();
    topic.put("k", "1");
    let app = TestApp::builder(topic.kafka()).view("v", &topic).start().restored();
    let url = app.url();
    let lacking: [&[&str]; 3] =
        [&["scan", "v", "-o", "ndjson"], &["export", "v"], &["watch", "v", "-o", "ndjson"]];
    for command in lacking {
        let output = statusquo(&[command, &["--url", &url, "--read-after", "0:5000"]].concat());
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(75), "{command:?}: {errors}");
        assert!(output.stdout.is_empty() && errors.contains("wants offset 5000"), "{command:?}: {errors}");
    }
    let waiting = |command: &'static str| {
        let url = url.clone();
        thread::spawn(move || {
            let wanted = ["--url", &url, "--read-after", "0:1", "--wait", "30", "-o", "ndjson"];
            statusquo(&[&[command, "v"], &wanted[..]].concat())
        })
    };
    let waiting = ["scan", "export"].map(waiting);
    topic.put("k", "2");
    for command in waiting {
        let output = command.join().unwrap();
        let printed = text(&output.stdout);
        assert!(
            printed.contains("\"value\":2") && output.status.success(),
            "{printed}{}",
            text(&output.stderr)
        );
    }
}

/// Answers one request with many entries, and then with nothing more, until the client goes.
fn lasting_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let (mut request, entries) = ([0; 4096], "{\"key\":\"a\",\"value\":1}\n".repeat(20_000));
        let _ = stream.read(&mut request);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked";
        let _ = write!(stream, "{head}\r\n\r\n{:x}\r\n{entries}\r\n", entries.len());
        let _ = stream.read(&mut request);
    });
    url
}

#[test]
fn ctrl_c_ends_an_export_at_once_and_leaves_no_file() {
    let (dir, kept) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let file = dir.path().join("users.ndjson");
    let export = |arguments: &[&str], out: Stdio| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_statusquo"));
        command.env_clear().args(["export", "users", "--url", &lasting_server()]).args(arguments);
        Process::spawn(command.stdout(out).stderr(File::create(kept.path().join("errors")).unwrap())).unwrap()
    };
    let mut to_file = export(&["--file", file.to_str().unwrap()], Stdio::null());
    let part = dir.path().join("users.ndjson.part");
    eventually(DEADLINE, "a part", || fs::metadata(&part).is_ok_and(|part| part.len() > 0).then_some(()));
    // Nobody reads on behind the first byte, so it waits for its output as well.
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut to_pipe = export(&[], writer.into());
    reader.read_exact(&mut [0]).unwrap();
    for process in [&mut to_file, &mut to_pipe] {
        process.signal(Signal::INT);
        let status = process.wait_within(DEADLINE).expect("an end");
        assert_eq!(status.code(), Some(130));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
