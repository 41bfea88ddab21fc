//! What the log tells, and what it never does.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::process::{self, text};
use crate::harness::{Address, Connection, Request, Settings, tokens};

/// Every form in which a secret may leak.
fn parts(token: &str) -> Vec<String> {
    // The header is the same for all and tells nothing; the other two parts are the token.
    token
        .split('.')
        .skip(1)
        .filter(|part| part.len() > 8)
        .map(str::to_owned)
        .collect()
}

/// Everything that no log line may hold, beside tokens and the secret.
const NEEDLES: [&str; 4] = [
    "cookie-needle",
    "query-needle",
    "header-needle",
    "person-in-a-claim",
];

/// The same token in every place that is read, and in some that are not.
fn requests_with(token: &str) -> Vec<Request> {
    let verify = || Request::get("/verify");
    let uri = format!("/app?auth_token={token}&q=query-needle");
    let url = format!("https://app.example.com{uri}");
    let sign_in = format!("/sign-in?rd=%2Fapp%3Fq=query-needle%26auth_token={token}");
    vec![
        verify().bearer(token),
        verify().header("Authorization", token),
        verify().header("Authorization", format!("Basic {token}")),
        verify().bearer(token).bearer(tokens::good_for("carol")),
        verify().cookie(format!("session=cookie-needle; auth_token={token}")),
        verify().original("GET", &uri).page_load(),
        verify()
            .header("X-Original-URL", &url)
            .header("X-Original-URI", "/other"),
        verify().header("X-Original-URI", format!("//[{uri}")),
        verify()
            .header("Referer", &url)
            .header("X-Api-Key", "header-needle"),
        verify().bearer(token).header("X-A ", "header-needle"),
        Request::get(format!("/verify?auth_token={token}&q=query-needle")),
        Request::get("/forward-auth")
            .forwarded("GET", &uri)
            .page_load(),
        Request::get(sign_in).page_load(),
        Request::get(format!("/userinfo?auth_token={token}")),
        Request::get(format!("/nowhere?auth_token={token}&q=query-needle")),
    ]
}

#[test]
fn s17_1_no_line_at_any_level_holds_a_token_a_secret_a_cookie_or_a_query() {
    for (level, request_spans) in [("info", false), ("trace", false), ("trace", true)] {
        let gate = Settings::with_sign_in()
            .table(&format!(
                "[log]\nlevel = \"{level}\"\nrequest_spans = {request_spans}"
            ))
            .start();
        let tokens = [
            tokens::good(),
            tokens::good_for("bob"),
            tokens::expired(),
            tokens::forged(),
            tokens::unsigned(),
            tokens::wrong_audience(),
            tokens::with(&json!({"username": "a\nb"})),
            tokens::with(&json!({"username": 7, "email": "person-in-a-claim@example.com"})),
        ];
        for request in tokens.iter().flat_map(|token| requests_with(token)) {
            request.send(gate.main());
        }
        gate.assert_no_panic();
        let output = gate.stop();
        let mut needles: Vec<String> = tokens.iter().flat_map(|token| parts(token)).collect();
        needles.push(tokens::SECRET.to_owned());
        needles.extend(NEEDLES.map(str::to_owned));
        for line in output.lines() {
            for needle in &needles {
                assert!(
                    !line.contains(needle.as_str()),
                    "at level {level} the log holds {needle}:\n{line}"
                );
            }
        }
    }
}

#[test]
fn there_is_one_line_for_each_refusal_and_none_for_what_passes() {
    let gate = Settings::hmac().start();
    for _ in 0..3 {
        Request::get("/verify")
            .bearer(tokens::good())
            .send(gate.main());
        Request::get("/verify")
            .bearer(tokens::expired())
            .send(gate.main());
    }
    Request::get("/verify").send(gate.main());
    gate.refusals(4);
    let output = gate.stop();
    let refused = output
        .lines()
        .filter(|line| line.contains("\"refused\""))
        .count();
    assert_eq!(refused, 4, "{output}");
}

#[test]
fn a_refusal_names_reason_issuer_key_algorithm_and_digest() {
    let gate = Settings::hmac().start();
    let token = tokens::hmac(
        tokens::SECRET.as_bytes(),
        &json!({"alg": "HS256", "kid": "key-7"}),
        &tokens::claims_with(&json!({"exp": 1_000_000_000})),
    );
    Request::get("/verify").bearer(&token).send(gate.main());
    Request::get("/verify").bearer(&token).send(gate.main());
    Request::get("/verify")
        .bearer(tokens::expired())
        .send(gate.main());
    let records = gate.refusals(3);
    let first = &records[0];
    assert_eq!(text(first, "reason.code"), "token.expired");
    assert_eq!(text(first, "issuer.name"), "default");
    assert_eq!(text(first, "token.alg"), "HS256");
    assert_eq!(text(first, "token.kid"), "key-7");
    let digests: Vec<_> = records
        .iter()
        .map(|record| text(record, "token.digest"))
        .collect();
    assert!(
        digests[0].len() == 8 && digests[0].bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{digests:?}"
    );
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);
    assert!(
        first["timestamp"].is_string() && first["level"].is_string(),
        "{first}"
    );
}

