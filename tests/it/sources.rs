//! Where a token may stand, and what counts as one.

use crate::harness::{Gate, Request, Response, Settings, tokens};

const COOKIE: &str = "cookie_name = \"auth_token\"";
const PARAM: &str = "param_name = \"auth_token\"";

fn verify() -> Request {
    Request::get("/verify")
}

fn with_query(query: &str) -> Request {
    verify().original("GET", &format!("/app?{query}"))
}

fn user(answer: &Response) -> (u16, Option<&str>) {
    (answer.status, answer.header("X-Auth-User"))
}

#[track_caller]
fn passes(gate: &Gate, request: &Request, who: &str) {
    assert_eq!(
        user(&request.send(gate.main())),
        (200, Some(who)),
        "{}",
        String::from_utf8_lossy(&request.bytes())
    );
}

#[track_caller]
fn refused(gate: &Gate, request: &Request) {
    assert_eq!(
        user(&request.send(gate.main())),
        (401, None),
        "{}",
        String::from_utf8_lossy(&request.bytes())
    );
}

/// Refused as if no token had been sent: no `error` in the challenge.
#[track_caller]
fn absent(gate: &Gate, request: &Request) {
    let answer = request.send(gate.main());
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.header("WWW-Authenticate"),
        Some("Bearer realm=\"jwtgate\""),
        "{request:?}"
    );
}

/// Refused because nobody can tell which token is meant.
#[track_caller]
fn ambiguous(gate: &Gate, request: &Request) {
    let answer = request.send(gate.main());
    assert_eq!(answer.status, 401);
    let challenge = answer.header("WWW-Authenticate").expect("a challenge");
    assert!(
        challenge.contains("error=\"invalid_request\""),
        "{challenge} for {request:?}"
    );
}

#[test]
fn header_cookie_and_query_parameter_of_the_original_url_are_read() {
    let gate = Settings::hmac().top(COOKIE).top(PARAM).start();
    let token = tokens::good();
    passes(&gate, &verify().bearer(&token), "alice");
    passes(
        &gate,
        &verify().cookie(format!("a=1; auth_token={token}; b=2")),
        "alice",
    );
    passes(
        &gate,
        &with_query(&format!("x=1&auth_token={token}&y=2")),
        "alice",
    );
    let forwarded =
        Request::get("/forward-auth").forwarded("GET", &format!("/app?auth_token={token}"));
    passes(&gate, &forwarded, "alice");
}

#[test]
fn s9_4_cookie_and_query_are_off_until_they_are_named() {
    let gate = Settings::hmac().start();
    let token = tokens::good();
    absent(&gate, &verify().cookie(format!("auth_token={token}")));
    absent(&gate, &with_query(&format!("auth_token={token}")));
}

#[test]
fn s9_1_the_first_source_that_holds_a_token_decides() {
    let gate = Settings::hmac().top(COOKIE).top(PARAM).start();
    let (alice, bob, bad) = (tokens::good(), tokens::good_for("bob"), tokens::forged());
    passes(
        &gate,
        &verify().bearer(&alice).cookie(format!("auth_token={bob}")),
        "alice",
    );
    passes(
        &gate,
        &with_query(&format!("auth_token={alice}")).cookie(format!("auth_token={bob}")),
        "bob",
    );
    refused(
        &gate,
        &verify().bearer(&bad).cookie(format!("auth_token={alice}")),
    );
    refused(
        &gate,
        &with_query(&format!("auth_token={alice}")).cookie(format!("auth_token={bad}")),
    );
}

#[test]
fn the_order_of_sources_is_configurable() {
    let gate = Settings::hmac()
        .top(COOKIE)
        .top(PARAM)
        .top("token_sources = [\"query\", \"cookie\", \"header\"]")
        .start();
    let (alice, bob, carol) = (
        tokens::good(),
        tokens::good_for("bob"),
        tokens::good_for("carol"),
    );
    let all = with_query(&format!("auth_token={carol}"))
        .bearer(&alice)
        .cookie(format!("auth_token={bob}"));
    passes(&gate, &all, "carol");
    passes(
        &gate,
        &verify().bearer(&alice).cookie(format!("auth_token={bob}")),
        "bob",
    );
    passes(&gate, &verify().bearer(&alice), "alice");
}

#[test]
fn a_source_that_is_not_listed_is_not_read() {
    let gate = Settings::hmac()
        .top(COOKIE)
        .top("token_sources = [\"cookie\"]")
        .start();
    absent(&gate, &verify().bearer(tokens::good()));
    passes(
        &gate,
        &verify().cookie(format!("auth_token={}", tokens::good())),
        "alice",
    );
}

