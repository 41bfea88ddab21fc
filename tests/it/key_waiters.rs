//! Requests that wait for a key to be fetched: for how long, how many, and what becomes of them.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::fetched::{asking, issuer, status, token, wait_until_ready};
use crate::harness::waiting::{ISS, by_second, gate, key_server, waiters, with_both};
use crate::harness::{Answer, Connection, Gate, KeyServer, Request, Settings, tokens, wait};

fn wait_for_waiters(gate: &Gate, count: u64, limit: Duration) {
    let found = wait::until(limit, || (waiters(gate) == count).then_some(()));
    assert!(found.is_some(), "{} wait, not {count}", waiters(gate));
}

#[test]
fn s14_7_known_names_are_answered_at_once_while_a_fetch_is_slow() {
    let server = key_server();
    let gate = gate(&server, "cooldown = \"1s\"\nfetch_timeout = \"4s\"");
    let set = json!({"keys": [tokens::p256().jwk("k1"), tokens::second_p256().jwk("k2")]});
    server.answers(
        "/jwks",
        Answer::json(&set).after(Duration::from_millis(1500)),
    );
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| status(&gate, &by_second("k2"))))
            .collect();
        wait_for_waiters(&gate, 20, Duration::from_secs(2));
        server.wait_for_requests("/jwks", 2);
        let mut answered = 0;
        while server.count("/jwks") == 2
            && !waiting.iter().any(thread::ScopedJoinHandle::is_finished)
        {
            let asked = Instant::now();
            assert_eq!(status(&gate, &token(ISS, "k1")), 200);
            assert!(asked.elapsed() < Duration::from_secs(1));
            answered += 1;
        }
        assert!(answered > 20, "only {answered} were answered meanwhile");
        for waiting in waiting {
            assert_eq!(waiting.join().expect("asking does not panic"), 200);
        }
    });
    assert_eq!(server.count("/jwks"), 2);
    assert_eq!(waiters(&gate), 0);
}

#[test]
fn s14_7_nobody_waits_longer_than_a_fetch_may_take() {
    let server = key_server();
    let gate = gate(&server, "cooldown = \"1s\"\nfetch_timeout = \"1s\"");
    server.answers("/jwks", Answer::silence());
    thread::scope(|scope| {
        for index in 0..20 {
            let gate = &gate;
            scope.spawn(move || {
                // Some come in the middle of the fetch for others.
                let turn = Duration::from_millis(50 * index);
                wait::until(turn, || None::<()>);
                let asked = Instant::now();
                let answer = asking(&by_second("k2")).send(gate.main());
                let waited = asked.elapsed();
                assert_eq!(answer.status, 503);
                assert!(waited < Duration::from_millis(1950), "{waited:?}");
                let after = answer.header("Retry-After").expect("when to come again");
                let after: u64 = after.parse().expect("a number of seconds");
                assert!((1..=2).contains(&after), "{after}");
                assert_eq!(answer.header("Cache-Control"), Some("no-store"));
                assert_eq!(answer.header("WWW-Authenticate"), None);
            });
        }
    });
    let refusals = gate.refusals(20);
    assert!(
        refusals
            .iter()
            .all(|refusal| refusal["reason.code"] == "key.pending")
    );
    assert_eq!(waiters(&gate), 0);
}

#[test]
fn s14_7_a_client_that_goes_away_while_it_waits_takes_its_place_no_longer_than_a_fetch_may_last() {
    let server = key_server();
    // One that has only closed its half still gets its answer, so nobody is forgotten at once.
    let gate = gate(&server, "cooldown = \"1s\"\nfetch_timeout = \"3s\"");
    server.answers("/jwks", Answer::silence());
    let open: Vec<_> = (0..30)
        .map(|_| {
            let mut open = Connection::open(gate.main()).expect("a connection");
            let request = Request::get("/verify").bearer(by_second("k2"));
            open.write(&request.bytes()).expect("the request is sent");
            open
        })
        .collect();
    wait_for_waiters(&gate, 30, Duration::from_secs(5));
    drop(open);
    wait_for_waiters(&gate, 0, Duration::from_secs(5));
    assert_eq!(status(&gate, &token(ISS, "k1")), 200);
    gate.assert_no_panic();
}

