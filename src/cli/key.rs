//! Keys in URLs.

use std::fmt::Write;

/// Percent-encodes every byte but the unreserved characters of RFC 3986.
///
/// Made for a query: in a path `%2E%2E` would still count as a step up.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(*byte));
            }
            _ => {
                // Invariant: writing to a string does not fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_means_something_in_a_url_is_encoded() {
        assert_eq!(encode(b"u1-._~Z"), "u1-._~Z");
        assert_eq!(encode("a/b?c=d&e#f +%é\0".as_bytes()), "a%2Fb%3Fc%3Dd%26e%23f%20%2B%25%C3%A9%00");
        assert_eq!(encode(&[0xff, 0x00]), "%FF%00");
        assert_eq!(encode(b""), "");
    }

    /// An independent reader of percent-encoding.
    fn decode(text: &str) -> Vec<u8> {
        let mut parts = text.split('%');
        let mut bytes = parts.next().unwrap().as_bytes().to_vec();
        for part in parts {
            bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
            bytes.extend(&part.as_bytes()[2..]);
        }
        bytes
    }

    proptest! {
        #[test]
        fn every_byte_sequence_comes_back(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&bytes)), bytes);
        }
    }

    #[test]
    fn an_encoded_key_passes_a_url_parser_unchanged() {
        let all: Vec<u8> = (0..=255).collect();
        let url = format!("http://h/v1/lookup?key={}", encode(&all));

        assert_eq!(reqwest::Url::parse(&url).unwrap().as_str(), url);
    }
}
