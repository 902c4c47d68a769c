//! "Did you mean" for keys and values.

use super::shape::Shape;

/// How alike two words must be to be taken for each other; `kakfa` and `kafka` are 0.93.
const ALIKE: f64 = 0.8;

/// Returns the word most like the wrong one, if any is like it.
pub(super) fn nearest<'a>(wrong: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    words
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&wrong, word), word))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, word)| word)
}

/// Returns the key that was probably meant by an unknown key of a section.
///
/// A key of the same section comes first, then one of that very name in another section.
pub(super) fn key<'a>(
    root: &Shape,
    section: &str,
    siblings: impl IntoIterator<Item = &'a str>,
    wrong: &str,
) -> Option<String> {
    if let Some(sibling) = nearest(wrong, siblings) {
        return Some(join(section, sibling));
    }
    let mut elsewhere = root.keys().into_iter().filter(|key| key.rsplit('.').next() == Some(wrong));
    match (elsewhere.next(), elsewhere.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// Joins a section and a key below it.
pub(super) fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// Returns "; did you mean `x`?", or nothing.
pub(super) fn question(meant: Option<impl AsRef<str>>) -> String {
    meant.map(|meant| format!("; did you mean `{}`?", meant.as_ref())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_the_word() {
        let words = ["kafka", "http", "batch", "views"];

        assert_eq!(nearest("kakfa", words), Some("kafka"));
        assert_eq!(nearest("Views", words), Some("views"));
        assert_eq!(nearest("zookeeper", words), None);
    }

    #[test]
    fn a_key_of_another_section_is_found_by_its_name_where_only_one_has_it() {
        let root = Shape::of_config();

        assert_eq!(key(&root, "", ["http"], "bootstrap").as_deref(), Some("kafka.bootstrap"));
        assert_eq!(key(&root, "", ["http"], "topic").as_deref(), Some("views.<name>.topic"));
        assert_eq!(key(&root, "", ["http"], "request_timeout"), None);
    }
}
