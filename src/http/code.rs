//! Every status beyond 200 that this service answers with, and what the codes of its errors mean.

use http::StatusCode;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// The client's copy is still the current one.
pub(super) const NOT_MODIFIED: StatusCode = StatusCode::NOT_MODIFIED;
/// What was asked for goes on after the answer.
pub(super) const ACCEPTED: StatusCode = StatusCode::ACCEPTED;
/// A probe that says no.
pub(super) const PROBE_FAILED: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// Kind of error; the name is stable and the last segment of the problem's type.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ProblemCode)]
pub struct Code {
    /// Stable name in kebab-case.
    #[serde(rename = "code")]
    #[schema(example = "key-not-found")]
    pub name: &'static str,
    /// Status of the answer.
    #[serde(serialize_with = "number")]
    #[schema(value_type = u16, example = 404)]
    pub status: StatusCode,
    /// The kind in a few words.
    pub title: &'static str,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// What it means.
    pub meaning: &'static str,
    /// What to do.
    pub action: &'static str,
}

macro_rules! codes {
    ($($constant:ident = $name:literal $status:ident $retry:ident $title:literal $meaning:literal $action:literal;)+) => {
        impl Code {
            $(
                #[doc = concat!("`", $name, "`: ", $title, ".")]
                pub const $constant: &'static Self = &Self {
                    name: $name,
                    status: StatusCode::$status,
                    title: $title,
                    retryable: codes!(@ $retry),
                    meaning: $meaning,
                    action: $action,
                };
            )+
            /// All codes, by status.
            pub const ALL: &'static [&'static Self] = &[$(Self::$constant),+];
        }
    };
    (@ retry) => { true };
    (@ final) => { false };
}

