//! `statusquo config`: check, print and describe the configuration, as text.

use std::fmt::Write;

use toml::{Table, Value};

use crate::config::{Loaded, Problems, Sources};

/// Returns one line about a good configuration, or a line for each problem.
#[must_use]
pub fn check(result: &Result<Loaded, Problems>) -> String {
    match result {
        Ok(loaded) => summary(loaded),
        Err(problems) => format!("{problems}\n"),
    }
}

fn summary(loaded: &Loaded) -> String {
    let config = loaded.config();
    let views = match config.views.len() {
        1 => "1 view".to_owned(),
        count => format!("{count} views"),
    };
    format!(
        "config ok: {views} of {} in {}, data on {}, probes and metrics on {}\n",
        config.kafka.bootstrap,
        config.data_dir.display(),
        config.http.listen,
        config.ops.listen,
    )
}

/// Returns the effective configuration as TOML, without secrets; a comment tells the source of each value
/// that is not built in.
///
/// # Errors
/// Returns an error if a value has no form in TOML, such as a path that is not UTF-8.
pub fn print(loaded: &Loaded) -> Result<String, toml::ser::Error> {
    let mut table = Table::try_from(loaded.config())?;
    if loaded.config().kafka.sasl_password_file.is_some()
        && let Some(Value::Table(kafka)) = table.get_mut("kafka")
    {
        // It was read from the file; both in one file would be refused.
        kafka.remove("sasl_password");
    }
    let mut text = String::new();
    section(&mut text, &[], &table, loaded.sources());
    Ok(text)
}

/// Returns the JSON Schema of a configuration file, for editors and checks before a roll-out.
#[must_use]
pub fn schema() -> String {
    format!("{:#}\n", crate::config::schema())
}

/// Writes the values of a table, then its sections; a value below a section would belong to that section.
fn section(text: &mut String, path: &[&str], table: &Table, sources: &Sources) {
    let (sections, values): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| value.is_table());
    if !path.is_empty() && !values.is_empty() {
        let header: Vec<String> = path.iter().map(|key| quoted(key)).collect();
        line(text, &format!("\n[{}]", header.join(".")));
    }
    for (key, value) in values {
        let dotted: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
        let source = sources.of(&dotted.join("."));
        let source = source.map(|source| format!("  # {}", source.escape_debug())).unwrap_or_default();
        line(text, &format!("{} = {value}{source}", quoted(key)));
    }
    for (key, value) in sections {
        if let Value::Table(table) = value {
            let path: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
            section(text, &path, table, sources);
        }
    }
}

fn line(text: &mut String, line: &str) {
    // Invariant: writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}

fn quoted(key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !key.is_empty() && key.bytes().all(bare) {
        key.to_owned()
    } else {
        Value::String(key.to_owned()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::config::load;

    fn loaded(flags: &[(&str, &str)]) -> Result<Loaded, Problems> {
        let flags: Vec<_> =
            flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        load(&[] as &[PathBuf], std::iter::empty(), &flags)
    }

    const SMALLEST: [(&str, &str); 2] =
        [("kafka.bootstrap", "kafka:9092"), ("views.users.topic", "user-profiles")];

    #[test]
    fn check_tells_in_one_line_what_would_run() {
        assert_eq!(
            check(&loaded(&SMALLEST)),
            "config ok: 1 view of kafka:9092 in data, data on 127.0.0.1:8080, probes and metrics on 127.0.0.1:8081\n"
        );
    }

    #[test]
    fn check_of_a_bad_configuration_shows_the_problems() {
        let text = check(&loaded(&[("kafka.bootstrap", "kafka")]));

        assert!(text.contains("kafka.bootstrap: `kafka` is not host:port"), "{text}");
        assert!(text.contains("views: there are none"), "{text}");
        assert!(text.contains("2 problems in the configuration"), "{text}");
    }

    #[test]
    fn print_shows_the_source_of_what_is_not_built_in() {
        let text = print(&loaded(&SMALLEST).unwrap()).unwrap();

        assert!(
            text.contains("\n[kafka]\nbootstrap = \"kafka:9092\"  # flag --set kafka.bootstrap\n"),
            "{text}"
        );
        assert!(text.contains("poll_interval = \"1s\"\n"), "{text}");
        assert!(text.contains("\n[views.users]\n"), "{text}");
    }

    #[test]
    fn print_shows_no_secret() {
        let mut flags = SMALLEST.to_vec();
        flags.extend([
            ("kafka.sasl_password", "hunter2"),
            ("kafka.properties.ssl.key.password", "hunter2"),
            ("kafka.properties.ssl.ca.location", "/ca.pem"),
        ]);

        let text = print(&loaded(&flags).unwrap()).unwrap();

        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("sasl_password = \"<redacted>\""), "{text}");
        assert!(text.contains("\"ssl.key.password\" = \"<redacted>\""), "{text}");
        assert!(text.contains("\"ssl.ca.location\" = \"/ca.pem\""), "{text}");
    }

    #[test]
    fn what_print_shows_loads_as_the_same_configuration() {
        let first = loaded(&SMALLEST).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("printed.toml");
        std::fs::write(&path, print(&first).unwrap()).unwrap();

        let second = load(&[path], std::iter::empty(), &[]).unwrap();

        assert_eq!(format!("{:?}", first.config()), format!("{:?}", second.config()));
    }
}
