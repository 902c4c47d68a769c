//! The sections of the configuration; each component takes its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::redaction;
pub use super::scan_section::ScanConfig;
use super::secret::Secret;
use super::units;
use super::view_name::ViewName;
pub use super::view_section::{KeyFormat, OnPolicyMismatch, ValueFormat, ViewConfig};
pub use super::watch_section::WatchConfig;

/// The whole configuration of one process.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where views are stored, one directory per view.
    #[serde(default = "default_data_dir")]
    pub data_dir: PathBuf,
    /// How to reach the Kafka cluster.
    pub kafka: KafkaConfig,
    /// The data listener.
    #[serde(default)]
    pub http: HttpConfig,
    /// The ops listener: probes, metrics and the admin interface.
    #[serde(default)]
    pub ops: OpsConfig,
    /// When a view counts as ready.
    #[serde(default)]
    pub ready: ReadyConfig,
    /// RocksDB, shared by all views.
    #[serde(default)]
    pub store: StoreConfig,
    /// How records are gathered into writes.
    #[serde(default)]
    pub batch: BatchConfig,
    /// Positions mirrored to the consumer group, for lag tools and operators.
    #[serde(default)]
    pub mirror: MirrorConfig,
    /// Building a fresh state of a partition beside the one that serves.
    #[serde(default)]
    pub rebuild: RebuildConfig,
    /// Stopping.
    #[serde(default)]
    pub shutdown: ShutdownConfig,
    /// Log output.
    #[serde(default)]
    pub log: LogConfig,
    /// The views by name; at least one.
    pub views: BTreeMap<ViewName, ViewConfig>,
}

/// How to reach the Kafka cluster.
#[derive(Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// Comma-separated `host:port` of the first brokers to ask.
    pub bootstrap: String,
    /// Name of this instance; default: the host name. Part of the default group.
    #[serde(default = "default_instance")]
    pub instance: String,
    /// Consumer group the positions are mirrored to; default `statusquo-<instance>`. One per instance.
    #[serde(default)]
    pub group: Option<String>,
    /// Which records are visible.
    #[serde(default)]
    pub isolation: Isolation,
    /// Bound on records fetched ahead and not yet read, per view.
    #[serde(default = "default_queue", with = "units::size")]
    #[schemars(with = "units::Size")]
    pub queue: ByteSize,
    /// How often topic metadata, end offsets and the topic id are asked for.
    #[serde(default = "default_poll_interval", with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub poll_interval: Duration,
    /// Bound on one request to the brokers.
    #[serde(default = "default_kafka_timeout", with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub request_timeout: Duration,
    /// SASL user name.
    #[serde(default)]
    pub sasl_username: Option<String>,
    /// SASL password.
    #[serde(default)]
    pub sasl_password: Option<Secret>,
    /// File that holds the SASL password (one trailing newline is dropped).
    #[serde(default)]
    pub sasl_password_file: Option<PathBuf>,
    /// librdkafka properties passed through, such as `"security.protocol"`; those the service owns are refused.
    #[serde(default, serialize_with = "redaction::serialize")]
    pub properties: BTreeMap<String, String>,
}

/// Which records are visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Records of aborted transactions never appear.
    #[default]
    ReadCommitted,
    /// Every record appears as soon as it is in the log.
    ReadUncommitted,
}

/// The data listener.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Address of the data listener.
    #[schemars(with = "units::Address")]
    pub listen: SocketAddr,
    /// Needed to bind another address than loopback: whoever can connect can read every view.
    pub allow_unauthenticated: bool,
    /// Bound on connections open at the same time; further ones wait to be accepted.
    pub connections_max: usize,
    /// Bound on the time a client may take to send the head of a request.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub header_timeout: Duration,
    /// Bound on the time for which a client may take nothing of an answer; then it is hung up on.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub write_timeout: Duration,
    /// Bound on handling one request.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub request_timeout: Duration,
    /// Bound on what `Prefer: wait` may ask for; it comes on top of `request_timeout`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub wait_max: Duration,
    /// Bound on requests that wait at the same time; further ones are refused.
    pub waiters_max: usize,
    /// Reads of many entries: scans, exports and batches.
    pub scan: ScanConfig,
    /// Watching views.
    pub watch: WatchConfig,
}

/// The ops listener.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OpsConfig {
    /// Address of the ops listener: probes, metrics and the admin interface.
    #[schemars(with = "units::Address")]
    pub listen: SocketAddr,
    /// Whether rebuilds can be asked for there.
    pub admin: bool,
    /// Token a request for a rebuild must carry; needed where other machines reach the listener.
    pub admin_token: Option<Secret>,
    /// File that holds the token (one trailing newline is dropped).
    pub admin_token_file: Option<PathBuf>,
}

/// When a view counts as ready.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReadyConfig {
    /// A view that has not caught up since the start is ready if its stored state is at most this old.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub max_staleness: Duration,
}

