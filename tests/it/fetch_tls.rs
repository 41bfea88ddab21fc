//! TLS to the provider, and the token with which the gate shows itself there.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::harness::fetched::{
    fetches, issuer, lacking, settings, status, token, wait_for_failure, wait_for_fetches,
    wait_until_ready,
};
use crate::harness::{Answer, Gate, KeyServer, Settings, TlsIdentity, tokens, wait};

const ISS: &str = "https://idp.example";

/// A server that is who it is, with the key `k1`.
fn key_server(identity: &TlsIdentity) -> KeyServer {
    let server = KeyServer::start_tls(identity);
    server.publishes(&[tokens::p256().jwk("k1")]);
    server
}

#[test]
fn s14_1_keys_come_over_tls_from_a_server_that_the_named_authority_vouches_for() {
    let identity = TlsIdentity::good();
    let server = key_server(&identity);
    let of_issuer = settings("")
        .file("ca.pem", identity.ca_pem())
        .table(&issuer(
            "idp",
            &server.issuer(),
            "ca_file = \"{dir}/ca.pem\"",
        ));
    let of_all = settings("ca_file = \"{dir}/ca.pem\"")
        .file("ca.pem", identity.ca_pem())
        .table(&issuer("idp", &server.issuer(), ""));
    for settings in [of_issuer, of_all] {
        let gate = settings.start();
        wait_until_ready(&gate);
        assert_eq!(status(&gate, &token(&server.issuer(), "k1")), 200);
    }
}

/// A server that is not who it should be, what vouches for it in the gate's eyes, and what the log says.
struct Impostor {
    name: &'static str,
    server: KeyServer,
    ca_pem: String,
    cause: &'static str,
}

fn impostors() -> Vec<Impostor> {
    let impostor = |name, identity: &TlsIdentity, trusted: &TlsIdentity, cause| Impostor {
        name,
        server: key_server(identity),
        ca_pem: trusted.ca_pem().to_owned(),
        cause,
    };
    let other = TlsIdentity::good();
    let of_itself = |name, identity: &TlsIdentity, cause| impostor(name, identity, identity, cause);
    vec![
        of_itself("expired", &TlsIdentity::expired(), "expired"),
        of_itself("future", &TlsIdentity::not_yet_valid(), "not valid yet"),
        of_itself("stranger", &TlsIdentity::wrong_host(), "not valid for name"),
        of_itself("old", &TlsIdentity::old_protocol(), "Tls12"),
        impostor(
            "alone",
            &TlsIdentity::self_signed(),
            &other,
            "UnknownIssuer",
        ),
        impostor("unknown", &TlsIdentity::good(), &other, "UnknownIssuer"),
    ]
}

#[test]
fn s14_1_keys_do_not_come_from_a_server_that_is_not_who_it_should_be() {
    let good = TlsIdentity::good();
    let healthy = key_server(&good);
    let mut gate = settings("").file("good.pem", good.ca_pem()).table(&issuer(
        "healthy",
        &healthy.issuer(),
        "ca_file = \"{dir}/good.pem\"",
    ));
    let impostors = impostors();
    for Impostor {
        name,
        server,
        ca_pem,
        ..
    } in &impostors
    {
        let lines = format!("ca_file = \"{{dir}}/{name}.pem\"");
        gate = gate
            .file(&format!("{name}.pem"), ca_pem.as_str())
            .table(&issuer(name, &server.issuer(), &lines));
    }
    let gate = gate.start();
    for Impostor {
        name,
        server,
        cause,
        ..
    } in &impostors
    {
        wait_for_failure(&gate, name, cause);
        assert_eq!(status(&gate, &token(&server.issuer(), "k1")), 503, "{name}");
        assert_eq!(server.total(), 0, "{name}: it was asked something");
    }
    wait_for_fetches(&gate, "healthy", "ok", 1);
    assert_eq!(status(&gate, &token(&healthy.issuer(), "k1")), 200);
    let lacking = lacking(&gate);
    let expected: Vec<_> = impostors
        .iter()
        .map(|one| format!("issuer.{}", one.name))
        .collect();
    assert!(
        expected.iter().all(|name| lacking.contains(name)),
        "{lacking:?}"
    );
    assert_eq!(lacking.len(), expected.len());
}

#[test]
fn s14_1_without_a_named_authority_only_those_of_the_system_count() {
    let server = key_server(&TlsIdentity::good());
    let gate = settings("")
        .table(&issuer("idp", &server.issuer(), ""))
        .start();
    // The system may trust nobody at all.
    wait_for_failure(&gate, "idp", &server.issuer());
    assert_eq!(status(&gate, &token(&server.issuer(), "k1")), 503);
    assert_eq!(server.total(), 0);
}

#[test]
fn s14_1_a_file_without_an_authority_is_a_fault() {
    let key = tokens::p256();
    for (name, content) in [
        ("empty", String::new()),
        ("text", "no certificate".to_owned()),
        ("key", key.public_pem()),
        ("absent", String::new()),
    ] {
        let mut settings = settings("").table(&issuer("idp", ISS, "ca_file = \"{dir}/ca.pem\""));
        if name != "absent" {
            settings = settings.file("ca.pem", content);
        }
        let exited = settings.try_start().err();
        let output = exited.expect("the start is refused").output;
        assert!(output.contains("issuers.idp.ca_file"), "{name}: {output}");
    }
}

