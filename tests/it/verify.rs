//! `/verify`: a status, and who it is.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::tokens::{self, now};
use crate::harness::{Connection, Gate, Request, Response, Settings};

fn ask(gate: &Gate, token: &str) -> Response {
    Request::get("/verify").bearer(token).send(gate.main())
}

#[test]
fn a_good_token_is_answered_exactly_200_with_an_empty_body_and_every_identity_header() {
    let gate = Settings::hmac().start();
    let answer = ask(&gate, &tokens::good());
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text(), "");
    assert_eq!(answer.header("X-Auth-User"), Some("alice"));
    assert_eq!(answer.header("X-Auth-Email"), Some("alice@example.com"));
    assert_eq!(answer.header("X-Auth-Groups"), Some("dev,ops"));
    assert_eq!(answer.header("WWW-Authenticate"), None);
    assert_eq!(answer.header("X-Auth-Redirect"), None);
}

#[test]
fn the_same_good_token_is_good_again_and_again() {
    let gate = Settings::hmac().start();
    let token = tokens::good();
    let mut connection = Connection::open(gate.main()).expect("the gate listens");
    for _ in 0..50 {
        let answer = connection
            .send(&Request::get("/verify").bearer(&token))
            .expect("an answer");
        assert_eq!(
            (answer.status, answer.header("X-Auth-User")),
            (200, Some("alice"))
        );
    }
}

#[test]
fn bad_tokens_are_refused_with_their_reason_in_the_log_only() {
    let gate = Settings::hmac().start();
    let not_yet = tokens::with(&json!({"nbf": now() + 3600}));
    let cases = [
        (tokens::expired(), "token.expired"),
        (tokens::forged(), "token.signature"),
        (tokens::unsigned(), "token.algorithm"),
        (tokens::wrong_audience(), "token.audience"),
        (not_yet, "token.not_yet_valid"),
        (tokens::with(&json!({"exp": null})), "token.no_expiry"),
        (
            tokens::with(&json!({"exp": "tomorrow"})),
            "token.claim_type",
        ),
        (
            tokens::with(&json!({"iat": now() + 3600})),
            "token.issued_in_future",
        ),
        ("not.a.token".to_owned(), "token.malformed"),
    ];
    for (count, (token, reason)) in cases.iter().enumerate() {
        let answer = ask(&gate, token);
        assert_eq!(answer.status, 401, "{token}");
        assert_eq!(&gate.reason(count + 1), reason, "{token}");
    }
}

#[test]
fn s17_5_every_bad_token_gets_the_same_answer_to_the_byte() {
    let gate = Settings::hmac().start();
    let bad = [
        tokens::expired(),
        tokens::forged(),
        tokens::unsigned(),
        tokens::wrong_audience(),
        tokens::with(&json!({"nbf": now() + 3600})),
        tokens::with(&json!({"exp": null})),
        tokens::with(&json!({"exp": "soon"})),
        tokens::good().replace('.', ""),
        "x".repeat(17 * 1024),
    ];
    for endpoint in ["/verify", "/forward-auth"] {
        let answers: Vec<_> = bad
            .iter()
            .map(|token| {
                Request::get(endpoint)
                    .bearer(token)
                    .send(gate.main())
                    .comparable()
            })
            .collect();
        for (answer, token) in answers.iter().zip(&bad) {
            assert_eq!(
                answer,
                &answers[0],
                "{endpoint} tells {} from the first",
                &token[..token.len().min(80)]
            );
        }
    }
}

#[test]
fn s9_5_www_authenticate_names_an_error_only_when_a_token_was_sent() {
    let gate = Settings::hmac()
        .server("realm = \"the \\\"inner\\\" circle\"")
        .start();
    let realm = r#"Bearer realm="the \"inner\" circle""#;
    let without = Request::get("/verify").send(gate.main());
    assert_eq!(without.status, 401);
    assert_eq!(without.header("WWW-Authenticate"), Some(realm));
    let with = ask(&gate, &tokens::expired());
    let challenge = with.header("WWW-Authenticate").expect("a challenge");
    assert!(challenge.starts_with(realm), "{challenge}");
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    for detail in [tokens::AUDIENCE, tokens::SECRET, "exp", "HS256"] {
        assert!(!challenge.contains(detail), "{challenge} tells {detail}");
    }
}

