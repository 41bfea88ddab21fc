//! `key_url`: each key under an address of its own, asked for when a token names it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::judge::{PACE, fresh};
use crate::harness::tokens::{Key, ed25519, p256, rsa, second_p256};
use crate::harness::{Answer, Gate, Judge, KeyServer, Request, Settings, wait};

fn settings(server: &KeyServer) -> Settings {
    Settings::empty()
        .top("username_claim_field = \"sub\"\nexpected_audience = \"app\"")
        .table(&format!(
            "[issuers.corp]\nissuer = \"corp\"\nkey_url = \"{}\"",
            server.url("/keys/{kid}")
        ))
}

fn judge(server: &KeyServer) -> Judge {
    Judge::of(settings(server).table(PACE))
}

fn claims() -> Value {
    fresh(&json!({"iss": "corp", "aud": "app", "sub": "alice"}))
}

fn by(key: &Key, kid: &str) -> String {
    key.sign_kid("ES256", kid, &claims())
}

fn path(kid: &str) -> String {
    format!("/keys/{kid}")
}

fn pem(text: &str) -> Answer {
    Answer::text(text, "binary/octet-stream")
}

#[test]
fn each_key_is_fetched_once_when_a_token_names_it() {
    let server = KeyServer::start();
    server.answers(&path("one"), pem(&p256().public_pem()));
    server.answers(&path("two"), pem(&second_p256().certificate_pem()));
    let judge = judge(&server);
    let ready = Request::get("/readyz").send(judge.gate().admin());
    assert_eq!(
        ready.status, 200,
        "nothing is lacking before the first token"
    );
    for _ in 0..3 {
        judge.passes(&by(p256(), "one"), "alice");
    }
    assert_eq!((server.count(&path("one")), server.total()), (1, 1));
    judge.passes(&by(second_p256(), "two"), "alice");
    assert_eq!(server.count(&path("two")), 1);
    // A name is a name of one key.
    judge.refuses(&by(second_p256(), "one"), "token.signature");
    judge.refuses(&by(p256(), "two"), "token.signature");
    assert_eq!(server.count(&path("two")), 1);
    let request = &server.seen(&path("one"))[0];
    assert_eq!(request.method, "GET");
}

#[test]
fn the_first_token_after_a_start_is_met_at_once() {
    let server = KeyServer::start();
    server.answers(&path("one"), pem(&p256().public_pem()));
    // With the cooldown that everybody has: nobody has been asked yet, so there is nothing to wait for.
    let judge = Judge::of(settings(&server));
    // Until the gate has nothing more to do by itself.
    wait::until(Duration::from_secs(2), || {
        let next = &issuer(&judge)["next_fetch_in_seconds"];
        next.as_u64().filter(|seconds| *seconds > 0)
    });
    judge.passes(&by(p256(), "one"), "alice");
}

#[test]
fn keys_that_many_tokens_name_at_once_all_come() {
    let server = KeyServer::start();
    let kids = ["a", "b", "c", "d", "e", "f"];
    for kid in kids {
        server.answers(&path(kid), pem(&p256().public_pem()));
    }
    let judge = judge(&server);
    assert_eq!(ask_at_once(judge.gate(), &kids), [200; 6]);
}

/// Fails unless the path was asked for no more often than the cooldown of a second allows.
fn keeps_the_cooldown(server: &KeyServer, path: &str) {
    let seen = server.seen(path);
    assert!(!seen.is_empty());
    for pair in seen.windows(2) {
        let pause = pair[1].at - pair[0].at;
        // A busy machine may deliver the first late.
        assert!(
            pause > Duration::from_millis(500),
            "asked again after {pause:?}"
        );
    }
}

#[test]
fn s14_3_an_unknown_key_is_asked_for_once_per_cooldown() {
    let server = KeyServer::start();
    let judge = judge(&server);
    assert_eq!(ask_at_once(judge.gate(), &["nobody"; 8]), [401; 8]);
    let refusals = judge.gate().refusals(8);
    for refusal in refusals {
        assert_eq!(refusal["reason.code"], "key.unknown");
        assert_eq!(refusal["token.kid"], "nobody");
    }
    keeps_the_cooldown(&server, &path("nobody"));
    assert_eq!(server.total(), server.count(&path("nobody")));
}

