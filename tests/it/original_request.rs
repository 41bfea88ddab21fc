//! What a proxy may say about the original request, and who is believed.

use crate::harness::{Gate, Request, Settings, tokens};

fn status(gate: &Gate, request: &Request) -> u16 {
    request.send(gate.main()).status
}

#[test]
fn with_no_word_about_another_request_the_request_itself_is_judged() {
    let gate = Settings::with_sign_in().start();
    let token = tokens::good();
    for endpoint in ["/verify", "/forward-auth"] {
        assert_eq!(
            status(
                &gate,
                &Request::get(format!("{endpoint}?auth_token={token}"))
            ),
            200,
            "{endpoint}"
        );
        assert_eq!(
            status(&gate, &Request::get(endpoint).bearer(&token)),
            200,
            "{endpoint}"
        );
    }
}

#[test]
fn the_query_of_the_check_is_not_the_query_of_the_original() {
    let gate = Settings::with_sign_in().start();
    let token = tokens::good();
    let verify = Request::get(format!("/verify?auth_token={token}")).original("GET", "/app");
    assert_eq!(status(&gate, &verify), 401);
    // Caddy appends the client's query to its check request, too.
    let forward =
        Request::get(format!("/forward-auth?auth_token={token}")).forwarded("GET", "/app");
    assert_eq!(status(&gate, &forward), 401);
}

#[test]
fn verify_never_reads_x_forwarded_uri() {
    let gate = Settings::with_sign_in().start();
    let uri = format!("/app?auth_token={}", tokens::good());
    assert_eq!(
        status(
            &gate,
            &Request::get("/verify").header("X-Forwarded-Uri", &uri)
        ),
        401
    );
    assert_eq!(
        status(
            &gate,
            &Request::get("/verify")
                .original("GET", "/app")
                .header("X-Forwarded-Uri", &uri)
        ),
        401
    );
}

#[test]
fn forward_auth_never_reads_x_original_headers() {
    let gate = Settings::with_sign_in().start();
    let uri = format!("/app?auth_token={}", tokens::good());
    let url = format!("https://app.example.com{uri}");
    for (name, value) in [("X-Original-URI", &uri), ("X-Original-URL", &url)] {
        assert_eq!(
            status(&gate, &Request::get("/forward-auth").header(name, value)),
            401,
            "{name}"
        );
        let both = Request::get("/forward-auth")
            .forwarded("GET", "/app")
            .header(name, value);
        assert_eq!(status(&gate, &both), 401, "{name}");
    }
}

#[test]
fn s10_1_any_word_from_an_untrusted_peer_is_403() {
    let gate = Settings::with_sign_in()
        .server("trusted_proxies = []")
        .start();
    let verify = Request::get("/verify").bearer(tokens::good());
    let forward = Request::get("/forward-auth").bearer(tokens::good());
    let requests = [
        verify.clone().header("X-Original-URI", "/app"),
        verify
            .clone()
            .header("X-Original-URL", "https://app.example.com/app"),
        verify.clone().header("X-Original-Method", "GET"),
        forward.clone().header("X-Forwarded-Uri", "/app"),
        forward
            .clone()
            .header("X-Forwarded-Host", "app.example.com"),
        forward.clone().header("X-Forwarded-Proto", "https"),
        forward.clone().header("X-Forwarded-Method", "GET"),
    ];
    for (count, request) in requests.iter().enumerate() {
        let answer = request.send(gate.main());
        assert_eq!(
            (answer.status, answer.header("X-Auth-User")),
            (403, None),
            "{request:?}"
        );
        assert_eq!(gate.reason(count + 1), "proxy.untrusted");
    }
    assert_eq!(status(&gate, &verify), 200);
    assert_eq!(status(&gate, &forward), 200);
}

#[test]
fn trusted_proxies_takes_networks_and_unix_sockets() {
    let request = |address: &_| {
        Request::get("/verify")
            .bearer(tokens::good())
            .original("GET", "/app")
            .send(address)
    };
    let other = Settings::hmac()
        .server("trusted_proxies = [\"10.0.0.0/8\", \"2001:db8::/32\"]")
        .start();
    assert_eq!(request(other.main()).status, 403);
    let loopback = Settings::hmac()
        .server("trusted_proxies = [\"127.0.0.0/8\"]")
        .start();
    assert_eq!(request(loopback.main()).status, 200);
    let unix = Settings::hmac()
        .listen("[\"unix:{dir}/gate.sock\", \"127.0.0.1:0\"]")
        .server("trusted_proxies = [\"unix\"]")
        .start();
    assert_eq!(request(&unix.mains()[0]).status, 200);
    assert_eq!(request(&unix.mains()[1]).status, 403);
}

#[test]
fn url_and_uri_that_differ_are_403() {
    let gate = Settings::hmac().start();
    let verify = Request::get("/verify").bearer(tokens::good());
    let both = |url: &str, uri: &str| {
        verify
            .clone()
            .header("X-Original-URL", url)
            .header("X-Original-URI", uri)
    };
    assert_eq!(
        status(&gate, &both("https://app.example.com/a?x=1", "/a?x=1")),
        200
    );
    let differing = [
        both("https://app.example.com/a", "/b"),
        both("https://app.example.com/a", "/a?x=1"),
        both("https://app.example.com/a?x=1", "/a?x=2"),
        both("https://app.example.com/a%2fb", "/a/b"),
    ];
    for (count, request) in differing.iter().enumerate() {
        assert_eq!(status(&gate, request), 403, "{request:?}");
        assert_eq!(gate.reason(count + 1), "request.ambiguous");
    }
}

