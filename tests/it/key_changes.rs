//! Keys that change while the gate runs: which tokens pass afterwards, remembered or not, and how little is asked for.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::fetched::{
    asking, claims, fetches, issuer, metric, status, token, token_by, wait_for_fetches,
    wait_until_ready,
};
use crate::harness::process::text;
use crate::harness::tokens::Key;
use crate::harness::{Answer, Gate, KeyServer, Settings, tokens, wait};

const ISS: &str = "https://idp.example";
const OTHER: &str = "https://other.example";

fn set(keys: &[Value]) -> Answer {
    Answer::json(&json!({ "keys": keys }))
}

/// A JWK without a name.
fn nameless(key: &Key) -> Value {
    let mut jwk = key.jwk("");
    jwk.as_object_mut().expect("an object").remove("kid");
    jwk
}

/// A server with this set, and a gate for two issuers: `idp`, whose set it is, and `other`, which has the key `o1`.
fn gate(answer: Answer) -> (Gate, KeyServer) {
    gate_with(answer, "3s")
}

fn gate_with(answer: Answer, fetch_timeout: &str) -> (Gate, KeyServer) {
    let server = KeyServer::start();
    server.answers("/jwks", answer);
    server.answers("/other", set(&[tokens::p256().jwk("o1")]));
    let of = |path: &str| format!("jwks_url = \"{}\"", server.url(path));
    let gate = Settings::empty()
        .table(&format!(
            "[keys]\ncooldown = \"1s\"\nfetch_timeout = \"{fetch_timeout}\""
        ))
        .table(&issuer("idp", ISS, &of("/jwks")))
        .table(&issuer("other", OTHER, &of("/other")))
        .start();
    wait_until_ready(&gate);
    (gate, server)
}

fn hits(gate: &Gate) -> u64 {
    metric(gate, "jwtgate_cache_hits_total", &[])
}

#[test]
fn s13_2_a_removed_key_takes_its_remembered_tokens_along_and_no_others() {
    let (gate, server) = gate(set(&[tokens::p256().jwk("k1")]));
    let (old, others) = (token(ISS, "k1"), token(OTHER, "o1"));
    for token in [&old, &others] {
        let before = hits(&gate);
        for _ in 0..3 {
            assert_eq!(status(&gate, token), 200);
        }
        assert_eq!(hits(&gate) - before, 2);
    }
    server.answers("/jwks", set(&[tokens::second_p256().jwk("k2")]));
    assert_eq!(
        status(&gate, &token_by(tokens::second_p256(), ISS, "k2")),
        200
    );

    // At once: the new set is known, and within the cooldown nothing else can be found out.
    let before = hits(&gate);
    let answer = asking(&old).send(gate.main());
    assert_ne!(answer.status, 200);
    assert_eq!(hits(&gate), before);
    assert_eq!(status(&gate, &others), 200);
    assert_eq!(hits(&gate), before + 1);

    // It stays so when the key with that name is another one.
    server.answers(
        "/jwks",
        set(&[tokens::p521().jwk("k1"), tokens::rsa().jwk("k3")]),
    );
    let by_rsa = tokens::rsa().sign_kid("RS256", "k3", &claims(ISS));
    assert_eq!(status(&gate, &by_rsa), 200);
    assert_eq!(status(&gate, &old), 401);
}

#[test]
fn s14_4_with_overlap_nobody_is_refused() {
    let (gate, server) = gate(set(&[tokens::p256().jwk("k1")]));
    let old = token(ISS, "k1");
    assert_eq!(status(&gate, &old), 200);
    let both = [tokens::p256().jwk("k1"), tokens::second_p256().jwk("k2")];
    server.answers("/jwks", set(&both));
    for _ in 0..3 {
        assert_eq!(
            status(&gate, &token_by(tokens::second_p256(), ISS, "k2")),
            200
        );
        assert_eq!(status(&gate, &token(ISS, "k1")), 200);
        assert_eq!(status(&gate, &old), 200);
    }
    assert_eq!(server.count("/jwks"), 2);
    assert_eq!(gate.records("refused").len(), 0, "{}", gate.output());
    let change = wait::until(Duration::from_secs(5), || {
        let last = gate.records("keys changed").pop()?;
        text(&last, "keys").contains("k2").then_some(last)
    });
    let change = change.expect("the change is told");
    assert!(!text(&change, "before").contains("k2"), "{change}");
}

