use http::StatusCode;

use super::fixture::Fixture;
use crate::config::sections::{KeyFormat, ValueFormat};

/// FAULTS row 50.
#[tokio::test]
async fn hostile_keys_are_ordinary_bytes() {
    let mut fixture = Fixture::users();
    let keys: &[(&[u8], &str)] = &[
        (b"a/b", "a%2Fb"),
        (b"a/b", "a%2fb"),
        (b"..", "%2E%2E"),
        (b"..", ".."),
        (b"../../etc/passwd", "..%2f..%2fetc%2fpasswd"),
        (b"\0", "%00"),
        (b"a\0b", "a%00b"),
        (b"%2F", "%252F"),
        (b"%zz", "%25zz"),
        (b"status", "status"),
        (b"{key}", "%7Bkey%7D"),
        (b"a?b#c&d=e;f", "a%3Fb%23c%26d%3De%3Bf"),
        (b" ", "%20"),
        (b"\r\nx-evil: 1", "%0D%0Ax-evil%3A%201"),
        ("ü😀".as_bytes(), "%C3%BC%F0%9F%98%80"),
        ("ü".as_bytes(), "ü"),
        (b"\x01i", "%01i"),
        (b"//", "%2F%2F"),
        (b"*", "*"),
    ];
    for (key, _) in keys {
        fixture.put(key, Some(key));
    }
    for (key, escaped) in keys {
        for path in [format!("keys/{escaped}"), format!("lookup?key={escaped}")] {
            let answer = fixture.get(&format!("/v1/views/users/{path}")).await;
            assert_eq!((answer.status, &*answer.body), (StatusCode::OK, *key), "{path}");
        }
    }
}

#[tokio::test]
async fn a_plus_is_a_plus_in_a_path_and_a_space_in_a_query() {
    let mut fixture = Fixture::users();
    fixture.put(b"a+b", Some(b"\"plus\""));
    fixture.put(b"a b", Some(b"\"space\""));
    for (path, value) in [
        ("keys/a+b", "\"plus\""),
        ("keys/a%2Bb", "\"plus\""),
        ("keys/a%20b", "\"space\""),
        ("lookup?key=a+b", "\"space\""),
        ("lookup?key=a%20b", "\"space\""),
        ("lookup?key=a%2Bb", "\"plus\""),
    ] {
        assert_eq!(fixture.get(&format!("/v1/views/users/{path}")).await.text(), value, "{path}");
    }
}

/// FAULTS row 50.
#[tokio::test]
async fn what_is_no_key_is_refused_and_not_repeated() {
    let fixture = Fixture::users();
    let long = "s".repeat(8193);
    for (path, code) in [
        ("keys/secret%zz", "bad-key"),
        ("keys/secret%a", "bad-key"),
        ("keys/secret%", "bad-key"),
        ("keys/secret%ff", "bad-key"),
        ("keys/secret%C3%28", "bad-key"),
        ("keys/secret%ED%A0%80", "bad-key"),
        ("lookup?key=secret%zz", "bad-key"),
        ("lookup?key=secret%ff", "bad-key"),
        ("keys/secret?enc=hex", "bad-key"),
        ("keys/secret?enc=i64", "bad-key"),
        ("keys/secret?enc=base64url", "bad-key"),
        ("keys/secretly?enc=base64url", "key-not-found"),
        ("keys/secre?enc=base64url", "bad-key"),
        ("keys/secret?enc=UTF8", "bad-parameter"),
        ("keys/secret?enc=%zz", "bad-parameter"),
        ("keys/secret?enc=utf8&enc=hex", "bad-parameter"),
        ("keys/secret?key=secret", "bad-parameter"),
        ("lookup", "bad-parameter"),
        ("lookup?enc=hex", "bad-parameter"),
        ("lookup?key=secret&key=secret", "bad-parameter"),
        ("lookup?kye=secret", "bad-parameter"),
        ("lookup?secret", "bad-parameter"),
        ("lookup?key=secret&%zz=1", "bad-parameter"),
        ("keys/secret/secret", "not-found"),
        ("keys//", "not-found"),
        ("keys/", "not-found"),
        ("keys", "not-found"),
        (&format!("keys/{long}"), "uri-too-long"),
        (&format!("lookup?key={long}"), "uri-too-long"),
    ] {
        let answer = fixture.get(&format!("/v1/views/users/{path}")).await;
        assert_eq!(answer.problem(), code, "{path}");
        let headers = format!("{:?}", answer.headers);
        assert!(!answer.text().contains("secre") && !headers.contains("secre"), "{path}: {}", answer.text());
    }
    assert_eq!(
        fixture.get(&format!("/v1/views/users/keys/{}", "s".repeat(8192))).await.problem(),
        "key-not-found"
    );
}

/// FAULTS row 50.
#[tokio::test]
async fn the_empty_key_is_asked_for_in_the_query() {
    let mut fixture = Fixture::users();
    fixture.put(b"", Some(b"1"));
    for path in ["lookup?key=", "lookup?key", "lookup?key=&enc=hex", "lookup?enc=base64url&key="] {
        assert_eq!(fixture.get(&format!("/v1/views/users/{path}")).await.text(), "1", "{path}");
    }
    let hint = |answer: super::fixture::Answer| answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(hint(fixture.get("/v1/views/users/keys/").await).contains("lookup?key="));
    assert!(hint(fixture.get("/v1/views/users/keys/a/b").await).contains("%2F"));
}

#[tokio::test]
async fn the_key_format_of_a_view_is_the_encoding_unless_told_otherwise() {
    let long: &[u8] = &(-2_i64).to_be_bytes();
    let uuid = [0xab; 16];
    for (format, key, path) in [
        (KeyFormat::Json, &b"{\"id\":1}"[..], "keys/%7B%22id%22%3A1%7D"),
        (KeyFormat::Bytes, b"\xff\xfe", "keys/__4"),
        (KeyFormat::Bytes, b"\xff\xfe", "keys/__4="),
        (KeyFormat::Bytes, b"\xff\xfe", "keys/FFfe?enc=hex"),
        (KeyFormat::I32, &(7_i32).to_be_bytes(), "keys/7"),
        (KeyFormat::I64, long, "keys/-2"),
        (KeyFormat::I64, long, "lookup?key=-2"),
        (KeyFormat::I64, long, "keys/fffffffffffffffe?enc=hex"),
        (KeyFormat::String, long, "keys/-2?enc=i64"),
        (KeyFormat::Uuid, &uuid, "keys/abababab-abab-abab-abab-abababababab"),
        (KeyFormat::Uuid, &uuid, "keys/ABABABABABABABABABABABABABABABAB"),
    ] {
        let mut fixture = Fixture::live(format, ValueFormat::Json);
        fixture.put(key, Some(b"true"));
        let answer = fixture.get(&format!("/v1/views/users/{path}")).await;
        assert_eq!(answer.text(), "true", "{format:?} {path}");
    }
}
