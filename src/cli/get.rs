//! `statusquo get`.

use super::args::{Format, GetArguments, Settings};
use super::client::{Answer, Client, Timeouts};
use super::entries::{Form, Printer};
use super::exit::Exit;
use super::range_arguments::word;
use super::{key, output, problem, target};

/// Headers that say how fresh an answer is and where its value comes from.
const TELLING: [&str; 5] = ["record-", "view-", "etag", "content-type", "preference-applied"];

/// Prints the value of a key, byte for byte.
pub(super) fn run(arguments: &GetArguments, settings: &Settings) -> anyhow::Result<Exit> {
    let base = target::data(arguments.target.url.as_deref(), settings)?;
    let (client, path) = (Client::new(&base, Timeouts::COMMAND)?, path(arguments));
    let answer = client.get_within(&path, arguments.wait)?;
    if arguments.include {
        output::note(&head(&answer));
    }
    let answer = problem::check(answer)?;
    match arguments.output {
        None => output::write_value(&answer.body)?,
        Some(Form::Json) => output::write(&[&answer.body, &b"\n"[..]].concat())?,
        Some(form) => {
            let mut printer = Printer::new(output::Stdout, form);
            printer.push(&answer.body)?;
            printer.end()?;
        }
    }
    Ok(Exit::Success)
}

/// The key travels in the query: there the empty key, `..` and slashes are safe from everybody in between.
fn path(arguments: &GetArguments) -> String {
    let mut path =
        format!("/v1/views/{}/lookup?key={}", arguments.view, key::encode(arguments.key.as_encoded_bytes()));
    let format = arguments.output.map_or(arguments.format, |_| Some(Format::Entry));
    for (name, value) in [("enc", word(arguments.enc)), ("format", word(format))] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={value}"));
        }
    }
    if let Some(position) = &arguments.read_after {
        path.push_str(&format!("&read_after={}", key::encode(position.as_bytes())));
    }
    path
}

fn head(answer: &Answer) -> String {
    let mut lines = vec![format!("HTTP {}", answer.status)];
    for (name, value) in &answer.headers {
        if TELLING.iter().any(|telling| name.as_str().starts_with(telling)) {
            let value = String::from_utf8_lossy(value.as_bytes()).replace(char::is_control, " ");
            lines.push(format!("{name}: {value}"));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use clap::Parser as _;
    use reqwest::StatusCode;

    use super::*;
    use crate::cli::args::{Arguments, Command};

    fn path_of(words: &[&str]) -> String {
        let all = ["statusquo", "get"].iter().chain(words);
        match Arguments::try_parse_from(all).unwrap().command {
            Some(Command::Get(get)) => path(&get),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_path_names_view_key_encoding_and_form() {
        assert_eq!(path_of(&["users", "u1"]), "/v1/views/users/lookup?key=u1");
        assert_eq!(path_of(&["users", ""]), "/v1/views/users/lookup?key=");
        assert_eq!(path_of(&["users", "../a b"]), "/v1/views/users/lookup?key=..%2Fa%20b");
        assert_eq!(
            path_of(&["users", "7", "--enc", "base64url", "--format", "entry"]),
            "/v1/views/users/lookup?key=7&enc=base64url&format=entry"
        );
        assert_eq!(
            path_of(&["users", "u1", "--read-after", "v1=3:7;t=k3Qz7pWx", "--wait", "5"]),
            "/v1/views/users/lookup?key=u1&read_after=v1%3D3%3A7%3Bt%3Dk3Qz7pWx"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_key_need_not_be_text() {
        use std::os::unix::ffi::OsStringExt as _;

        let key = std::ffi::OsString::from_vec(vec![0xff, b'/']);
        let words = ["statusquo".into(), "get".into(), "users".into(), key];
        let Some(Command::Get(get)) = Arguments::try_parse_from(words).unwrap().command else { panic!() };

        assert_eq!(path(&get), "/v1/views/users/lookup?key=%FF%2F");
    }

    #[test]
    fn only_headers_about_the_data_are_shown() {
        let mut headers = reqwest::header::HeaderMap::new();
        for (name, value) in
            [("etag", "\"e\""), ("record-offset", "7"), ("view-status", "state=live"), ("date", "x")]
        {
            headers.insert(name, value.parse().unwrap());
        }
        let shown = head(&Answer { status: StatusCode::OK, headers, body: Bytes::new() });

        assert_eq!(shown, "HTTP 200 OK\netag: \"e\"\nrecord-offset: 7\nview-status: state=live");
    }
}
