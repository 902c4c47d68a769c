//! What one key takes: how its value is read, and the words for a value it does not take.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use ::config::ValueKind;
use bytesize::ByteSize;

use super::limits::{self, Limits};
use super::suggest;
use super::units::size;

/// What one key takes.
#[derive(Debug)]
pub(super) enum Leaf {
    /// Any text.
    Text,
    /// True or false.
    Switch,
    /// A whole number, not negative.
    Count,
    /// A number of bytes.
    Size,
    /// A duration.
    Timespan,
    /// An IP address and port.
    Address,
    /// One of these words.
    Choice(Vec<String>),
}

impl Leaf {
    /// Reads a value, from a file with its type or from elsewhere as text, or says what is wrong with it.
    ///
    /// A text is never guessed to be a number where a text is wanted: topic `007` and password `1e5` stay.
    pub(super) fn read(&self, key: &str, value: ValueKind) -> Result<ValueKind, String> {
        match (self, value) {
            (Self::Text, value @ ValueKind::String(_)) | (Self::Switch, value @ ValueKind::Boolean(_)) => {
                Ok(value)
            }
            (Self::Text, value @ (ValueKind::Boolean(_) | ValueKind::I64(_) | ValueKind::Float(_))) => {
                Err(format!("takes text, not {}: put it in quotes", name_of(&value)))
            }
            (Self::Switch, ValueKind::String(text)) => switch(&text),
            (Self::Count, ValueKind::String(text)) => count(key, &text),
            (Self::Count, ValueKind::I64(number)) => count(key, &number.to_string()),
            (Self::Size, ValueKind::String(text)) => size(key, &text),
            (Self::Size, ValueKind::I64(number)) => size(key, &number.to_string()),
            (Self::Timespan, ValueKind::String(text)) => timespan(key, &text),
            (Self::Timespan, ValueKind::I64(number)) => timespan(key, &number.to_string()),
            (Self::Address, ValueKind::String(text)) => address(text),
            (Self::Choice(words), ValueKind::String(text)) => choice(words, text),
            (_, value) => Err(format!("takes {}, not {}", self.wanted(), name_of(&value))),
        }
    }

    fn wanted(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Count => "a whole number".to_owned(),
            Self::Size => "a size such as 64MiB".to_owned(),
            Self::Timespan => "a duration such as 500ms, 30s or 5m".to_owned(),
            Self::Address => "an IP address and port such as 127.0.0.1:8080".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
        }
    }
}

/// Returns the word for the type of a value; the value itself may be a secret.
pub(super) fn name_of(value: &ValueKind) -> &'static str {
    match value {
        ValueKind::Nil => "nothing",
        ValueKind::Boolean(_) => "true or false",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => "a number",
        ValueKind::Float(_) => "a number with a fraction",
        ValueKind::String(_) => "text",
        ValueKind::Table(_) => "a section",
        ValueKind::Array(_) => "a list",
    }
}

