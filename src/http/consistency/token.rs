//! Positions as clients send them: `v1=0:5,3:99017;t=k3Qz7pWx`, or `3:99017` as a producer was told.

use std::collections::BTreeMap;

use crate::position::{Offset, Partition};
use crate::topic_id::TopicTag;

/// Longest token that is read: room for more than a thousand partitions.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Records that an answer has to reflect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Token {
    /// The highest offset by partition; at least one.
    pub(in crate::http) offsets: BTreeMap<Partition, Offset>,
    /// Tag of the topic, if it is told.
    pub(in crate::http) tag: Option<TopicTag>,
}

impl Token {
    /// Reads a token.
    ///
    /// # Errors
    /// What is wrong, without repeating it.
    pub(in crate::http) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err("a position has at most 16384 bytes");
        }
        // The id of an event of a watch is a position too; of which builds it is does not matter here.
        let text = text.split_once(";b=").map_or(text, |(position, _)| position).trim_ascii();
        let (list, tag) = match text.split_once(';') {
            Some((list, rest)) => (list, Some(tag(rest)?)),
            None => (text, None),
        };
        let list = match list.split_once('=') {
            Some(("v1", list)) => list,
            Some(_) => return Err("the position is of another version; this service knows `v1=`"),
            None => list,
        };
        let mut offsets = BTreeMap::new();
        for pair in list.split(',') {
            let (partition, offset) = pair.split_once(':').ok_or(FORM)?;
            let partition =
                number(partition).and_then(|number| Partition::try_from(number).ok()).ok_or(FORM)?;
            let offset = Offset::new(number(offset).ok_or(FORM)?);
            // Two tokens that a client has joined: both are to be applied.
            offsets
                .entry(partition)
                .and_modify(|known: &mut Offset| *known = offset.max(*known))
                .or_insert(offset);
        }
        Ok(Self { offsets, tag })
    }
}

/// What a position looks like, for those who sent something else.
pub(super) const FORM: &str =
    "a position is `v1=<partition>:<offset>,...;t=<topic>` or `<partition>:<offset>`, such as `3:99017`";

fn tag(text: &str) -> Result<TopicTag, &'static str> {
    text.strip_prefix("t=").and_then(TopicTag::parse).ok_or(FORM)
}

/// Digits only: neither a sign nor a space.
fn number(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Read = (Vec<(Partition, i64)>, Option<String>);

    fn read(text: &str) -> Option<Read> {
        let token = Token::parse(text).ok()?;
        let offsets = token.offsets.into_iter().map(|(partition, at)| (partition, at.get()));
        Some((offsets.collect(), token.tag.map(|tag| tag.to_string())))
    }

    #[test]
    fn both_forms_are_read() {
        let tag = || Some("k3Qz-_7p".to_owned());
        for (text, expected) in [
            ("v1=0:5,3:99017;t=k3Qz-_7p", (vec![(0, 5), (3, 99_017)], tag())),
            ("3:99017", (vec![(3, 99_017)], None)),
            (" 3:99017 ", (vec![(3, 99_017)], None)),
            ("3:0,1:9223372036854775807", (vec![(1, i64::MAX), (3, 0)], None)),
            ("3:7;t=k3Qz-_7p", (vec![(3, 7)], tag())),
            ("v1=3:7", (vec![(3, 7)], None)),
            ("3:7,3:9,3:8", (vec![(3, 9)], None)),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            " ",
            "v1=",
            "v2=3:7",
            "v1=3:7;",
            "v1=3:7;t=",
            "v1=3:7;x=1",
            "v1=3:7;t=a;t=b",
            "v1=3:7;t=k3Qz",
            "v1=3:7;t=k3Qz7p x",
            "v1=3:7;t=k3Qz7pWx8",
            "3",
            "3:",
            ":7",
            "3:-1",
            "-3:1",
            "3:+1",
            "3:1,",
            ",3:1",
            "3:1,,4:1",
            "3: 1",
            "3:1, 4:1",
            "3:0x1",
            "3:9223372036854775808",
            "2147483648:1",
            "3:1:1",
            "v1=v1=3:1",
            "latest",
            "\u{661}:1",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_token_may_be_long_but_not_endless() {
        let long = |count: i32| {
            (0..count).map(|partition| format!("{partition}:99017")).collect::<Vec<_>>().join(",")
        };
        assert_eq!(read(&long(1300)).unwrap().0.len(), 1300);
        assert_eq!(Token::parse(&long(2000)), Err("a position has at most 16384 bytes"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in ".{0,60}", close in "[v1=0-9:,;t a-]{0,40}") {
            let _ = (Token::parse(&text), Token::parse(&close));
        }

        #[test]
        fn what_the_service_writes_is_read_back(
            offsets in proptest::collection::btree_map(0..i32::MAX, 0..i64::MAX, 1..20),
            tag in "[A-Za-z0-9_-]{8}",
        ) {
            let list: Vec<_> = offsets.iter().map(|(partition, offset)| format!("{partition}:{offset}")).collect();
            let (pairs, known) = read(&format!("v1={};t={tag}", list.join(","))).unwrap();
            prop_assert_eq!((pairs, known), (offsets.into_iter().collect::<Vec<_>>(), Some(tag)));
        }
    }
}
