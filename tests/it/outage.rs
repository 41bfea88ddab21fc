//! A provider that is down, at the start or later: what is known serves on, the others are untouched, and it recovers by itself.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::fetched::{
    asking, failures, fetches, issuer, key_status, lacking, settings, status, token, token_by,
    wait_for_failure, wait_for_fetches, wait_until_lacking, wait_until_ready,
};
use crate::harness::{Answer, Gate, KeyServer, Request, Settings, tokens, wait};

const COOLDOWN: Duration = Duration::from_secs(1);
/// What a request may take that waits for nothing, on a busy machine.
const AT_ONCE: Duration = Duration::from_millis(900);

/// A key server with the key `k1`.
fn key_server() -> KeyServer {
    let server = KeyServer::start();
    server.publishes(&[tokens::p256().jwk("k1")]);
    server
}

/// The shortest cooldown, but a fetch may take long.
fn patient() -> Settings {
    Settings::empty().table("[keys]\ncooldown = \"1s\"\nfetch_timeout = \"5s\"")
}

/// An issuer that is up beside the one that is not.
const OTHER: &str = "https://other.example";

fn with_other(settings: Settings, other: &KeyServer) -> Settings {
    let lines = format!("jwks_url = \"{}\"", other.url("/jwks"));
    settings.table(&issuer("other", OTHER, &lines))
}

/// Asks that a token gets 503 without having waited.
fn assert_unavailable_at_once(gate: &Gate, token: &str) {
    let began = Instant::now();
    let answer = asking(token).send(gate.main());
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("Retry-After").is_some());
    assert_eq!(answer.header("WWW-Authenticate"), None);
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

#[test]
fn s14_6_it_starts_while_a_provider_is_down_and_recovers_without_a_restart() {
    let (server, other) = (key_server(), key_server());
    server.go_down();
    let began = Instant::now();
    let settings = patient().table(&issuer("okta", &server.issuer(), ""));
    let gate = with_other(settings, &other).start();
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(Request::get("/healthz").send(gate.admin()).status, 200);
    wait_for_failure(&gate, "okta", "Connection refused");
    wait_until_lacking(&gate, &["issuer.okta"]);
    let known = token(&server.issuer(), "k1");
    for _ in 0..3 {
        assert_unavailable_at_once(&gate, &known);
    }
    assert_eq!(gate.reason(3), "key.unavailable");
    assert_eq!(key_status(&gate, "okta")["state"], "lacking");
    for _ in 0..3 {
        assert_eq!(status(&gate, &token(OTHER, "k1")), 200);
    }
    let forged = token_by(tokens::second_p256(), OTHER, "k1");
    assert_eq!(status(&gate, &forged), 401);

    server.come_back();
    let back = Instant::now();
    wait_until_ready(&gate);
    // F1: one cooldown and a second.
    assert!(back.elapsed() < COOLDOWN + COOLDOWN);
    assert_eq!(status(&gate, &known), 200);
    assert_eq!(key_status(&gate, "okta")["state"], "current");
    gate.assert_no_panic();
}

#[test]
fn s14_6_a_provider_that_says_nothing_at_the_start_holds_nobody_for_longer_than_a_fetch() {
    let (server, other) = (KeyServer::start(), key_server());
    server.answers("/jwks", Answer::silence());
    let lines = format!("jwks_url = \"{}\"", server.url("/jwks"));
    let settings = settings("").table(&issuer("mute", "https://mute.example", &lines));
    let gate = with_other(settings, &other).start();
    server.wait_for_requests("/jwks", 1);
    wait_for_fetches(&gate, "other", "ok", 1);
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let token = token("https://mute.example", "k1");
                assert_eq!(status(&gate, &token), 503);
            });
        }
        assert_eq!(status(&gate, &token(OTHER, "k1")), 200);
    });
    assert!(began.elapsed() < Duration::from_secs(4));
    assert_eq!(gate.reason(20), "key.unavailable");
    // From now on it is known that there is none.
    wait_for_fetches(&gate, "mute", "failed", 1);
    assert_unavailable_at_once(&gate, &token("https://mute.example", "k1"));
}

