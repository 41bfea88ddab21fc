//! The shipped `config/nginx.conf` in a real nginx, between a client, the gate and an application.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::nginx::Nginx;
use crate::harness::upstream::{Upstream, echoed_headers};
use crate::harness::{Connection, Gate, Request, Response, Settings, tokens, wait};

/// Client → nginx → gate and application.
struct Chain {
    nginx: Nginx,
    app: Upstream,
    gate: Gate,
}

impl Chain {
    /// `None` where nginx is not installed.
    fn start() -> Option<Self> {
        Self::with(Settings::hmac().top(
            "cookie_name = \"auth_token\"\n\
             param_name = \"auth_token\"\n\
             auth_url = \"https://auth.example.com/login\"\n\
             public_url = \"http://app.example.com\"\n\
             return_hosts = [\"http://app.example.com\"]",
        ))
    }

    fn with(settings: Settings) -> Option<Self> {
        let gate = settings.start();
        let app = Upstream::start();
        let nginx = Nginx::start(gate.main(), app.port())?;
        Some(Self { nginx, app, gate })
    }

    fn send(&self, request: &Request) -> Response {
        request.send(self.nginx.address())
    }

    /// What reached the application. The request must pass.
    fn reached(&self, request: &Request) -> Value {
        let answer = self.send(request);
        assert_eq!(answer.status, 200, "{request:?}: {answer:?}");
        answer.json()
    }

    /// The request must be refused with this status, and not reach the application.
    #[track_caller]
    fn refused(&self, request: &Request, status: u16) -> Response {
        let before = self.app.served();
        let answer = self.send(request);
        assert_eq!(answer.status, status, "{request:?}: {answer:?}");
        assert_eq!(
            self.app.served(),
            before,
            "{request:?} reached the application"
        );
        answer
    }
}

fn get(target: &str) -> Request {
    Request::get(target)
}

#[test]
fn a_good_token_reaches_the_application_with_its_identity() {
    let Some(chain) = Chain::start() else { return };
    let echo = chain.reached(&get("/app/p%20x?x=1&y=%2F").bearer(tokens::good()));
    assert_eq!(echo["target"], "/app/p%20x?x=1&y=%2F");
    assert_eq!(echoed_headers(&echo, "X-Auth-User"), ["alice"]);
    assert_eq!(echoed_headers(&echo, "X-Auth-Email"), ["alice@example.com"]);
    assert_eq!(echoed_headers(&echo, "X-Auth-Groups"), ["dev,ops"]);
}

#[test]
fn bad_tokens_do_not_reach_the_application() {
    let Some(chain) = Chain::start() else { return };
    chain.refused(&get("/app"), 401);
    for token in [
        tokens::expired(),
        tokens::forged(),
        tokens::unsigned(),
        tokens::wrong_audience(),
        "x".to_owned(),
    ] {
        chain.refused(&get("/app").bearer(token), 401);
    }
    let nameless = tokens::with(&json!({"username": null}));
    chain.refused(&get("/app").bearer(&nameless), 403);
    chain.refused(&get("/app").bearer(&nameless).page_load(), 403);
}

#[test]
fn tokens_in_a_cookie_and_in_the_query_pass() {
    let Some(chain) = Chain::start() else { return };
    let token = tokens::good();
    let cookie = chain.reached(&get("/app").cookie(format!("a=1; auth_token={token}")));
    assert_eq!(echoed_headers(&cookie, "X-Auth-User"), ["alice"]);
    let query = chain.reached(&get(&format!("/app?x=1&auth_token={token}")));
    assert_eq!(echoed_headers(&query, "X-Auth-User"), ["alice"]);
    chain.refused(&get(&format!("/app?auth_token={}", tokens::expired())), 401);
}