#[test]
fn on_multiple_tokens_reject_refuses_different_tokens_and_not_the_same_one_twice() {
    let gate = Settings::hmac()
        .top(COOKIE)
        .top(PARAM)
        .top("on_multiple_tokens = \"reject\"")
        .start();
    let (alice, bob) = (tokens::good(), tokens::good_for("bob"));
    ambiguous(
        &gate,
        &verify().bearer(&alice).cookie(format!("auth_token={bob}")),
    );
    ambiguous(
        &gate,
        &with_query(&format!("auth_token={bob}")).bearer(&alice),
    );
    ambiguous(&gate, &verify().bearer(&alice).cookie("auth_token=garbage"));
    passes(
        &gate,
        &verify()
            .bearer(&alice)
            .cookie(format!("auth_token={alice}")),
        "alice",
    );
    passes(
        &gate,
        &verify().bearer(&alice).cookie("auth_token="),
        "alice",
    );
    passes(&gate, &verify().bearer(&alice), "alice");
}

#[test]
fn header_scheme_auto_takes_bearer_and_the_bare_token() {
    let gate = Settings::hmac().start();
    let token = tokens::good();
    for value in [
        format!("Bearer {token}"),
        format!("bearer {token}"),
        format!("BEARER   {token}"),
        token.clone(),
    ] {
        passes(&gate, &verify().header("Authorization", &value), "alice");
    }
    passes(
        &gate,
        &verify().header("aUTHORIZATION", format!("Bearer {token}")),
        "alice",
    );
    refused(
        &gate,
        &verify().header("Authorization", format!("Bearer{token}")),
    );
    refused(
        &gate,
        &verify().header("Authorization", format!("Bearer {token} {token}")),
    );
    refused(
        &gate,
        &verify().header("Authorization", format!("Bearer Bearer {token}")),
    );
}

#[test]
fn header_scheme_bearer_takes_only_that() {
    let gate = Settings::hmac().top("header_scheme = \"Bearer\"").start();
    passes(&gate, &verify().bearer(tokens::good()), "alice");
    refused(&gate, &verify().header("Authorization", tokens::good()));
}

#[test]
fn an_empty_header_scheme_takes_only_the_bare_token() {
    let gate = Settings::hmac().top("header_scheme = \"\"").start();
    passes(
        &gate,
        &verify().header("Authorization", tokens::good()),
        "alice",
    );
    refused(&gate, &verify().bearer(tokens::good()));
}

#[test]
fn another_header_can_be_named_or_none() {
    let gate = Settings::hmac()
        .top("header_name = \"X-Auth-Token\"")
        .start();
    passes(
        &gate,
        &verify().header("x-auth-token", tokens::good()),
        "alice",
    );
    absent(&gate, &verify().bearer(tokens::good()));
    let off = Settings::hmac()
        .top(COOKIE)
        .top("header_name = \"\"")
        .start();
    absent(&off, &verify().bearer(tokens::good()));
    passes(
        &off,
        &verify()
            .bearer(tokens::forged())
            .cookie(format!("auth_token={}", tokens::good())),
        "alice",
    );
}

#[test]
fn s9_2_other_schemes_are_as_if_absent() {
    let gate = Settings::hmac().top(COOKIE).start();
    for value in [
        "Basic dXNlcjpwYXNz",
        "Digest username=\"x\"",
        "Negotiate YII=",
        "DPoP abc",
    ] {
        absent(&gate, &verify().header("Authorization", value));
        let both = verify()
            .header("Authorization", value)
            .cookie(format!("auth_token={}", tokens::good()));
        passes(&gate, &both, "alice");
    }
}

#[test]
fn s9_2_two_authorization_lines_with_different_values_are_refused() {
    let gate = Settings::hmac().start();
    let (alice, bob) = (tokens::good(), tokens::good_for("bob"));
    ambiguous(&gate, &verify().bearer(&alice).bearer(&bob));
    ambiguous(&gate, &verify().bearer(tokens::forged()).bearer(&alice));
    ambiguous(&gate, &verify().bearer(&alice).bearer(tokens::forged()));
    passes(&gate, &verify().bearer(&alice).bearer(&alice), "alice");
}

#[test]
fn s9_2_a_list_in_one_authorization_line_is_refused() {
    let gate = Settings::hmac().start();
    let (alice, bob) = (tokens::good(), tokens::good_for("bob"));
    refused(
        &gate,
        &verify().header("Authorization", format!("Bearer {alice},Bearer {bob}")),
    );
    refused(
        &gate,
        &verify().header("Authorization", format!("Bearer {alice}, {bob}")),
    );
    refused(
        &gate,
        &verify().header("Authorization", format!("Bearer {alice},")),
    );
}

