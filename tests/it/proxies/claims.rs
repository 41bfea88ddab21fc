//! What a client claims about its own request: headers that a proxy would set.

use crate::harness::proxies::{Extent, Kind};
use crate::harness::upstream::echoed_headers;
use crate::harness::{Request, Settings, tokens};

use super::behind_every_proxy;
use super::chain::{Chain, folded_headers, get};
use super::table::Cell;

behind_every_proxy!(
    s10_1_no_claim_of_a_client_changes_the_decision,
    s10_1_no_claim_of_a_client_changes_the_return_address,
    s10_1_no_claim_of_a_client_reaches_the_application_as_truth,
    s10_1_no_client_chooses_its_address,
);

/// Names that say which request was meant.
const REQUESTS: [&str; 12] = [
    "X-Original-URL",
    "X-Original-URI",
    "X-Original-Host",
    "X-Original-Method",
    "X-Rewrite-URL",
    "X-Forwarded-Uri",
    "X-Forwarded-Path",
    "X-Forwarded-Prefix",
    "X-Forwarded-Method",
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-Method-Override",
];

/// Names that say from where it came, and to where.
const PLACES: [&str; 7] = [
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-For",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Real-IP",
    "Forwarded",
];

fn all_with(request: Request, value: &str) -> Request {
    let names = REQUESTS.iter().chain(&PLACES);
    names.fold(request, |request, name| request.header(name, value))
}

fn s10_1_no_claim_of_a_client_changes_the_decision(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let with_token = format!("/app?auth_token={}", tokens::good());
    for name in REQUESTS.iter().chain(&PLACES) {
        for value in [
            "/public",
            "http://app.example.com/public",
            "OPTIONS",
            "https",
            "127.0.0.1",
            "",
            &with_token,
        ] {
            chain.refused(&get("/app").header(name, value), 401);
            let denied = get("/admin").bearer(tokens::good()).header(name, value);
            chain.refused(&denied, 403);
        }
        // Nor does it keep out who may pass, as a header of the proxy's own beside it would.
        for value in ["/admin", "https://other.example.com/admin", "%%", "DELETE"] {
            let good = get("/app").bearer(tokens::good()).header(name, value);
            chain.reached(&good);
            chain.reached(&good.header(name, "/other"));
        }
    }
    chain.shows(
        Cell::Claims,
        &all_with(get("/app").bearer(tokens::good()), "/admin"),
    );
}

fn s10_1_no_claim_of_a_client_changes_the_return_address(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let expected =
        "https://auth.example.com/login?retpath=http%3A%2F%2Fapp.example.com%2Fa%3Fx%3D1";
    for value in [
        "evil.example.com",
        "https",
        "https://evil.example.com/",
        "/evil",
        "host=evil.example.com;proto=https",
    ] {
        let answer = chain.refused(&all_with(get("/a?x=1").page_load(), value), 302);
        assert_eq!(answer.header("Location"), Some(expected), "{value}");
    }
    let foreign = get("/a?x=1").host("evil.example.com").page_load();
    let answer = chain.refused(&foreign, 302);
    let location = answer.header("Location").expect("a redirect");
    assert!(!location.contains("evil"), "{location}");
}

fn s10_1_no_claim_of_a_client_reaches_the_application_as_truth(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let request = all_with(get("/app").bearer(tokens::good()), "192.0.2.66");
    let underscored = REQUESTS.iter().chain(&PLACES).fold(request, |all, name| {
        all.header(&name.replace('-', "_"), "192.0.2.66")
    });
    let echo = chain.reached(&underscored);
    for (name, value) in folded_headers(&echo) {
        assert!(!value.contains("192.0.2.66"), "{name}: {value}");
        match name.as_str() {
            "x-forwarded-proto" => assert_eq!(value, "http"),
            "x-forwarded-host" => assert_eq!(value, "app.example.com"),
            _ => {}
        }
    }
    if kind.is_envoy() {
        // It would believe these of clients in private networks, and loopback is one.
        for name in [
            "X-Envoy-Original-Path",
            "X-Envoy-Upstream-Rq-Timeout-Ms",
            "X-Envoy-Force-Trace",
        ] {
            let claimed = get("/app").bearer(tokens::good()).header(name, "66");
            let echo = chain.reached(&claimed);
            let values = echoed_headers(&echo, name);
            assert!(values.is_empty(), "{name}: {values:?}");
        }
    }
}

fn s10_1_no_client_chooses_its_address(kind: Kind) {
    let rules = r#"
        [[rules]]
        action = "require"
        path_prefix = "/office"
        source = "203.0.113.0/24"
        [[rules]]
        action = "deny"
        path_prefix = "/office"
        [[rules]]
        action = "require"
        path_prefix = "/here"
        source = "127.0.0.0/8"
        [[rules]]
        action = "require"
        path_prefix = "/anywhere"
        source = ["0.0.0.0/0", "::/0"]
        "#;
    let settings = Settings::hmac().table(rules);
    let Some(chain) = Chain::start_with(kind, Extent::Full, settings, &[]) else {
        return;
    };
    let good = |target: &str| get(target).bearer(tokens::good());
    // Envoy calls a client on loopback by an address of the machine.
    let is_here =
        |request: &Request| kind.is_envoy() || chain.reached(request)["target"] == "/here";
    assert!(is_here(&good("/here")));
    // Wherever it came from, the gate knows it.
    chain.reached(&good("/anywhere"));
    chain.refused(&good("/office"), 403);
    for value in [
        "203.0.113.7",
        "203.0.113.7, 127.0.0.1",
        "127.0.0.1, 203.0.113.7",
    ] {
        for name in [
            "X-Forwarded-For",
            "X_Forwarded_For",
            "X-Real-IP",
            "Forwarded",
        ] {
            let claimed = good("/office").header(name, value).header(name, value);
            chain.refused(&claimed, 403);
        }
        assert!(is_here(&good("/here").header("X-Forwarded-For", value)));
    }
}
