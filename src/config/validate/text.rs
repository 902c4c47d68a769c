//! Texts that must be legal for someone else: Kafka, HTTP, the log filter.

use std::net::Ipv6Addr;

use http::HeaderValue;
use tracing_subscriber::EnvFilter;

use super::super::suggest;

/// Kafka's own bound on the name of a topic; the same is plenty for any other name.
const NAME_MAX: usize = 249;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Checks a topic name by Kafka's rules.
pub(super) fn topic(name: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(legal) && !matches!(name, "." | "..") {
        return Ok(());
    }
    Err(format!(
        "{name:?} is not the name of a topic: Kafka allows 1 to 249 of a-z, A-Z, 0-9, `.`, `_` and `-`"
    ))
}

/// Checks a name that is given to the brokers.
pub(super) fn name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err("must not be empty".to_owned());
    }
    if name.len() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(format!("takes up to {NAME_MAX} bytes without control characters"));
    }
    Ok(())
}

/// Checks a comma-separated list of `host:port`.
pub(super) fn bootstrap(list: &str) -> Result<(), String> {
    list.split(',').map(str::trim).try_for_each(broker)
}

fn broker(broker: &str) -> Result<(), String> {
    if broker.contains('@') {
        // Not shown: what is before the `@` may be a password.
        return Err(
            "has an `@`: credentials go into `kafka.sasl_username` and `kafka.sasl_password`".to_owned()
        );
    }
    if broker.contains("://") {
        return Err(format!(
            "`{broker}` is a URL: write host:port, and the protocol as \"security.protocol\" in `kafka.properties`"
        ));
    }
    let legal = broker
        .rsplit_once(':')
        .is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok_and(|port| port != 0));
    if legal { Ok(()) } else { Err(format!("`{broker}` is not host:port, such as 127.0.0.1:9092")) }
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !host.is_empty() && host.bytes().all(legal)
}

/// Checks the value of an HTTP header.
pub(super) fn header(value: &str) -> Result<(), String> {
    if value.trim().is_empty() || HeaderValue::from_str(value).is_err() {
        return Err(format!("{value:?} is not a legal value of an HTTP header"));
    }
    Ok(())
}

/// Checks a token that travels in an HTTP header; it is not shown.
pub(super) fn token(token: &str) -> Result<(), String> {
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err("takes printable ASCII characters without spaces, as they go into an HTTP header".to_owned())
}

/// Checks a log level or filter.
pub(super) fn log_filter(filter: &str) -> Result<(), String> {
    if filter.trim().is_empty() {
        return Err("must not be empty: write a level, such as `info`".to_owned());
    }
    // A lone word that is no level counts as a target, so `inof` would silence every other target.
    for word in filter.split(',').map(str::trim) {
        let is_level = LEVELS.contains(&word.to_lowercase().as_str());
        if !is_level && !word.is_empty() && !word.contains(['=', '[']) {
            let question = suggest::question(suggest::nearest(word, LEVELS));
            return Err(format!(
                "`{word}` is not a level, one of {}{question}; a filter for a module is `{word}=debug`",
                LEVELS.join(", ")
            ));
        }
    }
    EnvFilter::builder()
        .parse(filter)
        .map(drop)
        .map_err(|error| format!("`{filter}` is not a level or a filter: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_follow_the_rules_of_kafka() {
        for name in ["user-profiles", "007", "a.b_C-9", "...", &"x".repeat(249)] {
            assert_eq!(topic(name), Ok(()), "{name}");
        }
        for name in ["", ".", "..", "a b", "a/b", "é", "a\n", &"x".repeat(250)] {
            assert!(topic(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn brokers_are_hosts_with_ports() {
        for list in ["127.0.0.1:9092", "kafka-0.kafka:9092, kafka-1.kafka:9092", "[::1]:9092", "my_host:1"] {
            assert_eq!(bootstrap(list), Ok(()), "{list}");
        }
        for list in
            ["", "kafka", "kafka:", ":9092", "kafka:0", "kafka:99999", "a:1,,b:2", "::1:9092", "a b:1"]
        {
            assert!(bootstrap(list).is_err(), "{list:?}");
        }
        assert!(bootstrap("SASL_SSL://kafka:9092").unwrap_err().contains("security.protocol"));
        assert!(!bootstrap("me:hunter2@kafka:9092").unwrap_err().contains("hunter2"));
    }

    #[test]
    fn a_mistyped_level_is_refused_instead_of_silencing_the_log() {
        for filter in
            ["info", "WARN", "info,statusquo::kafka=debug,librdkafka=debug", "off", "[span{a=1}]=debug"]
        {
            assert_eq!(log_filter(filter), Ok(()), "{filter}");
        }
        assert!(log_filter("inof").unwrap_err().contains("did you mean `info`?"));
        for filter in ["", "statusquo", "statusquo=loud", "info,=,=="] {
            assert!(log_filter(filter).is_err(), "{filter:?}");
        }
    }

    #[test]
    fn header_values_are_printable() {
        assert_eq!(header("private, no-cache"), Ok(()));
        for value in ["", " ", "a\r\nb: c", "a\0"] {
            assert!(header(value).is_err(), "{value:?}");
        }
    }
}
