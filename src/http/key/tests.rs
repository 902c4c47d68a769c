use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;
use crate::http::percent;

fn decode(encoding: KeyEncoding, text: &str) -> Result<Vec<u8>, &'static str> {
    let text = Ok(Cow::Borrowed(text.as_bytes()));
    encoding.decode(text).map(Cow::into_owned).map_err(|problem| problem.code().name)
}

/// Escapes every byte that is not plainly safe, as a careful client does.
fn escape(bytes: &[u8]) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    bytes
        .iter()
        .map(|&byte| if safe(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn round_trip(encoding: KeyEncoding, text: &[u8], key: &[u8]) {
    let escaped = escape(text);
    assert_eq!(encoding.decode(percent::of_path(&escaped)).unwrap(), key, "{escaped}");
    assert_eq!(encoding.decode(percent::of_query(&escaped)).unwrap(), key, "{escaped}");
}

proptest! {
    #[test]
    fn any_bytes_come_back_from_base64url_and_hex(key in proptest::collection::vec(any::<u8>(), 0..80)) {
        round_trip(KeyEncoding::Base64Url, URL_SAFE.encode(&key).as_bytes(), &key);
        round_trip(KeyEncoding::Base64Url, URL_SAFE_NO_PAD.encode(&key).as_bytes(), &key);
        round_trip(KeyEncoding::Hex, hex_of(&key).as_bytes(), &key);
        round_trip(KeyEncoding::Hex, hex_of(&key).to_uppercase().as_bytes(), &key);
    }

    #[test]
    fn any_text_comes_back_from_utf8(key in "\\PC{0,40}|[\\x00-\\x7f]{0,40}") {
        round_trip(KeyEncoding::Utf8, key.as_bytes(), key.as_bytes());
    }

    #[test]
    fn any_number_and_uuid_comes_back(long in any::<i64>(), int in any::<i32>(), id in any::<u128>()) {
        round_trip(KeyEncoding::I64, long.to_string().as_bytes(), &long.to_be_bytes());
        round_trip(KeyEncoding::I32, int.to_string().as_bytes(), &int.to_be_bytes());
        let id = Uuid::from_u128(id);
        round_trip(KeyEncoding::Uuid, id.to_string().as_bytes(), id.as_bytes());
        round_trip(KeyEncoding::Uuid, id.simple().to_string().to_uppercase().as_bytes(), id.as_bytes());
    }

    #[test]
    fn no_two_unpadded_base64url_texts_mean_the_same_key(text in "[A-Za-z0-9_-]{0,12}") {
        if let Ok(key) = decode(KeyEncoding::Base64Url, &text) {
            prop_assert_eq!(URL_SAFE_NO_PAD.encode(key), text);
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_refused_without_a_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
        for name in KeyEncoding::NAMES {
            let _ = KeyEncoding::named(name).unwrap().decode(Ok(Cow::Borrowed(&text)));
        }
    }
}

#[test]
fn numbers_have_the_layout_of_the_java_serializers() {
    assert_eq!(decode(KeyEncoding::I32, "-2").unwrap(), [0xff, 0xff, 0xff, 0xfe]);
    assert_eq!(decode(KeyEncoding::I64, "258").unwrap(), [0, 0, 0, 0, 0, 0, 1, 2]);
}

#[test]
fn what_an_encoding_does_not_ask_for_is_a_bad_key() {
    use KeyEncoding as E;
    for (encoding, text) in [
        (E::Base64Url, "QR"),
        (E::Base64Url, "a"),
        (E::Base64Url, "a+b/"),
        (E::Base64Url, "QQ==="),
        (E::Base64Url, "QQ "),
        (E::Hex, "abc"),
        (E::Hex, "0x41"),
        (E::Hex, "zz"),
        (E::I32, ""),
        (E::I32, "2147483648"),
        (E::I32, "+7"),
        (E::I32, "007"),
        (E::I32, "-0"),
        (E::I32, " 7"),
        (E::I32, "7.0"),
        (E::I32, "٣"),
        (E::I64, "9223372036854775808"),
        (E::Uuid, ""),
        (E::Uuid, "{67e55044-10b1-426f-9247-bb680e5fe0c8}"),
        (E::Uuid, "67e5504410b1426f9247bb680e5fe0cg"),
    ] {
        assert_eq!(decode(encoding, text), Err("bad-key"), "{encoding:?} {text:?}");
    }
    let raw: &[u8] = b"\xff";
    assert_eq!(E::Utf8.decode(Ok(raw.into())).unwrap_err().code(), Code::BAD_KEY);
}

#[test]
fn the_longest_key_is_counted_in_its_own_bytes() {
    let longest = [b'k'; KEY_BYTES_MAX];
    assert!(decode(KeyEncoding::Hex, &hex_of(&longest)).is_ok());
    assert_eq!(decode(KeyEncoding::Hex, &hex_of(&[0; KEY_BYTES_MAX + 1])), Err("uri-too-long"));
    assert_eq!(decode(KeyEncoding::Utf8, &"k".repeat(KEY_BYTES_MAX + 1)), Err("uri-too-long"));
}

#[test]
fn names_and_encodings_lead_to_each_other() {
    for name in KeyEncoding::NAMES {
        assert_eq!(KeyEncoding::named(name).unwrap().name(), name);
    }
    assert_eq!(KeyEncoding::named("UTF8"), None);
}
