//! Who may pass, by token and rule.

use serde_json::json;

use crate::harness::proxies::Kind;
use crate::harness::upstream::echoed_headers;
use crate::harness::{Request, tokens};

use super::behind_every_proxy;
use super::chain::{Chain, get, shows_alice};
use super::table::Cell;

behind_every_proxy!(
    s8_4_only_good_tokens_pass,
    tokens_pass_from_every_place,
    s9_2_two_credentials_never_pass_as_one,
    s9_6_a_preflight_passes_by_a_rule_and_without_an_identity,
);

fn s8_4_only_good_tokens_pass(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let app = || get("/app");
    let good = chain.shows(Cell::GoodToken, &app().bearer(tokens::good()));
    shows_alice(&good.answer.json(), "a good token");
    chain.shows(Cell::NoToken, &app());
    chain.shows(Cell::Expired, &app().bearer(tokens::expired()));
    chain.shows(Cell::Forged, &app().bearer(tokens::forged()));
    chain.shows(Cell::Forged, &app().bearer(tokens::unsigned()));
    chain.shows(Cell::Forged, &app().bearer("x"));
    chain.shows(Cell::OtherAudience, &app().bearer(tokens::wrong_audience()));
    let members = || get("/members/list");
    chain.shows(Cell::LacksGroup, &members().bearer(tokens::good()));
    chain.shows(
        Cell::LacksGroup,
        &members().bearer(tokens::good()).page_load(),
    );
    let member = tokens::with(&json!({"groups": ["members"]}));
    chain.reached(&members().bearer(member));
    let nameless = tokens::with(&json!({"username": null}));
    chain.shows(Cell::Nameless, &app().bearer(&nameless));
    chain.shows(Cell::Nameless, &app().bearer(&nameless).page_load());
    chain.shows(
        Cell::DeniedPath,
        &get("/admin/users").bearer(tokens::good()),
    );
    // Where nobody needs a token, and nobody is known.
    let public = chain.reached(&get("/public/logo").header("X-Auth-User", "root"));
    let users = echoed_headers(&public, "X-Auth-User");
    assert!(users.iter().all(String::is_empty), "{users:?}");
    chain.gate.assert_no_panic();
}

fn tokens_pass_from_every_place(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let token = tokens::good();
    let cookie = format!("a=1; auth_token={token}; b=2");
    let cookie = chain.shows(Cell::InCookie, &get("/app").cookie(cookie));
    shows_alice(&cookie.answer.json(), "a cookie");
    let query = format!("/app?x=1&auth_token={token}&y=%2F");
    let query = chain.shows(Cell::InQuery, &get(&query));
    shows_alice(&query.answer.json(), "the query");
    chain.refused(&get(&format!("/app?auth_token={}", tokens::forged())), 401);
    let forged = format!("auth_token={}", tokens::forged());
    chain.refused(&get("/app").cookie(forged), 401);
    let second = get("/app")
        .cookie("a=1")
        .cookie(format!("auth_token={token}"));
    chain.shows(Cell::InSecondCookieLine, &second);
}

fn s9_2_two_credentials_never_pass_as_one(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let (alice, bob) = (tokens::good(), tokens::good_for("bob"));
    for [first, second] in [[&alice, &bob], [&bob, &alice]] {
        let two = get("/app").bearer(first).bearer(second);
        chain.shows(Cell::TwoAuthorizationLines, &two);
        let list = format!("Bearer {first}, Bearer {second}");
        chain.shows(
            Cell::TwoTokensInOneLine,
            &get("/app").header("Authorization", list),
        );
        let cookies = format!("auth_token={first}; auth_token={second}");
        chain.shows(Cell::CookieTwice, &get("/app").cookie(cookies));
    }
}

fn s9_6_a_preflight_passes_by_a_rule_and_without_an_identity(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let ask = |method: &str, path: &str| {
        Request::new(method, path)
            .header("Origin", "https://other.example.com")
            .header("X-Auth-User", "root")
    };
    let asks = |request: Request| request.header("Access-Control-Request-Method", "PUT");
    let preflight = chain.shows(Cell::Preflight, &asks(ask("OPTIONS", "/api/x")));
    let users = echoed_headers(&preflight.answer.json(), "X-Auth-User");
    assert!(users.iter().all(String::is_empty), "{users:?}");
    chain.refused(&asks(ask("OPTIONS", "/app")), 401);
    chain.refused(&asks(ask("GET", "/api/x")), 401);
    chain.refused(&ask("OPTIONS", "/api/x"), 401);
}
