//! The command line, as a shell sees it.

use assert_cmd::Command;

/// A command that sees nothing of the environment of the test but the path.
fn statusquo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statusquo"));
    command.env_clear().args(arguments);
    command
}

fn output(arguments: &[&str]) -> (i32, String, String) {
    let output = statusquo(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn help_teaches_by_examples_variables_and_exit_codes() {
    let (code, help, _) = output(&["--help"]);

    assert_eq!(code, 0);
    for part in ["Examples:", "statusquo demo", "STATUSQUO__HTTP__LISTEN", "Exit codes:", "78"] {
        assert!(help.contains(part), "{part} is missing in:\n{help}");
    }
}

#[test]
fn every_command_has_a_help_of_its_own() {
    for command in [
        "serve",
        "demo",
        "get",
        "scan",
        "export",
        "watch",
        "status",
        "rebuild",
        "config",
        "healthcheck",
        "completions",
    ] {
        let (code, help, errors) = output(&[command, "--help"]);
        assert_eq!(code, 0, "{command}: {errors}");
        assert!(help.contains("Usage: statusquo"), "{command}:\n{help}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_what_would_be_right() {
    let cases: [&[&str]; 13] = [
        &["serv"],
        &["get", "users"],
        &["get", "Not A View", "k"],
        &["get", "users", "k", "--enc", "rot13"],
        &["get", "users", "k", "--wait", "soon"],
        &["serve", "--set", "novalue"],
        &["demo", "--users", "0"],
        &["get", "users", "k", "--url", "localhost:8080"],
        &["get", "users", "k", "-o", "json", "--format", "raw"],
        &["scan", "users", "--wait", "5"],
        &["scan", "users", "--prefix", "a", "--end", "b"],
        &["export", "users", "--file", "f", "-o", "csv"],
        &["watch", "users", "--from", "3:7", "--read-after", "3:7"],
    ];
    for arguments in cases {
        let (code, shown, errors) = output(arguments);
        assert_eq!(code, 2, "{arguments:?}: {errors}");
        assert!(shown.is_empty() && !errors.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_wrong_configuration_ends_with_78_and_names_every_problem() {
    let wrong = ["--set", "http.lisen=x", "--set", "kafka.bootstrap=kafka", "--set", "views.users.topic=t"];
    for command in [&["config", "check"][..], &["config", "print"], &["serve"], &[]] {
        let (code, shown, errors) = output(&[command, &wrong[..]].concat());
        assert_eq!(code, 78, "{command:?}: {errors}");
        assert!(shown.is_empty(), "{command:?}: {shown}");
        for part in ["http.lisen", "`kafka` is not host:port", "2 problems"] {
            assert!(errors.contains(part), "{command:?}: {part} is missing in {errors}");
        }
    }
}

#[test]
fn without_any_configuration_it_says_what_a_file_needs() {
    let (code, _, errors) = output(&[]);

    assert_eq!(code, 78);
    assert!(errors.contains("bootstrap = ") && errors.contains("[views.users]"), "{errors}");
}

#[test]
fn a_good_configuration_is_checked_printed_and_described() {
    let good = ["--set", "kafka.bootstrap=kafka:9092", "--set", "views.users.topic=user-profiles"];
    let (checked, summary, _) = output(&[&["config", "check"], &good[..]].concat());
    let (printed, text, _) = output(&[&["config", "print"], &good[..]].concat());
    let (described, schema, _) = output(&["config", "schema"]);

    assert_eq!((checked, printed, described), (0, 0, 0));
    assert!(summary.starts_with("config ok: 1 view of kafka:9092"), "{summary}");
    assert!(text.contains("topic = \"user-profiles\""), "{text}");
    assert!(serde_json::from_str::<serde_json::Value>(&schema).unwrap().is_object());
}

/// A port that was free a moment ago.
fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn nobody_at_the_address_is_a_temporary_failure_in_one_line() {
    let url = format!("http://127.0.0.1:{}", closed_port());
    for arguments in [&["get", "users", "u1", "--url", &url][..], &["status", "--url", &url]] {
        let (code, shown, errors) = output(arguments);
        assert_eq!(code, 75, "{errors}");
        assert!(shown.is_empty(), "{shown}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(errors.starts_with(&format!("statusquo: cannot connect to {url}: ")), "{errors}");
    }
}

#[test]
fn the_address_comes_from_the_flag_the_environment_or_the_configuration() {
    let port = closed_port();
    let asked = format!("cannot connect to http://127.0.0.1:{port}:");
    let mut from_url = statusquo(&["get", "users", "u1"]);
    from_url.env("STATUSQUO_URL", format!("http://127.0.0.1:{port}/"));
    let mut from_key = statusquo(&["get", "users", "u1"]);
    from_key.env("STATUSQUO__HTTP__LISTEN", format!("0.0.0.0:{port}"));
    from_key.env("STATUSQUO__HTTP__ALLOW_UNAUTHENTICATED", "true");
    let from_flag = statusquo(&["get", "users", "u1", "--set", &format!("http.listen=127.0.0.1:{port}")]);
    for mut command in [from_url, from_key, from_flag] {
        let errors = String::from_utf8(command.output().unwrap().stderr).unwrap();
        assert!(errors.contains(&asked), "{errors}");
    }
}

#[test]
fn a_container_that_cannot_be_reached_is_unhealthy() {
    let url = format!("http://127.0.0.1:{}", closed_port());
    for arguments in [&["healthcheck", "--url", &url][..], &["healthcheck", "--ready", "--url", &url]] {
        let (code, _, errors) = output(arguments);
        assert_eq!(code, 1, "{errors}");
    }
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, script, _) = output(&["completions", shell]);
        assert_eq!(code, 0, "{shell}");
        assert!(script.contains("healthcheck"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    use std::process::{Command, Stdio};

    let mut child = Command::new(env!("CARGO_BIN_EXE_statusquo"))
        .args(["config", "schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();

    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
