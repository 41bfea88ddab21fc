//! The budget of allocations on the hot path, counted on the heap of this process. One test only, so that no other thread counts along.

use std::io::Write as _;

use jwtgate::app;
use jwtgate::clock::Timestamp;
use jwtgate::config::{Config, Secret, TokenSource};
use jwtgate::gate::{self, Credential};
use jwtgate::jose::HmacSecret;
use jwtgate::jose::signing_key::SigningKey;
use jwtgate::request::RawToken;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ROUNDS: u64 = 1_000;

#[test]
fn a_hit_allocates_nothing_and_a_refusal_of_garbage_next_to_nothing() {
    let now = Timestamp::now();
    let config = Config {
        secret: Some(Secret::from(SECRET)),
        expected_audience: "app".into(),
        ..Config::default()
    };
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
    let ask = |token: &str| {
        let credential = Credential::new(RawToken::new(token.as_bytes()), TokenSource::Header);
        gate::admit(&state, credential, now).is_ok()
    };
    assert!(ask(&token));
    assert!(ask(&token));
    let _profiler = dhat::Profiler::builder().testing().build();
    let blocks = |work: &dyn Fn()| {
        let before = dhat::HeapStats::get().total_blocks;
        for _ in 0..ROUNDS {
            work();
        }
        (dhat::HeapStats::get().total_blocks - before) / ROUNDS
    };
    let hit = blocks(&|| assert!(ask(&token)));
    let garbage = blocks(&|| assert!(!ask("not a token")));
    let miss = blocks(&|| {
        assert!(gate::verify::verify(&state, RawToken::new(token.as_bytes()), now).is_ok());
    });
    // Rounded down: the cache's housekeeping allocates now and then.
    assert_eq!(hit, 0, "allocations per hit");
    assert!(garbage <= 2, "{garbage} allocations per refusal of garbage");
    assert!(miss <= 12, "{miss} allocations per verification");
    let _ = writeln!(
        std::io::stderr(),
        "allocations: {hit} per hit, {garbage} per refusal, {miss} per verification"
    );
}
