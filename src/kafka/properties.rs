//! The properties a client is made with: ours, then the user's, then those that must not be changed.

use super::error::Error;
use super::ffi;
use crate::config::sections::{Isolation, KafkaConfig};

/// Properties of one client.
pub(super) type Properties = Vec<(String, String)>;

/// Chosen by measurement or for quick recovery; the user may say otherwise.
const TUNED: [(&str, &str); 7] = [
    // A fast consumer stutters with the default of one second.
    ("fetch.queue.backoff.ms", "10"),
    ("queued.min.messages", "1000000"),
    ("fetch.wait.max.ms", "100"),
    ("topic.metadata.refresh.interval.ms", "30000"),
    ("reconnect.backoff.max.ms", "1000"),
    ("session.timeout.ms", "6000"),
    ("socket.nagle.disable", "true"),
];

/// What the guarantees rest on.
const FIXED: [(&str, &str); 7] = [
    ("auto.offset.reset", "error"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("enable.partition.eof", "true"),
    ("check.crcs", "true"),
    ("allow.auto.create.topics", "false"),
    ("group.protocol", "classic"),
];

/// Checks that librdkafka takes the configured properties, without connecting.
///
/// # Errors
/// [`Error::Property`] names the property and why.
pub fn check(config: &KafkaConfig) -> Result<(), Error> {
    let properties = properties(config, "check");
    ffi::Client::check(borrowed(&properties)).map_err(Error::Property)
}

pub(super) fn properties(config: &KafkaConfig, role: &str) -> Properties {
    let isolation = match config.isolation {
        Isolation::ReadCommitted => "read_committed",
        Isolation::ReadUncommitted => "read_uncommitted",
    };
    let queue_kib = (config.queue.as_u64() / 1024).clamp(1, 2_097_151);
    let own = |name: &str, value: String| (name.to_owned(), value);
    let mut all: Properties = TUNED.iter().map(|(name, value)| own(name, (*value).to_owned())).collect();
    all.push(own("client.id", format!("statusquo-{}-{role}", config.instance)));
    all.extend(config.properties.clone());
    all.extend(FIXED.iter().map(|(name, value)| own(name, (*value).to_owned())));
    all.push(own("bootstrap.servers", config.bootstrap.clone()));
    all.push(own("group.id", config.group()));
    all.push(own("isolation.level", isolation.to_owned()));
    all.push(own("queued.max.messages.kbytes", queue_kib.to_string()));
    if let Some(name) = &config.sasl_username {
        all.push(own("sasl.username", name.clone()));
    }
    if let Some(password) = &config.sasl_password {
        all.push(own("sasl.password", password.expose().to_owned()));
    }
    all
}

pub(super) fn borrowed(properties: &Properties) -> impl Iterator<Item = (&str, &str)> + Clone {
    properties.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What librdkafka takes is the last of several values.
    #[test]
    fn what_the_promises_rest_on_cannot_be_configured_away() {
        let wrong = [
            ("auto.offset.reset", "earliest"),
            ("enable.auto.commit", "true"),
            ("enable.partition.eof", "false"),
            ("check.crcs", "false"),
            ("isolation.level", "read_uncommitted"),
            ("fetch.wait.max.ms", "7"),
        ];
        let flags = [("kafka.bootstrap", "x:1"), ("views.v.topic", "t")];
        let mut config = crate::config::of_flags(&flags).kafka;
        config.properties.extend(wrong.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let all = properties(&config, "test");
        let last =
            |name: &str| borrowed(&all).filter(|(known, _)| *known == name).last().map(|(_, value)| value);
        assert_eq!(last("auto.offset.reset"), Some("error"), "a gap must not be jumped in silence");
        assert_eq!(last("enable.auto.commit"), Some("false"), "a commit is ours, signed, after a look");
        assert_eq!(
            last("enable.partition.eof"),
            Some("true"),
            "the end of a log is more than its last record"
        );
        assert_eq!(last("check.crcs"), Some("true"), "a damaged batch must not become values");
        assert_eq!(last("isolation.level"), Some("read_committed"), "the configuration has a key for it");
        assert_eq!(last("fetch.wait.max.ms"), Some("7"), "the rest is up to the user");
    }
}