#[test]
fn s14_6_requests_that_come_before_the_first_keys_wait_for_them() {
    let server = key_server();
    let set = json!({"keys": [tokens::p256().jwk("k1")]});
    let late = Answer::json(&set).after(Duration::from_millis(700));
    server.answers("/jwks", late);
    let gate = patient()
        .table(&issuer("okta", &server.issuer(), ""))
        .start();
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(status(&gate, &token(&server.issuer(), "k1")), 200));
        }
    });
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(server.count("/jwks"), 1);
}

#[test]
fn s14_5_known_keys_serve_on_without_an_error_while_the_provider_is_down() {
    let server = key_server();
    let iss = server.issuer();
    let gate = settings("").table(&issuer("okta", &iss, "")).start();
    wait_until_ready(&gate);
    let cached = token(&iss, "k1");
    assert_eq!(status(&gate, &cached), 200);
    server.go_down();
    let began = Instant::now();
    thread::scope(|scope| {
        // Somebody presses with keys that nobody has.
        scope.spawn(|| {
            while began.elapsed() < COOLDOWN * 3 / 2 {
                assert_eq!(status(&gate, &token(&iss, "new")), 503);
            }
        });
        while began.elapsed() < COOLDOWN * 3 / 2 {
            assert_eq!(status(&gate, &cached), 200);
            assert_eq!(status(&gate, &token(&iss, "k1")), 200);
        }
    });
    wait_for_failure(&gate, "okta", "Connection refused");
    assert_eq!(lacking(&gate), [""; 0]);
    let known = key_status(&gate, "okta");
    assert_eq!(known["state"], "stale");
    // What an alarm is set on.
    assert!(known["age_seconds"].as_u64() >= Some(1), "{known}");
    let metrics = Request::get("/metrics").send(gate.admin()).text();
    assert!(
        metrics.contains("jwtgate_keys_age_seconds{issuer=\"okta\"} "),
        "{metrics}"
    );
    assert!(
        known["errors"][0]
            .as_str()
            .is_some_and(|error| error.contains("refused"))
    );
    server.come_back();
    assert_eq!(status(&gate, &token(&iss, "k1")), 200);
    // Without a demand it would take as long as the pauses have grown.
    let back = wait::until(Duration::from_secs(5), || {
        status(&gate, &token(&iss, "new"));
        (fetches(&gate, "okta", "ok") >= 2).then_some(())
    });
    assert!(back.is_some(), "{}", gate.output());
    assert_eq!(key_status(&gate, "okta")["state"], "current");
    gate.assert_no_panic();
}

/// Waits until a token is no longer answered 200, for `limit` at most, and gives how long it was.
fn until_refused(gate: &Gate, token: &str, limit: Duration) -> Option<Duration> {
    let began = Instant::now();
    wait::until(limit, || {
        (status(gate, token) != 200).then(|| began.elapsed())
    })
}

#[test]
fn s14_5_keys_that_get_too_old_are_used_no_more_until_newer_ones_come() {
    let server = key_server();
    let iss = server.issuer();
    let inline = json!({"keys": [tokens::p256().jwk("k1")]});
    let gate = settings("max_stale = \"2s\"")
        .table(&issuer("okta", &iss, ""))
        .table(&issuer("other", OTHER, &format!("jwks = '{inline}'")))
        .start();
    wait_until_ready(&gate);
    let cached = token(&iss, "k1");
    assert_eq!(status(&gate, &cached), 200);
    server.go_down();
    let refused = until_refused(&gate, &cached, Duration::from_secs(8));
    let after = refused.expect("they serve for ever");
    assert!(after > Duration::from_secs(1), "they served for {after:?}");
    // Neither what was remembered nor what would have to be verified passes.
    assert_unavailable_at_once(&gate, &cached);
    assert_unavailable_at_once(&gate, &token(&iss, "k1"));
    assert_eq!(gate.reason(1), "key.unavailable");
    assert_eq!(lacking(&gate), ["issuer.okta"]);
    assert!(gate.wait_for_line("keys are too old to be used"));
    assert_eq!(status(&gate, &token(OTHER, "k1")), 200);

    server.come_back();
    wait_until_ready(&gate);
    assert_eq!(status(&gate, &cached), 200);
}