#[test]
fn s17_2_what_came_unverified_is_escaped_cut_or_left_out() {
    let gate = Settings::hmac().start();
    let hostile = |kid: &str| {
        let header = json!({"alg": "HS999\n\u{1b}[2J", "kid": kid});
        tokens::compact(
            &header,
            &tokens::claims_with(&json!({"iss": "https://evil.example.com/\n"})),
            b"x",
        )
    };
    let kids = [
        "a\nb\r\u{1b}[31m\u{0}\u{9b}c",
        "\u{202e}evil",
        "\",\"level\":\"ERROR\",\"x\":\"",
        "\u{2028}x",
    ];
    for kid in kids {
        Request::get("/verify")
            .bearer(hostile(kid))
            .send(gate.main());
    }
    Request::get("/verify")
        .bearer(hostile(&"k".repeat(5_000)))
        .send(gate.main());
    let records = gate.refusals(5);
    assert_eq!(records.len(), 5);
    for record in &records {
        assert!(
            ["-", ""].contains(&text(record, "token.alg").as_str()),
            "{record}"
        );
        assert!(!record.to_string().contains("evil.example.com"), "{record}");
        let kid = text(record, "token.kid");
        assert!(!kid.chars().any(char::is_control), "{kid:?}");
        assert!(!kid.contains(['\u{202e}', '\u{2028}']), "{kid:?}");
        // 64 bytes of the token, each escaped at most sixfold.
        assert!(kid.len() <= 64 * 6, "{kid:?}");
        assert_ne!(record["level"], "ERROR");
    }
    assert!(text(&records[4], "token.kid").len() <= 72, "{}", records[4]);
}

#[test]
fn each_line_is_one_json_object() {
    let gate = Settings::hmac().table("[log]\nlevel = \"debug\"").start();
    Request::get("/verify")
        .bearer(tokens::forged())
        .send(gate.main());
    Request::get("/verify")
        .header("User-Agent", "a\"b\\")
        .send(gate.main());
    gate.refusals(2);
    let output = gate.stop();
    for line in output.lines() {
        assert!(
            serde_json::from_str::<Value>(line).is_ok_and(|value| value.is_object()),
            "{line}"
        );
    }
}

#[test]
fn start_and_listeners_are_told_once() {
    let gate = Settings::hmac().start();
    let listening = gate.records("listening");
    let listeners: HashSet<_> = listening
        .iter()
        .map(|record| text(record, "listener"))
        .collect();
    assert_eq!(listening.len(), 2, "{}", gate.output());
    assert_eq!(
        listeners,
        HashSet::from(["main".to_owned(), "admin".to_owned()])
    );
    assert_eq!(gate.records("ready").len(), 1);
}

#[test]
fn a_missing_audience_is_warned_about_at_every_start() {
    let gate = Settings::empty()
        .top(&format!("secret = \"{}\"", tokens::SECRET))
        .start();
    let warned = gate
        .output()
        .lines()
        .any(|line| line.contains("\"WARN\"") && line.contains("audience"));
    assert!(warned, "{}", gate.output());
    let any = tokens::with(&json!({"aud": "anything"}));
    assert_eq!(
        Request::get("/verify").bearer(any).send(gate.main()).status,
        200
    );
}

#[test]
fn s18_6_a_log_that_nobody_reads_stops_no_request_and_dropped_lines_are_counted() {
    const REFUSALS: usize = 12_000;
    let folder = Settings::hmac().write();
    let mut child = process::command()
        .args(["serve", "--config"])
        .arg(folder.path().join("jwtgate.toml"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary can be started");
    let mut stderr = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
    let mut addresses = Vec::new();
    let mut line = String::new();
    while !line.contains("\"ready\"") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).expect("text"), 0, "it ended");
        let record: Value = serde_json::from_str(&line).expect("JSON");
        if let Some(address) = record["address"].as_str() {
            addresses.push(Address::parse(address));
        }
    }
    // From here on nobody reads: the pipe fills, then the queue.
    let mut connection = Connection::open(&addresses[0]).expect("the gate listens");
    for _ in 0..REFUSALS {
        let answer = connection
            .send(&Request::get("/verify"))
            .expect("an answer");
        assert_eq!(answer.status, 401);
    }
    let metrics = Request::get("/metrics").send(&addresses[1]).text();
    let dropped = metrics
        .lines()
        .find_map(|line| line.strip_prefix("jwtgate_log_lines_dropped_total "))
        .and_then(|count| count.parse::<u64>().ok());
    child.kill().expect("it runs");
    child.wait().expect("it ended");
    assert!(dropped.is_some_and(|count| count > 0), "{metrics}");
}
