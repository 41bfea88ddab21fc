//! What `jwtgate explain` says of input that nobody can judge: exit code 2, one kind error, and nothing of a token.

use crate::explained::holds_nothing_of;
use crate::harness::process::{Ran, run};
use crate::harness::{Settings, tokens};

fn settings() -> Settings {
    Settings::with_sign_in().table("[[rules]]\naction = \"require\"\npath_prefix = \"/\"")
}

fn explain(settings: &Settings, arguments: &[&str], input: &str) -> Ran {
    let folder = settings.write();
    let config = folder.path().join("jwtgate.toml");
    let config = config.to_str().expect("a path in UTF-8");
    run(
        &[&["explain", "--config", config], arguments].concat(),
        input,
    )
}

/// It cannot be told, for a reason that holds this word, and without anything on standard output.
#[track_caller]
fn cannot_be_told(arguments: &[&str], input: &str, word: &str) {
    let ran = explain(&settings(), arguments, input);
    assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.all());
    assert_eq!(ran.stdout, "", "{arguments:?}");
    assert!(
        ran.stderr.starts_with("error: ") && !ran.stderr.contains("panicked"),
        "{arguments:?}: {}",
        ran.stderr
    );
    assert!(ran.stderr.contains(word), "{arguments:?}: {}", ran.stderr);
}

/// It cannot be told from a raw request.
#[track_caller]
fn raw_cannot_be_told(request: &str, word: &str) {
    cannot_be_told(&["--request", "-"], request, word);
}

#[test]
fn urls_that_no_proxy_would_pass_on() {
    for url in [
        "app.example.com",
        "/path",
        "ftp://app.example.com/",
        "https://",
        "https:///x",
        "https://alice@app.example.com/",
        "https://app.example.com:99999/",
        "https://app.example.com/a b",
        "https://app.example.com/#part",
        "https://app.example.com?x",
        "https://[::1/",
        "javascript://x/",
    ] {
        cannot_be_told(
            &["--url", url],
            &tokens::good(),
            "https://app.example.com/path",
        );
    }
    let long = format!("https://app.example.com/{}", "x".repeat(16 * 1024));
    cannot_be_told(&["--url", &long], "", "request.too_large");
}

#[test]
fn an_empty_url_is_none() {
    cannot_be_told(
        &["--url", ""],
        &tokens::good(),
        "https://app.example.com/path",
    );
}

#[test]
fn a_header_beside_a_raw_request_is_not_ignored() {
    let request = "GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n";
    cannot_be_told(&["--request", "-", "--header", "A: b"], request, "--help");
}

#[test]
fn a_url_that_is_wrong_shows_no_token_of_its_query_and_forges_nothing_on_a_terminal() {
    let token = tokens::good();
    let with_token = format!("https://app.example.com/a b?auth_token={token}");
    for url in [with_token.as_str(), "https://app.example.com/\u{1b}[2J"] {
        let ran = explain(&settings(), &["--url", url], "");
        assert_eq!(ran.code, Some(2), "{}", ran.all());
        holds_nothing_of(&ran.all(), &token);
        assert!(!ran.all().contains('\u{1b}'), "{}", ran.all());
    }
}

#[test]
fn methods_that_are_none() {
    for method in ["", "GE T", "GET\n", "G\u{c9}T", "(GET)"] {
        let url = "https://app.example.com/";
        cannot_be_told(
            &["--url", url, "--method", method],
            &tokens::good(),
            "method",
        );
    }
}

#[test]
fn headers_without_a_colon() {
    for header in ["", "Authorization", "Authorization Bearer"] {
        let url = "https://app.example.com/";
        cannot_be_told(&["--url", url, "--header", header], "", "Name: value");
    }
    raw_cannot_be_told(
        "GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
        "Name: value",
    );
}

#[test]
fn sources_that_are_no_address() {
    for source in ["", "localhost", "192.0.2.0/24", "192.0.2.7:80", "[::1]"] {
        let url = "https://app.example.com/";
        cannot_be_told(&["--url", url, "--source", source], "", "--source");
    }
}

#[test]
fn raw_requests_that_are_none() {
    for request in ["", "\r\n", "GET", "\r\n\r\nGET / HTTP/1.1\r\n"] {
        raw_cannot_be_told(request, "request line");
    }
    for request in [
        "GET /x HTTP/1.1\r\n\r\n",
        "GET /x HTTP/1.1\nAccept: */*\n\n",
    ] {
        raw_cannot_be_told(request, "Host");
    }
    raw_cannot_be_told("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "request.malformed");
    let gone = ["--request", "/nowhere/request.http"];
    cannot_be_told(&gone, "", "cannot read");
}

#[test]
fn raw_requests_whose_target_is_none() {
    for target in ["admin", ":8443/admin", ".evil.example/admin", ""] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: app.example.com\r\n\r\n");
        raw_cannot_be_told(&request, "request");
    }
}

#[test]
fn a_raw_request_may_name_another_url_in_its_query() {
    let request = format!(
        "GET /login?next=https://app.example.com/a HTTP/1.1\r\nHost: app.example.com\r\n\
         Authorization: Bearer {}\r\n\r\n",
        tokens::good()
    );
    let ran = explain(&settings(), &["--request", "-"], &request);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(
        ran.stdout
            .starts_with("GET https://app.example.com/login\n")
    );
}

#[test]
fn a_raw_request_that_names_two_hosts() {
    let request = "GET / HTTP/1.1\r\nHost: app.example.com\r\nHost: other.example.com\r\n\r\n";
    raw_cannot_be_told(request, "Host");
}

#[test]
fn the_token_beside_a_request_counts_although_it_has_a_cookie_without_one() {
    let url = "https://app.example.com/";
    let arguments = ["--url", url, "--header", "Cookie: theme=dark"];
    let ran = explain(&settings(), &arguments, &tokens::good());
    assert_eq!(ran.code, Some(0), "{}", ran.all());
}

#[test]
fn no_token_and_no_request_is_nothing_to_judge() {
    for input in ["", " \n", "\n\n"] {
        cannot_be_told(&[], input, "there is no token");
    }
    cannot_be_told(&["--token-file", "/nowhere/token.txt"], "", "cannot read");
    cannot_be_told(&["--token-env", "NOBODY_SET_THIS"], "", "NOBODY_SET_THIS");
}

#[test]
fn arguments_that_exclude_each_other_or_need_another() {
    let url = "https://app.example.com/";
    for arguments in [
        &["--method", "POST"][..],
        &["--header", "A: b"],
        &["--url", url, "--request", "-"],
        &["--url", url, "--no-token", "--token-file", "x"],
        &["--url", url, "--token-env", "X", "--token-file", "x"],
    ] {
        cannot_be_told(arguments, "", "--help");
    }
}

#[test]
fn a_configuration_with_faults_judges_nobody() {
    let settings = Settings::hmac().table("[[rules]]\naction = \"perhaps\"");
    let url = "https://app.example.com/";
    for arguments in [&[][..], &["--url", url], &["--url", url, "--json"]] {
        let ran = explain(&settings, arguments, &tokens::good());
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
        assert!(ran.stderr.contains("rules[0].action"), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("nothing can be judged"),
            "{}",
            ran.stderr
        );
    }
}
