//! Answers that are no success, as RFC 9457 describes them.

use serde::Deserialize;

use super::client::Answer;
use super::exit::{Exit, Failure};

/// The members a command line can make use of; all are optional, since a proxy may have answered.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    code: String,
    title: String,
    detail: String,
}

/// Returns the answer if it is a success, else an error that says why it is none.
pub(super) fn check(answer: Answer) -> Result<Answer, Failure> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let problem: Problem = serde_json::from_slice(&answer.body).unwrap_or_default();
    let exit = match (answer.status.as_u16(), problem.code.as_str()) {
        (404, "key-not-found") => Exit::NotFound,
        (429 | 502 | 503 | 504, _) | (409, "rebuild-running") => Exit::Temporary,
        _ => Exit::Failed,
    };
    let says: Vec<&str> = [problem.title.as_str(), problem.detail.as_str()]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    let text = if says.is_empty() {
        format!("the answer was {}; is this the address of a statusquo?", answer.status)
    } else {
        format!("{} ({})", says.join(": "), answer.status.as_u16())
    };
    Err(Failure::new(exit, text))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;

    fn outcome(status: u16, body: &'static str) -> (Exit, String) {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = Answer { status, headers: HeaderMap::new(), body: Bytes::from_static(body.as_bytes()) };
        check(answer)
            .map_or_else(|failure| (failure.exit, failure.to_string()), |_| (Exit::Success, String::new()))
    }

    #[test]
    fn a_missing_key_is_told_from_a_missing_view_and_from_another_server() {
        assert_eq!(outcome(404, r#"{"code":"key-not-found","title":"No such key"}"#).0, Exit::NotFound);
        assert_eq!(outcome(404, r#"{"code":"view-not-found","title":"No such view"}"#).0, Exit::Failed);
        assert_eq!(outcome(404, "<html>").0, Exit::Failed);
    }

    #[test]
    fn not_now_is_told_from_never() {
        for status in [429, 502, 503, 504] {
            assert_eq!(outcome(status, "").0, Exit::Temporary, "{status}");
        }
        for status in [301, 304, 400, 401, 403, 406, 414, 500] {
            assert_eq!(outcome(status, "").0, Exit::Failed, "{status}");
        }
        assert_eq!(outcome(200, "").0, Exit::Success);
    }

    #[test]
    fn the_text_is_what_the_service_says() {
        let body = r#"{"code":"view-restoring","title":"View is still restoring","detail":"41 % read"}"#;

        assert_eq!(outcome(503, body).1, "View is still restoring: 41 % read (503)");
        assert_eq!(
            outcome(502, "bad gateway").1,
            "the answer was 502 Bad Gateway; is this the address of a statusquo?"
        );
    }
}