/// A gate that shows this token, and logs all it can.
fn with_bearer(server: &KeyServer, content: &str) -> Gate {
    let lines = format!(
        "jwks_url = \"{}\"\nbearer_file = \"{{dir}}/token\"",
        server.url("/jwks")
    );
    Settings::empty()
        .table("[keys]\ncooldown = \"1s\"\nfetch_timeout = \"2s\"")
        .file("token", content)
        .table("[log]\nlevel = \"trace\"")
        .table(&issuer("idp", ISS, &lines))
        .start()
}

#[test]
fn s14_1_a_bearer_token_is_shown_and_read_anew_for_each_fetch() {
    let server = KeyServer::start();
    server.publishes(&[tokens::p256().jwk("k1")]);
    let gate = with_bearer(&server, "first-token-of-the-gate\n");
    wait_until_ready(&gate);
    fs::write(gate.folder().join("token"), "second-token-of-the-gate").expect("a writable file");
    assert_eq!(status(&gate, &token(ISS, "new")), 401);
    let seen = server.seen("/jwks");
    let shown: Vec<_> = seen
        .iter()
        .map(|seen| seen.header("Authorization"))
        .collect();
    assert_eq!(
        shown,
        [
            Some("Bearer first-token-of-the-gate"),
            Some("Bearer second-token-of-the-gate")
        ]
    );
    // Nor is it told when the provider does not take it.
    server.answers("/jwks", Answer::status(401));
    assert_eq!(status(&gate, &token(ISS, "new")), 503);
    wait_for_failure(&gate, "idp", "401");
    assert_eq!(status(&gate, &token(ISS, "k1")), 200);
    let output = gate.stop();
    assert!(!output.contains("-token-of-the-gate"), "{output}");
}

#[test]
fn s14_1_without_its_bearer_token_nobody_is_asked() {
    let server = KeyServer::start();
    server.publishes(&[tokens::p256().jwk("k1")]);
    let contents = ["", " \n", "two words", "a\r\nX-Evil: 1", "\u{fc}ber"];
    let mut settings = settings("");
    for (index, content) in contents.iter().enumerate() {
        let name = format!("i{index}");
        let lines = format!(
            "jwks_url = \"{}\"\nbearer_file = \"{{dir}}/{name}\"",
            server.url("/jwks")
        );
        settings = settings.file(&name, *content).table(&issuer(
            &name,
            &format!("https://{name}.example"),
            &lines,
        ));
    }
    let gate = settings.start();
    let all = |cause: &str| {
        for (index, content) in contents.iter().enumerate() {
            wait_for_failure(&gate, &format!("i{index}"), cause);
            let is_shown = !content.trim().is_empty() && gate.output().contains(content);
            assert!(!is_shown, "{content:?}");
        }
        assert_eq!(server.connections(), 0);
    };
    all("holds no token");
    for index in 0..contents.len() {
        fs::remove_file(gate.folder().join(format!("i{index}"))).expect("a writable folder");
    }
    all("No such file");
    for index in 0..contents.len() {
        fs::write(gate.folder().join(format!("i{index}")), "good").expect("a writable folder");
    }
    wait_until_ready(&gate);
}

#[test]
fn s14_5_a_bearer_token_that_is_gone_takes_no_keys_away() {
    let server = KeyServer::start();
    server.publishes(&[tokens::p256().jwk("k1")]);
    let gate = with_bearer(&server, "token");
    wait_until_ready(&gate);
    fs::remove_file(gate.folder().join("token")).expect("a writable folder");
    assert_eq!(status(&gate, &token(ISS, "new")), 503);
    wait_for_failure(&gate, "idp", "bearer token cannot be read");
    assert_eq!(status(&gate, &token(ISS, "k1")), 200);
    assert_eq!(lacking(&gate), [""; 0]);
}

#[test]
fn a_server_that_breaks_every_handshake_off_costs_no_more_than_its_fetches() {
    let server = KeyServer::start_tls(&TlsIdentity::old_protocol());
    let plain = KeyServer::start();
    plain.answers(
        "/jwks",
        Answer::json(&json!({"keys": [tokens::p256().jwk("k1")]})),
    );
    // TLS where plain HTTP is spoken, and the other way round.
    let https = plain.url("/jwks").replace("http://", "https://");
    let http = server.url("/jwks").replace("https://", "http://");
    let gate = settings("")
        .table(&issuer("old", &server.issuer(), ""))
        .table(&issuer(
            "https",
            "https://a.example",
            &format!("jwks_url = \"{https}\""),
        ))
        .table(&issuer(
            "http",
            "https://b.example",
            &format!("jwks_url = \"{http}\""),
        ))
        .start();
    for name in ["old", "https", "http"] {
        wait_for_failure(&gate, name, "");
        let tried = wait::until(Duration::from_secs(10), || {
            (fetches(&gate, name, "failed") >= 2).then_some(())
        });
        assert!(tried.is_some());
    }
    assert_eq!(plain.total(), 0);
    gate.assert_no_panic();
}
