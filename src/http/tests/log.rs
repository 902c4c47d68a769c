use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;

use super::fixture::Fixture;

/// Log lines of one test.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_request_is_one_line_with_its_route_and_without_its_key() {
    let lines = Lines::default();
    let log =
        tracing_subscriber::fmt().json().with_max_level(tracing::Level::DEBUG).with_writer(lines.clone());
    let mut fixture = Fixture::users();
    fixture.put(b"secret", Some(b"1"));
    let logging = tracing::subscriber::set_default(log.finish());
    for path in ["keys/secret", "lookup?key=secret", "keys/secret%ff", "keys/secret/secret"] {
        fixture.get(&format!("/v1/views/users/{path}")).await;
    }
    drop(logging);
    let text = String::from_utf8(lines.0.lock().clone()).unwrap();
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