#[test]
fn s8_2_a_spoofed_identity_never_reaches_the_application_in_any_spelling() {
    let Some(chain) = Chain::start() else { return };
    let good = || get("/app").bearer(tokens::with(&json!({"email": null, "groups": null})));
    let spoofs = [
        good().header("X-Auth-User", "root"),
        good().header("x-auth-user", "root"),
        good().header("X-AUTH-USER", "root"),
        good().header("X_Auth_User", "root"),
        good().header("x_auth_user", "root"),
        good().header("X-Auth_User", "root"),
        good().header("X.Auth.User", "root"),
        good()
            .header("X-Auth-User", "root")
            .header("X-Auth-User", "root"),
        good()
            .header("X-Auth-User", "root")
            .header("Connection", "X-Auth-User"),
        good().header("Connection", "close, X-Auth-User, X-Auth-Email"),
        good()
            .header("X-Auth-Email", "root@example.com")
            .header("X-Auth-Groups", "root"),
        good()
            .header("X_Auth_Email", "root")
            .header("X_Auth_Groups", "root"),
    ];
    for request in spoofs {
        let echo = chain.reached(&request);
        assert_eq!(
            echoed_headers(&echo, "X-Auth-User"),
            ["alice"],
            "{request:?}"
        );
        for header in echo["headers"].as_array().expect("headers") {
            let (name, value) = (
                header[0].as_str().unwrap_or_default(),
                header[1].as_str().unwrap_or_default(),
            );
            let folded = name.to_ascii_lowercase().replace(['_', '.'], "-");
            let ours = name.eq_ignore_ascii_case("X-Auth-User") && value == "alice";
            assert!(
                ours || !folded.starts_with("x-auth-") || value.is_empty(),
                "{name}: {value} for {request:?}"
            );
        }
    }
    chain.refused(&get("/app").header("X-Auth-User", "root"), 401);
}

#[test]
fn s10_1_a_client_cannot_say_what_the_original_request_was() {
    let Some(chain) = Chain::start() else { return };
    let query = format!("/app?auth_token={}", tokens::good());
    for name in [
        "X-Original-URI",
        "X-Original-URL",
        "X-Forwarded-Uri",
        "X-Original-Method",
        "X-Rewrite-Url",
    ] {
        chain.refused(&get("/app").header(name, &query), 401);
        chain.refused(
            &get("/app").header(name, format!("http://app.example.com{query}")),
            401,
        );
    }
    let page = get("/a")
        .page_load()
        .header("X-Forwarded-Host", "evil.example.com")
        .header("X-Forwarded-Proto", "https");
    let answer = chain.refused(&page, 302);
    assert_eq!(
        answer.header("Location"),
        Some("https://auth.example.com/login?retpath=http%3A%2F%2Fapp.example.com%2Fa")
    );
}

#[test]
fn a_page_load_is_sent_to_sign_in_through_error_page() {
    let Some(chain) = Chain::start() else { return };
    let expected = "https://auth.example.com/login?retpath=http%3A%2F%2Fapp.example.com%2Fa%2Fb%3Fx%3D1%26y%3D2";
    let absent = chain.refused(&get("/a/b?x=1&y=2").page_load(), 302);
    assert_eq!(absent.header("Location"), Some(expected));
    let expired = format!("/a/b?x=1&auth_token={}&y=2", tokens::expired());
    let answer = chain.refused(&get(&expired).page_load(), 302);
    assert_eq!(answer.header("Location"), Some(expected));
    let foreign = chain.refused(&get("/a").host("evil.example.com").page_load(), 302);
    let location = foreign.header("Location").expect("a redirect");
    assert!(!location.contains("evil"), "{location}");
}

