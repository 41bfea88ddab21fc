//! Identity headers of a client, in every spelling.

use serde_json::{Value, json};

use crate::harness::proxies::Kind;
use crate::harness::upstream::echoed_headers;
use crate::harness::{Request, tokens};

use super::behind_every_proxy;
use super::chain::{Chain, folded, folded_headers, get};
use super::table::Cell;

behind_every_proxy!(
    s8_2_no_spelling_of_an_identity_header_reaches_the_application,
    s8_2_no_client_takes_an_identity_header_away,
    s8_2_names_of_other_gates_do_not_reach_the_application,
);

const OURS: [&str; 4] = [
    "X-Auth-User",
    "X-Auth-Email",
    "X-Auth-Groups",
    "X-Auth-Identity",
];

/// What may stand in the name of a header beside letters and digits (RFC 9110 §5.6.2).
const SEPARATORS: &str = "-_.!#$%&'*+^`|~";

/// A name in the ways that some application reads as that name.
fn spellings(name: &str) -> Vec<String> {
    let mut all = vec![
        name.to_owned(),
        name.to_ascii_lowercase(),
        name.to_ascii_uppercase(),
        name.replacen('-', "_", 1),
        name.replacen('-', ".", 1),
        name.to_ascii_lowercase().replacen('-', "_", 1),
    ];
    let last = name.rfind('-').unwrap_or_default();
    for separator in SEPARATORS.chars().skip(1) {
        all.push(name.replace('-', &separator.to_string()));
        all.push(format!("{}{separator}{}", &name[..last], &name[last + 1..]));
    }
    all
}

/// A token that says nothing but a name, so that the other headers are the client's, if anybody's.
fn nameless() -> String {
    tokens::with(&json!({"email": null, "groups": null}))
}

/// Alice is the only one whom any header names.
#[track_caller]
fn shows_only_alice(echo: &Value, names: &[&str], request: &Request) {
    assert_eq!(
        echoed_headers(echo, "X-Auth-User"),
        ["alice"],
        "{request:?}"
    );
    for (name, value) in folded_headers(echo) {
        let is_ours = name == "x-auth-user" && value == "alice";
        let is_watched = names.iter().any(|watched| folded(watched) == name);
        assert!(
            is_ours || !is_watched || value.is_empty(),
            "{name}: {value} for {request:?}"
        );
        assert!(!value.contains("root"), "{name}: {value} for {request:?}");
    }
}

fn s8_2_no_spelling_of_an_identity_header_reaches_the_application(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let token = nameless();
    let good = || get("/app").bearer(&token);
    for name in OURS {
        for spelling in spellings(name) {
            let once = good().header(&spelling, "root");
            let twice = good()
                .header(&spelling, "root")
                .header(name, "")
                .header(&spelling, "root")
                .header(name, "root");
            for request in [once, twice] {
                let echo = chain.shows(Cell::Spoofed, &request).answer.json();
                shows_only_alice(&echo, &OURS, &request);
            }
        }
    }
    // All at once, and where nobody is known.
    let all = |request: Request| {
        let names = OURS.iter().flat_map(|name| spellings(name)).take(60);
        names.fold(request, |request, name| request.header(&name, "root"))
    };
    let request = all(good());
    shows_only_alice(&chain.reached(&request), &OURS, &request);
    let public = chain.reached(&all(get("/public/x")));
    let found = folded_headers(&public);
    assert!(found.iter().all(|(_, value)| value != "root"), "{found:?}");
    for name in OURS {
        chain.refused(&get("/app").header(name, "root"), 401);
    }
}

fn s8_2_no_client_takes_an_identity_header_away(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    // A proxy removes what this header names (RFC 9110 §7.6.1), and must do so before it adds its own.
    for value in [
        "X-Auth-User",
        "close, X-Auth-User, X-Auth-Email",
        "keep-alive, x-auth-user",
        "Upgrade, X-Auth-User",
    ] {
        let token = nameless();
        let plain = get("/app").bearer(&token).header("Connection", value);
        let spoofed = plain.clone().header("X-Auth-User", "root");
        let twice = spoofed.clone().header("Connection", "X-Auth-Groups");
        for request in [plain, spoofed, twice] {
            let echo = chain.shows(Cell::NamedInConnection, &request);
            let echo = echo.answer.json();
            shows_only_alice(&echo, &OURS, &request);
            // Nor is it handed on, for a later proxy to do it.
            let named = echoed_headers(&echo, "Connection").join(",");
            assert!(
                !named.to_ascii_lowercase().contains("x-auth"),
                "{named} for {request:?}"
            );
        }
    }
}

const OTHERS: [&str; 20] = [
    "Remote-User",
    "Remote-Name",
    "Remote-Email",
    "Remote-Groups",
    "X-Remote-User",
    "X-Remote-Name",
    "X-Remote-Email",
    "X-Remote-Group",
    "X-Remote-Groups",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Preferred-Username",
    "X-Auth-Request-Access-Token",
    "X-Auth-Identity",
];

fn s8_2_names_of_other_gates_do_not_reach_the_application(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    for name in OTHERS {
        let request = spellings(name)
            .iter()
            .fold(get("/app").bearer(nameless()), |request, spelling| {
                request.header(spelling, "root")
            });
        shows_only_alice(&chain.reached(&request), &OTHERS, &request);
    }
}
