//! The admin listener: health, readiness, metrics, and nothing of the main one.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::harness::{Gate, Request, Settings, need, tokens};

fn metrics(gate: &Gate) -> String {
    let answer = Request::get("/metrics").send(gate.admin());
    assert_eq!(answer.status, 200);
    answer.text()
}

/// The sum of all samples of a counter whose labels hold every one of `labels`.
fn count(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    metrics
        .lines()
        .filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        })
        .filter(|line| labels.iter().all(|label| line.contains(label)))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// Some of everything, good and bad.
fn traffic(gate: &Gate) {
    for _ in 0..3 {
        Request::get("/verify")
            .bearer(tokens::good())
            .send(gate.main());
    }
    let token = tokens::good();
    for _ in 0..2 {
        Request::get("/verify")
            .cookie(format!("auth_token={token}"))
            .send(gate.main());
    }
    Request::get("/verify")
        .bearer(tokens::expired())
        .send(gate.main());
    Request::get("/verify")
        .bearer(tokens::forged())
        .send(gate.main());
    Request::get("/verify").send(gate.main());
    let uri = format!("/a?auth_token={}", tokens::expired());
    Request::get("/forward-auth")
        .page_load()
        .forwarded("GET", &uri)
        .send(gate.main());
}

#[test]
fn health_and_readiness_are_200_while_all_is_well() {
    let gate = Settings::hmac().start();
    assert_eq!(Request::get("/healthz").send(gate.admin()).status, 200);
    let ready = Request::get("/readyz").send(gate.admin());
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["ready"], true);
    assert_eq!(
        Request::new("HEAD", "/healthz").send(gate.admin()).status,
        200
    );
}

#[test]
fn s16_5_neither_listener_serves_what_belongs_to_the_other() {
    let gate = Settings::hmac().start();
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/debug/pprof",
        "/",
    ] {
        let answer = Request::get(path).bearer(tokens::good()).send(gate.main());
        assert_eq!(
            (answer.status, answer.header("X-Auth-User")),
            (404, None),
            "{path}"
        );
    }
    for path in ["/verify", "/forward-auth", "/sign-in", "/userinfo", "/"] {
        let answer = Request::get(path).bearer(tokens::good()).send(gate.admin());
        assert_eq!(
            (answer.status, answer.header("X-Auth-User")),
            (404, None),
            "{path}"
        );
    }
}

#[test]
fn paths_that_only_resemble_an_endpoint_never_pass() {
    let gate = Settings::hmac().start();
    for path in [
        "/verify/",
        "//verify",
        "/verify/x",
        "/Verify",
        "/verif%79x",
        "/x/../verify",
        "/verify;x",
        "/%2fverify",
    ] {
        let answer = Request::get(path).bearer(tokens::good()).send(gate.main());
        assert_eq!(
            (answer.status, answer.header("X-Auth-User")),
            (404, None),
            "{path}"
        );
    }
}

#[test]
fn an_empty_listen_switches_the_admin_listener_off() {
    let gate = Settings::hmac().admin("listen = \"\"").start();
    assert_eq!(gate.records("listening").len(), 1, "{}", gate.output());
    assert_eq!(
        Request::get("/verify")
            .bearer(tokens::good())
            .send(gate.main())
            .status,
        200
    );
}

#[test]
fn decisions_are_counted_by_result_reason_issuer_and_source() {
    let gate = Settings::with_sign_in().start();
    traffic(&gate);
    let text = metrics(&gate);
    let decisions = |labels: &[&str]| count(&text, "jwtgate_decisions_total", labels);
    let equal = |found: f64, expected: u32| {
        assert!(
            (found - f64::from(expected)).abs() < 0.5,
            "{found} is not {expected}:\n{text}"
        );
    };
    equal(decisions(&["result=\"allow\""]), 5);
    equal(
        decisions(&[
            "result=\"allow\"",
            "source=\"header\"",
            "issuer=\"default\"",
        ]),
        3,
    );
    equal(decisions(&["result=\"allow\"", "source=\"cookie\""]), 2);
    equal(decisions(&["reason=\"token.expired\""]), 2);
    equal(
        decisions(&["reason=\"token.expired\"", "source=\"query\""]),
        1,
    );
    equal(
        decisions(&["reason=\"token.signature\"", "source=\"header\""]),
        1,
    );
    equal(decisions(&["reason=\"token.missing\""]), 1);
    equal(decisions(&[]), 9);
}

#[test]
fn latency_cache_and_build_are_told() {
    let gate = Settings::with_sign_in().start();
    traffic(&gate);
    let text = metrics(&gate);
    for part in [
        "_duration_seconds_bucket{",
        "cache",
        "hit",
        "miss",
        "evict",
        "jwtgate_build_info",
    ] {
        assert!(text.contains(part), "no {part} in:\n{text}");
    }
    assert!(text.contains(env!("CARGO_PKG_VERSION")), "{text}");
}

#[test]
fn s17_4_labels_come_from_closed_sets() {
    let gate = Settings::hmac().start();
    for index in 0..50 {
        let name = format!("needle-{index}");
        let token = tokens::hmac(
            tokens::SECRET.as_bytes(),
            &serde_json::json!({"alg": "HS256", "kid": name}),
            &tokens::claims_with(&serde_json::json!({"username": name, "iss": name, "sub": name})),
        );
        Request::get("/verify")
            .bearer(token)
            .header("X-Original-URI", format!("/{name}"))
            .send(gate.main());
        Request::new("GET", format!("/{name}")).send(gate.main());
    }
    let text = metrics(&gate);
    assert!(!text.contains("needle-"), "{text}");
}

#[test]
fn metrics_pass_promtool() {
    let Some(promtool) = need::program("promtool") else {
        return;
    };
    let gate = Settings::with_sign_in().start();
    traffic(&gate);
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool can be started");
    let text = metrics(&gate);
    child
        .stdin
        .take()
        .expect("stdin is a pipe")
        .write_all(text.as_bytes())
        .expect("promtool reads");
    let output = child.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{text}");
}