#[test]
fn the_realm_is_jwtgate_unless_configured() {
    let gate = Settings::hmac().start();
    let answer = Request::get("/verify").send(gate.main());
    assert_eq!(
        answer.header("WWW-Authenticate"),
        Some("Bearer realm=\"jwtgate\"")
    );
}

#[test]
fn any_method_is_judged_alike() {
    let gate = Settings::hmac().start();
    for method in [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND",
    ] {
        let good = Request::new(method, "/verify")
            .bearer(tokens::good())
            .send(gate.main());
        assert_eq!(
            (good.status, good.header("X-Auth-User")),
            (200, Some("alice")),
            "{method}"
        );
        let none = Request::new(method, "/verify").send(gate.main());
        assert_eq!(
            (none.status, none.header("X-Auth-User")),
            (401, None),
            "{method}"
        );
    }
}

#[test]
fn s9_6_a_cors_preflight_does_not_pass_without_a_token() {
    let gate = Settings::hmac().start();
    let answer = Request::new("OPTIONS", "/verify")
        .header("Origin", "https://other.example.com")
        .header("Access-Control-Request-Method", "POST")
        .send(gate.main());
    assert_eq!(answer.status, 401);
}

#[test]
fn a_body_that_is_announced_and_never_sent_is_not_waited_for() {
    let gate = Settings::hmac().start();
    for method in ["GET", "POST", "PUT"] {
        for length in ["5", "1000000"] {
            let start = Instant::now();
            let answer = Request::new(method, "/verify")
                .bearer(tokens::good())
                .header("Content-Length", length)
                .send(gate.main());
            assert_eq!(answer.status, 200, "{method} {length}");
            assert!(
                start.elapsed() < Duration::from_secs(1),
                "{method} {length} took {:?}",
                start.elapsed()
            );
        }
    }
}

#[test]
fn a_body_that_is_sent_is_neither_read_nor_taken_for_the_next_request() {
    let gate = Settings::hmac().start();
    let inner = Request::get("/verify").bearer(tokens::good()).bytes();
    let mut connection = Connection::open(gate.main()).expect("the gate listens");
    let smuggler = Request::new("POST", "/verify").body(inner);
    assert_eq!(connection.send(&smuggler).expect("an answer").status, 401);
    // Whether the connection stays open is the server's choice; a 200 without a token of its own is not.
    if let Ok(next) = connection.send(&Request::get("/verify")) {
        assert_eq!(next.status, 401);
    }
}

#[test]
fn http_1_0_is_spoken() {
    let gate = Settings::hmac().start();
    let good = Request::get("/verify")
        .http_1_0()
        .bearer(tokens::good())
        .header("Connection", "close");
    assert_eq!(good.send(gate.main()).status, 200);
    assert_eq!(
        Request::get("/verify").http_1_0().send(gate.main()).status,
        401
    );
}

#[test]
fn only_200_401_403_and_503_ever_come_out_of_verify() {
    let gate = Settings::with_sign_in().start();
    let token = tokens::good();
    let requests = [
        Request::get("/verify"),
        Request::get("/verify").bearer(&token),
        Request::get("/verify").page_load(),
        Request::get("/verify")
            .page_load()
            .original("GET", "/app?x=1"),
        Request::get("/verify")
            .bearer(&token)
            .bearer(tokens::good_for("bob")),
        Request::get("/verify")
            .bearer(&token)
            .header("X-Original-URI", "/%zz"),
        Request::get("/verify")
            .bearer(&token)
            .header("X-Original-URI", "\\\\evil"),
        Request::get("/verify")
            .bearer(&token)
            .header("X-Original-URL", "not a url"),
        Request::get("/verify").bearer(tokens::with(&json!({"username": 7}))),
        Request::get("/verify")
            .bearer(tokens::with(&json!({"username": 7})))
            .page_load(),
        Request::get("/verify").header("Authorization", b"Bearer \xff\xfe\x80"),
        Request::get("/verify").header("Cookie", b"auth_token=\xff; =; ;;; auth_token"),
        Request::get("/verify?auth_token=%ff%00"),
    ];
    for request in requests {
        let status = request.send(gate.main()).status;
        assert!(
            [200, 401, 403, 503].contains(&status),
            "{status} for {}",
            String::from_utf8_lossy(&request.bytes())
        );
    }
}