/// RocksDB, shared by all views.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Block cache shared by all views; bounds the memory of reads.
    #[serde(with = "units::size")]
    #[schemars(with = "units::Size")]
    pub block_cache: ByteSize,
    /// Size of one memtable, and of what a rebuild gathers before it writes.
    #[serde(with = "units::size")]
    #[schemars(with = "units::Size")]
    pub write_buffer: ByteSize,
    /// Memtables per view: one being written, the others waiting to be flushed.
    pub write_buffers: u32,
    /// Background flush and compaction threads of the process.
    pub background_jobs: u32,
    /// Damaged stores that are kept, moved aside as `corrupt-<time>`.
    pub corrupt_kept: usize,
    /// What happens when stored bytes turn out to be damaged.
    pub on_corruption: OnCorruption,
}

/// What happens when stored bytes turn out to be damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnCorruption {
    /// What is damaged is built again from Kafka.
    #[default]
    Rebuild,
    /// Nothing is built or moved until a person has looked.
    Halt,
}

/// How records are gathered into writes. A batch is written when the first of its bounds is reached.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// Bound on the records of one batch.
    pub records_max: usize,
    /// Bound on the bytes of one batch.
    #[serde(with = "units::size")]
    #[schemars(with = "units::Size")]
    pub bytes_max: ByteSize,
    /// Bound on the age of a batch while a view restores.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub wait_restoring: Duration,
    /// Bound on the age of a batch once the view has caught up.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub wait_following: Duration,
}

/// Positions mirrored to the consumer group.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MirrorConfig {
    /// Whether positions are mirrored at all.
    pub enabled: bool,
    /// How often, when they moved.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub interval: Duration,
}

/// Building a fresh state of a partition beside the one that serves.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RebuildConfig {
    /// Partitions of a view that are rebuilt at the same time; bounds the extra disk and load.
    pub parallel: usize,
    /// Bound on the records per second that rebuilds of a view read; 0 is no bound. The first restore has none.
    pub records_per_second: u64,
    /// How long the topic is taken to keep tombstones where the broker does not tell its `delete.retention.ms`.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub tombstones_kept: Duration,
}

/// Stopping.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ShutdownConfig {
    /// Bound on draining requests, the last batch and the last mirror; then the process ends anyway.
    #[serde(with = "humantime_serde")]
    #[schemars(with = "units::Timespan")]
    pub grace: Duration,
}

/// Log output, on standard error.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Level or filter, such as `info` or `info,statusquo::kafka=debug,librdkafka=debug`.
    pub level: String,
    /// Form of a line; `auto` is text on a terminal and JSON elsewhere.
    pub format: LogFormat,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One readable line per event.
    Text,
    /// One JSON object per line.
    Json,
}

impl KafkaConfig {
    /// Returns the consumer group positions are mirrored to.
    #[must_use]
    pub fn group(&self) -> String {
        self.group.clone().unwrap_or_else(|| format!("statusquo-{}", self.instance))
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            allow_unauthenticated: false,
            connections_max: 10_000,
            header_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(30),
            wait_max: Duration::from_secs(30),
            waiters_max: 5_000,
            scan: ScanConfig::default(),
            watch: WatchConfig::default(),
        }
    }
}

impl Default for OpsConfig {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8081));
        Self { listen, admin: false, admin_token: None, admin_token_file: None }
    }
}

impl Default for ReadyConfig {
    fn default() -> Self {
        Self { max_staleness: Duration::from_secs(3600) }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            block_cache: ByteSize::mib(256),
            write_buffer: ByteSize::mib(64),
            write_buffers: 3,
            background_jobs: 2,
            corrupt_kept: 2,
            on_corruption: OnCorruption::Rebuild,
        }
    }
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            records_max: 20_000,
            bytes_max: ByteSize::mib(8),
            wait_restoring: Duration::from_millis(50),
            wait_following: Duration::from_millis(5),
        }
    }
}

impl Default for MirrorConfig {
    fn default() -> Self {
        Self { enabled: true, interval: Duration::from_secs(5) }
    }
}

impl Default for RebuildConfig {
    fn default() -> Self {
        Self { parallel: 4, records_per_second: 0, tombstones_kept: Duration::from_secs(24 * 3600) }
    }
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self { grace: Duration::from_secs(25) }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

fn default_data_dir() -> PathBuf {
    PathBuf::from("data")
}

fn default_instance() -> String {
    hostname::get().ok().and_then(|name| name.into_string().ok()).unwrap_or_else(|| "local".to_owned())
}

fn default_queue() -> ByteSize {
    ByteSize::mib(16)
}

fn default_poll_interval() -> Duration {
    Duration::from_secs(1)
}

fn default_kafka_timeout() -> Duration {
    Duration::from_secs(10)
}
