use std::cell::RefCell;
use std::io;

use super::fixture::Fixture;

thread_local! {
    /// Log lines of the test that runs on this thread.
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ThisThread;

impl io::Write for ThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_request_is_one_line_with_its_route_and_without_its_key() {
    // For the whole process: what is set for one thread is lost when other threads meet the same log lines.
    let log = tracing_subscriber::fmt().json().with_max_level(tracing::Level::DEBUG);
    tracing::subscriber::set_global_default(log.with_writer(|| ThisThread).finish()).unwrap();
    let mut fixture = Fixture::users();
    fixture.put(b"secret", Some(b"1"));
    LINES.take();
    for path in ["keys/secret", "lookup?key=secret", "keys/secret%ff", "keys/secret/secret"] {
        fixture.get(&format!("/v1/views/users/{path}")).await;
    }
    let text = String::from_utf8(LINES.take()).unwrap();
    let answered: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["fields"]["message"] == "request answered")
        .collect();
    let routes: Vec<_> = answered
        .iter()
        .map(|line| (line["fields"]["route"].as_str().unwrap(), &line["fields"]["status"]))
        .collect();
    let (path, lookup) = ("/v1/views/{view}/keys/{key}", "/v1/views/{view}/lookup");
    assert_eq!(
        routes,
        [(path, &200.into()), (lookup, &200.into()), (path, &400.into()), ("unmatched", &404.into())]
    );
    assert!(!text.contains("secret"), "{text}");
}
