//! The gate as a whole: cache, clock and keys together, at moments that the tests choose.

use super::*;
use crate::app::compile_gate;
use crate::config::{Config, OneOrMany, Secret};
use crate::jose::HmacSecret;
use crate::jose::signing_key::SigningKey;
use crate::reason::Reason;
use crate::request::RawToken;
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: Timestamp = Timestamp::from_seconds(1_780_000_000);

fn state_with(change: impl FnOnce(&mut Config)) -> State {
    let mut config = Config {
        secret: Some(Secret::from(SECRET)),
        expected_audience: OneOrMany::One("app".to_owned()),
        ..Config::default()
    };
    change(&mut config);
    let (state, _, faults) = compile_gate(&config, NOW);
    state.unwrap_or_else(|| panic!("{faults:?}"))
}

fn state() -> State {
    state_with(|_| {})
}

fn sign(claims: &Value) -> String {
    let secret = HmacSecret::new(SECRET.as_bytes().to_vec()).unwrap();
    let key = SigningKey::from_secret(&secret, None).unwrap();
    key.sign(None, "JWT", claims).unwrap()
}

fn token(user: &str, exp: i64) -> String {
    sign(&json!({"aud": "app", "username": user, "exp": NOW.seconds() + exp}))
}

fn ask(state: &State, token: &str, seconds: i64) -> Result<(String, Lookup), Reason> {
    let credential = Credential::new(RawToken::new(token.as_bytes()), TokenSource::Header);
    let now = Timestamp::from_seconds(NOW.seconds() + seconds);
    admit(state, credential, now)
        .map(|permit| {
            (
                permit.verified().identity().username().to_owned(),
                permit.lookup(),
            )
        })
        .map_err(|refusal| refusal.reason())
}

fn known(state: &State) -> &issuers::KnownHeaders {
    &state.issuers.all()[0].known_headers
}

fn entries(state: &State) -> u64 {
    state.cache.as_ref().unwrap().entries()
}

#[test]
fn s13_1_only_the_very_same_token_hits() {
    let state = state();
    let alice = token("alice", 600);
    assert_eq!(
        ask(&state, &alice, 0),
        Ok(("alice".to_owned(), Lookup::Miss))
    );
    assert_eq!(
        ask(&state, &alice, 0),
        Ok(("alice".to_owned(), Lookup::Hit))
    );
    assert_eq!(
        ask(&state, &token("bob", 600), 0),
        Ok(("bob".to_owned(), Lookup::Miss))
    );
    // The same payload and header with another signature, and the token with something behind it.
    let (message, signature) = alice.rsplit_once('.').unwrap();
    let other: String = signature.chars().rev().collect();
    assert!(ask(&state, &format!("{message}.{other}"), 0).is_err());
    assert!(ask(&state, &format!("{alice}."), 0).is_err());
    assert!(ask(&state, message, 0).is_err());
}

#[test]
fn s13_1_two_sets_of_settings_never_share_an_entry() {
    let alice = token("alice", 600);
    let one = state();
    assert!(ask(&one, &alice, 0).is_ok());
    let other = state_with(|config| config.expected_audience = "other".into());
    assert_eq!(ask(&other, &alice, 0), Err(Reason::TokenAudience));
}

#[test]
fn s4_1_the_signature_is_checked_before_any_claim_is_looked_at() {
    let state = state();
    let forge = |payload: &str| {
        let header = token("alice", 600).split('.').next().unwrap().to_owned();
        let payload = crate::jose::base64url::encode(payload.as_bytes());
        format!("{header}.{payload}.{}", "A".repeat(43))
    };
    for payload in [
        "no JSON",
        "{}",
        r#"{"exp":1}"#,
        r#"{"aud":7,"iss":[]}"#,
        "\u{1}",
    ] {
        assert_eq!(ask(&state, &forge(payload), 0), Err(Reason::TokenSignature));
    }
}

#[test]
fn s13_2_time_is_judged_on_every_hit() {
    let state = state();
    let alice = token("alice", 600);
    assert!(ask(&state, &alice, 0).is_ok());
    assert_eq!(
        ask(&state, &alice, 629),
        Ok(("alice".to_owned(), Lookup::Hit))
    );
    assert_eq!(ask(&state, &alice, 630), Err(Reason::TokenExpired));
    let later = sign(&json!({
        "aud": "app", "username": "alice", "exp": NOW.seconds() + 600, "nbf": NOW.seconds() + 100,
    }));
    assert!(ask(&state, &later, 100).is_ok());
    assert_eq!(ask(&state, &later, 69), Err(Reason::TokenNotYetValid));
}