#[test]
fn s2_2_a_name_that_is_more_than_a_name_is_never_asked_for() {
    let server = KeyServer::start();
    let judge = judge(&server);
    let long = "x".repeat(200);
    let just_too_long = "x".repeat(129);
    for kid in [
        "",
        "/",
        "a/b",
        "..",
        ".",
        "../one",
        "one.pem",
        "%2e%2e",
        "%2f",
        "a%00",
        "?",
        "one?x=1",
        "#",
        "a b",
        " one",
        "one ",
        "a\\b",
        "a:b",
        "a@b",
        "a;b",
        "a&b",
        "a+b",
        "a=",
        "a\nb",
        "a\r\nHost: evil",
        "a\u{0}b",
        "käse",
        "\u{ff0e}\u{ff0e}",
        "{kid}",
        &long,
        &just_too_long,
    ] {
        judge.refuses(&by(p256(), kid), "key.unknown");
    }
    assert_eq!(server.total(), 0);
    // The longest name that is one.
    let longest = "x".repeat(128);
    server.answers(&path(&longest), pem(&p256().public_pem()));
    judge.passes(&by(p256(), &longest), "alice");
}

/// How it stands with the issuer.
fn issuer(judge: &Judge) -> Value {
    let listed = Request::get("/keys").send(judge.gate().admin()).json();
    listed["issuers"][0].clone()
}

/// How many fetches have ended.
fn fetches(judge: &Judge) -> u64 {
    let issuer = issuer(judge);
    // Absent for a moment in the middle of a reload.
    let count = |name: &str| issuer[name].as_u64().unwrap_or_default();
    count("fetches_succeeded") + count("fetches_failed")
}

/// Lets every key be asked for again, as its time would, or a reload.
fn refreshed(judge: &Judge) {
    let before = fetches(judge);
    judge.gate().signal("HUP");
    let over = wait::until(Duration::from_secs(20), || {
        (fetches(judge) > before).then_some(())
    });
    assert!(over.is_some(), "nobody was asked again");
}

#[test]
fn s14_4_a_key_that_is_withdrawn_stops_with_the_next_refresh() {
    let server = KeyServer::start();
    // Amazon's store says 403 of what it does not have.
    let withdrawn = [("gone", 404), ("denied", 403)];
    for kid in ["gone", "denied", "stays"] {
        server.answers(&path(kid), pem(&p256().public_pem()));
    }
    let judge = judge(&server);
    let stays = by(p256(), "stays");
    let tokens = withdrawn.map(|(kid, _)| by(p256(), kid));
    assert_eq!(
        ask_at_once(judge.gate(), &["gone", "denied", "stays"]),
        [200; 3]
    );
    judge.passes(&tokens[0], "alice");
    for (kid, status) in withdrawn {
        server.answers(&path(kid), Answer::status(status));
    }
    refreshed(&judge);
    judge.passes(&stays, "alice");
    for token in &tokens {
        judge.refuses(token, "key.unknown");
    }
    // And it comes back with its key.
    server.answers(&path("gone"), pem(&p256().public_pem()));
    judge.passes(&tokens[0], "alice");
}

#[test]
fn s14_4_a_key_that_is_replaced_under_its_name_is_replaced() {
    let server = KeyServer::start();
    server.answers(&path("one"), pem(&p256().public_pem()));
    let judge = judge(&server);
    let before = by(p256(), "one");
    judge.passes(&before, "alice");
    server.answers(&path("one"), pem(&second_p256().public_pem()));
    refreshed(&judge);
    judge.passes(&by(second_p256(), "one"), "alice");
    judge.refuses(&before, "token.signature");
}

