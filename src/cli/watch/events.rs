//! Server-Sent Events, read piece by piece.

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Event {
    pub(super) name: String,
    /// The last id, which came with this event or before.
    pub(super) id: Option<String>,
    pub(super) data: String,
}

/// Makes events of pieces that end anywhere.
#[derive(Debug, Default)]
pub(super) struct Events {
    rest: Vec<u8>,
    event: Event,
    has_data: bool,
    /// The last id that was read; it counts once the event it stands in is whole.
    id: Option<String>,
    last_id: Option<String>,
}

impl Events {
    /// Takes a piece and returns the events that are whole with it.
    pub(super) fn read(&mut self, piece: &[u8]) -> Vec<Event> {
        let mut whole = Vec::new();
        for byte in piece {
            if *byte != b'\n' {
                self.rest.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.rest);
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            whole.extend(self.line(&String::from_utf8_lossy(line)));
        }
        whole
    }

    /// Returns the last id that came and whose event is whole: that is where to go on.
    pub(super) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            // An id may come without data.
            self.last_id.clone_from(&self.id);
            return std::mem::take(&mut self.has_data).then(|| Event { id: self.last_id.clone(), ..event });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "id" => self.id = Some(value.to_owned()).filter(|id| !id.is_empty()),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.has_data = true;
            }
            // Comments, and fields of later versions.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "retry: 2000\nid: none\n\n: comment\nevent: put\ndata: {\"a\":\ndata: 1}\n\nevent: synced\r\nid: v1=0:5\r\ndata:{}\r\n\r\n";

    #[test]
    fn events_are_read_whatever_the_pieces_are() {
        let event = |name: &str, id: &str, data: &str| Event {
            name: name.to_owned(),
            id: Some(id.to_owned()),
            data: data.to_owned(),
        };
        let expected = [event("put", "none", "{\"a\":\n1}"), event("synced", "v1=0:5", "{}")];
        for length in 1..TEXT.len() {
            let mut events = Events::default();
            let read: Vec<_> = TEXT.as_bytes().chunks(length).flat_map(|piece| events.read(piece)).collect();
            assert_eq!(read, expected, "pieces of {length}");
            assert_eq!(events.last_id(), Some("v1=0:5"));
        }
    }

    #[test]
    fn what_is_cut_off_is_no_event_and_its_id_does_not_count() {
        let mut events = Events::default();
        assert_eq!(events.read(b"id: 6\ndata: 0\n\n").len(), 1);
        assert_eq!(events.read(b"id: 7\nevent: put\ndata: 1\n"), []);
        assert_eq!(events.last_id(), Some("6"));
        assert_eq!(events.read(b"\n").len(), 1);
        assert_eq!(events.last_id(), Some("7"));
    }
}
