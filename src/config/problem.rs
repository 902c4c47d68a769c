//! Everything that is wrong with a configuration, at once.

use std::fmt;

/// Everything that is wrong with a configuration; never empty where it is an error.
#[derive(Debug, Clone, Default)]
pub struct Problems(Vec<Problem>);

/// One thing that is wrong with a configuration.
///
/// The text holds no secret: values are shown only where the schema says that they are none.
#[derive(Debug, Clone)]
pub struct Problem {
    key: String,
    what: String,
    origin: Option<String>,
}

impl Problem {
    /// Returns the key the problem is about, such as `http.listen`, or the name of a file.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns what is wrong and what would be right.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Returns where the value comes from, if it was set at all.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }
}

impl Problems {
    /// Adds a problem.
    pub fn push(&mut self, key: impl Into<String>, what: impl Into<String>, origin: Option<String>) {
        self.0.push(Problem { key: key.into(), what: what.into(), origin });
    }

    /// Returns whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the problems in the order they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// Returns whether a problem is about this key, a section it is in, or a key below it.
    pub(super) fn concern(&self, key: &str) -> bool {
        self.0.iter().any(|problem| is_within(key, &problem.key) || is_within(&problem.key, key))
    }
}

fn is_within(key: &str, section: &str) -> bool {
    key.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = self.origin.as_ref().map(|origin| format!(" ({origin})")).unwrap_or_default();
        let key = if self.key.is_empty() { String::new() } else { format!("{}: ", self.key) };
        // Keys come from outside; a line break in one must not make a second line.
        for character in format!("{key}{}{origin}", self.what).chars() {
            if character.is_control() {
                write!(f, "{}", character.escape_default())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}")?;
        }
        let count = match self.0.len() {
            1 => "1 problem".to_owned(),
            count => format!("{count} problems"),
        };
        write!(
            f,
            "{count} in the configuration: correct and try again with `statusquo config check`, \
             which connects to nothing; `statusquo config schema` lists every key"
        )
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_one_line_and_the_last_line_says_what_to_do() {
        let mut problems = Problems::default();
        problems.push("http.lis\nten", "is not a key", Some("a.toml".to_owned()));
        problems.push("views", "are missing", None);

        let text = problems.to_string();
        let lines: Vec<_> = text.lines().collect();

        assert_eq!(lines[..2], [r"http.lis\nten: is not a key (a.toml)", "views: are missing"]);
        assert!(lines[2].starts_with("2 problems in the configuration: correct"), "{text}");
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn a_problem_concerns_its_key_the_sections_around_it_and_the_keys_below_it() {
        let mut problems = Problems::default();
        problems.push("views.users", "is wrong", None);

        for key in ["views", "views.users", "views.users.topic"] {
            assert!(problems.concern(key), "{key}");
        }
        for key in ["views.user", "views.users_2", "kafka"] {
            assert!(!problems.concern(key), "{key}");
        }
    }
}