fn switch(text: &str) -> Result<ValueKind, String> {
    match text.to_lowercase().as_str() {
        "true" => Ok(ValueKind::Boolean(true)),
        "false" => Ok(ValueKind::Boolean(false)),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

fn count(key: &str, text: &str) -> Result<ValueKind, String> {
    let number: i64 = text.parse().map_err(|_| format!("`{text}` is not a whole number"))?;
    if let Some(Limits::Count(low, high)) = limits::of(key) {
        let bounded = u64::try_from(number).is_ok_and(|number| (low..=high).contains(&number));
        return within(bounded, number, low, high).map(|()| ValueKind::I64(number));
    }
    Ok(ValueKind::I64(number))
}

fn size(key: &str, text: &str) -> Result<ValueKind, String> {
    let bytes: ByteSize = text
        .parse()
        .map_err(|_| format!("`{text}` is not a size: write a number and its unit, such as 64MiB"))?;
    if let Some(Limits::Size(low, high)) = limits::of(key) {
        within((low..=high).contains(&bytes), text, size::exact(low), size::exact(high))?;
    }
    Ok(ValueKind::String(size::exact(bytes)))
}

fn timespan(key: &str, text: &str) -> Result<ValueKind, String> {
    let span: Duration = humantime::parse_duration(text).map_err(|_| {
        format!("`{text}` is not a duration: write a number and its unit, such as 500ms, 30s or 5m")
    })?;
    if let Some(Limits::Timespan(low, high)) = limits::of(key) {
        let words = humantime::format_duration;
        within((low..=high).contains(&span), text, words(low), words(high))?;
    }
    Ok(ValueKind::String(text.to_owned()))
}

fn within(bounded: bool, value: impl Display, low: impl Display, high: impl Display) -> Result<(), String> {
    if bounded { Ok(()) } else { Err(format!("{value} is out of bounds: {low} to {high} is allowed")) }
}

fn address(text: String) -> Result<ValueKind, String> {
    if text.parse::<SocketAddr>().is_ok() {
        return Ok(ValueKind::String(text));
    }
    Err(format!("`{text}` is not an IP address and port: write it like 127.0.0.1:8080 or [::1]:8080"))
}

fn choice(words: &[String], text: String) -> Result<ValueKind, String> {
    if words.contains(&text) {
        return Ok(ValueKind::String(text));
    }
    let meant = suggest::nearest(&text, words.iter().map(String::as_str));
    Err(format!("`{text}` is not one of {}{}", words.join(", "), suggest::question(meant)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> ValueKind {
        ValueKind::String(text.to_owned())
    }

    #[test]
    fn text_stays_the_text_it_is() {
        for value in ["007", "1e5", "true", "", " a "] {
            assert_eq!(Leaf::Text.read("kafka.group", text(value)), Ok(text(value)));
        }
    }

    #[test]
    fn a_number_where_text_is_wanted_is_refused_because_it_has_lost_its_spelling() {
        let error = Leaf::Text.read("views.users.topic", ValueKind::I64(7)).unwrap_err();

        assert_eq!(error, "takes text, not a number: put it in quotes");
    }

    #[test]
    fn numbers_and_switches_may_come_as_text() {
        assert_eq!(Leaf::Count.read("batch.records_max", text("10")), Ok(ValueKind::I64(10)));
        assert_eq!(Leaf::Switch.read("mirror.enabled", text("False")), Ok(ValueKind::Boolean(false)));
        assert_eq!(Leaf::Size.read("batch.bytes_max", ValueKind::I64(4096)), Ok(text("4KiB")));
    }

    #[test]
    fn what_is_not_of_the_kind_is_refused_with_an_example() {
        let cases = [
            (Leaf::Switch, text("yes"), "`yes` is neither true nor false"),
            (Leaf::Count, text("1e3"), "`1e3` is not a whole number"),
            (Leaf::Count, ValueKind::Float(1.5), "takes a whole number, not a number with a fraction"),
            (Leaf::Size, text("-1"), "`-1` is not a size: write a number and its unit, such as 64MiB"),
            (
                Leaf::Timespan,
                ValueKind::I64(30),
                "`30` is not a duration: write a number and its unit, such as 500ms, 30s or 5m",
            ),
            (
                Leaf::Address,
                text("localhost:8080"),
                "`localhost:8080` is not an IP address and port: write it like 127.0.0.1:8080 or [::1]:8080",
            ),
            (
                Leaf::Choice(vec!["json".to_owned(), "text".to_owned()]),
                text("jsno"),
                "`jsno` is not one of json, text; did you mean `json`?",
            ),
        ];
        for (leaf, value, expected) in cases {
            assert_eq!(leaf.read("", value).unwrap_err(), expected);
        }
    }

    #[test]
    fn zero_and_absurd_numbers_are_out_of_bounds() {
        let cases = [
            (Leaf::Count, "http.connections_max", "0", "0 is out of bounds: 1 to 1000000 is allowed"),
            (Leaf::Count, "store.write_buffers", "1", "1 is out of bounds: 2 to 64 is allowed"),
            (Leaf::Count, "batch.records_max", "-5", "-5 is out of bounds: 1 to 1000000 is allowed"),
            (Leaf::Size, "kafka.queue", "0", "0 is out of bounds: 64KiB to 1GiB is allowed"),
            (Leaf::Size, "store.write_buffer", "5GiB", "5GiB is out of bounds: 1MiB to 4GiB is allowed"),
            (Leaf::Timespan, "shutdown.grace", "0s", "0s is out of bounds: 1ms to 1h is allowed"),
            (Leaf::Timespan, "mirror.interval", "2days", "2days is out of bounds: 100ms to 1h is allowed"),
        ];
        for (leaf, key, value, expected) in cases {
            assert_eq!(leaf.read(key, text(value)).unwrap_err(), expected, "{key}");
        }
    }
}