#[test]
fn s15_1_a_clock_that_jumps_revives_nothing_and_panics_nowhere() {
    let state = state();
    let alice = token("alice", 600);
    for jump in [
        0,
        86_400,
        -86_400,
        50 * 31_557_600,
        i64::MIN / 2,
        i64::MAX / 2,
        0,
    ] {
        let expected = jump < 630;
        assert_eq!(ask(&state, &alice, jump).is_ok(), expected, "{jump}");
    }
}

#[test]
fn s13_3_bad_tokens_never_enter() {
    let state = state();
    let good = token("alice", 600);
    let bad = [
        token("alice", -600),
        good.replace('.', ""),
        format!("{good}x"),
        sign(&json!({"aud": "other", "username": "alice", "exp": NOW.seconds() + 600})),
        sign(&json!({"aud": "app", "exp": NOW.seconds() + 600})),
    ];
    for token in &bad {
        for _ in 0..3 {
            assert!(ask(&state, token, 0).is_err());
        }
    }
    assert_eq!(entries(&state), 0);
    assert!(ask(&state, &good, 0).is_ok());
    assert_eq!(entries(&state), 1);
}

#[test]
fn s13_3_the_cache_is_bounded_in_bytes() {
    const BOUND: u64 = 64 * 1024;
    let state = state_with(|config| config.cache.max_bytes = BOUND);
    for user in 0..1000 {
        assert!(ask(&state, &token(&format!("user-{user}"), 600), 0).is_ok());
    }
    let cache = state.cache.as_ref().unwrap();
    assert!(cache.entries() > 20);
    assert!(cache.bytes() <= BOUND, "{}", cache.bytes());
    assert!(cache.evictions() > 500, "{}", cache.evictions());
}

#[test]
fn a_cache_of_no_bytes_is_off() {
    let state = state_with(|config| config.cache.max_bytes = 0);
    let alice = token("alice", 600);
    for _ in 0..2 {
        assert_eq!(
            ask(&state, &alice, 0),
            Ok(("alice".to_owned(), Lookup::Off))
        );
    }
}

#[test]
fn s13_4_an_entry_holds_no_token_text() {
    let state = state();
    let alice = token("alice", 600);
    let credential = Credential::new(RawToken::new(alice.as_bytes()), TokenSource::Header);
    let permit = admit(&state, credential, NOW).unwrap();
    let shown = format!("{permit:?}{:?}", state.cache);
    assert!(alice.split('.').all(|part| !shown.contains(part)));
    assert!(permit.verified().identity().size() < 400);
}

#[test]
fn only_headers_of_verified_tokens_are_remembered_and_at_most_64() {
    let state = state();
    let header = |token: &str| token.split('.').next().unwrap().as_bytes().to_vec();
    let forged = format!("{}x", token("alice", 600));
    assert!(ask(&state, &forged, 0).is_err());
    assert!(known(&state).get(&header(&forged)).is_none());
    let good = token("alice", 600);
    assert!(ask(&state, &good, 0).is_ok());
    assert!(known(&state).get(&header(&good)).is_some());
    let secret = HmacSecret::new(SECRET.as_bytes().to_vec()).unwrap();
    let key = SigningKey::from_secret(&secret, None).unwrap();
    let claims = json!({"aud": "app", "username": "alice", "exp": NOW.seconds() + 600});
    let tokens: Vec<_> = (0..100)
        .map(|number| {
            key.sign(Some(&format!("kid-{number}")), "JWT", &claims)
                .unwrap()
        })
        .collect();
    assert!(tokens.iter().all(|token| ask(&state, token, 0).is_ok()));
    let known = tokens
        .iter()
        .filter(|token| known(&state).get(&header(token)).is_some());
    assert_eq!(known.count(), 63);
}

#[test]
fn s5_6_a_token_that_is_too_long_is_refused_before_anything_is_computed() {
    let state = state_with(|config| config.server.max_token_bytes = 200);
    assert_eq!(ask(&state, &"a".repeat(201), 0), Err(Reason::TokenTooLarge));
    assert_eq!(
        ask(&state, &"a".repeat(200), 0),
        Err(Reason::TokenMalformed)
    );
}
