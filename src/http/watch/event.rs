//! Events as they are written to the stream.

use std::sync::Arc;

use crate::http::code::Code;
use crate::http::entry_document::{Form, push_item, push_key, push_text};
use crate::http::key::KeyEncoding;
use crate::position::Partition;
use crate::store;
use crate::view::View;
use crate::view::feed::Update;

/// What a client does that is cut off: it waits this long, in milliseconds, and comes back.
const RETRY_MS: u32 = 2000;

/// Writes the events of one watch.
#[derive(Debug)]
pub(super) struct Writer {
    view: Arc<View>,
    form: Form,
    encoding: KeyEncoding,
}

impl Writer {
    pub(super) fn new(view: &Arc<View>, form: Form, encoding: KeyEncoding) -> Self {
        Self { view: Arc::clone(view), form, encoding }
    }

    pub(super) fn view(&self) -> &View {
        &self.view
    }

    /// Appends what comes before the first event; `id` is where the client stands until another one comes.
    pub(super) fn begin(out: &mut Vec<u8>, id: Option<&str>) {
        push_text(out, format_args!("retry: {RETRY_MS}\n"));
        if let Some(id) = id {
            push_text(out, format_args!("id: {id}\n"));
        }
        out.push(b'\n');
    }

    /// Appends an event; `id` comes with it if a client can go on from there.
    ///
    /// # Errors
    /// As [`store::Entry::headers`].
    pub(super) fn push(
        &self,
        out: &mut Vec<u8>,
        update: &Update,
        id: Option<&str>,
    ) -> Result<(), store::Error> {
        match update {
            Update::Put { key, entry } => {
                head(out, "put", id);
                push_item(out, self.form, self.encoding, key, &entry.borrowed())?;
            }
            Update::Delete { key, partition, offset } => {
                head(out, "delete", id);
                push_key(out, self.encoding, key);
                push_text(out, format_args!(",\"partition\":{partition},\"offset\":{offset}}}"));
            }
            Update::Reset { reason, partitions } => {
                head(out, "reset", id);
                push_text(out, format_args!("{{\"reason\":\"{}\"", reason.as_str()));
                if let Some(partitions) = partitions {
                    push_partitions(out, partitions.iter().copied());
                }
                out.push(b'}');
            }
            Update::Synced { count } => {
                head(out, "synced", id);
                push_text(out, format_args!("{{\"count\":{count}}}"));
            }
        }
        out.extend_from_slice(b"\n\n");
        Ok(())
    }

    /// Appends how fresh the view is.
    pub(super) fn push_bookmark(&self, out: &mut Vec<u8>, id: Option<&str>) {
        head(out, "bookmark", id);
        let condition = self.view.condition();
        push_text(out, format_args!("{{\"lag\":{}", condition.lag));
        if let Some(staleness) = condition.staleness() {
            push_text(out, format_args!(",\"staleness\":{staleness:.1}"));
        }
        out.extend_from_slice(b"}\n\n");
    }
}

/// Returns a stream that is over at once and says why, to people; the client comes back.
///
/// No event in it is whole, for with one that has no id a client would forget where it stands.
pub(super) fn later(code: &Code) -> String {
    format!(": {}\nretry: {RETRY_MS}\n", code.name)
}

fn head(out: &mut Vec<u8>, name: &str, id: Option<&str>) {
    push_text(out, format_args!("event: {name}\n"));
    if let Some(id) = id {
        push_text(out, format_args!("id: {id}\n"));
    }
    out.extend_from_slice(b"data: ");
}

fn push_partitions(out: &mut Vec<u8>, partitions: impl Iterator<Item = Partition>) {
    let mut separator = ",\"partitions\":[";
    for partition in partitions {
        push_text(out, format_args!("{separator}{partition}"));
        separator = ",";
    }
    out.push(b']');
}
