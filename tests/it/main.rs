//! The integration tests: the real binary on port 0, spoken to over real sockets.
//!
//! # How to write a test
//!
//! 1. Pick the file of the topic (`verify`, `sources`, `identity`, …). A file that passes about 300 lines is split by noun.
//! 2. Name the test after the behaviour, so that a red line reads as a sentence. A rule with a number in the security
//!    requirements carries it in front (`docs/requirements.md`): `s9_2_two_authorization_lines_with_different_values_are_refused`.
//! 3. Start a server of your own; it is up in well under 50 ms and nothing has to be shared or cleaned up:
//!
//! ```ignore
//! let gate = Settings::hmac().top("cookie_name = \"auth_token\"").start();
//! let answer = Request::get("/verify").bearer(&tokens::good()).send(gate.main());
//! assert_eq!(answer.status, 200);
//! assert_eq!(answer.header("X-Auth-User"), Some("alice"));
//! ```
//!
//!    - `Settings::hmac()` is an HMAC secret and an audience; `Settings::empty()` is nothing but listeners on port 0.
//!    - `.top(…)` adds keys at the top level, `.server(…)` keys of `[server]`, `.table(…)` whole tables.
//!    - `.file(name, text)` puts a file beside the config; `{dir}` in any config text is that folder.
//!    - `gate.refusals()` are the log lines of refusals, `gate.output()` everything the process printed so far.
//! 4. Make tokens with `tokens`: `good()`, `signed(claims)`, `Key::sign(…)`, `compact(…)` for deliberately broken ones.
//!    They are signed by `jsonwebtoken` and aws-lc, never by the code under test.
//! 5. Requests are bytes you control: `Request` repeats headers, speaks HTTP/1.0 and announces bodies it does not send;
//!    `Connection::write` sends anything at all.
//! 6. Wait for a condition (`gate.wait_for_line`, `wait::until`), never for a length of time.
//! 7. A test that needs a foreign program asks `need::program("nginx")` and returns when it is absent. The absence is
//!    announced on stderr, and it is a failure when `JWTGATE_TEST_REQUIRE=all` is set, as `tests/run.sh` does.
//!
//! Data-driven cases live in `tests/vectors`.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod harness;

mod admin;
mod bench;
mod cache_bounds;
mod cli;
mod cli_tokens;
mod demo;
mod discovered;
mod doctor;
mod explained;
mod explained_input;
mod explained_live;
mod express;
mod ext_authz;
mod ext_authz_grpc;
mod fetch_answers;
mod fetch_safety;
mod fetch_tls;
mod fetched_sets;
mod fields;
mod forward_auth;
mod fuzz_seeds;
mod hostile;
mod identity;
mod introspect;
mod issuers;
mod issuers_config;
mod issuers_padding;
mod issuers_rules;
mod issuers_tenants;
mod issuers_told;
mod key_changes;
mod key_sources;
mod key_waiters;
mod keys;
mod keys_by_name;
mod keys_command;
mod keys_online;
mod keys_sets;
mod lifecycle;
mod limits;
mod logs;
mod original_request;
mod outage;
mod pages;
mod presets;
mod presets_expanded;
mod presets_faults;
mod presets_platforms;
mod properties;
mod proxies;
mod proxy_config;
mod reference;
mod reload;
mod reload_hostile;
mod replayed;
mod return_address;
mod rotation;
mod rsa_ifma;
mod rules;
mod rules_asked;
mod shapes;
mod signed_identity;
mod sources;
mod spellings;
mod spoe;
mod stated;
mod stored_keys;
mod tls_listener;
mod together;
mod unknown_kid;
mod upstream;
mod vectors;
mod verify;
mod wycheproof;
mod wycheproof_rsa;
