//! `/ext-authz/…`: what Envoy asks over HTTP. The request line is the client's own behind a prefix.

use serde_json::json;

use crate::harness::{Gate, Request, Response, Settings, tokens};

/// A rule for each side: `/admin` is closed, everything else wants a token.
const ADMIN_IS_CLOSED: &str = r#"
[[rules]]
action = "deny"
path_prefix = "/admin"
[[rules]]
action = "require"
path_prefix = "/"
"#;

fn gate() -> Gate {
    Settings::with_sign_in().table(ADMIN_IS_CLOSED).start()
}

fn ask(gate: &Gate, target: &str) -> Response {
    Request::get(target)
        .bearer(tokens::good())
        .send(gate.main())
}

#[test]
fn the_path_behind_the_prefix_is_judged() {
    let gate = gate();
    let answer = ask(&gate, "/ext-authz/app/p%20x?x=1");
    assert_eq!((answer.status, answer.text().as_str()), (200, ""));
    assert_eq!(answer.header("X-Auth-User"), Some("alice"));
    assert_eq!(ask(&gate, "/ext-authz/").status, 200);
    assert_eq!(ask(&gate, "/ext-authz/admin/x?y").status, 403);
    assert_eq!(ask(&gate, "/ext-authz/ext-authz/admin").status, 200);
    // What has several readings passes only where all of them may.
    for path in [
        "//admin",
        "/%2fadmin",
        "/app/..;/admin",
        "/app/%2e%2e/admin",
    ] {
        let answer = ask(&gate, &format!("/ext-authz{path}"));
        assert_eq!(answer.status, 403, "{path}");
    }
}

#[test]
fn s8_2_envoy_is_told_which_headers_of_the_client_to_remove() {
    let gate = gate();
    let told = |token: String| {
        let answer = Request::get("/ext-authz/app")
            .bearer(token)
            .send(gate.main());
        let names = answer.header("X-Envoy-Auth-Headers-To-Remove");
        let mut names: Vec<_> = names
            .expect("names")
            .split(',')
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    };
    let aliases = ["x_auth_email", "x_auth_groups", "x_auth_user"];
    assert_eq!(told(tokens::good()), aliases);
    let nameless = tokens::with(&json!({"email": null, "groups": null}));
    assert_eq!(
        told(nameless),
        [&["x-auth-email", "x-auth-groups"][..], &aliases].concat()
    );
}

#[test]
fn the_method_is_the_clients_own_and_bodies_are_not_read() {
    let gate = Settings::hmac()
        .table("[[rules]]\naction = \"require\"\nmethod = [\"POST\"]\npath_prefix = \"/\"")
        .start();
    assert_eq!(ask(&gate, "/ext-authz/a").status, 403);
    let post = |body: &str| Request::new("POST", "/ext-authz/a").body(body);
    let answer = post("").bearer(tokens::good()).send(gate.main());
    assert_eq!(answer.status, 200);
    let answer = post("a=1").bearer(tokens::good()).send(gate.main());
    assert_eq!(answer.status, 200);
}

#[test]
fn a_token_in_the_clients_query_counts_and_leaves_the_return_address() {
    let gate = Settings::with_sign_in().start();
    let query = format!("/ext-authz/a?auth_token={}&x=1", tokens::good());
    assert_eq!(Request::get(query).send(gate.main()).status, 200);
    let query = format!("/ext-authz/a/b?auth_token={}&x=1", tokens::expired());
    let answer = Request::get(query)
        .page_load()
        .header("X-Forwarded-Proto", "https")
        .send(gate.main());
    assert_eq!(answer.status, 302);
    assert_eq!(
        answer.header("Location"),
        Some(
            "https://auth.example.com/login?retpath=https%3A%2F%2Fapp.example.com%2Fa%2Fb%3Fx%3D1"
        )
    );
}

#[test]
fn s10_1_headers_of_other_dialects_mean_nothing() {
    let gate = gate();
    let forged = |request: Request| {
        request
            .header("X-Forwarded-Uri", "/app")
            .header("X-Forwarded-Method", "GET")
            .header("X-Forwarded-Host", "evil.example.com")
            .header("X-Original-URL", "https://app.example.com/app")
            .header("X-Original-URI", "/app")
            .header("X-Envoy-Original-Path", "/app")
    };
    let admin = forged(Request::get("/ext-authz/admin")).bearer(tokens::good());
    assert_eq!(admin.send(gate.main()).status, 403);
    let page = forged(Request::get("/ext-authz/a")).page_load();
    let page = page.header("X-Forwarded-Proto", "https").send(gate.main());
    let location = page.header("Location").expect("a redirect");
    assert!(
        location.ends_with("retpath=https%3A%2F%2Fapp.example.com%2Fa"),
        "{location}"
    );
}

#[test]
fn s10_1_only_trusted_proxies_may_ask() {
    let gate = Settings::hmac().server("trusted_proxies = []").start();
    assert_eq!(ask(&gate, "/ext-authz/app").status, 403);
    assert_eq!(gate.reason(1), "proxy.untrusted");
}

#[test]
fn s10_2_what_cannot_be_understood_is_refused() {
    let gate = gate();
    for target in ["/ext-authz", "/ext-authz?x=1", "/%65xt-authz/app"] {
        let status = ask(&gate, target).status;
        assert!((400..500).contains(&status), "{target}: {status}");
    }
    assert_eq!(ask(&gate, "/ext-authzz/app").status, 404);
    for (name, value) in [
        ("X-Forwarded-Proto", "gopher"),
        ("X-Forwarded-Proto", "http,https"),
        ("Host", "a b"),
    ] {
        let request = Request::get("/ext-authz/app").bearer(tokens::good());
        let request = if name == "Host" {
            request.host(value)
        } else {
            request.header(name, value)
        };
        assert_eq!(request.send(gate.main()).status, 400, "{name}: {value}");
    }
}

#[test]
fn s10_5_lines_that_envoy_joined_are_seen_as_more_than_one() {
    let gate = Settings::with_sign_in().start();
    let ask = |name: &str, value: String| {
        let request = Request::get("/ext-authz/app").header(name, value);
        request.send(gate.main()).status
    };
    let (good, other) = (tokens::good(), tokens::good_for("bob"));
    let joined = ask("Authorization", format!("Bearer {good},Bearer {other}"));
    assert_eq!(joined, 400);
    let twice = ask("Cookie", format!("auth_token={good},auth_token={other}"));
    assert_eq!(twice, 400);
    // Two lines, of which only one holds the token.
    let once = ask("Cookie", format!("a=1; auth_token={good},b=2"));
    assert_eq!(once, 200);
}
