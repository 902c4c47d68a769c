//! Keeps secrets that arrive as librdkafka properties out of every output.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serializer;

use super::secret::REDACTED;
use super::sections::KafkaConfig;

/// Parts of librdkafka property names whose values are secrets.
///
/// `sasl.oauthbearer.config` may carry a token or claims; `sasl.jaas.config` is no librdkafka property, but
/// people paste it from Java, and then the refusal must not show it.
const SECRET_PARTS: [&str; 6] =
    ["password", "passphrase", "secret", "key.pem", "oauthbearer.config", "sasl.jaas.config"];

/// Returns whether the value of this librdkafka property is a secret.
#[must_use]
pub fn is_secret(property: &str) -> bool {
    let property = property.to_lowercase();
    SECRET_PARTS.iter().any(|part| property.contains(part))
}

/// Writes librdkafka properties without their secrets.
pub(super) fn serialize<S>(properties: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error>
where
    S: Serializer,
{
    serializer.collect_map(redacted(properties))
}

fn redacted(properties: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    properties
        .iter()
        .map(|(name, value)| (name.as_str(), if is_secret(name) { REDACTED } else { value.as_str() }))
        .collect()
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without `..`: a new field must be shown, or left out on purpose.
        let Self {
            bootstrap,
            instance,
            group,
            isolation,
            queue,
            poll_interval,
            request_timeout,
            sasl_username,
            sasl_password,
            sasl_password_file,
            properties,
        } = self;
        f.debug_struct("KafkaConfig")
            .field("bootstrap", bootstrap)
            .field("instance", instance)
            .field("group", group)
            .field("isolation", isolation)
            .field("queue", queue)
            .field("poll_interval", poll_interval)
            .field("request_timeout", request_timeout)
            .field("sasl_username", sasl_username)
            .field("sasl_password", sasl_password)
            .field("sasl_password_file", sasl_password_file)
            .field("properties", &redacted(properties))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn property_names_tell_what_is_a_secret() {
        for name in [
            "ssl.key.password",
            "ssl.keystore.password",
            "ssl.key.pem",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.client.credentials.client.secret",
            "sasl.oauthbearer.assertion.private.key.passphrase",
            "sasl.oauthbearer.assertion.private.key.pem",
            "sasl.oauthbearer.config",
            "sasl.jaas.config",
            "SSL.KEY.PASSWORD",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["security.protocol", "ssl.ca.pem", "ssl.key.location", "sasl.oauthbearer.client.id"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
