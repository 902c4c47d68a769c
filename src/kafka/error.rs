//! What Kafka can answer, by what has to be done about it.

use rdkafka::types::RDKafkaErrorCode as Code;

use super::ffi;
use crate::progress::TroubleCode;
use crate::source::Failure;

/// A question to the cluster that was not answered, or a property it will not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No broker answered.
    #[error("no broker answers: {0}")]
    Unreachable(String),
    /// The cluster has no such topic.
    #[error("the cluster has no topic '{0}'; it is waited for")]
    TopicMissing(String),
    /// A right is missing, or the credentials are wrong.
    #[error("not allowed: {0}")]
    Unauthorized(String),
    /// A property is not known or has no such value.
    #[error("kafka.properties: {0}")]
    Property(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// Returns the kind of trouble this is for a view.
    #[must_use]
    pub fn trouble(&self) -> TroubleCode {
        match self {
            Self::TopicMissing(_) => TroubleCode::TopicMissing,
            Self::Unauthorized(_) => TroubleCode::Unauthorized,
            Self::Unreachable(_) | Self::Property(_) | Self::Other(_) => TroubleCode::BrokerUnreachable,
        }
    }

    pub(super) fn of(code: Code, reason: String, topic: &str) -> Self {
        match code {
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
                Self::TopicMissing(topic.to_owned())
            }
            Code::TopicAuthorizationFailed => {
                Self::Unauthorized(format!("READ on topic '{topic}' is missing ({reason})"))
            }
            Code::Authentication | Code::SaslAuthenticationFailed | Code::ClusterAuthorizationFailed => {
                Self::Unauthorized(format!("{reason}; check user name, password and security.protocol"))
            }
            Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::Resolve
            | Code::TimedOutQueue => Self::Unreachable(reason),
            _ => Self::Other(reason),
        }
    }
}

/// Names the group, which librdkafka does not.
pub(super) fn of_group(code: Code, reason: String, topic: &str, group: &str) -> Error {
    match code {
        Code::GroupAuthorizationFailed => {
            Error::Unauthorized(format!("READ on group '{group}' is missing ({reason})"))
        }
        code => Error::of(code, reason, topic),
    }
}

pub(super) fn failure(code: Code, reason: String, topic: &str) -> Failure {
    match code {
        Code::LogTruncation => Failure::Rewritten(reason),
        // A truncation it found is one more cause for which the client has nowhere to go on, told in the text alone.
        Code::AutoOffsetReset if reason.contains(&ffi::truncation_text()) => Failure::Rewritten(reason),
        Code::AutoOffsetReset | Code::OffsetOutOfRange => Failure::OutOfRange(reason),
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => Failure::Gone,
        Code::TopicAuthorizationFailed => {
            Failure::Unauthorized(format!("READ on topic '{topic}' is missing ({reason})"))
        }
        // It says no more where a batch unpacks to more than it takes, which it bounds for this codec alone.
        Code::BadCompression if reason.contains("(codec 0x4)") => Failure::Other(format!(
            "{reason}; a zstd batch that is sound unpacks to more than receive.message.max.bytes of kafka.properties"
        )),
        _ => Failure::Other(reason),
    }
}