#[test]
fn s14_4_a_set_that_only_looks_different_changes_nothing() {
    let (gate, server) = gate(set(&[tokens::p256().jwk("k1")]));
    let known = token(ISS, "k1");
    assert_eq!(status(&gate, &known), 200);
    let changes = || gate.records("keys changed").len();
    let both = wait::until(Duration::from_secs(5), || (changes() == 2).then_some(()));
    assert!(both.is_some(), "{}", gate.output());
    let mut same = tokens::p256().jwk("k1");
    same["x5t"] = "bm90aGluZw".into();
    server.answers(
        "/jwks",
        Answer::text(&format!("{{\"keys\":\n[ {same} ]}}"), "text/plain"),
    );
    assert_eq!(status(&gate, &token(ISS, "nobody")), 401);
    let before = hits(&gate);
    assert_eq!(status(&gate, &known), 200);
    assert_eq!(hits(&gate), before + 1);
    assert_eq!(changes(), 2);
}

/// Asks with new tokens of a key without a name until one passes.
fn passes_in_time(gate: &Gate, make: impl Fn() -> String) -> bool {
    let passed = wait::until(Duration::from_secs(6), || {
        (status(gate, &make()) == 200).then_some(())
    });
    passed.is_some()
}

#[test]
fn s14_4_a_new_key_without_a_name_is_found_after_one_fetch() {
    let (gate, server) = gate(set(&[nameless(tokens::p256())]));
    server.answers("/jwks", set(&[nameless(tokens::second_p256())]));
    let new = || tokens::second_p256().sign("ES256", &claims(ISS));
    assert_eq!(status(&gate, &new()), 200);
    assert_eq!(server.count("/jwks"), 2);
    assert_ne!(
        status(&gate, &tokens::p256().sign("ES256", &claims(ISS))),
        200
    );
}

#[test]
fn s14_4_a_new_key_without_a_name_is_found_although_the_old_one_is_in_use() {
    let (gate, server) = gate(set(&[nameless(tokens::p256())]));
    // Its header is the same as that of the tokens to come.
    for _ in 0..2 {
        let old = tokens::p256().sign("ES256", &claims(ISS));
        assert_eq!(status(&gate, &old), 200);
    }
    server.answers("/jwks", set(&[nameless(tokens::second_p256())]));
    let new = || tokens::second_p256().sign("ES256", &claims(ISS));
    assert!(passes_in_time(&gate, new), "{}", gate.reason(1));
    assert_eq!(server.count("/jwks"), 2);
}

#[test]
fn s14_4_a_new_key_without_a_name_is_found_although_it_is_of_another_kind() {
    let (gate, server) = gate(set(&[nameless(tokens::rsa())]));
    server.answers("/jwks", set(&[nameless(tokens::p256())]));
    let new = || tokens::p256().sign("ES256", &claims(ISS));
    assert!(passes_in_time(&gate, new), "{}", gate.reason(1));
}

