//! The section of one view.

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::units;

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
    /// Bound on the values that are kept; of a larger one only size and origin are. Default: none.
    #[serde(default, with = "units::optional_size")]
    #[schemars(with = "units::Size")]
    pub max_value_bytes: Option<ByteSize>,
    /// What happens when the topic's `cleanup.policy` is not `compact`.
    #[serde(default)]
    pub on_policy_mismatch: OnPolicyMismatch,
}

/// What happens when a topic loses keys without tombstones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnPolicyMismatch {
    /// It is followed, with a warning.
    #[default]
    Warn,
    /// It is not followed; what is stored goes on being served.
    Refuse,
    /// It is followed.
    Ignore,
}

/// How keys appear in URLs and documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema, ToSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema, ToSchema)]
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
