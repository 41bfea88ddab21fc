//! `/forward-auth`: the answer that Traefik, Caddy and their kin hand to the client as it is.

use serde_json::json;

use crate::harness::{Gate, Request, Response, Settings, tokens};

fn page(gate: &Gate, uri: &str) -> Response {
    Request::get("/forward-auth")
        .page_load()
        .forwarded("GET", uri)
        .send(gate.main())
}

#[test]
fn a_good_token_is_answered_exactly_200_with_every_identity_header() {
    let gate = Settings::with_sign_in().start();
    let answer = Request::get("/forward-auth")
        .forwarded("POST", "/app")
        .bearer(tokens::good())
        .send(gate.main());
    assert_eq!((answer.status, answer.text().as_str()), (200, ""));
    assert_eq!(answer.header("X-Auth-User"), Some("alice"));
    assert_eq!(answer.header("X-Auth-Email"), Some("alice@example.com"));
    assert_eq!(answer.header("X-Auth-Groups"), Some("dev,ops"));
}

#[test]
fn a_page_load_without_a_token_is_sent_to_sign_in_with_the_return_address_encoded_once() {
    let gate = Settings::with_sign_in().start();
    let answer = page(&gate, "/a/b?x=1&y=2");
    assert_eq!(answer.status, 302);
    assert_eq!(
        answer.header("Location"),
        Some(
            "https://auth.example.com/login?retpath=https%3A%2F%2Fapp.example.com%2Fa%2Fb%3Fx%3D1%26y%3D2"
        )
    );
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    assert_eq!(answer.header("X-Auth-User"), None);
}

#[test]
fn a_page_load_with_an_expired_token_is_sent_to_sign_in_too() {
    let gate = Settings::with_sign_in().start();
    let answer = Request::get("/forward-auth")
        .page_load()
        .forwarded("GET", "/a")
        .cookie(format!("auth_token={}", tokens::expired()))
        .send(gate.main());
    assert_eq!(answer.status, 302);
}

#[test]
fn the_name_of_the_parameter_is_configurable() {
    let gate = Settings::with_sign_in()
        .top("retpath_param = \"return to\"")
        .start();
    let location = page(&gate, "/a")
        .header("Location")
        .expect("a redirect")
        .to_owned();
    let url = url::Url::parse(&location).expect("a URL");
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    assert_eq!(
        pairs,
        [(
            "return to".to_owned(),
            "https://app.example.com/a".to_owned()
        )]
    );
}

#[test]
fn without_auth_url_a_page_load_gets_401() {
    let gate = Settings::hmac().start();
    let answer = page(&gate, "/a");
    assert_eq!((answer.status, answer.header("Location")), (401, None));
    assert_eq!(
        answer.header("WWW-Authenticate"),
        Some("Bearer realm=\"jwtgate\"")
    );
}

#[test]
fn s11_6_what_is_no_page_load_gets_401_and_no_location() {
    let gate = Settings::with_sign_in().start();
    let base = |method: &str| Request::get("/forward-auth").forwarded(method, "/a");
    let html = "text/html";
    let requests = [
        base("GET").header("Accept", "application/json"),
        base("GET").header("Accept", "*/*"),
        base("GET"),
        base("POST").header("Accept", html),
        base("DELETE").header("Accept", html),
        base("GET")
            .header("Accept", html)
            .header("Sec-Fetch-Mode", "cors"),
        base("GET")
            .header("Accept", html)
            .header("Sec-Fetch-Mode", "no-cors"),
        base("GET")
            .header("Accept", html)
            .header("X-Requested-With", "XMLHttpRequest"),
        base("GET")
            .header("Accept", html)
            .header("Upgrade", "websocket")
            .header("Connection", "Upgrade"),
    ];
    for request in requests {
        let answer = request.send(gate.main());
        let shown = String::from_utf8_lossy(&request.bytes()).into_owned();
        assert_eq!(
            (answer.status, answer.header("Location")),
            (401, None),
            "{shown}"
        );
        assert_eq!(
            answer.header("WWW-Authenticate"),
            Some("Bearer realm=\"jwtgate\""),
            "{shown}"
        );
    }
}