#[test]
fn s14_3_forged_tokens_without_a_name_cause_no_more_fetches_than_the_cooldown_allows() {
    let server = KeyServer::start();
    server.answers("/jwks", set(&[nameless(tokens::p256())]));
    let lines = format!("jwks_url = \"{}\"", server.url("/jwks"));
    let gate = Settings::empty()
        .table("[keys]\ncooldown = \"1h\"\nfetch_timeout = \"1s\"")
        .table(&issuer("idp", ISS, &lines))
        .start();
    wait_until_ready(&gate);
    for _ in 0..50 {
        let forged = tokens::second_p256().sign("ES256", &claims(ISS));
        assert_ne!(status(&gate, &forged), 200);
        let good = tokens::p256().sign("ES256", &claims(ISS));
        assert_eq!(status(&gate, &good), 200);
    }
    assert_eq!(server.count("/jwks"), 1);
}

#[test]
fn s14_4_a_set_that_has_not_changed_is_not_sent_again() {
    let first = set(&[tokens::p256().jwk("k1")]).with_etag("\"v1\"");
    let (gate, server) = gate(first);
    let known = token(ISS, "k1");
    assert_eq!(status(&gate, &known), 200);
    assert_eq!(status(&gate, &token(ISS, "nobody")), 401);
    let seen = server.seen("/jwks");
    let asked: Vec<_> = seen
        .iter()
        .map(|seen| (seen.header("If-None-Match"), seen.status))
        .collect();
    let unchanged = (Some("\"v1\""), Some(304));
    assert_eq!(asked, [(None, Some(200)), unchanged]);
    wait_for_fetches(&gate, "idp", "ok", 2);
    assert_eq!(fetches(&gate, "idp", "failed"), 0);
    let before = hits(&gate);
    assert_eq!(status(&gate, &known), 200);
    assert_eq!(hits(&gate), before + 1);

    // A new version is taken, and asked for by its own tag from then on.
    server.answers(
        "/jwks",
        set(&[tokens::second_p256().jwk("k2")]).with_etag("W/\"v2\""),
    );
    assert_eq!(
        status(&gate, &token_by(tokens::second_p256(), ISS, "k2")),
        200
    );
    assert_eq!(status(&gate, &token(ISS, "nobody")), 401);
    let seen = server.seen("/jwks");
    let last = seen.last().expect("a request");
    assert_eq!(last.header("If-None-Match"), Some("W/\"v2\""));
}

#[test]
fn s14_5_a_tag_of_a_set_that_was_not_taken_is_not_asked_for() {
    let good = set(&[tokens::p256().jwk("k1")]).with_etag("\"good\"");
    let (gate, server) = gate_with(good, "1s");
    server.answers("/jwks", set(&[]).with_etag("\"empty\""));
    assert_eq!(status(&gate, &token(ISS, "nobody")), 503);
    wait_for_fetches(&gate, "idp", "failed", 1);
    let both = [tokens::p256().jwk("k1"), tokens::second_p256().jwk("k2")];
    server.answers("/jwks", set(&both).with_etag("\"empty\""));
    let new = || token_by(tokens::second_p256(), ISS, "k2");
    assert!(passes_in_time(&gate, new));
    let asked: Vec<_> = server
        .seen("/jwks")
        .iter()
        .filter_map(|seen| seen.header("If-None-Match").map(str::to_owned))
        .collect();
    assert!(asked.iter().all(|tag| tag == "\"good\""), "{asked:?}");
}

#[test]
fn s17_2_names_of_keys_are_escaped_in_the_log() {
    let kid = "k\r\n\u{1b}[31m\u{202e}{\"level\":\"ERROR\"}";
    let (gate, server) = gate_with(set(&[tokens::p256().jwk(kid)]), "1s");
    assert_eq!(status(&gate, &token(ISS, kid)), 200);
    server.answers("/jwks", Answer::redirect("/\r\n\u{1b}[31m"));
    assert_eq!(status(&gate, &token(ISS, "nobody")), 503);
    let output = gate.stop();
    assert!(
        !output.contains('\u{1b}') && !output.contains('\u{202e}'),
        "{output}"
    );
    for line in output.lines() {
        let record: Value = serde_json::from_str(line).expect("one record in each line");
        assert_ne!(record["level"], "ERROR", "{line}");
    }
}
