//! Errors as RFC 9457 `application/problem+json`.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::{ObjectBuilder, Type};

use super::code::Code;

/// Seconds after which trying again makes sense where nothing tells more; nothing that is retryable is known to take
/// shorter.
const RETRY_SECONDS: u16 = 1;

/// An answer that is an error.
///
/// Never holds bytes of a key or a value. As a response it is only complete once the request is known: the
/// outermost layer writes the body.
#[derive(Debug, Clone)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    code: &'static Code,
    detail: Cow<'static, str>,
    view: Option<String>,
    reason: Option<&'static str>,
    progress: Option<f64>,
    available: Option<Vec<&'static str>>,
    headers: HeaderMap,
}

/// What went wrong (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(super) struct Document<'a> {
    /// Leads to what the code means.
    #[serde(rename = "type")]
    kind: &'a str,
    /// The kind in a few words.
    title: &'a str,
    /// Status of the answer.
    status: u16,
    /// What went wrong this time, for people; never a key or a value.
    detail: &'a str,
    /// Id of the request.
    instance: &'a str,
    /// Stable name of the kind.
    #[schema(schema_with = code_schema)]
    code: &'a str,
    /// View that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<&'a str>,
    /// Why, in a stable word.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// Whether the same request may succeed later.
    retryable: bool,
    /// How far a restore is, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<f64>,
    /// What could have been asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    available: Option<&'a [&'static str]>,
}

fn code_schema() -> ObjectBuilder {
    let names = Code::ALL.iter().map(|code| code.name);
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names))
}

#[derive(Serialize)]
struct Brief<'a> {
    code: &'a str,
    title: &'a str,
    detail: &'a str,
    retryable: bool,
}

impl Problem {
    /// Makes a problem; `detail` is for people and holds nothing of a key or a value.
    #[must_use]
    pub fn new(code: &'static Code, detail: impl Into<Cow<'static, str>>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if code.retryable {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
        }
        let detail = detail.into();
        let parts =
            Parts { code, detail, view: None, reason: None, progress: None, available: None, headers };
        Self(Box::new(parts))
    }

    /// Returns what kind of problem it is.
    #[must_use]
    pub fn code(&self) -> &'static Code {
        self.0.code
    }

    /// Names the view.
    #[must_use]
    pub fn of_view(mut self, view: &str) -> Self {
        self.0.view = Some(view.to_owned());
        self
    }

    /// Says why, in a stable word.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.0.reason = Some(reason);
        self
    }

    /// Says how far a restore is, 0 to 1.
    #[must_use]
    pub fn restored(mut self, progress: f64) -> Self {
        self.0.progress = Some((progress * 1000.0).round() / 1000.0);
        self
    }

    /// Lists what could have been asked for.
    #[must_use]
    pub fn available(mut self, names: Vec<&'static str>) -> Self {
        self.0.available = Some(names);
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Appends the problem as an object without status and request id, for answers that have begun already.
    pub(super) fn push_brief(&self, out: &mut Vec<u8>) {
        let parts = &self.0;
        let (code, title) = (parts.code.name, parts.code.title);
        let brief = Brief { code, title, detail: &parts.detail, retryable: parts.code.retryable };
        // Cannot fail: strings have a JSON form, and a vector takes it.
        let _ = serde_json::to_writer(out, &brief);
    }

    /// Writes the body for the request called `instance`.
    pub(super) fn body(&self, instance: &str) -> Vec<u8> {
        let parts = &self.0;
        let document = Document {
            kind: &format!("/problems/{}", parts.code.name),
            title: parts.code.title,
            status: parts.code.status.as_u16(),
            detail: &parts.detail,
            instance,
            code: parts.code.name,
            view: parts.view.as_deref(),
            reason: parts.reason,
            retryable: parts.code.retryable,
            progress: parts.progress,
            available: parts.available.as_deref(),
        };
        serde_json::to_vec(&document).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.0.code.status;
        response.headers_mut().clone_from(&self.0.headers);
        let content_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response.extensions_mut().insert(self);
        response
    }
}