/// Whether this process and its children may have so many files open.
fn may_open(count: u64) -> bool {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let most = limits.lines().find_map(|line| {
        let rest = line.strip_prefix("Max open files")?;
        rest.split_whitespace().next()
    });
    most.is_some_and(|most| {
        most.parse()
            .map_or(most == "unlimited", |most: u64| most >= count)
    })
}

#[test]
fn s14_7_a_crowd_that_waits_for_one_issuer_does_not_keep_another_from_being_asked() {
    const CROWD: u64 = 1024;
    if !may_open(4 * CROWD) {
        return;
    }
    let (mute, server) = (key_server(), key_server());
    let of = |server: &KeyServer| format!("jwks_url = \"{}\"", server.url("/jwks"));
    let gate = Settings::empty()
        .table("[keys]\ncooldown = \"1s\"\nfetch_timeout = \"20s\"")
        .table(&issuer("mute", "https://mute.example", &of(&mute)))
        .table(&issuer("idp", ISS, &of(&server)))
        .start();
    wait_until_ready(&gate);
    mute.answers("/jwks", Answer::silence());
    let crowd: Vec<_> = (0..CROWD)
        .map(|_| {
            let mut open = Connection::open(gate.main()).expect("a connection");
            let token = token("https://mute.example", "nobody");
            let request = Request::get("/verify").bearer(token);
            open.write(&request.bytes()).expect("the request is sent");
            open
        })
        .collect();
    wait_for_waiters(&gate, CROWD, Duration::from_secs(10));
    with_both(&server);
    let taken = wait::until(Duration::from_secs(4), || {
        let answer = status(&gate, &by_second("k2"));
        assert!([200, 503].contains(&answer), "{answer}");
        (answer == 200).then_some(())
    });
    assert!(taken.is_some(), "{} fetches", server.count("/jwks"));
    drop(crowd);
}

#[test]
fn s18_2_a_reload_while_requests_wait_costs_them_nothing_but_time() {
    let server = key_server();
    let gate = gate(&server, "cooldown = \"1s\"\nfetch_timeout = \"6s\"");
    let both = [tokens::p256().jwk("k1"), tokens::second_p256().jwk("k2")];
    let late = Answer::json(&json!({ "keys": both })).after(Duration::from_millis(700));
    server.answers("/jwks", late);
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(status(&gate, &by_second("k2")), 200));
        }
        wait_for_waiters(&gate, 8, Duration::from_secs(2));
        server.wait_for_requests("/jwks", 2);
        gate.signal("HUP");
        assert_eq!(status(&gate, &token(ISS, "k1")), 200);
    });
    // One more cooldown and one more fetch.
    assert!(began.elapsed() < Duration::from_secs(5));
    gate.assert_no_panic();
}

#[test]
fn s18_1_requests_that_wait_for_a_key_are_answered_before_the_end() {
    let server = key_server();
    let gate = gate(&server, "cooldown = \"1s\"\nfetch_timeout = \"4s\"");
    let set = json!({"keys": [tokens::p256().jwk("k1"), tokens::second_p256().jwk("k2")]});
    server.answers(
        "/jwks",
        Answer::json(&set).after(Duration::from_millis(1500)),
    );
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..10)
            .map(|_| scope.spawn(|| status(&gate, &by_second("k2"))))
            .collect();
        wait_for_waiters(&gate, 10, Duration::from_secs(2));
        server.wait_for_requests("/jwks", 2);
        gate.signal("TERM");
        for waiting in waiting {
            assert_eq!(waiting.join().expect("asking does not panic"), 200);
        }
    });
}