#[test]
fn s9_3_one_cookie_with_two_values_is_refused() {
    let gate = Settings::hmac().top(COOKIE).start();
    let (alice, bob) = (tokens::good(), tokens::good_for("bob"));
    ambiguous(
        &gate,
        &verify().cookie(format!("auth_token={alice}; auth_token={bob}")),
    );
    ambiguous(
        &gate,
        &verify().cookie(format!("auth_token={bob}; x=1; auth_token={alice}")),
    );
    ambiguous(
        &gate,
        &verify()
            .cookie(format!("auth_token={alice}"))
            .cookie(format!("auth_token={bob}")),
    );
    ambiguous(
        &gate,
        &verify().cookie(format!("auth_token=bad; auth_token={alice}")),
    );
    passes(
        &gate,
        &verify().cookie(format!("auth_token={alice}; auth_token={alice}")),
        "alice",
    );
    passes(
        &gate,
        &verify().cookie("x=1").cookie(format!("auth_token={alice}")),
        "alice",
    );
}

#[test]
fn one_parameter_with_two_values_is_refused() {
    let gate = Settings::hmac().top(PARAM).start();
    let (alice, bob) = (tokens::good(), tokens::good_for("bob"));
    ambiguous(
        &gate,
        &with_query(&format!("auth_token={alice}&auth_token={bob}")),
    );
    ambiguous(
        &gate,
        &with_query(&format!("auth_token=bad&auth_token={alice}")),
    );
    passes(
        &gate,
        &with_query(&format!("auth_token={alice}&auth_token={alice}")),
        "alice",
    );
}

#[test]
fn s9_3_names_match_exactly() {
    let gate = Settings::hmac().top(COOKIE).top(PARAM).start();
    let token = tokens::good();
    for name in [
        "Auth_Token",
        "AUTH_TOKEN",
        "auth_tokens",
        "xauth_token",
        "auth-token",
        "auth%5Ftoken",
        "auth_toke",
    ] {
        absent(&gate, &verify().cookie(format!("{name}={token}")));
    }
    for name in [
        "Auth_Token",
        "AUTH_TOKEN",
        "auth_tokens",
        "xauth_token",
        "auth-token",
        "auth_token[]",
        "auth_toke",
    ] {
        absent(&gate, &with_query(&format!("{name}={token}")));
    }
}

#[test]
fn s9_2_credentials_that_a_proxy_joined_by_a_comma_are_refused_and_never_passed_over() {
    let gate = Settings::hmac().top("cookie_name = \"auth_token\"").start();
    for joined in ["Basic eDp5, Bearer bad.bad.bad", "a.b.c, Bearer d.e.f"] {
        let answer = Request::get("/verify")
            .header("Authorization", joined)
            .cookie(format!("auth_token={}", tokens::good()))
            .send(gate.main());
        assert_eq!(answer.status, 401, "{joined}");
    }
    let other = Request::get("/verify")
        .header("Authorization", "Digest username=\"x\", realm=\"y\"")
        .cookie(format!("auth_token={}", tokens::good()));
    assert_eq!(other.send(gate.main()).status, 200);
}

#[test]
fn an_empty_value_counts_as_absent() {
    let gate = Settings::hmac().top(COOKIE).top(PARAM).start();
    let token = tokens::good();
    absent(&gate, &verify().header("Authorization", ""));
    absent(&gate, &verify().header("Authorization", "Bearer"));
    absent(&gate, &verify().cookie("auth_token="));
    absent(&gate, &with_query("auth_token="));
    absent(&gate, &with_query("auth_token"));
    passes(
        &gate,
        &verify()
            .header("Authorization", "")
            .cookie(format!("auth_token={token}")),
        "alice",
    );
    passes(
        &gate,
        &with_query(&format!("auth_token={token}")).cookie("auth_token="),
        "alice",
    );
    passes(
        &gate,
        &with_query(&format!("auth_token={token}")).header("Authorization", "Bearer "),
        "alice",
    );
}

#[test]
fn a_fragment_of_the_original_url_is_no_query() {
    let gate = Settings::hmac().top(PARAM).start();
    let uri = format!("/app#?auth_token={}", tokens::good());
    let status = verify().original("GET", &uri).send(gate.main()).status;
    assert!([401, 403].contains(&status), "{status}");
}
