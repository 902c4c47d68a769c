//! Events as they are printed.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::events::Event;
use crate::cli::entries::{Form, not_kept};

/// Returns what is printed of an event, line break included; nothing of one that only tells that all is well.
pub(super) fn line(event: &Event, output: Form) -> String {
    match output {
        Form::Json | Form::Ndjson => ndjson(event),
        Form::Table if event.name == "bookmark" => String::new(),
        // What could steer a terminal becomes a space.
        Form::Table => table(event).replace(char::is_control, " ") + "\n",
    }
}

fn ndjson(event: &Event) -> String {
    let head = json!({"event": event.name, "id": event.id}).to_string();
    // As the service wrote it: numbers keep all their digits.
    let data = serde_json::from_str::<&RawValue>(&event.data).map_or("null", RawValue::get);
    format!("{},\"data\":{}}}\n", head.trim_end_matches('}'), data.replace(['\n', '\r'], " "))
}

fn table(event: &Event) -> String {
    let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
    let text = |name: &str| match data.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let first =
        |names: [&str; 2]| names.into_iter().map(text).find(|text| !text.is_empty()).unwrap_or_default();
    let name = format!("{:<7}", event.name);
    match event.name.as_str() {
        "put" => {
            let value = match (data.get("value"), data.get("value_too_large")) {
                (Some(value), _) => value.to_string(),
                (None, Some(bytes)) => not_kept(bytes.as_u64()),
                (None, None) => text("value_base64"),
            };
            format!(
                "{name} {}:{} {} {value}",
                text("partition"),
                text("offset"),
                first(["key", "key_base64"])
            )
        }
        "delete" => {
            format!("{name} {}:{} {}", text("partition"), text("offset"), first(["key", "key_base64"]))
        }
        "synced" => format!("{name} {} entries", text("count")),
        "reset" => format!("{name} {} {}", text("reason"), first(["partitions", "partitions"])),
        _ => format!("{name} {}", event.data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, data: &str, output: Form) -> String {
        line(&Event { name: name.to_owned(), id: Some("v1=3:7".to_owned()), data: data.to_owned() }, output)
    }

    #[test]
    fn a_line_says_what_happened_where() {
        for (name, data, expected) in [
            ("put", r#"{"key":"u1","value":{"a":1},"partition":3,"offset":7}"#, "put     3:7 u1 {\"a\":1}\n"),
            (
                "put",
                r#"{"key_base64":"/w==","value_base64":"/w==","partition":3,"offset":7}"#,
                "put     3:7 /w== /w==\n",
            ),
            (
                "put",
                r#"{"key":"u1","value_too_large":70000,"partition":3,"offset":7}"#,
                "put     3:7 u1 (too large to keep: 70000 bytes)\n",
            ),
            ("delete", r#"{"key":"u\u001b1","partition":3,"offset":8}"#, "delete  3:8 u 1\n"),
            ("synced", r#"{"count":12}"#, "synced  12 entries\n"),
            ("reset", r#"{"reason":"rebuilt","partitions":[3]}"#, "reset   rebuilt [3]\n"),
            ("reset", r#"{"reason":"gap"}"#, "reset   gap \n"),
            ("bookmark", r#"{"lag":0}"#, ""),
        ] {
            assert_eq!(shown(name, data, Form::Table), expected);
        }
    }

    #[test]
    fn for_scripts_every_event_is_a_line_as_the_service_wrote_it() {
        let data = r#"{"key":"u1","value":12345678901234567890123}"#;
        let expected = format!("{{\"event\":\"put\",\"id\":\"v1=3:7\",\"data\":{data}}}\n");
        assert_eq!(shown("put", data, Form::Ndjson), expected);
    }
}
