//! Header values written into one small buffer.

use bytes::{BufMut as _, BytesMut};
use http::HeaderValue;

use super::decimal;
use crate::position::{Offset, Partition};
use crate::time::Millis;
use crate::topic_id::TopicTag;
use crate::view::{Condition, Positions};

/// Room for the entity tag, the position and the status of a usual answer.
const CAPACITY: usize = 192;
/// Greatest number of RFC 9651.
const INTEGER_MAX: u64 = 999_999_999_999_999;
/// Greatest tenths of a second that are written; its whole part has the 12 digits of RFC 9651.
const TENTHS_MAX: f64 = 9_999_999_999_999.0;

/// Writes header values that share one allocation.
#[derive(Debug)]
pub(super) struct HeaderText(BytesMut);

impl HeaderText {
    pub(super) fn new() -> Self {
        Self(BytesMut::with_capacity(CAPACITY))
    }

    /// Returns `"<topic tag>.<partition>.<offset>.<timestamp>.<form>"`, the words of the form with dots between them. Where
    /// a log was overwritten, the timestamp tells a record from the one that had its offset before. No timestamp is 0.
    pub(super) fn etag(
        &mut self,
        topic: TopicTag,
        partition: Partition,
        record: (Offset, Millis),
        form: &[&str],
    ) -> HeaderValue {
        let (offset, timestamp) = record;
        self.push("\"").push(topic.as_str()).push(".").decimal(partition.into());
        self.push(".").decimal(offset.get()).push(".").decimal(timestamp.get());
        for word in form {
            self.push(".").push(word);
        }
        self.push("\"").take()
    }

    /// Returns how far an answer reaches: the last offset applied, by partition; none where nothing is.
    pub(super) fn positions(&mut self, positions: &Positions) -> Option<HeaderValue> {
        let topic = positions.topic?;
        let reached = positions
            .partitions
            .iter()
            .filter_map(|(partition, position)| Some((*partition, position.last()?)));
        self.reached(topic, reached)
    }

    /// Returns `v1=0:5,3:99017;t=<topic tag>`; none when no partition is named.
    pub(super) fn reached(
        &mut self,
        topic: TopicTag,
        reached: impl Iterator<Item = (Partition, Offset)>,
    ) -> Option<HeaderValue> {
        let mut separator = "v1=";
        for (partition, offset) in reached {
            self.push(separator).decimal(partition.into()).push(":").decimal(offset.get());
            separator = ",";
        }
        if self.0.is_empty() {
            return None;
        }
        self.push(";t=").push(topic.as_str());
        Some(self.take())
    }

    /// Returns `state=live, lag=0, staleness=0.4, generation=7`, an RFC 9651 dictionary.
    pub(super) fn status(&mut self, condition: &Condition) -> HeaderValue {
        self.push("state=").push(condition.state.as_str());
        self.push(", lag=").unsigned(condition.lag.min(INTEGER_MAX));
        if let Some(seconds) = condition.staleness() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
            let tenths = (seconds * 10.0).clamp(0.0, TENTHS_MAX) as u64;
            self.push(", staleness=").unsigned(tenths / 10).push(".").unsigned(tenths % 10);
        }
        self.push(", generation=").unsigned(condition.generation.min(INTEGER_MAX));
        if let Some(reason) = condition.reason {
            self.push(", reason=").push(reason);
        }
        if let Some(warning) = condition.warning {
            self.push(", warning=").push(warning);
        }
        self.take()
    }

    /// Returns a number.
    pub(super) fn number(&mut self, number: i64) -> HeaderValue {
        self.decimal(number).take()
    }

    /// Returns the time in RFC 3339; none where that has no form for it.
    pub(super) fn time(&mut self, at: Millis) -> Option<HeaderValue> {
        self.push(&at.rfc3339()?);
        Some(self.take())
    }

    fn push(&mut self, text: &str) -> &mut Self {
        self.0.put_slice(text.as_bytes());
        self
    }

    fn decimal(&mut self, number: i64) -> &mut Self {
        decimal::write(number, |digits| self.0.put_slice(digits));
        self
    }

    fn unsigned(&mut self, number: u64) -> &mut Self {
        decimal::write_unsigned(number, |digits| self.0.put_slice(digits));
        self
    }

    /// Invariant: only digits, tags and words in kebab-case are pushed, so the value is always legal.
    fn take(&mut self) -> HeaderValue {
        HeaderValue::from_maybe_shared(self.0.split().freeze())
            .unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::position::Position;
    use crate::topic_id::TopicId;
    use crate::view::State;

    fn tag() -> TopicTag {
        TopicId::new([0; 16]).tag()
    }

    #[test]
    fn a_position_names_the_last_offsets_and_leaves_out_where_nothing_is() {
        let partitions = vec![(0, Position::new(6)), (1, Position::ZERO), (3, Position::new(99_018))];
        let positions = Positions { topic: Some(tag()), partitions };
        assert_eq!(HeaderText::new().positions(&positions).unwrap(), "v1=0:5,3:99017;t=AAAAAAAA");
        let nothing = Positions { topic: Some(tag()), partitions: vec![(0, Position::ZERO)] };
        assert_eq!(HeaderText::new().positions(&nothing), None);
    }

    #[test]
    fn a_status_is_a_dictionary_of_words_and_numbers() {
        let mut condition = Condition {
            state: State::Live,
            reason: None,
            warning: None,
            lag: 7,
            age: None,
            taken: Instant::now(),
            generation: 2,
        };
        assert_eq!(HeaderText::new().status(&condition), "state=live, lag=7, generation=2");
        condition = Condition { state: State::Stuck, reason: Some("disk-full"), ..condition };
        condition.age = Some(Duration::MAX);
        let expected = "state=stuck, lag=7, staleness=999999999999.9, generation=2, reason=disk-full";
        assert_eq!(HeaderText::new().status(&condition), expected);
        condition = Condition { state: State::Live, reason: None, warning: Some("conflicts"), ..condition };
        condition.age = None;
        let expected = "state=live, lag=7, generation=2, warning=conflicts";
        assert_eq!(HeaderText::new().status(&condition), expected);
    }

    #[test]
    fn an_entity_tag_is_quoted() {
        let of =
            |at| HeaderText::new().etag(tag(), 3, (Offset::new(99_017), Millis::new(at)), &["e", "utf8"]);
        assert_eq!(of(1_795_422_322_123), "\"AAAAAAAA.3.99017.1795422322123.e.utf8\"");
        assert_ne!(of(1), of(2), "the log was overwritten");
    }
}
