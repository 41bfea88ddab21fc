//! `/introspect`: RFC 7662, for clients with credentials.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Connection, Gate, KeyServer, Request, Response, Settings, tokens, wait};

const CLIENTS: &str = "[introspection.clients.apache]\nsecret = \"a secret of apache, long\"\n\
                       [introspection.clients.other]\nsecret_file = \"{dir}/other\"\n";

fn settings() -> Settings {
    Settings::hmac()
        .table(CLIENTS)
        .file("other", "p:ä s%2Bs-and-more-of-it\n")
}

fn gate() -> Gate {
    settings().start()
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn basic(name: &str, secret: &str) -> String {
    let text = format!("{name}:{secret}");
    let text = base64(text.as_bytes());
    format!("Basic {text}")
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn form(body: &str) -> Request {
    Request::new("POST", "/introspect")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(body)
}

fn ask(gate: &Gate, token: &str) -> Response {
    form(&format!("token={}", encoded(token)))
        .header("Authorization", basic("apache", "a secret of apache, long"))
        .send(gate.main())
}

fn told(gate: &Gate, token: &str) -> Value {
    let answer = ask(gate, token);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[test]
fn a_good_token_is_active_with_its_claims() {
    let gate = gate();
    let token = tokens::with(&json!({"scope": "read write", "client_id": "spa", "org": {"id": 7}}));
    let answer = ask(&gate, &token);
    let told = answer.json();
    assert_eq!(told["active"], true);
    assert_eq!(told["username"], "alice");
    assert_eq!(told["token_type"], "Bearer");
    assert_eq!(told["scope"], "read write");
    assert_eq!(told["client_id"], "spa");
    assert_eq!(told["org"], json!({"id": 7}));
    assert_eq!(told["groups"], json!(["dev", "ops"]));
    assert!(told["exp"].is_number() && told["aud"].is_string());
    let cache = answer.header("Cache-Control").expect("a header");
    assert!(cache.starts_with("private, max-age="), "{cache}");
}

#[test]
fn s17_5_any_other_token_is_inactive_and_nothing_more() {
    let gate = gate();
    let nameless = tokens::with(&json!({"username": null}));
    for token in [
        &tokens::expired(),
        &tokens::forged(),
        &tokens::unsigned(),
        &tokens::wrong_audience(),
        &nameless,
        "x",
        "",
        "a b",
        &"a".repeat(20_000),
    ] {
        let answer = ask(&gate, token);
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({"active": false})),
            "{token}"
        );
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    }
    gate.assert_no_panic();
}

#[test]
fn only_clients_are_answered() {
    let gate = gate();
    let body = format!("token={}", tokens::good());
    let status = |line: Option<String>, more: &str| {
        let request = form(&(body.clone() + more));
        let request = match line {
            Some(line) => request.header("Authorization", line),
            None => request,
        };
        let answer = request.send(gate.main());
        if answer.status == 401 {
            assert_eq!(answer.json(), json!({"error": "invalid_client"}));
            assert_eq!(
                answer.header("WWW-Authenticate"),
                Some("Basic realm=\"jwtgate\"")
            );
        }
        answer.status
    };
    let good = || Some(basic("apache", "a secret of apache, long"));
    assert_eq!(status(good(), ""), 200);
    assert_eq!(
        status(Some(basic("other", "p:ä s%2Bs-and-more-of-it")), ""),
        200
    );
    // Form-encoded, as RFC 6749 §2.3.1 has it.
    let by_the_book = basic("apache", "a+secret+of+apache%2C+long");
    assert_eq!(status(Some(by_the_book), ""), 200);
    let posted = "&client_id=apache&client_secret=a+secret+of+apache%2C+long";
    assert_eq!(status(None, posted), 200);
    for (line, more) in [
        (None, ""),
        (Some(basic("apache", "wrong")), ""),
        (Some(basic("apache", "")), ""),
        (Some(basic("", "")), ""),
        (Some(basic("other", "a secret of apache, long")), ""),
        (Some("Basic !".to_owned()), ""),
        (Some(format!("Bearer {}", tokens::good())), ""),
        (None, "&client_id=apache&client_secret=wrong"),
        (None, "&client_id=apache"),
        (good(), posted),
    ] {
        assert_eq!(status(line.clone(), more), 401, "{line:?} {more}");
    }
    let twice = form(&body)
        .header("Authorization", good().expect("credentials"))
        .header("Authorization", basic("other", "x"));
    assert_eq!(twice.send(gate.main()).status, 401);
}

#[test]
fn s17_1_who_asks_without_credentials_is_logged_and_not_in_his_own_words() {
    let gate = gate();
    for name in ["apache", "a\nstranger"] {
        let asked = form("token=x").header("Authorization", basic(name, "wrong-secret"));
        assert_eq!(asked.send(gate.main()).status, 401);
    }
    assert!(gate.wait_for_line("\"client.name\":\"apache\""));
    assert!(gate.wait_for_line("\"client.name\":\"-\""));
    let output = gate.output();
    assert!(
        !output.contains("stranger") && !output.contains("wrong-secret"),
        "{output}"
    );
}

#[test]
fn a_connection_is_kept_between_questions() {
    let gate = settings().server("header_timeout = \"1s\"").start();
    let mut connection = Connection::open(gate.main()).expect("it listens");
    for _ in 0..2 {
        let question = form(&format!("token={}", tokens::good()))
            .header("Authorization", basic("apache", "a secret of apache, long"));
        let answer = connection.send(&question).expect("an answer");
        assert_eq!(answer.json()["active"], true);
        wait::pass(Duration::from_millis(1800));
    }
}

#[test]
fn what_is_no_form_with_one_token_is_refused() {
    let gate = gate();
    let line = basic("apache", "a secret of apache, long");
    let send = |request: Request| {
        request
            .header("Authorization", &line)
            .send(gate.main())
            .status
    };
    let token = tokens::good();
    assert_eq!(send(form("")), 400);
    assert_eq!(send(form("x=1")), 400);
    assert_eq!(send(form(&format!("token={token}&token={token}"))), 400);
    let json = Request::new("POST", "/introspect")
        .header("Content-Type", "application/json")
        .body(format!("{{\"token\":\"{token}\"}}"));
    assert_eq!(send(json), 400);
    assert_eq!(
        send(Request::get(format!("/introspect?token={token}"))),
        405
    );
    let large = form(&format!("token={}", "a".repeat(300_000)));
    assert_eq!(send(large), 413);
}

#[test]
fn without_clients_there_is_no_such_endpoint() {
    let gate = Settings::hmac().start();
    assert_eq!(ask(&gate, &tokens::good()).status, 404);
}

#[test]
fn what_cannot_be_decided_is_503_and_never_inactive() {
    let server = KeyServer::start();
    let lacking = Settings::empty()
        .top(&format!(
            "jwks_url = \"{}\"\nexpected_audience = \"a\"",
            server.url("/nothing")
        ))
        .table("[keys]\ndanger_allow_http = true\nfetch_timeout = \"1s\"")
        .table(CLIENTS)
        .file("other", "another secret, long enough")
        .start();
    let token = tokens::Key::sign(tokens::rsa(), "RS256", &tokens::good_claims());
    assert_eq!(ask(&lacking, &token).status, 503);
}

#[test]
fn secrets_are_judged_at_the_start_and_never_shown() {
    let exited = Settings::hmac()
        .table("[introspection.clients.a]\n[introspection.clients.b]\nsecret = \"\"\n[introspection.clients.c]\nsecret_file = \"/nowhere\"")
        .try_start();
    let Err(exited) = exited else {
        panic!("it started")
    };
    for path in [
        "introspection.clients.a.secret",
        "introspection.clients.b.secret",
        "introspection.clients.c.secret_file",
    ] {
        assert!(exited.output.contains(path), "{path}: {}", exited.output);
    }
    let gate = gate();
    told(&gate, &tokens::good());
    ask(&gate, "x");
    assert!(!gate.output().contains("a secret of apache"));
}