#[test]
fn what_is_no_page_load_gets_401_and_one_www_authenticate() {
    let Some(chain) = Chain::start() else { return };
    let requests = [
        get("/api")
            .header("Accept", "application/json")
            .header("X-Requested-With", "XMLHttpRequest"),
        get("/api").header("Accept", "*/*"),
        get("/api")
            .header("Accept", "text/html")
            .header("Sec-Fetch-Mode", "cors"),
        Request::new("POST", "/form")
            .header("Accept", "text/html")
            .body("a=1"),
        get("/socket")
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for request in requests {
        let answer = chain.refused(&request, 401);
        assert_eq!(
            answer.values("WWW-Authenticate").len(),
            1,
            "{request:?}: {answer:?}"
        );
        assert!(
            answer
                .header("WWW-Authenticate")
                .is_some_and(|value| value.starts_with("Bearer realm="))
        );
        assert_eq!(answer.header("Location"), None, "{request:?}");
        assert_eq!(answer.header("X-Auth-User"), None);
    }
}

#[test]
fn a_websocket_upgrade_passes_and_carries_bytes_both_ways() {
    let Some(chain) = Chain::start() else { return };
    let upgrade = get("/socket")
        .bearer(tokens::good())
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let mut connection = Connection::open(chain.nginx.address()).expect("nginx listens");
    let answer = connection.send(&upgrade).expect("an answer");
    assert_eq!(answer.status, 101, "{answer:?}");
    for frame in [
        &b"\x81\x85\x01\x02\x03\x04ignite"[..],
        &[0, 255, 13, 10, 13, 10][..],
    ] {
        connection.write(frame).expect("the tunnel is open");
        assert_eq!(
            connection.read_exactly(frame.len()).expect("an echo"),
            frame
        );
    }
}

#[test]
fn a_post_with_a_body_reaches_the_application_intact() {
    let Some(chain) = Chain::start() else { return };
    let body: Vec<u8> = (0..200_000_u32)
        .map(|index| (index * 7 % 251).to_le_bytes()[0])
        .collect();
    let echo = chain.reached(
        &Request::new("POST", "/upload")
            .bearer(tokens::good())
            .body(body.clone()),
    );
    assert_eq!(
        (echo["method"].as_str(), echo["body_length"].as_u64()),
        (Some("POST"), Some(200_000))
    );
    assert_eq!(echo["body"], tokens::encode(&body));
    chain.refused(&Request::new("POST", "/upload").body("a=1"), 401);
    let after = chain.reached(&get("/app").bearer(tokens::good()));
    assert_eq!(after["body_length"], 0);
}

#[test]
fn a_cookie_of_47_kb_passes() {
    let Some(chain) = Chain::start() else { return };
    let cookie = format!("a={}; auth_token={}", "x".repeat(46_800), tokens::good());
    assert!(
        cookie.len() > 47_000 && cookie.len() < 48 * 1024 - 10,
        "{}",
        cookie.len()
    );
    let echo = chain.reached(&get("/app").cookie(cookie));
    assert_eq!(echoed_headers(&echo, "X-Auth-User"), ["alice"]);
}

#[test]
fn connections_are_kept_and_requests_on_them_do_not_mix() {
    let Some(chain) = Chain::start() else { return };
    let mut connection = Connection::open(chain.nginx.address()).expect("nginx listens");
    for index in 0..40 {
        let name = format!("user-{index}");
        let answer = connection
            .send(&get("/app").bearer(tokens::good_for(&name)))
            .expect("an answer");
        assert_eq!(echoed_headers(&answer.json(), "X-Auth-User"), [name]);
        let refused = connection
            .send(&get("/app").bearer(tokens::forged()))
            .expect("an answer");
        assert_eq!(refused.status, 401);
    }
}

#[test]
fn s18_7_with_the_gate_down_nothing_passes() {
    let Some(mut chain) = Chain::start() else {
        return;
    };
    chain.reached(&get("/app").bearer(tokens::good()));
    chain.gate.signal("KILL");
    chain
        .gate
        .wait_for_exit(Duration::from_secs(5))
        .expect("SIGKILL ends it");
    let before = chain.app.served();
    for request in [
        get("/app").bearer(tokens::good()),
        get("/app"),
        get("/app").page_load(),
    ] {
        let answer = chain.send(&request);
        assert!((500..600).contains(&answer.status), "{}", answer.status);
        assert_eq!(answer.header("X-Auth-User"), None);
    }
    assert_eq!(chain.app.served(), before);
}

#[test]
fn s18_7_with_the_gate_hanging_nothing_passes_and_nobody_waits_for_long() {
    let Some(chain) = Chain::start() else { return };
    chain.reached(&get("/app").bearer(tokens::good()));
    chain.gate.freeze();
    let before = chain.app.served();
    let limit = chain.nginx.read_timeout() + Duration::from_secs(1);
    let start = Instant::now();
    let answer = chain.send(&get("/app").bearer(tokens::good()).timeout(limit * 3));
    let waited = start.elapsed();
    chain.gate.signal("CONT");
    assert!((500..600).contains(&answer.status), "{}", answer.status);
    assert!(waited < limit, "{waited:?} is over {limit:?}");
    assert_eq!(chain.app.served(), before);
    let back = wait::until(Duration::from_secs(12), || {
        (chain.send(&get("/app").bearer(tokens::good())).status == 200).then_some(())
    });
    assert!(
        back.is_some(),
        "the gate runs again and nginx does not ask it"
    );
}