#[test]
fn page_loads_are_recognised_with_and_without_fetch_metadata() {
    let gate = Settings::with_sign_in().start();
    let base = |method: &str| Request::get("/forward-auth").forwarded(method, "/a");
    let requests = [
        base("GET").header("Accept", "text/html"),
        base("HEAD").header("Accept", "text/html"),
        base("GET").header("Accept", "application/xml;q=0.5, TEXT/HTML;q=0.9"),
        base("GET").header("Sec-Fetch-Mode", "navigate"),
    ];
    for request in requests {
        let answer = request.send(gate.main());
        assert_eq!(
            answer.status,
            302,
            "{}",
            String::from_utf8_lossy(&request.bytes())
        );
    }
}

#[test]
fn a_refusal_is_problem_json_or_a_page_by_accept() {
    let gate = Settings::hmac().start();
    let refused = || {
        Request::get("/forward-auth")
            .forwarded("GET", "/a")
            .bearer(tokens::expired())
    };
    let json = refused()
        .header("Accept", "application/json")
        .send(gate.main());
    assert_eq!(
        (json.status, json.header("Content-Type")),
        (401, Some("application/problem+json"))
    );
    let problem = json.json();
    assert_eq!(problem["status"], 401);
    assert!(problem["title"].is_string(), "{problem}");
    let html = refused().header("Accept", "text/html").send(gate.main());
    assert_eq!(html.status, 401);
    assert!(
        html.header("Content-Type")
            .is_some_and(|value| value.starts_with("text/html")),
        "{html:?}"
    );
    assert!(
        html.text().contains("<html") || html.text().contains("<!DOCTYPE html>"),
        "{}",
        html.text()
    );
    let unsaid = refused().send(gate.main());
    assert_eq!(
        unsaid.header("Content-Type"),
        Some("application/problem+json")
    );
}

#[test]
fn refusals_are_never_stored_nor_sniffed_nor_framed() {
    let gate = Settings::hmac().start();
    let answer = Request::get("/forward-auth")
        .header("Accept", "text/html")
        .send(gate.main());
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
    let policy = answer
        .header("Content-Security-Policy")
        .expect("a policy on a page");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
}

#[test]
fn ambiguous_credentials_are_400_here_and_401_with_that_error_at_verify() {
    let gate = Settings::hmac().start();
    let twice = |endpoint: &str| {
        Request::get(endpoint)
            .bearer(tokens::good())
            .bearer(tokens::good_for("bob"))
            .send(gate.main())
    };
    let forward = twice("/forward-auth");
    assert_eq!(forward.status, 400);
    assert_eq!(forward.header("X-Auth-User"), None);
    let verify = twice("/verify");
    assert_eq!(verify.status, 401);
    let challenge = verify.header("WWW-Authenticate").expect("a challenge");
    assert!(
        challenge.contains("error=\"invalid_request\""),
        "{challenge}"
    );
}

#[test]
fn any_method_of_the_check_itself_is_answered() {
    let gate = Settings::with_sign_in().start();
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
        let good = Request::new(method, "/forward-auth")
            .forwarded("GET", "/a")
            .bearer(tokens::good());
        assert_eq!(good.send(gate.main()).status, 200, "{method}");
        let unread = Request::new(method, "/forward-auth")
            .forwarded("GET", "/a")
            .header("Content-Length", "5");
        assert_eq!(unread.send(gate.main()).status, 401, "{method}");
    }
}

#[test]
fn userinfo_tells_the_identity_as_json_and_never_redirects() {
    let gate = Settings::with_sign_in().start();
    let claims = tokens::good_claims();
    let answer = Request::get("/userinfo")
        .bearer(tokens::signed(&claims))
        .send(gate.main());
    assert_eq!(
        (answer.status, answer.header("Content-Type")),
        (200, Some("application/json"))
    );
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    let body = answer.json();
    assert_eq!(body["username"], "alice");
    assert_eq!(body["email"], "alice@example.com");
    assert_eq!(body["groups"], json!(["dev", "ops"]));
    assert_eq!(body["expires_at"], claims["exp"]);
    assert!(body["issuer"].is_string(), "{body}");
    let refused = Request::get("/userinfo").page_load().send(gate.main());
    assert_eq!((refused.status, refused.header("Location")), (401, None));
}
