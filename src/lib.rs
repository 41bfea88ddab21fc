//! jwtgate answers one question for any reverse proxy: *may this request pass, and who is it?*
//!
//! ```text
//!  a request ─► server   what did the proxy say?        RequestView     (the only room that knows actix and proxies' headers)
//!               gate     1 extract    where is the token?    Credential
//!                        2 verify     is it true?            Verified        ◄─ cache: seen this exact token before?
//!                        3 authorize  may it pass?           Permit
//!                        4 identity   who is it?             identity headers
//!               server   respond      200 · 302 · 400 · 401 · 403 · 503
//! ```
//!
//! The rooms, one way only: `main → cli → app → server → login → gate → policy, keys → idp, jose`, and `cli → doctor`; [`config`] and [`telemetry`] are leaves, and
//! [`reason`], [`clock`] and [`request`] are leaves that anyone may name. `tests/architecture.rs` holds the `use` lines against this.
//!
//! | room | what it is |
//! |---|---|
//! | [`gate`] | the hot path: extract, verify, cache, authorize, identity |
//! | [`policy`] | compiled rules: which request may pass, and what the person must be |
//! | [`jose`] | pure JOSE: bytes in, facts out |
//! | [`keys`] | where keys come from, and which are current |
//! | [`idp`] | what a provider publishes, fetched: bounded, and never from where it should not be |
//! | [`login`] | where people are sent |
//! | [`server`] | HTTP |
//! | [`config`] | what the operator wrote |
//! | [`telemetry`] | logs and metrics |
//! | [`app`] | from a configuration to a running service |
//! | [`doctor`] | asks a page behind a proxy what an attacker would |
//! | [`cli`] | the commands |

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod gate;
pub mod idp;
pub mod jose;
pub mod keys;
pub mod login;
pub mod policy;
pub mod reason;
pub mod request;
pub mod server;
pub mod telemetry;
