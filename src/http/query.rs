//! The query of a URL: known parameters, each at most once.

use std::borrow::Cow;

use super::code::Code;
use super::percent;
use super::problem::Problem;

/// How alike two names must be to be taken for each other.
const ALIKE: f64 = 0.8;

/// The parameters of one request, values still escaped.
#[derive(Debug)]
pub(super) struct Query<'a> {
    pairs: Vec<(&'static str, &'a str)>,
}

impl<'a> Query<'a> {
    /// Reads a raw query that may hold the `known` parameters.
    pub(super) fn parse(raw: Option<&'a str>, known: &'static [&'static str]) -> Result<Self, Problem> {
        let mut pairs: Vec<(&'static str, &'a str)> = Vec::new();
        for piece in raw.unwrap_or_default().split('&').filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let decoded = percent::of_query(name).map_err(|_| unknown(name, known))?;
            let Some(name) = known.iter().copied().find(|known| known.as_bytes() == &*decoded) else {
                return Err(unknown(name, known));
            };
            if pairs.iter().any(|(seen, _)| *seen == name) {
                let detail = format!("the parameter `{name}` is given more than once");
                return Err(Problem::new(Code::BAD_PARAMETER, detail));
            }
            pairs.push((name, value));
        }
        Ok(Self { pairs })
    }

    /// Returns a value as it stands in the URL.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// Returns a value as text.
    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Problem> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let text = match percent::of_query(raw) {
            Ok(Cow::Borrowed(bytes)) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Ok(Cow::Owned(bytes)) => String::from_utf8(bytes).ok().map(Cow::Owned),
            Err(percent::BadEscape) => None,
        };
        let unreadable = || {
            let detail = format!("`{name}` is no percent-encoded text");
            Problem::new(Code::BAD_PARAMETER, detail)
        };
        text.map(Some).ok_or_else(unreadable)
    }

    /// Returns the query without a parameter, the rest as it stands in the URL.
    pub(super) fn without(&self, name: &str) -> String {
        let rest = self.pairs.iter().filter(|(known, _)| *known != name);
        rest.map(|(known, value)| format!("{known}={value}")).collect::<Vec<_>>().join("&")
    }

    /// Returns what a value that must be one of a few words means.
    pub(super) fn word<T>(
        &self,
        name: &str,
        words: &[&'static str],
        meaning: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let decoded = percent::of_query(raw).unwrap_or(Cow::Borrowed(b""));
        match std::str::from_utf8(&decoded).ok().and_then(meaning) {
            Some(meant) => Ok(Some(meant)),
            None => {
                let detail = format!("`{name}` must be one of {}", listed(words));
                Err(Problem::new(Code::BAD_PARAMETER, detail))
            }
        }
    }
}

/// The wrong name is not repeated: it may be a key that was pasted into the wrong place.
fn unknown(name: &str, known: &[&'static str]) -> Problem {
    if known.is_empty() {
        return Problem::new(Code::BAD_PARAMETER, "this path takes no parameters");
    }
    let question = did_you_mean(name, known);
    let detail = format!("unknown parameter: this path takes {}{question}", listed(known));
    Problem::new(Code::BAD_PARAMETER, detail)
}

/// Returns a question after the one of the `known` names that is much like `name`; empty when none is.
pub(super) fn did_you_mean(name: &str, known: &[&str]) -> String {
    let name = name.to_lowercase();
    let nearest = known
        .iter()
        .map(|known| (strsim::jaro_winkler(&name, known), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    nearest.map(|(_, known)| format!("; did you mean `{known}`?")).unwrap_or_default()
}

/// Returns words as an enumeration.
pub(super) fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["key", "enc", "format"];

    fn detail(raw: &str) -> String {
        let problem = Query::parse(Some(raw), KNOWN).unwrap_err();
        assert_eq!(problem.code(), Code::BAD_PARAMETER);
        String::from_utf8(problem.body("id")).unwrap()
    }

    #[test]
    fn values_are_handed_out_as_they_stand() {
        let query = Query::parse(Some("&key=a%2Fb=c&&%65nc"), KNOWN).unwrap();
        assert_eq!(query.raw("key"), Some("a%2Fb=c"));
        assert_eq!(query.raw("enc"), Some(""));
        assert_eq!(query.raw("format"), None);
        assert!(Query::parse(None, KNOWN).unwrap().pairs.is_empty());
    }

    #[test]
    fn a_parameter_given_twice_is_refused() {
        assert!(detail("key=a&key=a").contains("`key` is given more than once"));
        assert!(detail("key=a&%6Bey=b").contains("`key` is given more than once"));
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_a_guess_and_not_repeated() {
        assert!(detail("fromat=raw").contains("did you mean `format`?"));
        let detail = detail("secret%40example=1");
        assert!(detail.contains("takes `key`, `enc`, `format`") && !detail.contains("secret"), "{detail}");
    }

    #[test]
    fn a_word_that_is_not_known_is_refused_with_the_known_ones() {
        let query = Query::parse(Some("enc=utf9"), KNOWN).unwrap();
        let problem = query.word("enc", &["utf8"], |word| (word == "utf8").then_some(())).unwrap_err();
        assert!(String::from_utf8(problem.body("id")).unwrap().contains("must be one of `utf8`"));
    }
}
