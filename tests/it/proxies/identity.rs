//! What the application is told.

use serde_json::json;

use crate::harness::proxies::{Edits, Extent, Kind};
use crate::harness::tokens;
use crate::harness::upstream::echoed_headers;

use super::behind_every_proxy;
use super::chain::{Chain, get, settings, shows_alice};

behind_every_proxy!(
    the_application_sees_the_request_as_it_was_and_who_sent_it,
    a_signed_identity_arrives_where_one_is_made,
    s13_1_requests_on_kept_connections_do_not_mix,
);

fn the_application_sees_the_request_as_it_was_and_who_sent_it(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    for target in [
        "/",
        "/app",
        "/app/p%20x?x=1&y=%2F",
        "/app?next=/../admin//x&a=b",
        "/app/%C3%A4?q=%3F%26#",
        "/app/a+b,c:d@e(f)*g'h!$&?",
        "/app/~user/.well-known/x?",
    ] {
        // A fragment is no part of a request, and some proxies say so.
        let target = target.trim_end_matches('#');
        let echo = chain.reached(&get(target).bearer(tokens::good()));
        assert_eq!(echo["target"], target, "{kind:?}");
        assert_eq!(echoed_headers(&echo, "Host"), ["app.example.com"]);
        shows_alice(&echo, target);
    }
    // Beyond ASCII, and nothing at all.
    let token = tokens::with(&json!({"username": "zoë", "email": null, "groups": null}));
    let echo = chain.reached(&get("/app").bearer(token));
    assert_eq!(echoed_headers(&echo, "X-Auth-User"), ["zo%C3%AB"]);
    for name in ["X-Auth-Email", "X-Auth-Groups"] {
        let values = echoed_headers(&echo, name);
        assert!(values.iter().all(String::is_empty), "{name}: {values:?}");
    }
}

fn a_signed_identity_arrives_where_one_is_made(kind: Kind) {
    let table = r#"
        [signed_identity]
        header = "X-Auth-Identity"
        issuer = "https://gate.example.com"
        audience = "https://app.example.com"
        "#;
    // As the comment in that configuration says.
    let edits: Edits<'_> = match kind {
        Kind::Nginx => &[
            (
                "auth_request_set $auth_user ",
                "auth_request_set $auth_identity $upstream_http_x_auth_identity; auth_request_set $auth_user ",
            ),
            (
                "proxy_set_header X-Auth-Identity \"\";",
                "proxy_set_header X-Auth-Identity $auth_identity;",
            ),
        ],
        _ => &[],
    };
    let Some(chain) = Chain::start_with(kind, Extent::Full, settings().table(table), edits) else {
        return;
    };
    let good = get("/app").bearer(tokens::good());
    for request in [good.clone(), good.header("X-Auth-Identity", "root")] {
        let echo = chain.reached(&request);
        let identity = echoed_headers(&echo, "X-Auth-Identity");
        assert_eq!(identity.len(), 1, "{identity:?}");
        assert!(identity[0].starts_with("eyJ"), "{identity:?}");
        shows_alice(&echo, "a signed identity");
    }
    // Nobody is known here.
    let public = chain.reached(&get("/public/x").header("X-Auth-Identity", "root"));
    let identity = echoed_headers(&public, "X-Auth-Identity");
    assert!(identity.iter().all(String::is_empty), "{identity:?}");
}

fn s13_1_requests_on_kept_connections_do_not_mix(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let mut connections = [chain.open(), chain.open()];
    for index in 0..40 {
        for (at, connection) in connections.iter_mut().enumerate() {
            let name = format!("user-{index}-{at}");
            let good = get("/app").bearer(tokens::good_for(&name));
            let answer = connection.send(&good).expect("an answer");
            assert_eq!(echoed_headers(&answer.json(), "X-Auth-User"), [name]);
            let forged = get("/app").bearer(tokens::forged());
            let refused = connection.send(&forged).expect("an answer");
            assert_eq!(refused.status, 401);
            let absent = connection.send(&get("/app")).expect("an answer");
            assert_eq!(absent.status, 401);
        }
    }
    assert_eq!(chain.app.served(), 80);
}
