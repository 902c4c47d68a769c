//! Every problem at once, each with its source.

use super::*;

#[test]
fn a_number_in_yaml_where_text_is_wanted_is_refused() {
    let start = Start::default().file(
        "a.yaml",
        "kafka:\n  bootstrap: kafka:9092\n  sasl_password: 1e5\nviews:\n  users:\n    topic: 007\n",
    );

    assert_eq!(
        start.problems(),
        [
            "kafka.sasl_password: takes text, not a number with a fraction: put it in quotes (a.yaml)",
            "views.users.topic: takes text, not a number: put it in quotes (a.yaml)",
        ]
    );
}

#[test]
fn a_variable_that_names_no_key_is_refused_with_the_one_that_was_meant() {
    let start = Start::with(SMALLEST)
        .variable("STATUSQUO__HTTP__LISEN", "127.0.0.1:1")
        .variable("STATUSQUO__KAFKA", "kafka:9092")
        .variable("STATUSQUO__", "x");

    assert_eq!(
        start.problems(),
        [
            "is not a key of the configuration (environment variable STATUSQUO__)",
            "http.lisen: is not a key of the configuration; did you mean `STATUSQUO__HTTP__LISTEN`? \
             (environment variable STATUSQUO__HTTP__LISEN)",
            "kafka: is a section, but text is given (environment variable STATUSQUO__KAFKA)",
        ]
    );
}

#[test]
fn two_variables_for_one_key_are_refused() {
    let start = Start::with(SMALLEST)
        .variable("STATUSQUO__LOG__LEVEL", "info")
        .variable("STATUSQUO__Log__Level", "warn");

    assert_eq!(
        start.problems(),
        ["log.level: is set by STATUSQUO__LOG__LEVEL as well: keep one of the two \
          (environment variable STATUSQUO__Log__Level)"]
    );
}

#[test]
fn all_problems_are_named_at_once_with_their_sources() {
    let start = Start::with(
        "data_dirs = \"x\"\n[kafka]\nbootstrap = \"kafka\"\ngruop = \"g\"\nqueue = \"16 apples\"\n\
         [kafka.properties]\n\"group.id\" = \"x\"\n[http]\nlisten = \"0.0.0.0:8080\"\n\
         [views.Users]\ntopic = \"a\"\n[views.orders]\ntopic = \"a b\"\nvalue = \"jsno\"\n[views.empty]\n",
    )
    .variable("STATUSQUO__BATCH__RECORDS_MAX", "0")
    .flag("log.level", "inof");

    assert_eq!(
        start.problems(),
        [
            "data_dirs: is not a key of the configuration; did you mean `data_dir`? (statusquo.toml)",
            "kafka.gruop: is not a key of the configuration; did you mean `kafka.group`? (statusquo.toml)",
            "kafka.queue: `16 apples` is not a size: write a number and its unit, such as 64MiB (statusquo.toml)",
            "views.Users: \"Users\" is not the name of a view: write 1 to 63 of a-z, 0-9, `-` and `_`, the first \
             a letter or a digit (statusquo.toml)",
            "views.orders.value: `jsno` is not one of json, text, bytes; did you mean `json`? (statusquo.toml)",
            "batch.records_max: 0 is out of bounds: 1 to 1000000 is allowed \
             (environment variable STATUSQUO__BATCH__RECORDS_MAX)",
            "views.empty.topic: is missing: name the compacted topic, such as `topic = \"user-profiles\"`",
            "kafka.bootstrap: `kafka` is not host:port, such as 127.0.0.1:9092 (statusquo.toml)",
            "kafka.properties.group.id: is not yours to set: use `kafka.group` (statusquo.toml)",
            "http.listen: with 0.0.0.0:8080 whoever can connect can read every view: set \
             `http.allow_unauthenticated = true` if that is meant, or listen on a loopback address behind a \
             reverse proxy with authentication (statusquo.toml)",
            "log.level: `inof` is not a level, one of off, error, warn, info, debug, trace; did you mean `info`?; \
             a filter for a module is `inof=debug` (flag --set log.level)",
            "views.orders.topic: \"a b\" is not the name of a topic: Kafka allows 1 to 249 of a-z, A-Z, 0-9, `.`, \
             `_` and `-` (statusquo.toml)",
        ]
    );
}

#[test]
fn an_empty_configuration_is_told_the_smallest_useful_file() {
    assert_eq!(
        Start::default().problems(),
        [
            "kafka.bootstrap: is missing: a file needs `[kafka]` and below it `bootstrap = \"127.0.0.1:9092\"`",
            "views: there are none: a file needs at least one, such as `[views.users]` and below it \
             `topic = \"user-profiles\"`",
        ]
    );
}

