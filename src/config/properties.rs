//! The librdkafka properties the service sets itself.

/// What to do instead, for each property that is refused.
const OWNED: [(&str, &str); 22] = [
    ("auto.offset.reset", "the stored position alone decides where to read"),
    ("enable.auto.commit", COMMITS),
    ("auto.commit.enable", COMMITS),
    ("enable.auto.offset.store", COMMITS),
    ("enable.partition.eof", "it tells when a view has caught up"),
    ("check.crcs", "a damaged record must never be served"),
    ("isolation.level", "use `kafka.isolation`"),
    ("allow.auto.create.topics", "a topic that is missing must stay missing"),
    ("group.protocol", "the service is not a member of its group"),
    ("group.id", "use `kafka.group`"),
    ("group.instance.id", "the service is not a member of its group"),
    ("partition.assignment.strategy", "every partition is assigned by the service itself"),
    ("bootstrap.servers", "use `kafka.bootstrap`"),
    ("metadata.broker.list", "use `kafka.bootstrap`"),
    ("queued.max.messages.kbytes", "use `kafka.queue`"),
    ("sasl.username", "use `kafka.sasl_username`"),
    ("sasl.password", "use `kafka.sasl_password` or `kafka.sasl_password_file`"),
    ("sasl.jaas.config", "it is for Java: use `kafka.sasl_username` and `kafka.sasl_password`"),
    ("log.queue", EVENTS),
    ("enabled_events", EVENTS),
    ("default_topic_conf", POINTER),
    ("ssl_engine_callback_data", POINTER),
];

const COMMITS: &str = "the service commits positions itself, see `mirror`";
const EVENTS: &str = "the service reads the events of the client itself";
const POINTER: &str = "it is a pointer and cannot be set from text";

/// Returns why a librdkafka property is not for the user to set, if so.
pub(super) fn why_refused(property: &str) -> Option<&'static str> {
    let property = property.trim().to_lowercase();
    if property.ends_with("_cb") {
        return Some(POINTER);
    }
    if property.starts_with("enable.auto.offset.") {
        return Some(COMMITS);
    }
    OWNED.iter().find(|(name, _)| *name == property).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_service_owns_is_refused_and_the_rest_passes() {
        for name in ["auto.offset.reset", "Group.Id", "enable.auto.offset.anything", "error_cb", "log.queue"]
        {
            assert!(why_refused(name).is_some(), "{name}");
        }
        for name in ["security.protocol", "sasl.mechanism", "ssl.ca.location", "client.id", "debug"] {
            assert!(why_refused(name).is_none(), "{name}");
        }
    }

    #[test]
    fn a_property_with_a_key_of_its_own_points_to_it() {
        assert_eq!(why_refused("isolation.level"), Some("use `kafka.isolation`"));
    }
}
