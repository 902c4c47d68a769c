//! A client that keeps a map by watching a view.

use std::collections::BTreeMap;
use std::io;

use serde_json::Value;

use super::{Connection, TestApp};
use crate::fold::Fold;

/// A value and the record that set it.
pub type Known = (i32, i64, String);

/// One event of a watch.
#[derive(Debug, Clone)]
pub struct Event {
    pub name: String,
    pub id: Option<String>,
    pub data: Value,
}

/// A map of a view, kept by watching it.
///
/// Every event is checked: no version of a key comes after a newer one of the same partition.
#[derive(Debug, Default)]
pub struct Watcher {
    pub map: BTreeMap<String, Known>,
    versions: BTreeMap<(String, i32), i64>,
    /// Where the watch goes on.
    pub id: Option<String>,
    /// Reasons of resets so far.
    pub resets: Vec<String>,
}

/// One connection of a watch.
pub struct Watching {
    connection: Connection,
    text: String,
}

impl Watcher {
    /// Connects where the map stands, or with an empty map where that is not known.
    pub fn connect(&mut self, app: &TestApp<'_>, view: &str) -> Watching {
        if self.id.is_none() {
            self.map.clear();
            self.versions.clear();
        }
        let id = self.id.as_deref();
        let headers: Vec<(&str, &str)> = id.map(|id| ("Last-Event-ID", id)).into_iter().collect();
        Watching::open(app, view, "", &headers)
    }

    /// Takes over what an event says.
    pub fn take(&mut self, event: &Event) {
        let data = &event.data;
        match event.name.as_str() {
            "put" => {
                let (key, partition, offset) = self.see(data);
                let value = data["value"].to_string();
                self.map.insert(key, (partition, offset, value));
            }
            "delete" => {
                let (key, ..) = self.see(data);
                self.map.remove(&key);
            }
            "reset" => {
                self.resets.push(data["reason"].as_str().expect("a reason").to_owned());
                let partitions = data["partitions"].as_array();
                let dropped = |partition: i32| {
                    partitions.is_none_or(|partitions| partitions.iter().any(|one| *one == partition))
                };
                self.map.retain(|_, (partition, ..)| !dropped(*partition));
                self.versions.retain(|(_, partition), _| !dropped(*partition));
            }
            "synced" | "bookmark" => {}
            other => panic!("an event of the unknown kind {other}"),
        }
        if let Some(id) = &event.id {
            self.id = Some(id.clone());
        }
    }

    /// Follows a connection until the map reflects all that `ends` says is in the log.
    pub fn follow_to(&mut self, watching: &mut Watching, ends: &BTreeMap<i32, i64>) -> io::Result<()> {
        while !self.reflects(ends) {
            self.take(&watching.next()?);
        }
        Ok(())
    }

    /// Returns whether the id names the last record of every partition.
    pub fn reflects(&self, ends: &BTreeMap<i32, i64>) -> bool {
        let Some(id) = &self.id else { return false };
        let list = id.trim_start_matches("v1=").split(';').next().unwrap_or_default();
        let reached: BTreeMap<i32, i64> = list
            .split(',')
            .filter_map(|pair| {
                let (partition, offset) = pair.split_once(':')?;
                Some((partition.parse().ok()?, offset.parse().ok()?))
            })
            .collect();
        ends.iter().all(|(partition, end)| {
            *end == 0 || reached.get(partition).is_some_and(|offset| offset + 1 >= *end)
        })
    }

    /// Asserts that the map is what the oracle says.
    pub fn assert_equals(&self, fold: &Fold) {
        let expected: BTreeMap<String, Known> = fold
            .entries()
            .into_iter()
            .map(|(key, entry)| {
                let value = String::from_utf8(entry.value).expect("text");
                (String::from_utf8(key).expect("text"), (entry.partition, entry.offset, value))
            })
            .collect();
        let differs = |key: &&String| self.map.get(*key) != expected.get(*key);
        let wrong: Vec<_> = expected.keys().chain(self.map.keys()).filter(differs).take(5).collect();
        let shown: Vec<_> = wrong.iter().map(|key| (key, self.map.get(*key), expected.get(*key))).collect();
        assert!(wrong.is_empty(), "watched and expected differ: {shown:?}; resets {:?}", self.resets);
    }

    fn see(&mut self, data: &Value) -> (String, i32, i64) {
        let key = data["key"].as_str().expect("a key").to_owned();
        let partition = i32::try_from(data["partition"].as_i64().expect("a partition")).expect("a partition");
        let offset = data["offset"].as_i64().expect("an offset");
        let before = self.versions.insert((key.clone(), partition), offset);
        assert!(before <= Some(offset), "{key} went back from {before:?} to {offset}");
        (key, partition, offset)
    }
}

impl Watching {
    /// Begins a watch.
    pub fn open(app: &TestApp<'_>, view: &str, query: &str, headers: &[(&str, &str)]) -> Self {
        let mut connection = app.connect();
        let mut head = format!("GET /v1/views/{view}/watch{query} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        connection.send_raw(format!("{head}\r\n").as_bytes()).expect("a request");
        let response = connection.receive_head().expect("the head of an answer");
        assert_eq!(response.status, 200, "{:?}", response.headers);
        Self { connection, text: String::new() }
    }

    /// Reads the next event.
    ///
    /// # Errors
    /// At the end of the stream.
    pub fn next(&mut self) -> io::Result<Event> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                if !event.starts_with("retry: ") {
                    return Ok(Event::read(&event));
                }
                continue;
            }
            let chunk = self.connection.receive_chunk()?;
            self.text.push_str(std::str::from_utf8(&chunk).map_err(io::Error::other)?);
        }
    }
}

impl Event {
    fn read(text: &str) -> Self {
        let mut event = Self { name: String::new(), id: None, data: Value::Null };
        for line in text.lines().filter(|line| !line.is_empty()) {
            match line.split_once(": ") {
                Some(("event", name)) => name.clone_into(&mut event.name),
                Some(("id", id)) => event.id = Some(id.to_owned()),
                Some(("data", data)) => event.data = serde_json::from_str(data).expect("JSON"),
                _ => panic!("no line of an event: {line}"),
            }
        }
        event
    }
}