#[test]
fn s14_5_keys_serve_on_while_their_server_fails() {
    let server = KeyServer::start();
    server.answers(&path("one"), pem(&p256().public_pem()));
    let judge = judge(&server);
    judge.passes(&by(p256(), "one"), "alice");
    for broken in [Answer::status(500), Answer::html()] {
        server.answers(&path("one"), broken);
        refreshed(&judge);
        judge.passes(&by(p256(), "one"), "alice");
    }
    assert!(server.count(&path("one")) > 2);
}

#[test]
fn what_is_no_key_of_an_allowed_kind_is_none() {
    let server = KeyServer::start();
    let broken = [
        ("html", Answer::html()),
        ("rsa", pem(&rsa().public_pem())),
        ("ed", pem(&ed25519().public_pem())),
        ("private", pem(&p256().private_pem())),
        ("jwk", Answer::json(&p256().jwk("jwk"))),
        ("empty", pem("")),
    ];
    let kids = broken.map(|(kid, answer)| {
        server.answers(&path(kid), answer);
        kid
    });
    let lines = "algorithms = \"ES256\"\n[keys]\ncooldown = \"1s\"\nfetch_timeout = \"3s\"";
    let gate = settings(&server).table(lines).start();
    assert_eq!(ask_at_once(&gate, &kids), [503; 6]);
    for refusal in gate.refusals(kids.len()) {
        assert_eq!(refusal["reason.code"], "key.pending");
    }
    for kid in kids {
        let line = format!("{}: it holds no usable key", server.url(&path(kid)));
        assert!(gate.wait_for_line(&line), "{kid}: {}", gate.output());
    }
}

#[test]
fn s14_3_made_up_names_do_not_crowd_out_a_real_one() {
    const MADE_UP: usize = 24;
    let server = KeyServer::start();
    server.answers(&path("held"), pem(&p256().public_pem()));
    server.answers(&path("new"), pem(&second_p256().public_pem()));
    let began = Instant::now();
    let judge = judge(&server);
    judge.passes(&by(p256(), "held"), "alice");
    let gate = judge.gate();
    let arrived = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for index in 0..MADE_UP {
            let arrived = &arrived;
            scope.spawn(move || {
                // Behind the real one in every order of the alphabet, and before it.
                let kid = if index % 2 == 0 {
                    format!("zz{index}")
                } else {
                    format!("aa{index}")
                };
                arrived.fetch_add(1, Ordering::SeqCst);
                let answer = ask(gate, &by(p256(), &kid));
                assert!([401, 503].contains(&answer), "{answer}");
            });
        }
        let all = wait::until(Duration::from_secs(10), || {
            (arrived.load(Ordering::SeqCst) == MADE_UP).then_some(())
        });
        assert!(all.is_some());
        let token = by(second_p256(), "new");
        let passed = wait::until(Duration::from_secs(20), || {
            (ask(gate, &token) == 200).then_some(())
        });
        assert!(passed.is_some(), "starved for {:?}", began.elapsed());
        judge.passes(&by(p256(), "held"), "alice");
    });
    // One fetch at the start, then one for each second that has begun.
    let waves = began.elapsed().as_secs() + 2;
    let made_up = server.total() - server.count(&path("held")) - server.count(&path("new"));
    assert!(
        u64::try_from(made_up).is_ok_and(|made_up| made_up <= 8 * waves),
        "{made_up} names in {waves} fetches at most"
    );
}

/// The status for a token; whoever asks waits as long as the gate lets it.
fn ask(gate: &Gate, token: &str) -> u16 {
    Request::get("/verify")
        .bearer(token)
        .timeout(Duration::from_secs(30))
        .send(gate.main())
        .status
}

/// The same for keys of these names, all at the same time.
fn ask_at_once(gate: &Gate, kids: &[&str]) -> Vec<u16> {
    std::thread::scope(|scope| {
        let asking: Vec<_> = kids
            .iter()
            .map(|kid| scope.spawn(|| ask(gate, &by(p256(), kid))))
            .collect();
        let asked = asking.into_iter().map(std::thread::ScopedJoinHandle::join);
        asked
            .map(|status| status.expect("no request panics"))
            .collect()
    })
}