#[test]
fn the_401_of_a_page_load_carries_the_location_of_forward_auth() {
    let gate = Settings::with_sign_in().start();
    let verify = Request::get("/verify")
        .page_load()
        .original("GET", "/app/a?x=1&y=2")
        .send(gate.main());
    let forward = Request::get("/forward-auth")
        .page_load()
        .forwarded("GET", "/app/a?x=1&y=2")
        .send(gate.main());
    assert_eq!((verify.status, forward.status), (401, 302));
    assert_eq!(verify.header("Location"), None);
    assert_eq!(verify.header("X-Auth-Redirect"), forward.header("Location"));
    assert_eq!(
        verify.header("X-Auth-Redirect"),
        Some(
            "https://auth.example.com/login?retpath=https%3A%2F%2Fapp.example.com%2Fapp%2Fa%3Fx%3D1%26y%3D2"
        )
    );
}

#[test]
fn s11_6_what_is_no_page_load_gets_no_redirect() {
    let gate = Settings::with_sign_in().start();
    let base = || Request::get("/verify");
    let html = "text/html";
    let requests = [
        base()
            .original("GET", "/a")
            .header("Accept", "application/json"),
        base().original("POST", "/a").header("Accept", html),
        base()
            .original("GET", "/a")
            .header("Accept", html)
            .header("Sec-Fetch-Mode", "cors"),
        base()
            .original("GET", "/a")
            .header("Accept", html)
            .header("X-Requested-With", "XMLHttpRequest"),
        base()
            .original("GET", "/a")
            .header("Accept", html)
            .header("Upgrade", "websocket"),
        base()
            .original("GET", "/a")
            .header("Accept", html)
            .header("Sec-Fetch-Mode", "websocket"),
    ];
    for request in requests {
        let answer = request.send(gate.main());
        let shown = String::from_utf8_lossy(&request.bytes()).into_owned();
        assert_eq!(
            (answer.status, answer.header("X-Auth-Redirect")),
            (401, None),
            "{shown}"
        );
    }
}

#[test]
fn s8_4_nothing_but_a_token_passes() {
    let gate = Settings::hmac().start();
    let requests = [
        Request::get("/verify").header("User-Agent", "kube-probe/1.30"),
        Request::get("/verify").header("User-Agent", "GoogleHC/1.0"),
        Request::get("/verify")
            .header("X-Forwarded-For", "127.0.0.1")
            .header("X-Real-IP", "127.0.0.1"),
        Request::get("/verify").header("X-Auth-User", "root"),
        Request::get("/verify").header("X-Original-URI", "/healthz"),
        Request::new("OPTIONS", "/verify").header("X-Original-Method", "OPTIONS"),
        Request::get("/verify").header("X-Envoy-Original-Path", "/public"),
    ];
    for request in requests {
        let answer = request.send(gate.main());
        let shown = String::from_utf8_lossy(&request.bytes()).into_owned();
        assert_eq!(
            (answer.status, answer.header("X-Auth-User")),
            (401, None),
            "{shown}"
        );
    }
}

#[test]
fn a_refusal_has_no_body_since_nginx_would_not_read_it() {
    let gate = Settings::with_sign_in().start();
    let mut connection = Connection::open(gate.main()).expect("it listens");
    let requests = [
        Request::get("/verify"),
        Request::get("/verify").page_load(),
        Request::get("/verify").bearer(tokens::forged()),
        Request::get("/verify").bearer("a,Bearer b"),
    ];
    for request in requests {
        let answer = connection
            .send(&request)
            .expect("an answer on the same connection");
        assert_eq!(answer.status, 401, "{request:?}");
        assert_eq!(answer.header("Content-Length"), Some("0"), "{answer:?}");
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        assert_eq!(answer.header("Content-Type"), None);
    }
}
