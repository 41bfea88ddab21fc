//! Apache with `mod_auth_openidc`, which asks about tokens and not about requests.

use std::fs;

use crate::harness::proxies::{Extent, Kind, Proxy};
use crate::harness::upstream::{Upstream, echoed_headers};
use crate::harness::{Gate, Request, Settings, tokens};

use super::chain::{folded_headers, get};

/// What the shipped configuration says of itself.
const CLIENT: &str = "[introspection.clients.apache]\nsecret = \"change-me-to-what-jwtgate-knows\"";

struct Chain {
    proxy: Proxy,
    app: Upstream,
    gate: Gate,
}

/// `None` where Apache is not installed.
fn start() -> Option<Chain> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let made = made.expect("a certificate can be made");
    let settings = Settings::hmac()
        .server("tls_certificate = \"{dir}/tls.crt\"\ntls_key = \"{dir}/tls.key\"")
        .file("tls.crt", made.cert.pem())
        .file("tls.key", made.signing_key.serialize_pem())
        .table(CLIENT);
    let app = Upstream::start();
    let gate = Kind::Introspection.asks_on(settings, 0, app.port()).start();
    let certificate = gate.folder().join("tls.crt").display().to_string();
    let edits = [("/etc/apache2/jwtgate-ca.crt", certificate.as_str())];
    let proxy = Proxy::start_with(
        Kind::Introspection,
        Extent::Full,
        gate.main(),
        app.port(),
        &edits,
    )?;
    Some(Chain { proxy, app, gate })
}

#[test]
fn a_good_bearer_token_passes_with_its_claims_and_no_other_does() {
    let Some(chain) = start() else { return };
    let send = |request: Request| request.send(chain.proxy.address());
    let echo = send(get("/app?x=1").bearer(tokens::good())).json();
    assert_eq!(echo["target"], "/app?x=1");
    assert_eq!(echoed_headers(&echo, "X-Auth-username"), ["alice"]);
    assert_eq!(echoed_headers(&echo, "X-Auth-email"), ["alice@example.com"]);
    assert_eq!(echoed_headers(&echo, "X-Auth-groups"), ["dev,ops"]);
    let before = chain.app.served();
    for token in [
        tokens::forged(),
        tokens::expired(),
        tokens::wrong_audience(),
    ] {
        assert_eq!(send(get("/app").bearer(token)).status, 401);
    }
    assert_eq!(send(get("/app")).status, 401);
    assert_eq!(chain.app.served(), before);
    assert!(fs::metadata(chain.gate.folder()).is_ok());
}

#[test]
fn s8_2_no_spelling_of_a_claim_reaches_the_application_from_a_client() {
    let Some(chain) = start() else { return };
    let mut request = get("/app").bearer(tokens::good());
    for name in [
        "X-Auth-username",
        "X_Auth_username",
        "X.Auth.username",
        "X-Auth-user",
        "Remote-User",
        "X-Forwarded-For",
    ] {
        request = request.header(name, "root").header(name, "root");
    }
    let answer = request
        .header("Connection", "X-Auth-username")
        .send(chain.proxy.address());
    assert_eq!(answer.status, 200, "{answer:?}");
    for (name, value) in folded_headers(&answer.json()) {
        assert!(!value.contains("root"), "{name}: {value}");
    }
    assert_eq!(echoed_headers(&answer.json(), "X-Auth-username"), ["alice"]);
}

#[test]
fn s18_7_without_the_gate_nothing_passes() {
    let Some(mut chain) = start() else { return };
    chain.gate.signal("KILL");
    let ended = chain.gate.wait_for_exit(std::time::Duration::from_secs(5));
    ended.expect("SIGKILL ends it");
    let answer = get("/app")
        .bearer(tokens::good())
        .send(chain.proxy.address());
    assert_eq!(answer.status, 401);
    assert_eq!(chain.app.served(), 0);
}