#[test]
fn original_request_pins_one_of_url_and_uri() {
    let token = tokens::good();
    let uri = format!("/app?auth_token={token}");
    let request = Request::get("/verify").header("X-Original-URL", "https://app.example.com/app");
    let request = request.header("X-Original-URI", &uri);
    let pinned_to_uri = Settings::with_sign_in()
        .server("original_request = \"uri\"")
        .start();
    assert_eq!(status(&pinned_to_uri, &request), 200);
    let other = Settings::with_sign_in()
        .server("original_request = \"url\"")
        .start();
    assert_eq!(status(&other, &request), 401);
}

#[test]
fn s10_5_a_header_of_the_proxy_that_comes_twice_is_refused() {
    let gate = Settings::hmac().start();
    let requests = [
        Request::get("/verify")
            .header("X-Original-URI", "/a")
            .header("X-Original-URI", "/b"),
        Request::get("/verify")
            .original("GET", "/a")
            .header("X-Original-Method", "POST"),
        Request::get("/verify")
            .original("GET", "/a")
            .header("X-Forwarded-Host", "evil.example.com"),
        Request::get("/forward-auth")
            .forwarded("GET", "/a")
            .header("X-Forwarded-Uri", "/b"),
        Request::get("/forward-auth")
            .forwarded("GET", "/a")
            .header("X-Forwarded-Proto", "http"),
    ];
    for request in requests {
        let status = status(&gate, &request.clone().bearer(tokens::good()));
        assert!([400, 403].contains(&status), "{status} for {request:?}");
    }
}

#[test]
fn s10_2_malformed_words_of_a_proxy_are_refused_and_never_a_fault() {
    let gate = Settings::hmac().start();
    let verify = || Request::get("/verify").bearer(tokens::good());
    let forward = || Request::get("/forward-auth").bearer(tokens::good());
    let requests = [
        verify().header("X-Original-URI", ""),
        verify().header("X-Original-URI", "app"),
        verify().header("X-Original-URI", "https://app.example.com/"),
        verify().header("X-Original-URI", "/a b"),
        verify().header("X-Original-URI", "/a\tb"),
        verify().header("X-Original-URL", "/a"),
        verify().header("X-Original-URL", "javascript:alert(1)"),
        verify().header("X-Original-URL", "https://"),
        verify().header("X-Original-URL", "https://app.example.com:99999/"),
        verify().header("X-Original-URL", "https://user@app.example.com/"),
        verify()
            .header("X-Original-URI", "/a")
            .header("X-Original-Method", "GET POST"),
        verify()
            .header("X-Original-URI", "/a")
            .header("X-Original-Method", ""),
        verify()
            .header("X-Original-URI", "/a")
            .header("X-Forwarded-Host", "a b"),
        verify()
            .header("X-Original-URI", "/a")
            .header("X-Forwarded-Host", "a/b"),
        verify()
            .header("X-Original-URI", "/a")
            .header("X-Forwarded-Host", "user@host"),
        verify()
            .header("X-Original-URI", "/a")
            .header("X-Forwarded-Proto", "javascript"),
        forward().header("X-Forwarded-Uri", "a"),
        forward().forwarded("GET ", "/a\\ b"),
        forward()
            .header("X-Forwarded-Uri", "/a")
            .header("X-Forwarded-Proto", "ftp"),
        forward()
            .header("X-Forwarded-Uri", "/a")
            .header("X-Forwarded-Host", "evil.example.com#"),
    ];
    for request in requests {
        let status = status(&gate, &request);
        assert!(
            [400, 401, 403].contains(&status),
            "{status} for {request:?}"
        );
    }
}

#[test]
fn bytes_that_are_no_text_in_a_proxy_header_are_refused_and_never_a_fault() {
    let gate = Settings::hmac().start();
    for name in [
        "X-Original-URI",
        "X-Original-Method",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
    ] {
        let mut request = Request::get("/verify")
            .bearer(tokens::good())
            .header(name, b"/\xff\xfe");
        if name != "X-Original-URI" {
            request = request.header("X-Original-URI", "/a");
        }
        let status = status(&gate, &request);
        assert!([401, 403].contains(&status), "{status} for {name}");
    }
}

#[test]
fn scheme_and_host_of_the_return_address_come_from_the_proxy() {
    let gate = Settings::with_sign_in().start();
    let answer = Request::get("/forward-auth")
        .host("jwtgate.internal:8080")
        .page_load()
        .forwarded("GET", "/a")
        .send(gate.main());
    assert_eq!(
        answer.header("Location"),
        Some("https://auth.example.com/login?retpath=https%3A%2F%2Fapp.example.com%2Fa")
    );
}

#[test]
fn x_original_url_names_scheme_and_host_itself() {
    let gate = Settings::with_sign_in().start();
    let answer = Request::get("/verify")
        .host("jwtgate.internal:8080")
        .page_load()
        .header("X-Original-Method", "GET")
        .header("X-Original-URL", "https://app.example.com/a?x=1")
        .send(gate.main());
    assert_eq!(
        answer.header("X-Auth-Redirect"),
        Some("https://auth.example.com/login?retpath=https%3A%2F%2Fapp.example.com%2Fa%3Fx%3D1")
    );
}
