//! Tokens that name a key nobody knows yet: one fetch for all of them, seldom enough, and nobody else waits.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::fetched::{
    asking, claims, fetches, issuer, status, token, wait_for_fetches, wait_until_ready,
};
use crate::harness::waiting::{ISS, by_second, gate, key_server, waiters, with_both};
use crate::harness::{Connection, Gate, KeyServer, Request, Settings, tokens};

/// A token that is not even signed: its key is looked for first.
fn made_up(kid: &str) -> String {
    let header = json!({"typ": "JWT", "alg": "ES256", "kid": kid});
    tokens::compact(&header, &claims(ISS), &[1; 64])
}

#[test]
fn s14_3_two_hundred_requests_with_a_new_key_cause_one_fetch_and_all_pass() {
    let server = key_server();
    let gate = gate(&server, "cooldown = \"1s\"\nfetch_timeout = \"5s\"");
    with_both(&server);
    let before = server.count("/jwks");
    let new: Vec<_> = (0..200).map(|_| by_second("k2")).collect();
    thread::scope(|scope| {
        for token in &new {
            scope.spawn(|| assert_eq!(status(&gate, token), 200));
        }
    });
    assert_eq!(server.count("/jwks") - before, 1);
    assert_eq!(fetches(&gate, "idp", "ok"), 2);
    assert_eq!(waiters(&gate), 0);
}

/// Sends made-up names over one connection until `end`; gives how many, and which statuses came.
fn flood(gate: &Gate, connection: usize, end: Instant) -> (usize, Vec<u16>) {
    let mut open = Connection::open(gate.main()).expect("a connection");
    let mut statuses = Vec::new();
    let mut count = 0;
    while Instant::now() < end {
        let token = made_up(&format!("made-up-{connection}-{count}"));
        let answer = open.send(&Request::get("/verify").bearer(token));
        let answer = answer.expect("an answer");
        if !statuses.contains(&answer.status) {
            statuses.push(answer.status);
        }
        count += 1;
    }
    (count, statuses)
}

#[test]
fn s14_3_thousands_of_made_up_names_cause_no_more_fetches_than_the_cooldown_allows() {
    const LEAST: usize = 1_500;
    let server = key_server();
    let began = Instant::now();
    let gate = gate(&server, "cooldown = \"2s\"\nfetch_timeout = \"500ms\"");
    let end = Instant::now() + Duration::from_millis(4500);
    let (mut slowest, mut good, mut sent) = (Duration::ZERO, 0, 0);
    thread::scope(|scope| {
        let floods: Vec<_> = (0..4)
            .map(|connection| {
                let gate = &gate;
                scope.spawn(move || flood(gate, connection, end))
            })
            .collect();
        let mut open = Connection::open(gate.main()).expect("a connection");
        while Instant::now() < end {
            let request = Request::get("/verify").bearer(token(ISS, "k1"));
            let asked = Instant::now();
            let answer = open.send(&request).expect("an answer");
            slowest = slowest.max(asked.elapsed());
            assert_eq!(answer.status, 200);
            good += 1;
        }
        for flood in floods {
            let (count, statuses) = flood.join().expect("the flood does not panic");
            sent += count;
            assert!(
                statuses.iter().all(|status| [401, 503].contains(status)),
                "{statuses:?}"
            );
        }
    });
    let cooldowns = usize::try_from(began.elapsed().as_secs().div_ceil(2)).expect("few");
    let count = server.count("/jwks");
    assert!(
        (2..=cooldowns + 1).contains(&count),
        "{count} fetches in {:?}",
        began.elapsed()
    );
    assert!(sent > LEAST, "only {sent} were sent");
    assert!(good > 100, "only {good} good ones were sent");
    assert!(slowest < Duration::from_millis(400), "{slowest:?}");
    gate.assert_no_panic();
}

#[test]
fn s14_7_within_the_cooldown_the_answer_comes_at_once_and_says_when_to_come_again() {
    let server = key_server();
    let gate = gate(&server, "cooldown = \"1h\"\nfetch_timeout = \"1s\"");
    for _ in 0..3 {
        let asked = Instant::now();
        let answer = asking(&by_second("k2")).send(gate.main());
        assert_eq!(answer.status, 503);
        assert!(asked.elapsed() < Duration::from_millis(900));
        let after = answer.header("Retry-After").expect("when to come again");
        let after: u64 = after.parse().expect("a number of seconds");
        assert!((3500..=3600).contains(&after), "{after}");
    }
    assert_eq!(server.count("/jwks"), 1);
}