#[test]
fn files_that_cannot_be_used_are_problems_and_hide_no_other_problem() {
    let mut start = Start::with("[kafka]\nbootstrap = \"127.0.0.1:9092\nsasl_password = \"hunter2\"\n")
        .file("more.yaml", "a: [1\n")
        .flag("http.port", "1");
    let missing = start.directory.as_ref().unwrap().path().join("missing.toml");
    start.files.push(missing);
    start.files.push(start.directory.as_ref().unwrap().path().join("."));
    let problems = start.problems();

    assert!(problems[0].starts_with("statusquo.toml: line 2, column "), "{problems:?}");
    assert!(problems[1].starts_with("more.yaml: ") && problems[1].contains("line 2"), "{problems:?}");
    assert_eq!(problems[2], "missing.toml: the file does not exist");
    assert!(problems[3].ends_with(": is a directory, not a file"), "{problems:?}");
    assert!(problems[4].starts_with("http.port: is not a key"), "{problems:?}");
    assert_eq!(problems.len(), 5, "{problems:?}");
}

#[test]
fn a_syntax_error_does_not_show_the_line_it_is_in() {
    let text = Start::with("[kafka]\nsasl_password = \"hunter2\n").problems().join("\n");

    assert!(text.contains("line 2") && !text.contains("hunter2"), "{text}");
}

#[test]
fn a_password_and_a_file_with_a_password_exclude_each_other() {
    let start = Start::with(SMALLEST)
        .flag("kafka.sasl_password", "hunter2")
        .flag("kafka.sasl_password_file", "/nowhere/password");

    assert_eq!(
        start.problems(),
        ["kafka.sasl_password_file: and `kafka.sasl_password` are both set: keep one of the two \
          (flag --set kafka.sasl_password_file)"]
    );
}

#[test]
fn a_password_file_that_is_missing_or_empty_is_a_problem() {
    let missing = Start::with(SMALLEST).flag("kafka.sasl_password_file", "/nowhere/password").problems();
    assert!(missing[0].contains("/nowhere/password: the file does not exist"), "{missing:?}");

    let empty = Start::with(SMALLEST).flag("kafka.sasl_password_file", "/dev/null").problems();
    assert!(empty[0].contains("/dev/null: the file is empty"), "{empty:?}");
}

#[test]
fn an_admin_interface_that_others_reach_needs_a_token_fit_for_a_header() {
    let reached = || {
        let allowed = Start::with(SMALLEST).flag("http.allow_unauthenticated", "true");
        allowed.flag("ops.listen", "0.0.0.0:8081").flag("ops.admin", "true")
    };

    let problems = reached().problems();
    assert!(problems[0].starts_with("ops.admin: with `ops.listen` on 0.0.0.0:8081"), "{problems:?}");
    assert!(problems[0].contains("ops.admin_token_file"), "{problems:?}");
    let empty = reached().flag("ops.admin_token_file", "/dev/null").problems();
    assert!(empty[0].contains("/dev/null: the file is empty"), "{empty:?}");
    let odd = reached().flag("ops.admin_token", "hunter 2").problems();
    assert!(odd[0].starts_with("ops.admin_token: takes printable") && !odd[0].contains("hunter"), "{odd:?}");
    assert!(reached().flag("ops.admin_token", "hunter2").load().is_ok());
    assert!(Start::with(SMALLEST).flag("ops.admin", "true").load().is_ok());
}

#[test]
fn sections_and_values_of_the_wrong_type_do_not_hide_each_other() {
    let start = Start::with("kafka = 1\nviews = [1]\n[http]\nconnections_max = [1]\nlisten = {}\n");

    assert_eq!(
        start.problems(),
        [
            "http.connections_max: takes a whole number, not a list (statusquo.toml)",
            "http.listen: takes an IP address and port such as 127.0.0.1:8080, not a section (statusquo.toml)",
            "kafka: is a section, but a number is given (statusquo.toml)",
            "views: is a section, but a list is given (statusquo.toml)",
        ]
    );
}

#[test]
fn keys_without_quotes_around_their_dots_are_explained() {
    let start = Start::with(&format!("{SMALLEST}[kafka.properties]\nsecurity.protocol = \"SSL\"\n"));

    assert_eq!(
        start.problems(),
        [
            "kafka.properties.security: is a section: quote the dots of a property, like \"security.…\" = \"…\" \
          (statusquo.toml)"
        ]
    );
}

#[test]
fn odd_input_is_a_problem_and_never_a_panic() {
    let keys = [
        "",
        ".",
        "[",
        "a[0]",
        "kafka",
        "kafka.",
        "kafka.properties.",
        "views",
        "views..topic",
        "views.é",
        "İ",
    ];
    for key in keys {
        let name = format!("STATUSQUO__{}", key.replace('.', "__"));
        for value in ["1", "-1", "é", "\u{fffd}", "99999999999999999999", "."] {
            assert!(Start::with(SMALLEST).flag(key, value).load().is_err(), "{key:?} {value:?}");
            assert!(Start::with(SMALLEST).variable(&name, value).load().is_err(), "{name:?} {value:?}");
        }
    }
}
