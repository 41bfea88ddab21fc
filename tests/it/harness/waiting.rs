//! A gate with one fetched issuer, and those who wait for its keys.

use super::fetched::{issuer, metric, token_by, wait_until_ready};
use super::{Gate, KeyServer, Settings, tokens};

/// The issuer.
pub(crate) const ISS: &str = "https://idp.example";

/// A key server with the key `k1`.
pub(crate) fn key_server() -> KeyServer {
    let server = KeyServer::start();
    server.publishes(&[tokens::p256().jwk("k1")]);
    server
}

/// The same with the key `k2` beside it.
pub(crate) fn with_both(server: &KeyServer) {
    server.publishes(&[tokens::p256().jwk("k1"), tokens::second_p256().jwk("k2")]);
}

/// A gate with one issuer, and these lines in `[keys]`.
pub(crate) fn gate(server: &KeyServer, keys: &str) -> Gate {
    let lines = format!("jwks_url = \"{}\"", server.url("/jwks"));
    let gate = Settings::empty()
        .table(&format!("[keys]\n{keys}"))
        .table(&issuer("idp", ISS, &lines))
        .start();
    wait_until_ready(&gate);
    gate
}

/// A token of the second key.
pub(crate) fn by_second(kid: &str) -> String {
    token_by(tokens::second_p256(), ISS, kid)
}

/// How many requests wait for keys.
pub(crate) fn waiters(gate: &Gate) -> u64 {
    metric(gate, "jwtgate_key_waiters", &[])
}
