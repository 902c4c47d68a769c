//! The section of one view.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One view: the materialized state of one topic.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewConfig {
    /// The compacted topic.
    pub topic: String,
    /// How keys appear in URLs and documents.
    #[serde(default)]
    pub key: KeyFormat,
    /// What the bytes of a value are; they are served as they were produced.
    #[serde(default)]
    pub value: ValueFormat,
    /// Whether record headers are kept.
    #[serde(default = "default_true")]
    pub headers: bool,
    /// Whether readiness of the process waits for this view.
    #[serde(default = "default_true")]
    pub required: bool,
    /// `Cache-Control` of answers about data.
    #[serde(default = "default_cache_control")]
    pub cache_control: String,
}

/// How keys appear in URLs and documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyFormat {
    /// UTF-8 text.
    #[default]
    String,
    /// JSON text, addressed as UTF-8.
    Json,
    /// Any bytes, addressed as base64url.
    Bytes,
    /// 4 bytes, big endian, addressed as a decimal number.
    I32,
    /// 8 bytes, big endian, addressed as a decimal number.
    I64,
    /// 16 bytes, addressed as a UUID.
    Uuid,
}

/// What the bytes of a value are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValueFormat {
    /// JSON, `application/json`.
    #[default]
    Json,
    /// UTF-8 text, `text/plain; charset=utf-8`.
    Text,
    /// Any bytes, `application/octet-stream`.
    Bytes,
}

fn default_true() -> bool {
    true
}

fn default_cache_control() -> String {
    "private, no-cache".to_owned()
}
