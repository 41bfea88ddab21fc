//! People are sent to sign in, programs are told.

use crate::harness::proxies::Kind;
use crate::harness::{Request, Response, tokens};

use super::behind_every_proxy;
use super::chain::{Chain, get};
use super::table::Cell;

behind_every_proxy!(
    s11_7_a_page_load_is_sent_to_sign_in_and_back,
    s11_6_what_is_no_page_load_gets_401_and_one_challenge,
    a_refusal_arrives_whole,
);

const SIGN_IN: &str = "https://auth.example.com/login?retpath=";

#[track_caller]
fn leads_to(answer: &Response, retpath: &str) {
    let expected = format!("{SIGN_IN}{retpath}");
    assert_eq!(answer.header("Location"), Some(expected.as_str()));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    assert_eq!(answer.header("Referrer-Policy"), Some("no-referrer"));
    let cookie = answer.header("Set-Cookie").unwrap_or_default();
    assert!(cookie.starts_with("jwtgate_bounces="), "{cookie}");
}

fn s11_7_a_page_load_is_sent_to_sign_in_and_back(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let expected = "http%3A%2F%2Fapp.example.com%2Fa%2Fb%3Fx%3D1%26y%3D2";
    let absent = chain.shows(Cell::PageLoad, &get("/a/b?x=1&y=2").page_load());
    leads_to(&absent.answer, expected);
    // The token goes, the rest of the query stays.
    let expired = format!("/a/b?x=1&auth_token={}&y=2", tokens::expired());
    let answer = chain.shows(Cell::PageLoadExpired, &get(&expired).page_load());
    leads_to(&answer.answer, expected);
    let encoded = chain.shows(Cell::PageLoad, &get("/a%20b/%C3%A4?q=%26").page_load());
    leads_to(
        &encoded.answer,
        "http%3A%2F%2Fapp.example.com%2Fa%2520b%2F%25C3%25A4%3Fq%3D%2526",
    );
    let with_port = get("/a").host("app.example.com:80").page_load();
    let answer = chain.shows(Cell::PageLoad, &with_port);
    leads_to(&answer.answer, "http%3A%2F%2Fapp.example.com%2Fa");
    // The third within a minute from one browser is the last: the cookie comes and goes through the proxy.
    let mut cookie = "jwtgate_bounces=0.0".to_owned();
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let request = get("/a").page_load().cookie(&cookie);
        let answer = chain.ask(&request).answer;
        statuses.push(answer.status);
        if let Some(set) = answer.header("Set-Cookie") {
            set.split(';')
                .next()
                .unwrap_or_default()
                .clone_into(&mut cookie);
        }
    }
    assert_eq!(statuses, [302, 302, 302, 401, 401]);
}

fn s11_6_what_is_no_page_load_gets_401_and_one_challenge(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let html = |request: Request| request.header("Accept", "text/html");
    let requests = [
        get("/api/x").header("Accept", "application/json"),
        get("/api/x").header("Accept", "*/*"),
        get("/api/x"),
        html(get("/api/x")).header("X-Requested-With", "XMLHttpRequest"),
        html(get("/api/x")).header("Sec-Fetch-Mode", "cors"),
        html(Request::new("POST", "/form")).body("a=1"),
    ];
    for request in requests {
        let answer = chain.shows(Cell::Program, &request).answer;
        let challenge = answer.header("WWW-Authenticate");
        assert_eq!(challenge, Some("Bearer realm=\"jwtgate\""), "{request:?}");
        assert_eq!(answer.header("Location"), None, "{request:?}");
    }
    let forged = chain.refused(&get("/api/x").bearer(tokens::forged()), 401);
    let challenge = forged.header("WWW-Authenticate").unwrap_or_default();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
}

fn a_refusal_arrives_whole(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let program = chain.refused(&get("/app").header("Accept", "application/json"), 401);
    assert_eq!(program.json()["status"], 401);
    let content_type = program.header("Content-Type");
    assert_eq!(content_type, Some("application/problem+json"));
    let head = chain.refused(&Request::new("HEAD", "/app"), 401);
    for answer in [&program, &head] {
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        assert_eq!(answer.header("Referrer-Policy"), Some("no-referrer"));
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"));
    }
    let page = get("/members/x").bearer(tokens::good()).page_load();
    let page = chain.shows(Cell::ForbiddenPage, &page).answer;
    if kind == Kind::Nginx {
        // Its own page: see the table.
        return;
    }
    assert!(page.text().contains("You may not open this"), "{page:?}");
    let policy = page.header("Content-Security-Policy").unwrap_or_default();
    assert!(policy.contains("default-src 'none'"), "{page:?}");
}