#[test]
fn s14_5_keys_of_a_healthy_provider_never_get_too_old() {
    let server = key_server();
    let iss = server.issuer();
    let gate = settings("max_stale = \"3s\"")
        .table(&issuer("okta", &iss, ""))
        .start();
    wait_until_ready(&gate);
    let refused = until_refused(&gate, &token(&iss, "k1"), Duration::from_secs(4));
    assert_eq!(refused, None, "{}", gate.output());
}

#[test]
fn s14_5_keys_do_not_serve_past_their_age_while_a_fetch_hangs() {
    let server = key_server();
    let iss = server.issuer();
    let gate = Settings::empty()
        .table("[keys]\ncooldown = \"1s\"\nfetch_timeout = \"4s\"\nmax_stale = \"2s\"")
        .table(&issuer("okta", &iss, ""))
        .start();
    wait_until_ready(&gate);
    let fetched = Instant::now();
    server.answers("/jwks", Answer::silence());
    // They are asked for again, in vain, before they get too old, and the answer is awaited until long after that.
    let refused = until_refused(&gate, &token(&iss, "k1"), Duration::from_secs(6));
    assert!(refused.is_some(), "they serve for ever");
    let age = fetched.elapsed();
    assert!(age < Duration::from_secs(4), "they served for {age:?}");
    assert!(server.count("/jwks") >= 2);
}

#[test]
fn s14_5_a_provider_that_comes_and_goes_costs_no_good_token() {
    let server = key_server();
    let iss = server.issuer();
    let gate = settings("").table(&issuer("okta", &iss, "")).start();
    wait_until_ready(&gate);
    for _ in 0..2 {
        server.go_down();
        let new = asking(&token(&iss, "new"));
        let asked = thread::scope(|scope| {
            let asked = scope.spawn(|| new.send(gate.main()).status);
            for _ in 0..20 {
                assert_eq!(status(&gate, &token(&iss, "k1")), 200);
            }
            server.come_back();
            asked.join().expect("asking does not panic")
        });
        // Either the fetch found nobody, or somebody without such a key.
        assert!([401, 503].contains(&asked), "{asked}");
        assert_eq!(status(&gate, &token(&iss, "k1")), 200);
    }
    server.publishes(&[tokens::p256().jwk("k1"), tokens::second_p256().jwk("k2")]);
    let taken = wait::until(Duration::from_secs(5), || {
        (status(&gate, &token_by(tokens::second_p256(), &iss, "k2")) == 200).then_some(())
    });
    assert!(taken.is_some(), "{:?}", failures(&gate, "okta"));
    gate.assert_no_panic();
}

#[test]
fn s14_5_one_of_two_sets_that_is_down_takes_nothing_from_the_other() {
    let (one, two) = (key_server(), KeyServer::start());
    two.publishes(&[tokens::second_p256().jwk("k2")]);
    two.go_down();
    let iss = "https://idp.example";
    let lines = format!(
        "jwks_url = [\"{}\", \"{}\"]",
        one.url("/jwks"),
        two.url("/jwks")
    );
    let gate = settings("").table(&issuer("idp", iss, &lines)).start();
    // One is enough to be ready.
    wait_until_ready(&gate);
    let by_two = || token_by(tokens::second_p256(), iss, "k2");
    assert_eq!(status(&gate, &token(iss, "k1")), 200);
    // Who knows what stands in the other?
    let answer = asking(&by_two()).send(gate.main());
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(gate.reason(1), "key.pending");
    two.come_back();
    let taken = wait::until(Duration::from_secs(5), || {
        (status(&gate, &by_two()) == 200).then_some(())
    });
    assert!(taken.is_some(), "{:?}", failures(&gate, "idp"));
    one.go_down();
    assert_eq!(status(&gate, &token(iss, "new")), 503);
    wait_for_failure(&gate, "idp", &one.url("/jwks"));
    assert_eq!(status(&gate, &token(iss, "k1")), 200);
    assert_eq!(status(&gate, &by_two()), 200);
    assert_eq!(lacking(&gate), [""; 0]);
}
