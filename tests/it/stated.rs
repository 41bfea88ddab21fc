//! What a proxy does not say, and what it says twice: rules must not be asked about a guess.

use crate::harness::{Gate, Request, Settings, tokens};

const BY_PATH: &str = "[[rules]]\naction = \"require\"\npath_prefix = \"/\"\n";

#[track_caller]
fn refused(gate: &Gate, request: Request, count: usize, reason: &str) {
    let answer = request.bearer(tokens::good()).send(gate.main());
    assert!([400, 403].contains(&answer.status), "{answer:?}");
    assert_eq!(gate.reason(count), reason);
}

#[track_caller]
fn passes(gate: &Gate, request: Request) {
    let answer = request.bearer(tokens::good()).send(gate.main());
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Checks that say method and host, but no path.
fn without_path() -> [Request; 4] {
    [
        Request::get("/verify"),
        Request::get("/verify").header("X-Original-Method", "GET"),
        Request::get("/forward-auth"),
        Request::get("/forward-auth")
            .header("X-Forwarded-Method", "GET")
            .header("X-Forwarded-Host", "app.example.com"),
    ]
}

#[test]
fn a_path_that_nobody_stated_is_refused_where_a_rule_asks_for_one() {
    // The path of the check itself, `/verify`, lies under `/`, and says nothing about the request.
    let gate = Settings::hmac().table(BY_PATH).start();
    for (index, request) in without_path().into_iter().enumerate() {
        refused(&gate, request, index + 1, "policy.unknown_path");
    }
    passes(&gate, Request::get("/verify").original("GET", "/x"));
    passes(&gate, Request::get("/forward-auth").forwarded("GET", "/x"));
}

#[test]
fn a_rule_that_denies_a_path_refuses_an_unknown_one_before_any_rule_behind_it_is_asked() {
    let deny = "[[rules]]\naction = \"deny\"\npath = \"/admin\"\n[[rules]]\naction = \"public\"\n";
    let gate = Settings::hmac().table(deny).start();
    for (index, request) in without_path().into_iter().enumerate() {
        refused(&gate, request, index + 1, "policy.unknown_path");
    }
}

#[test]
fn rules_without_paths_need_nobody_to_state_one() {
    let rules = "[[rules]]\naction = \"require\"\nhost = \"app.example.com\"\n";
    let gate = Settings::hmac().table(rules).start();
    passes(&gate, Request::get("/verify").host("app.example.com"));
    passes(
        &gate,
        Request::get("/forward-auth").header("X-Forwarded-Host", "app.example.com"),
    );
    passes(&Settings::hmac().start(), Request::get("/verify"));
}

/// What states a path and no method.
fn without_method() -> [Request; 2] {
    [
        Request::get("/verify").header("X-Original-URI", "/x"),
        Request::get("/forward-auth").header("X-Forwarded-Uri", "/x"),
    ]
}

#[test]
fn a_method_that_nobody_stated_fits_no_rule_that_allows_and_every_one_that_denies() {
    // The check itself is a GET, whatever the client sent.
    let allow = "[[rules]]\naction = \"require\"\nmethod = \"GET\"\n";
    let gate = Settings::hmac().table(allow).start();
    for (index, request) in without_method().into_iter().enumerate() {
        refused(&gate, request, index + 1, "policy.no_rule");
    }
    passes(&gate, Request::get("/verify").original("GET", "/x"));
    let deny =
        "[[rules]]\naction = \"deny\"\nmethod = \"DELETE\"\n[[rules]]\naction = \"require\"\n";
    let gate = Settings::hmac().table(deny).start();
    for (index, request) in without_method().into_iter().enumerate() {
        refused(&gate, request, index + 1, "policy.denied");
    }
    passes(&gate, Request::get("/verify").original("GET", "/x"));
}

#[test]
fn s10_5_a_url_that_names_another_place_than_the_headers_beside_it_is_ambiguous() {
    let gate = Settings::hmac().table(BY_PATH).start();
    let url = || Request::get("/verify").header("X-Original-URL", "https://app.example.com/x");
    let others = [
        url().header("X-Forwarded-Host", "other.example.com"),
        url().header("X-Forwarded-Host", "app.example.com:8443"),
        url().header("X-Forwarded-Proto", "http"),
        // Beside a URI, the host of the check is the one that the proxy serves.
        url()
            .header("X-Original-URI", "/x")
            .host("other.example.com"),
        url().header("X-Original-URI", "/y").host("app.example.com"),
    ];
    for (index, request) in others.into_iter().enumerate() {
        refused(&gate, request, index + 1, "request.ambiguous");
    }
    for request in [
        url().header("X-Forwarded-Host", "APP.example.com"),
        url().header("X-Forwarded-Host", "app.example.com:443"),
        url().header("X-Forwarded-Proto", "https"),
        url().header("X-Forwarded-Proto", "wss"),
        // ingress-nginx empties what it does not know.
        url().header("X-Forwarded-Host", ""),
        url().header("X-Original-URI", "/x").host("app.example.com"),
        // Without a URI, it may well be the gate's own.
        url().host("gate.internal"),
    ] {
        passes(&gate, request);
    }
}

#[test]
fn s10_2_a_stated_path_that_is_too_long_is_refused_as_such() {
    let gate = Settings::hmac()
        .server("max_header_bytes = 65536")
        .table(BY_PATH)
        .start();
    let long = format!("/{}", "x".repeat(16 * 1024));
    let just_fits = &long[..16 * 1024];
    for (count, request) in [
        (1, Request::get("/verify").original("GET", &long)),
        (2, Request::get("/forward-auth").forwarded("GET", &long)),
    ] {
        let answer = request.bearer(tokens::good()).send(gate.main());
        assert_ne!(answer.status, 200);
        assert_eq!(gate.reason(count), "request.too_large");
    }
    passes(&gate, Request::get("/verify").original("GET", just_fits));
}

#[test]
fn s10_2_hosts_with_empty_labels_and_urls_with_a_query_behind_the_host_are_malformed() {
    let gate = Settings::hmac().table(BY_PATH).start();
    let url = |text: &str| Request::get("/verify").header("X-Original-URL", text);
    let host = |name: &str| {
        Request::get("/forward-auth")
            .forwarded("GET", "/x")
            .header("X-Forwarded-Host", name)
    };
    let forwarded = |name: &str| {
        Request::get("/forward-auth")
            .header("X-Forwarded-Uri", "/x")
            .header("X-Forwarded-Host", name)
    };
    let requests = [
        url("http://app.example.com?/admin"),
        url("http://app.example.com:80?x=/admin"),
        url("http://app.example.com../x"),
        url("http://.example.com/x"),
        forwarded("app.example.com.."),
        forwarded(".app.example.com"),
        forwarded("app..example.com"),
    ];
    for (index, request) in requests.into_iter().enumerate() {
        refused(&gate, request, index + 1, "request.malformed");
    }
    // Two hosts are no host.
    refused(&gate, host("other.example.com"), 8, "request.ambiguous");
}
