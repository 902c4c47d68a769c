//! `statusquo export`.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytesize::ByteSize;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;

use super::args::Settings;
use super::client::{Client, Head, Timeouts};
use super::entries::{Form, Printer};
use super::exit::{Exit, Failure};
use super::range_arguments::ExportArguments;
use super::terminal::Terminal;
use super::{interrupt, output, target};

/// How often the progress moves: fast enough for the eye.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(150);
/// How the last line begins; entries begin with their key.
const LAST: &[u8] = b"{\"end\":";

/// The last line of an export.
#[derive(Debug, Deserialize)]
struct Last {
    end: bool,
    count: u64,
    position: Option<String>,
    error: Option<Problem>,
}

/// What kept an export from its end.
#[derive(Debug, Deserialize)]
struct Problem {
    title: String,
    detail: String,
    #[serde(default)]
    retryable: bool,
}

/// Tells entries from the last line.
struct Lines<W> {
    printer: Printer<W>,
    /// The beginning of a line whose end has not arrived.
    rest: Vec<u8>,
    bytes: u64,
    last: Option<Vec<u8>>,
}

/// A file that appears under its name only when it is whole.
struct Draft {
    file: BufWriter<File>,
    path: PathBuf,
    name: PathBuf,
}

/// Writes the entries of a range, a line of JSON each, and makes sure that they are all there.
pub(super) fn run(arguments: &ExportArguments, settings: &Settings) -> anyhow::Result<Exit> {
    let base = target::data(arguments.target.url.as_deref(), settings)?;
    let client = Client::new(&base, Timeouts::COMMAND)?;
    let path = arguments.range.path(&arguments.view, arguments.demand.parameter());
    let part = arguments.file.as_deref().map(part_of);
    interrupt::ends_with(Exit::Interrupted, || {
        // Without a file there is none to remove.
        let _ = part.map(fs::remove_file);
        output::note("statusquo: interrupted");
    })?;
    let (terminal, started, form) = (Terminal::new(), Instant::now(), arguments.output);
    let bar = progress(&terminal);
    let head = Head { accept: Some("application/x-ndjson"), wait: arguments.demand.wait, ..Head::default() };
    let exported = match &arguments.file {
        Some(name) => Draft::create(name).and_then(|mut draft| {
            let exported = download(&client, &path, head, Lines::new(&mut draft.file, form), &bar)?;
            draft.keep().map(|()| exported)
        }),
        None => download(&client, &path, head, Lines::new(BufWriter::new(output::Stdout), form), &bar),
    };
    bar.finish_and_clear();
    let (count, bytes, last) = exported?;
    let position = last.position.unwrap_or_else(|| "the start".to_owned());
    let seconds = started.elapsed().as_secs_f64();
    let bytes = ByteSize(bytes);
    output::note(&format!("{}: {count} entries, {bytes} in {seconds:.1} s, at {position}", arguments.view));
    Ok(Exit::Success)
}

fn download(
    client: &Client,
    path: &str,
    head: Head<'_>,
    mut lines: Lines<impl Write>,
    bar: &ProgressBar,
) -> anyhow::Result<(u64, u64, Last)> {
    let mut shown = Instant::now();
    let arrived = client.stream(path, head, |chunk| {
        lines.take(chunk)?;
        if shown.elapsed() >= PROGRESS_INTERVAL {
            shown = Instant::now();
            bar.set_message(format!("{} entries, {}", lines.printer.count(), ByteSize(lines.bytes)));
            bar.tick();
        }
        Ok(())
    });
    match arrived {
        // What was refused from the start is no export that was cut off, nor is one that would fail again.
        Err(error) if lines.bytes > 0 && Exit::after(&error) == Exit::Temporary => {
            lines.printer.flush()?;
            Err(cut_off(lines.printer.count(), &format!(": {error}")).into())
        }
        Err(error) => Err(error),
        Ok(()) => {
            let (count, bytes) = (lines.printer.count(), lines.bytes);
            let last = lines.end()?;
            Ok((count, bytes, last))
        }
    }
}