#[test]
fn s14_3_a_name_that_was_looked_for_in_vain_is_a_bad_token() {
    let server = key_server();
    let gate = gate(&server, "cooldown = \"1s\"\nfetch_timeout = \"2s\"");
    let answer = asking(&by_second("k2")).send(gate.main());
    assert_eq!(answer.status, 401);
    assert!(answer.header("WWW-Authenticate").is_some());
    assert_eq!(gate.reason(1), "key.unknown");
    assert_eq!(server.count("/jwks"), 2);
}

#[test]
fn s14_7_the_browser_of_a_person_is_not_sent_to_sign_in_while_a_key_is_looked_for() {
    let server = key_server();
    let lines = format!("jwks_url = \"{}\"", server.url("/jwks"));
    let gate = Settings::empty()
        .top("cookie_name = \"auth_token\"\nauth_url = \"https://auth.example.com/login\"")
        .top("return_hosts = [\"app.example.com\"]")
        .table("[keys]\ncooldown = \"1h\"")
        .table(&issuer("idp", ISS, &lines))
        .start();
    wait_until_ready(&gate);
    for path in ["/verify", "/forward-auth"] {
        let answer = Request::get(path)
            .page_load()
            .forwarded("GET", "/")
            .cookie(format!("auth_token={}", by_second("k2")))
            .send(gate.main());
        assert_eq!(answer.status, 503, "{path}");
        assert_eq!(answer.header("Location"), None);
        assert_eq!(answer.header("X-Auth-Redirect"), None);
        assert!(answer.header("Retry-After").is_some());
    }
}

#[test]
fn s14_3_a_kid_of_any_shape_is_looked_for_by_comparing_only() {
    let server = key_server();
    let gate = gate(&server, "cooldown = \"1s\"\nfetch_timeout = \"2s\"");
    let long = "k".repeat(4000);
    let kids = [
        "",
        " k1",
        "K1",
        "k1\0",
        "../jwks",
        "{kid}",
        "%00",
        "*",
        "\u{202e}1k",
        &long,
    ];
    thread::scope(|scope| {
        for kid in kids {
            let gate = &gate;
            scope.spawn(move || {
                let answer = status(gate, &token(ISS, kid));
                assert_eq!(answer, 401, "{kid:?}");
            });
        }
    });
    assert_eq!(server.total(), server.count("/jwks"));
    assert!(
        gate.refusals(kids.len())
            .iter()
            .all(|refusal| refusal["reason.code"] == "key.unknown")
    );
}

#[test]
fn s14_3_two_issuers_have_a_cooldown_each() {
    let (one, two) = (key_server(), key_server());
    let of = |server: &KeyServer| format!("jwks_url = \"{}\"", server.url("/jwks"));
    let gate = Settings::empty()
        .table("[keys]\ncooldown = \"1s\"\nfetch_timeout = \"5s\"")
        .table(&issuer("one", ISS, &of(&one)))
        .table(&issuer("two", "https://two.example", &of(&two)))
        .start();
    wait_until_ready(&gate);
    for _ in 0..2 {
        assert_eq!(status(&gate, &token(ISS, "nobody")), 401);
    }
    wait_for_fetches(&gate, "one", "ok", 3);
    assert_eq!(two.count("/jwks"), 1);
}

#[test]
fn s18_2_a_reload_makes_no_token_a_bad_one_whose_key_nobody_looked_for() {
    let server = key_server();
    let gate = gate(&server, "cooldown = \"1h\"\nfetch_timeout = \"100ms\"");
    let end = Instant::now() + Duration::from_secs(2);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while Instant::now() < end {
                    assert_eq!(status(&gate, &made_up("k2")), 503, "{:?}", gate.reason(1));
                }
            });
        }
        while Instant::now() < end {
            gate.signal("HUP");
            assert_eq!(status(&gate, &token(ISS, "k1")), 200);
        }
    });
    assert!(gate.wait_for_line("the configuration was reloaded"));
    assert_eq!(server.count("/jwks"), 1);
    gate.assert_no_panic();
}
