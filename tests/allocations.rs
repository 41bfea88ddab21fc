//! The budget of allocations on the hot path, counted on the heap of this process. One test only, so that no other thread counts along.

use jwtgate::app;
use jwtgate::clock::Timestamp;
use jwtgate::config::{Config, Secret};
use jwtgate::gate;
use jwtgate::jose::HmacSecret;
use jwtgate::jose::signing_key::SigningKey;
use jwtgate::request::{GivenLines, Original, RawToken, RequestView, Scheme};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ROUNDS: u64 = 1_000;
/// What a refusal says of itself.
const GARBAGE: u64 = 1;
/// The decoded payload, the lists that its claims are read into, and the identity.
const MISS: u64 = 11;

/// A secret, and rules of which the second one decides.
fn config() -> Config {
    let rules = json!([
        {"action": "public", "path_prefix": "/assets"},
        {"action": "require", "path_prefix": "/", "require": {"groups": ["b"]}},
    ]);
    Config {
        secret: Some(Secret::from(SECRET)),
        expected_audience: "app".into(),
        rules: serde_json::from_value(rules).unwrap_or_else(|error| unreachable!("{error}")),
        ..Config::default()
    }
}

#[test]
fn a_hit_allocates_nothing_and_the_rest_what_is_stated() {
    let now = Timestamp::now();
    let config = config();
    let (state, _, faults) = app::compile_gate(&config, now);
    let state = state.unwrap_or_else(|| unreachable!("{faults:?}"));
    let secret = HmacSecret::new(SECRET.as_bytes().to_vec()).expect("not empty");
    let key = SigningKey::from_secret(&secret, None).expect("HS256");
    let token = key
        .sign(
            None,
            "JWT",
            &json!({"aud": "app", "username": "alice", "groups": ["a", "b"], "exp": now.seconds() + 600}),
        )
        .expect("a signature");
    let lines = |token: &str| {
        GivenLines(vec![(
            "authorization".to_owned(),
            format!("Bearer {token}"),
        )])
    };
    let (good, garbage) = (lines(&token), lines("not a token"));
    let ask = |headers: &GivenLines| {
        let request = RequestView {
            headers,
            original: Original {
                method: "GET",
                scheme: Some(Scheme::Https),
                host: Some("app.example.com"),
                path: "/page",
                query: Some("id=1"),
                states_method: true,
                states_path: true,
            },
            source: None,
        };
        gate::decide(&state, &request, now).outcome.is_ok()
    };
    // Verified, found in the shared cache, and then by this thread.
    for _ in 0..3 {
        assert!(ask(&good));
    }
    let _profiler = dhat::Profiler::builder().testing().build();
    let once = |work: &dyn Fn()| {
        let before = dhat::HeapStats::get().total_blocks;
        for _ in 0..ROUNDS {
            work();
        }
        dhat::HeapStats::get().total_blocks - before
    };
    // The least of some: the thread that runs the tests allocates now and then, too, and is counted along.
    let blocks = |work: &dyn Fn()| (0..5).map(|_| once(work)).min().unwrap_or(u64::MAX);
    let hits = blocks(&|| assert!(ask(&good)));
    let garbage = blocks(&|| assert!(!ask(&garbage))) / ROUNDS;
    let miss = blocks(&|| {
        assert!(gate::verify::verify(&state, RawToken::new(token.as_bytes()), now).is_ok());
    }) / ROUNDS;
    assert_eq!(hits, 0, "allocations of {ROUNDS} hits");
    assert_eq!(garbage, GARBAGE, "allocations per refusal of garbage");
    assert_eq!(miss, MISS, "allocations per verification");
}