/// Returns where a file is until it is whole.
fn part_of(name: &Path) -> PathBuf {
    let mut path = name.as_os_str().to_owned();
    path.push(".part");
    path.into()
}

fn cut_off(count: u64, cause: &str) -> Failure {
    Failure::new(Exit::Temporary, format!("the export was cut off after {count} entries{cause}; try again"))
}

fn progress(terminal: &Terminal) -> ProgressBar {
    let bar = terminal.bars().add(ProgressBar::new_spinner());
    // Invariant: the template is correct; should it not be, the default style is shown.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
        bar.set_style(style);
    }
    bar
}

impl<W: Write> Lines<W> {
    fn new(out: W, form: Form) -> Self {
        Self { printer: Printer::new(out, form), rest: Vec::new(), bytes: 0, last: None }
    }

    fn take(&mut self, chunk: &[u8]) -> anyhow::Result<()> {
        self.bytes += chunk.len() as u64;
        let Some(end) = chunk.iter().rposition(|byte| *byte == b'\n') else {
            self.rest.extend_from_slice(chunk);
            return Ok(());
        };
        let (whole, rest) = chunk.split_at(end + 1);
        self.rest.extend_from_slice(whole);
        let whole = std::mem::replace(&mut self.rest, rest.to_vec());
        for line in whole.split_inclusive(|byte| *byte == b'\n') {
            anyhow::ensure!(
                self.last.is_none(),
                Failure::new(Exit::Failed, "something follows the last line")
            );
            if line.starts_with(LAST) {
                self.last = Some(line.to_vec());
            } else {
                self.printer.push(line)?;
            }
        }
        Ok(())
    }

    /// Returns the last line, if it says that everything is there.
    fn end(mut self) -> anyhow::Result<Last> {
        self.printer.flush()?;
        let count = self.printer.count();
        let Some(last) = self.last.filter(|_| self.rest.is_empty()) else {
            return Err(cut_off(count, "").into());
        };
        let unreadable = |_| Failure::new(Exit::Failed, "the last line of the export cannot be read");
        let last: Last = serde_json::from_slice(&last).map_err(unreadable)?;
        if let Some(Problem { title, detail, retryable }) = &last.error {
            let exit = if *retryable { Exit::Temporary } else { Exit::Failed };
            let text = format!("the export ended after {count} entries: {title}: {detail}");
            return Err(Failure::new(exit, text).into());
        }
        if !last.end || last.count != count {
            let text = format!("{} entries were sent, {count} arrived", last.count);
            return Err(Failure::new(Exit::Failed, text).into());
        }
        self.printer.end()?;
        Ok(last)
    }
}

