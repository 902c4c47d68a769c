//! What an event says of how far it goes: `v1=0:5,3:99017;t=k3Qz7pWx;b=9c2f41d07be6a953`.
//!
//! A position as everywhere, and the builds it is a position in: an offset alone does not tell whether what was
//! told of a partition has been built anew since.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::http::consistency::Token;
use crate::progress::{Builds, Known};
use crate::topic_id::TopicTag;
use crate::view::View;
use crate::view::feed::Feed;

/// Begins the id of a view in which nothing is applied yet.
const NOTHING: &str = "v1=;t=";

/// The id of a client that is in the midst of being told what there is: it cannot go on, only begin anew.
///
/// One that comes back with an older id would go on from there, and miss what it has dropped since.
pub(super) const NOWHERE: &str = "none";

/// Returns the id that leads on from what `feed` has told.
pub(super) fn of(feed: &mut Feed, tag: Option<TopicTag>) -> String {
    let (position, Builds(builds)) = feed.position();
    let mut id = "v1=".to_owned();
    let mut separator = "";
    // Invariant: writing to a string does not fail.
    for (partition, offset) in position {
        let _ = write!(id, "{separator}{partition}:{offset}");
        separator = ",";
    }
    let _ = match tag {
        Some(tag) => write!(id, ";t={tag};b={builds:016x}"),
        None => write!(id, ";b={builds:016x}"),
    };
    id
}

/// Returns the tag of the topic that answers.
pub(super) fn tag(view: &View) -> Option<TopicTag> {
    view.store().table().serving().values().next().map(|slot| slot.topic_id().tag())
}

/// Reads an id, or any other position; none of a client that cannot go on.
///
/// # Errors
/// What is wrong, without repeating it.
pub(super) fn parse(text: &str) -> Result<Option<(Known, Option<TopicTag>)>, &'static str> {
    if text == NOWHERE {
        return Ok(None);
    }
    let (text, builds) = match text.rsplit_once(";b=") {
        Some((text, builds)) => (text, Some(number(builds).ok_or(FORM)?)),
        None => (text, None),
    };
    if let Some(tag) = text.strip_prefix(NOTHING) {
        let known = Known { positions: BTreeMap::new(), builds };
        return Ok(Some((known, Some(TopicTag::parse(tag).ok_or(FORM)?))));
    }
    let Token { offsets, tag } = Token::parse(text)?;
    let positions = offsets.into_iter().map(|(partition, offset)| (partition, offset.next())).collect();
    Ok(Some((Known { positions, builds }, tag)))
}

const FORM: &str = "an event id is sent back as it came: `v1=<partition>:<offset>,...;t=<topic>;b=<builds>`";

fn number(text: &str) -> Option<Builds> {
    let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u64::from_str_radix(text, 16).ok())?.map(Builds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::position::Position;

    #[test]
    fn ids_and_bare_positions_are_read() {
        let read = |text| parse(text).unwrap().unwrap();
        let (known, tag) = read("v1=0:5,3:7;t=AAAAAAAA;b=00000000000000ff");
        assert_eq!(known.positions, BTreeMap::from([(0, Position::new(6)), (3, Position::new(8))]));
        assert_eq!((known.builds, tag.unwrap().as_str()), (Some(Builds(255)), "AAAAAAAA"));
        let (known, tag) = read("v1=;t=AAAAAAAA;b=00000000000000ff");
        assert!(known.positions.is_empty() && tag.is_some());
        let (known, tag) = read("3:7");
        assert_eq!((known.builds, tag), (None, None));
        assert_eq!(parse(NOWHERE), Ok(None));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "v1=",
            "v1=;t=",
            "v1=;t=short;b=00000000000000ff",
            "v1=0:5;b=",
            "v1=0:5;b=ff",
            "v1=0:5;b=-0000000000000ff",
            "v1=0:5;t=AAAAAAAA;b=00000000000000fg",
            "v2=0:5",
            "0:-1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in ".{0,60}", close in "[v1=0-9:,;tbf a-]{0,60}") {
            let _ = (parse(&text), parse(&close));
        }
    }
}
