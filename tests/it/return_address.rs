//! Where a person is sent to, and where they come back to: never outside the allow list.

use std::fs;
use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use url::Url;

use crate::harness::{Gate, Request, Response, Settings, tokens};

const SAFE_PLACE: &str = "https://app.example.com/";

/// The policy that the vectors were written for.
fn vectors_gate() -> Gate {
    gate_for(
        "https://app.example.com",
        &json!(["app.example.com", "*.example.org", "http://localhost:8080"]),
    )
}

/// A list of text is the same in JSON and in TOML.
fn gate_for(public_url: &str, return_hosts: &Value) -> Gate {
    Settings::hmac()
        .top(&format!(
            "public_url = \"{public_url}\"\nreturn_hosts = {return_hosts}"
        ))
        .top("auth_url = \"https://auth.example.com/login?x=1#frag\"\nparam_name = \"auth_token\"")
        .start()
}

fn sign_in(gate: &Gate, return_address: &[u8]) -> Response {
    let encoded = percent_encoding::percent_encode(return_address, NON_ALPHANUMERIC);
    Request::get(format!("/sign-in?rd={encoded}"))
        .page_load()
        .send(gate.main())
}

/// The value of `retpath` in a `Location`, decoded. `None` when there is none.
fn retpath(location: &str) -> Option<String> {
    let url = Url::parse(location).expect("a Location is a URL");
    let mut values = url
        .query_pairs()
        .filter(|(name, _)| name == "retpath")
        .map(|(_, value)| value.into_owned());
    let value = values.next();
    assert_eq!(values.next(), None, "retpath stands twice in {location}");
    value
}

fn location(answer: &Response) -> String {
    assert_eq!(answer.status, 302, "{answer:?}");
    answer
        .header("Location")
        .expect("a 302 has a Location")
        .to_owned()
}

fn forward(gate: &Gate, proto: &str, host: &str, uri: &str) -> Response {
    Request::get("/forward-auth")
        .page_load()
        .header("X-Forwarded-Method", "GET")
        .header("X-Forwarded-Proto", proto)
        .header("X-Forwarded-Host", host)
        .header("X-Forwarded-Uri", uri)
        .send(gate.main())
}