codes! {
    BAD_KEY = "bad-key" BAD_REQUEST final "Key cannot be read"
        "The key in the URL is not what its encoding asks for: a broken percent escape, text that is not UTF-8, or a number, UUID, hex or base64url text out of form."
        "Escape the key byte by byte, or name the encoding you use with `enc=`.";
    BAD_PARAMETER = "bad-parameter" BAD_REQUEST final "Parameter refused"
        "A query parameter is unknown, missing, given twice, or has a value that is not known; or `Read-Consistency` has."
        "Compare the query with the parameters the detail names.";
    BAD_POSITION = "bad-position" BAD_REQUEST final "Position refused"
        "The position to read after is no position, is given twice, names a partition the topic does not have, or lies far beyond the end of the log."
        "Send a `View-Position` as it came, or `<partition>:<offset>` as the producer was told, and to the view of that topic.";
    BAD_CURSOR = "bad-cursor" BAD_REQUEST final "Cursor cannot be used"
        "The cursor is mangled, or belongs to a walk of another view, range or order."
        "Follow `next` as it is, or begin the walk again without a cursor.";
    BAD_BODY = "bad-body" BAD_REQUEST final "Body cannot be read"
        "The body of the request is not the JSON this path takes, was cut off or came too slowly, or names something that is not there."
        "Compare the body with what the detail asks for.";
    UNAUTHENTICATED = "unauthenticated" UNAUTHORIZED final "Token needed"
        "This path is for those who know the admin token."
        "Send `Authorization: Bearer` and the token in `ops.admin_token` or `ops.admin_token_file`.";
    FORBIDDEN = "forbidden" FORBIDDEN final "Not allowed"
        "The request carries another token than the one configured, or comes from a web page."
        "Send the token in `ops.admin_token` or `ops.admin_token_file`, and not from a browser.";
    KEY_NOT_FOUND = "key-not-found" NOT_FOUND final "No such key"
        "The view has caught up, and at the positions in `View-Position` the topic holds no live record of this key."
        "Nothing. If you have just written the record, ask again a little later.";
    VIEW_NOT_FOUND = "view-not-found" NOT_FOUND final "No such view"
        "This service has no view of that name."
        "Ask `/v1/views` for the names.";
    NOT_FOUND = "not-found" NOT_FOUND final "No such path"
        "Nothing answers at this path."
        "A key is one segment of the path: a slash in it is written `%2F`; an empty key is asked for with `lookup?key=`.";
    METHOD_NOT_ALLOWED = "method-not-allowed" METHOD_NOT_ALLOWED final "Method not allowed"
        "The path is known, but not with this method."
        "Use one of the methods that `Allow` names.";
    NOT_ACCEPTABLE = "not-acceptable" NOT_ACCEPTABLE final "No acceptable representation"
        "Nothing that `Accept` names can be sent."
        "Use one of those that `available` names, or send no `Accept`.";
    VALUE_NOT_REPRESENTABLE = "value-not-representable" NOT_ACCEPTABLE final "Value has no such representation"
        "The representation is known, but values of this view cannot be shown in it."
        "Use one of those that `available` names; `raw` is always possible.";
    VALUE_TOO_LARGE = "value-too-large" NOT_ACCEPTABLE final "Value was too large to keep"
        "The key has a value, but it is larger than `max_value_bytes` of the view, so only its size and origin were kept."
        "Ask for the `entry` representation to learn these; read the value from the topic, or raise `max_value_bytes` and rebuild the view.";
    POSITION_FOREIGN = "position-foreign" CONFLICT final "Position of another topic"
        "The position comes from another topic, or from the one that had this name before it was deleted and created again."
        "Forget the position: what it stands for is not in this topic.";
    REBUILD_RUNNING = "rebuild-running" CONFLICT final "A rebuild is running"
        "The view, or a partition that was named, is being rebuilt already."
        "Wait until it is done; `Location` leads to it where it was asked for.";
    WRONG_CLUSTER = "wrong-cluster" CONFLICT final "View of another cluster"
        "The brokers belong to another cluster than the stored view, so the view is left as it is."
        "Check `kafka.bootstrap`. If the move is meant: stop the service, move the view's directory away, and start it.";
    POSITION_GONE = "position-gone" GONE final "Position is too far back"
        "The changes since that position are not kept any more, or the view was built anew since."
        "Watch again with `initial=snapshot`, or without a position.";
    CONTENT_TOO_LARGE = "content-too-large" PAYLOAD_TOO_LARGE final "Too much at once"
        "The request is longer than this path takes, or asks for more than one answer may hold."
        "Ask for less at once; the detail names the limit.";
    URI_TOO_LONG = "uri-too-long" URI_TOO_LONG final "Key too long for a URL"
        "The key is longer than a URL may carry."
        "Keys of at most 8192 bytes can be asked for by URL.";
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE final "Body of another type"
        "The body is not announced as the type this path takes."
        "Send `Content-Type: application/json`.";
    STORAGE_ERROR = "storage-error" INTERNAL_SERVER_ERROR retry "Store cannot be read"
        "The store refused the read. This says nothing about the key."
        "Try again; if it lasts, look at the log and the disk of the service.";
    STORAGE_CORRUPTION = "storage-corruption" INTERNAL_SERVER_ERROR final "Store is damaged"
        "What is stored for this key is damaged. This says nothing about the key."
        "Wait until the partition is rebuilt, which begins by itself unless `store.on_corruption` is `halt`; check the disk.";
    INTERNAL = "internal" INTERNAL_SERVER_ERROR retry "Internal error"
        "The service made a mistake while it handled the request."
        "Report it, with the request id.";
    VIEW_RESTORING = "view-restoring" SERVICE_UNAVAILABLE retry "View is still restoring"
        "The view has not caught up with its topic once, so neither a value nor a miss could be trusted."
        "Try again after `Retry-After` seconds, or let the service wait: `Prefer: wait=10`; `progress` and the status of the view tell how far it is. A look-up with `allow=restoring` is answered with a value that is there already.";
    VIEW_STALE = "view-stale" SERVICE_UNAVAILABLE retry "View is staler than asked for"
        "The view is not known to have been current within `max_staleness`."
        "Try again after `Retry-After` seconds, or ask for less; `staleness` in `View-Status` tells how it is.";
    SOURCE_LOST = "source-lost" SERVICE_UNAVAILABLE retry "Kafka cannot be asked"
        "The request wants the latest state, and no broker tells how far the log reaches."
        "Try again after `Retry-After` seconds, or ask without `Read-Consistency`; `reason` and the status of the view tell more.";
    SHUTTING_DOWN = "shutting-down" SERVICE_UNAVAILABLE retry "Service stops"
        "The service stops, and the request would have had to wait."
        "Send the request again, to another instance if there is one.";
    OVERLOADED = "overloaded" SERVICE_UNAVAILABLE retry "Service has too much to do"
        "The request could not be begun, or not be answered to its end, within the time the service allows, or too many requests wait already."
        "Try again after `Retry-After` seconds.";
    POSITION_NOT_REACHED = "position-not-reached" GATEWAY_TIMEOUT retry "Position not reached yet"
        "The view has not applied the records the request wants to see."
        "Try again after `Retry-After` seconds, or let the service wait: `Prefer: wait=10`.";
}

impl Code {
    /// Returns the code of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|code| code.name == name).copied()
    }
}

fn number<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kebab_case_and_lead_back_to_their_code() {
        for code in Code::ALL {
            assert!(code.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", code.name);
            assert_eq!(Code::named(code.name), Some(*code));
        }
        assert_eq!(Code::named("teapot"), None);
    }

    #[test]
    fn codes_are_listed_by_status() {
        assert!(Code::ALL.is_sorted_by_key(|code| code.status.is_server_error()));
    }
}
