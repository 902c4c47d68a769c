//! The identity of a topic, which a topic recreated under the same name does not share.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of the id that make the tag: 48 bits tell two incarnations of a topic apart.
const TAG_BYTES: usize = 6;

/// 16 bytes that name one incarnation of a topic (KIP-516), or stand in for them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TopicId([u8; 16]);

impl TopicId {
    /// Wraps the id the broker gave.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Derives an id from cluster and topic name, for brokers that know no topic ids.
    ///
    /// Such an id cannot tell a recreated topic from the old one.
    #[must_use]
    pub fn derived(cluster_id: &str, topic: &str) -> Self {
        let mut bytes = [0; 16];
        let halves = bytes.chunks_exact_mut(8).zip([0xcbf2_9ce4_8422_2325_u64, 0x9e37_79b9_7f4a_7c15]);
        for (half, seed) in halves {
            let text = cluster_id.bytes().chain([0]).chain(topic.bytes());
            let hash = text.fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
            half.copy_from_slice(&hash.to_be_bytes());
        }
        Self(bytes)
    }

    /// Returns the short form used in entity tags and position tokens: 8 characters of base64url.
    #[must_use]
    pub fn tag(&self) -> TopicTag {
        let mut text = [0; TAG_BYTES / 3 * 4];
        // Cannot fail: the buffer holds exactly the encoded length.
        let _ = URL_SAFE_NO_PAD.encode_slice(self.0.split_at(TAG_BYTES).0, &mut text);
        TopicTag(text)
    }
}

/// The short form of a [`TopicId`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TopicTag([u8; TAG_BYTES / 3 * 4]);

impl TopicTag {
    /// Reads a tag.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let known = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        text.as_bytes()
            .try_into()
            .ok()
            .filter(|tag: &[u8; TAG_BYTES / 3 * 4]| tag.iter().all(known))
            .map(Self)
    }

    /// Returns the tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for TopicTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TopicTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for TopicId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TopicId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = URL_SAFE_NO_PAD.decode(&text).map_err(serde::de::Error::custom)?;
        let bytes = bytes.try_into().map_err(|_| serde::de::Error::custom("a topic id is 16 bytes"))?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_the_head_of_the_id() {
        let id = TopicId::new([7; 16]);
        assert!(id.to_string().starts_with(id.tag().as_str()));
        assert_eq!(id.tag().as_str().len(), 8);
        assert_eq!(TopicTag::parse(id.tag().as_str()), Some(id.tag()));
        for other in ["", "k3Qz", "k3Qz7pWx8", "k3Qz7p x", "k3Qz7p+/"] {
            assert_eq!(TopicTag::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_derived_id_depends_on_cluster_and_topic() {
        let id = TopicId::derived("c", "users");
        assert_eq!(id, TopicId::derived("c", "users"));
        assert_ne!(id, TopicId::derived("d", "users"));
        assert_ne!(id, TopicId::derived("cu", "sers"));
    }

    #[test]
    fn an_id_survives_its_json_form() {
        let id = TopicId::derived("c", "users");
        let text = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<TopicId>(&text).unwrap(), id);
        assert!(serde_json::from_str::<TopicId>("\"AAAA\"").is_err());
    }
}