#[test]
fn s11_1_every_vector_of_return_addresses_is_followed_or_replaced_as_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/redirects.json");
    let text = fs::read_to_string(path).expect("tests/vectors/redirects.json is part of the tests");
    let vectors: Value = serde_json::from_str(&text).expect("the vectors are JSON");
    let public_url = vectors["public_url"].as_str().expect("the public URL");
    let gate = gate_for(public_url, &vectors["return_hosts"]);
    let safe_place = format!("{public_url}/");
    let cases = vectors["cases"].as_array().expect("a list of cases");
    let mut wrong = Vec::new();
    for case in cases {
        let input = case["input"].as_str().expect("an input is text");
        let expected = match case["verdict"].as_str() {
            Some("accept") => case["location"].as_str().expect("where it leads"),
            Some("refuse") => &safe_place,
            other => panic!("{other:?} is no verdict"),
        };
        let answer = sign_in(&gate, input.as_bytes());
        let found = answer.header("Location").and_then(retpath);
        if answer.status != 302 || found.as_deref() != Some(expected) {
            let id = &case["id"];
            wrong.push(format!(
                "{id}: {input:?} led to {} {found:?}, not {expected}",
                answer.status
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} are wrong:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[test]
fn s11_2_a_signed_in_person_is_sent_on_only_to_allowed_places() {
    let gate = vectors_gate();
    let go = |address: &str| {
        let encoded = utf8_percent_encode(address, NON_ALPHANUMERIC);
        let request = Request::get(format!("/sign-in?rd={encoded}"))
            .page_load()
            .bearer(tokens::good());
        location(&request.send(gate.main()))
    };
    assert_eq!(go("/a/b?x=1"), "https://app.example.com/a/b?x=1");
    assert_eq!(
        go("https://deep.wiki.example.org/a"),
        "https://deep.wiki.example.org/a"
    );
    assert_eq!(go("http://localhost:8080/a"), "http://localhost:8080/a");
    let foreign = [
        "https://evil.example.com/",
        "//evil.example.com",
        "/\\evil.example.com",
        "https:evil.example.com",
        "javascript:alert(1)",
        "https://app.example.com@evil.example.com/",
        "https://example.org/",
        "https://evilexample.org/",
        "http://app.example.com/",
        "https://app.example.com:8443/",
        "http://localhost/",
        "/\t/evil.example.com",
        "",
    ];
    for address in foreign {
        assert_eq!(go(address), SAFE_PLACE, "{address:?}");
    }
}

#[test]
fn s11_7_the_token_is_removed_from_the_return_address() {
    let gate = vectors_gate();
    let token = tokens::expired();
    for (query, kept) in [
        (format!("auth_token={token}"), ""),
        (format!("a=1&auth_token={token}&b=2"), "?a=1&b=2"),
        (format!("auth_token={token}&auth_token={token}&a=1"), "?a=1"),
        (format!("a=1&%61uth_token={token}"), "?a=1"),
        (
            "AUTH_TOKEN=1&auth_tokens=2".to_owned(),
            "?AUTH_TOKEN=1&auth_tokens=2",
        ),
        (
            "q=a%20b+c&u=%C3%A9&e=&f".to_owned(),
            "?q=a%20b+c&u=%C3%A9&e=&f",
        ),
    ] {
        let location = location(&forward(
            &gate,
            "https",
            "app.example.com",
            &format!("/p?{query}"),
        ));
        assert_eq!(
            retpath(&location).as_deref(),
            Some(format!("https://app.example.com/p{kept}").as_str()),
            "{query}"
        );
        assert!(!location.contains(&token[..20]), "{location}");
    }
}

#[test]
fn a_token_in_the_return_address_of_sign_in_is_removed_too() {
    let gate = vectors_gate();
    let address = format!("/a?auth_token={}&x=1", tokens::expired());
    let location = location(&sign_in(&gate, address.as_bytes()));
    assert_eq!(
        retpath(&location).as_deref(),
        Some("https://app.example.com/a?x=1")
    );
}

#[test]
fn auth_url_keeps_its_own_query_and_fragment() {
    let gate = vectors_gate();
    let location = location(&forward(
        &gate,
        "https",
        "app.example.com",
        "/a?admin=1&retpath=https://evil.example.com",
    ));
    assert!(
        location.starts_with("https://auth.example.com/login?x=1&retpath="),
        "{location}"
    );
    assert!(location.ends_with("#frag"), "{location}");
    let url = Url::parse(&location).expect("a URL");
    let names: Vec<_> = url
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    assert_eq!(names, ["x", "retpath"]);
    let expected = "https://app.example.com/a?admin=1&retpath=https://evil.example.com";
    assert_eq!(retpath(&location).as_deref(), Some(expected));
}

#[test]
fn a_forged_or_foreign_host_leads_to_the_safe_place() {
    let gate = vectors_gate();
    for host in [
        "evil.example.com",
        "app.example.com.evil.example.com",
        "app.example.com:8443",
        "example.org",
    ] {
        let location = location(&forward(&gate, "https", host, "/a"));
        assert_eq!(retpath(&location).as_deref(), Some(SAFE_PLACE), "{host}");
    }
    let plain = location(&forward(&gate, "http", "app.example.com", "/a"));
    assert_eq!(retpath(&plain).as_deref(), Some(SAFE_PLACE));
}

#[test]
fn s10_4_hosts_are_compared_in_lower_case_and_without_the_default_port() {
    let gate = vectors_gate();
    for host in ["APP.example.COM", "app.example.com:443"] {
        let location = location(&forward(&gate, "https", host, "/a"));
        assert_eq!(
            retpath(&location).as_deref(),
            Some("https://app.example.com/a"),
            "{host}"
        );
    }
    let local = location(&forward(&gate, "http", "localhost:8080", "/a"));
    assert_eq!(retpath(&local).as_deref(), Some("http://localhost:8080/a"));
}

#[test]
fn without_return_hosts_only_the_host_of_public_url_is_returned_to() {
    let gate = Settings::hmac()
        .top("auth_url = \"https://auth.example.com/login\"\npublic_url = \"https://app.example.com\"")
        .start();
    let own = location(&forward(&gate, "https", "app.example.com", "/a"));
    assert_eq!(retpath(&own).as_deref(), Some("https://app.example.com/a"));
    let foreign = location(&forward(&gate, "https", "other.example.com", "/a"));
    assert_eq!(retpath(&foreign).as_deref(), Some(SAFE_PLACE));
}

#[test]
fn without_return_hosts_and_public_url_sign_in_goes_without_a_return_address() {
    let gate = Settings::hmac()
        .top("auth_url = \"https://auth.example.com/login\"")
        .start();
    let location = location(&forward(&gate, "https", "app.example.com", "/a"));
    assert_eq!(location, "https://auth.example.com/login");
    assert!(
        gate.output().contains("return_hosts"),
        "the log says so:\n{}",
        gate.output()
    );
}

#[test]
fn a_return_host_without_public_url_falls_back_to_auth_url_alone() {
    let gate = Settings::hmac()
        .top("auth_url = \"https://auth.example.com/login\"\nreturn_hosts = [\"app.example.com\"]")
        .start();
    let own = location(&forward(&gate, "https", "app.example.com", "/a"));
    assert_eq!(retpath(&own).as_deref(), Some("https://app.example.com/a"));
    let foreign = location(&forward(&gate, "https", "evil.example.com", "/a"));
    assert_eq!(foreign, "https://auth.example.com/login");
}

#[test]
fn the_page_that_signs_people_in_is_not_sent_to_itself() {
    let gate = Settings::hmac()
        .top("auth_url = \"https://auth.example.com/login\"\nreturn_hosts = [\"auth.example.com\"]")
        .start();
    let forward = forward(&gate, "https", "auth.example.com", "/login?retpath=x");
    assert_eq!((forward.status, forward.header("Location")), (401, None));
    let verify = Request::get("/verify")
        .page_load()
        .header("X-Original-Method", "GET")
        .header("X-Original-URL", "https://auth.example.com/login")
        .send(gate.main());
    assert_eq!(
        (verify.status, verify.header("X-Auth-Redirect")),
        (401, None)
    );
}

#[test]
fn sign_in_judges_again() {
    let gate = vectors_gate();
    let ask = || Request::get("/sign-in?rd=%2Fa");
    let allowed = ask().page_load().bearer(tokens::good()).send(gate.main());
    assert_eq!(
        (allowed.status, allowed.header("Location")),
        (302, Some("https://app.example.com/a"))
    );
    let nameless = tokens::with(&json!({"username": null}));
    assert_eq!(
        ask().page_load().bearer(nameless).send(gate.main()).status,
        403
    );
    assert_eq!(ask().page_load().send(gate.main()).status, 302);
    assert_eq!(
        ask().send(gate.main()).status,
        302,
        "no Accept counts as a page load here"
    );
    assert_eq!(ask().header("Accept", "*/*").send(gate.main()).status, 302);
    assert_eq!(
        ask()
            .header("Accept", "application/json")
            .send(gate.main())
            .status,
        401
    );
    let script = ask()
        .header("Accept", "*/*")
        .header("Sec-Fetch-Mode", "cors")
        .send(gate.main());
    assert_eq!((script.status, script.header("Location")), (401, None));
    let without = Settings::hmac().start();
    assert_eq!(ask().page_load().send(without.main()).status, 401);
}

#[test]
fn sign_in_without_rd_returns_to_what_the_proxy_names_and_else_to_the_safe_place() {
    let gate = vectors_gate();
    let proxied = Request::get("/sign-in")
        .page_load()
        .original("GET", "/a?x=1")
        .send(gate.main());
    assert_eq!(
        retpath(&location(&proxied)).as_deref(),
        Some("https://app.example.com/a?x=1")
    );
    let first = Request::get("/sign-in?rd=%2Fb")
        .page_load()
        .original("GET", "/a")
        .send(gate.main());
    assert_eq!(
        retpath(&location(&first)).as_deref(),
        Some("https://app.example.com/b")
    );
    let bare = Request::get("/sign-in").page_load().send(gate.main());
    assert_eq!(retpath(&location(&bare)).as_deref(), Some(SAFE_PLACE));
}

#[test]
fn s9_4_redirects_tell_browsers_to_send_no_referrer() {
    let gate = vectors_gate();
    let answer = forward(&gate, "https", "app.example.com", "/a");
    assert_eq!(answer.header("Referrer-Policy"), Some("no-referrer"));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
}