impl Draft {
    fn create(name: &Path) -> anyhow::Result<Self> {
        let path = part_of(name);
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file: BufWriter::new(file), path, name: name.to_owned() })
    }

    fn keep(mut self) -> anyhow::Result<()> {
        let name = self.name.clone();
        let kept = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        let kept = kept.and_then(|()| fs::rename(&self.path, &self.name));
        kept.with_context(|| format!("cannot write {}", name.display()))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After it was kept there is none; a part is of no use to anybody.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const WHOLE: &str = "{\"key\":\"a\"}\n{\"key\":\"b\"}\n{\"end\":true,\"count\":2,\"position\":\"v1=0:1;t=x\",\"generation\":1}\n";

    fn outcome(text: &str, chunk: usize) -> (Vec<u8>, Result<Last, (Exit, String)>) {
        let mut out = Vec::new();
        let mut lines = Lines::new(&mut out, Form::Ndjson);
        let taken = text.as_bytes().chunks(chunk).try_for_each(|chunk| lines.take(chunk));
        let ended = taken.and_then(|()| lines.end());
        (out, ended.map_err(|error| (Exit::after(&error), error.to_string())))
    }

    #[test]
    fn entries_are_written_and_the_last_line_is_not_however_they_arrive() {
        for chunk in 1..WHOLE.len() {
            let (out, last) = outcome(WHOLE, chunk);
            assert_eq!(out, b"{\"key\":\"a\"}\n{\"key\":\"b\"}\n");
            assert_eq!(last.unwrap().position.unwrap(), "v1=0:1;t=x");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        for cut in 0..WHOLE.len() {
            let (_, last) = outcome(&WHOLE[..cut], 7);
            let (exit, text) = last.unwrap_err();
            assert_eq!(exit, Exit::Temporary, "{cut}");
            assert!(text.contains("was cut off after"), "{text}");
        }
        let (_, last) = outcome(&WHOLE.replace("\"count\":2", "\"count\":3"), 7);
        assert_eq!(last.unwrap_err(), (Exit::Failed, "3 entries were sent, 2 arrived".to_owned()));
        let (_, last) = outcome(&format!("{WHOLE}{{\"key\":\"c\"}}\n"), 7);
        assert_eq!(last.unwrap_err().0, Exit::Failed);
    }

    /// Downloads an answer of that body from a service that announces so many bytes more, and then hangs up.
    fn downloaded(body: &'static str, missing: usize, form: Form) -> (Vec<u8>, (Exit, String)) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let service = thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let head = (&mut stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty());
            assert_ne!(head.count(), 0);
            let length = body.len() + missing;
            write!(stream.get_mut(), "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        });
        let client = Client::new(&base, Timeouts::COMMAND).unwrap();
        let mut out = Vec::new();
        let lines = Lines::new(&mut out, form);
        let error = download(&client, "/", Head::default(), lines, &ProgressBar::hidden()).unwrap_err();
        service.join().unwrap();
        (out, (Exit::after(&error), error.to_string()))
    }

    #[test]
    fn what_trying_again_does_not_help_is_not_called_cut_off() {
        let entry = "{\"key\":\"a\",\"value\":1,\"partition\":0,\"offset\":7}\n";
        let (out, (exit, text)) = downloaded(entry, 1, Form::Table);
        assert_eq!(exit, Exit::Temporary);
        assert!(text.starts_with("the export was cut off after 1 entries: http://"), "{text}");
        assert!(String::from_utf8(out).unwrap().starts_with("KEY"));

        let longer = concat!("{\"end\":true,\"count\":0}\n", "{\"key\":\"a\"}\n");
        let (_, error) = downloaded(longer, 0, Form::Ndjson);
        assert_eq!(error, (Exit::Failed, "something follows the last line".to_owned()));

        let (_, error) = downloaded("<!doctype html>\n", 0, Form::Table);
        let text = "the answer holds no entries; is this the address of a statusquo?";
        assert_eq!(error, (Exit::Failed, text.to_owned()));
    }

    #[test]
    fn an_error_at_the_end_is_told_and_decides_how_the_process_ends() {
        for (retryable, exit) in [(true, Exit::Temporary), (false, Exit::Failed)] {
            let last = format!(
                "{{\"end\":false,\"count\":1,\"error\":{{\"code\":\"c\",\"title\":\"T\",\"detail\":\"d\",\"retryable\":{retryable}}}}}\n"
            );
            let (_, last) = outcome(&format!("{{\"key\":\"a\"}}\n{last}"), 9);
            assert_eq!(last.unwrap_err(), (exit, "the export ended after 1 entries: T: d".to_owned()));
        }
    }

    #[test]
    fn a_file_appears_only_when_it_is_whole() {
        let dir = tempfile::TempDir::new().unwrap();
        let name = dir.path().join("users.ndjson");
        let mut draft = Draft::create(&name).unwrap();
        draft.file.write_all(b"half").unwrap();
        drop(draft);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let mut draft = Draft::create(&name).unwrap();
        draft.file.write_all(b"whole").unwrap();
        assert!(!name.exists());
        draft.keep().unwrap();
        assert_eq!(fs::read(&name).unwrap(), b"whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
