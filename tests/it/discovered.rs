//! What metadata may say of where the keys are, and what it may not.

use std::net::{IpAddr, ToSocketAddrs as _};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::fetched::{
    failures, issuer, lacking, settings, status, token, wait_for_failure, wait_for_fetches,
    wait_until_ready,
};
use crate::harness::{Answer, KeyServer, Settings, TlsIdentity, tokens};

const ISS: &str = "https://idp.example";
const OPENID: &str = "/.well-known/openid-configuration";

/// An issuer whose metadata is under a path of this server, which has the key `k1` too.
fn with_metadata(name: &str, server: &KeyServer) -> String {
    let lines = format!("discovery_url = \"{}\"", server.url(&format!("/{name}")));
    issuer(name, &format!("https://{name}.example"), &lines)
}

fn key_server() -> KeyServer {
    let server = KeyServer::start();
    server.publishes(&[tokens::p256().jwk("k1")]);
    server
}

#[test]
fn s14_2_metadata_of_another_issuer_or_of_no_form_is_refused() {
    let server = key_server();
    let jwks = server.url("/jwks");
    let of = |iss: Value, jwks_uri: Value| json!({"issuer": iss, "jwks_uri": jwks_uri});
    let documents: [(&str, Value); 9] = [
        (
            "other",
            of("https://evil.example".into(), jwks.clone().into()),
        ),
        (
            "slash",
            of("https://slash.example/".into(), jwks.clone().into()),
        ),
        (
            "upper",
            of("https://UPPER.example".into(), jwks.clone().into()),
        ),
        (
            "list",
            of(json!(["https://list.example"]), jwks.clone().into()),
        ),
        ("anonymous", json!({"jwks_uri": jwks})),
        ("without", json!({"issuer": "https://without.example"})),
        (
            "relative",
            of("https://relative.example".into(), "/jwks".into()),
        ),
        ("number", of("https://number.example".into(), 7.into())),
        (
            "array",
            json!([{"issuer": "https://array.example", "jwks_uri": jwks}]),
        ),
    ];
    let mut gate = settings("");
    for (name, document) in &documents {
        server.answers(&format!("/{name}"), Answer::json(document));
        gate = gate.table(&with_metadata(name, &server));
    }
    server.answers("/html", Answer::html());
    let twice = format!(
        "{{\"issuer\":\"https://evil.example\",\"issuer\":\"https://twice.example\",\"jwks_uri\":\"{jwks}\"}}"
    );
    server.answers("/twice", Answer::text(&twice, "application/json"));
    let gate = gate
        .table(&with_metadata("html", &server))
        .table(&with_metadata("twice", &server))
        .start();
    let names: Vec<&str> = documents.iter().map(|(name, _)| *name).collect();
    for name in names.into_iter().chain(["html", "twice"]) {
        let cause = match name {
            "other" | "slash" | "upper" => "not the configured one",
            _ => "is not a JSON object with one `issuer` and one `jwks_uri`",
        };
        wait_for_failure(&gate, name, cause);
        assert!(lacking(&gate).contains(&format!("issuer.{name}")));
        let iss = format!("https://{name}.example");
        assert_eq!(status(&gate, &token(&iss, "k1")), 503, "{name}");
    }
    assert_eq!(server.count("/jwks"), 0);
}

#[test]
fn s14_2_keys_of_an_issuer_with_tls_do_not_come_over_plain_http() {
    let identity = TlsIdentity::good();
    let server = KeyServer::start_tls(&identity);
    let plain = key_server();
    let mut metadata = server.metadata();
    metadata["jwks_uri"] = plain.url("/jwks").into();
    server.answers(OPENID, Answer::json(&metadata));
    let gate = settings("")
        .file("ca.pem", identity.ca_pem())
        .table(&issuer(
            "idp",
            &server.issuer(),
            "ca_file = \"{dir}/ca.pem\"",
        ))
        .start();
    wait_for_failure(&gate, "idp", "`jwks_uri` is not used: it is not https");
    assert_eq!(plain.connections(), 0);
    assert_eq!(lacking(&gate), ["issuer.idp"]);
}

#[test]
fn s14_2_metadata_leads_into_no_private_network() {
    let identity = TlsIdentity::good();
    let target = KeyServer::start_tls(&identity);
    target.publishes(&[tokens::p256().jwk("k1")]);
    let port = target.url("").rsplit(':').next().map(str::to_owned);
    let port = port.expect("a port");
    let server = KeyServer::start_tls(&identity);
    let mut gate = settings("").file("ca.pem", identity.ca_pem());
    let hosts = [
        "a.localhost",
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "0x7f.1",
        "2130706433",
        "10.0.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fd00::1]",
    ];
    for (index, host) in hosts.iter().enumerate() {
        let name = format!("i{index}");
        let document = json!({
            "issuer": format!("https://{name}.example"),
            "jwks_uri": format!("https://{host}:{port}/jwks"),
        });
        server.answers(&format!("/{name}"), Answer::json(&document));
        gate = gate.table(&format!(
            "{}\nca_file = \"{{dir}}/ca.pem\"",
            with_metadata(&name, &server)
        ));
    }
    let gate = gate.start();
    for index in 0..hosts.len() {
        let cause = "`jwks_uri` is not used: it lies in a private network";
        wait_for_failure(&gate, &format!("i{index}"), cause);
    }
    assert_eq!(target.connections(), 0);
}

/// A name of this machine that leads to none of the public addresses and does not look like it.
fn inconspicuous_name() -> Option<String> {
    let own = Command::new("hostname").output().ok()?;
    let own = String::from_utf8_lossy(&own.stdout).trim().to_owned();
    [own, "ip6-loopback".to_owned(), "ip6-localhost".to_owned()]
        .into_iter()
        .filter(|name| !name.is_empty() && !name.starts_with("localhost"))
        .find(|name| {
            let found = (name.as_str(), 443).to_socket_addrs();
            let all: Vec<IpAddr> = found.into_iter().flatten().map(|to| to.ip()).collect();
            !all.is_empty() && all.into_iter().all(is_near)
        })
}

fn is_near(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local(),
    }
}

#[test]
fn s14_2_a_name_in_metadata_that_resolves_to_a_private_address_is_not_asked() {
    let Some(host) = inconspicuous_name() else {
        return;
    };
    let server = KeyServer::start();
    // An environment without a proxy is none.
    for keys in ["", "proxy = \"environment\""] {
        server.answers(
            "/idp",
            Answer::json(&json!({
                "issuer": "https://idp.example",
                "jwks_uri": format!("https://{host}/jwks"),
            })),
        );
        let mut settings = settings(keys)
            .file("ca.pem", TlsIdentity::good().ca_pem())
            .table(&format!(
                "{}\nca_file = \"{{dir}}/ca.pem\"",
                with_metadata("idp", &server)
            ));
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            settings = settings.env(name, "").env(&name.to_lowercase(), "");
        }
        let gate = settings.start();
        wait_for_failure(&gate, "idp", "private network");
    }
}

#[test]
fn s14_2_keys_may_be_on_another_port_of_the_host_of_the_metadata() {
    let server = KeyServer::start();
    let other = key_server();
    let mut metadata = server.metadata();
    metadata["jwks_uri"] = other.url("/jwks").into();
    server.answers(OPENID, Answer::json(&metadata));
    let gate = settings("")
        .table(&issuer("idp", &server.issuer(), ""))
        .start();
    wait_until_ready(&gate);
    assert_eq!(status(&gate, &token(&server.issuer(), "k1")), 200);
}

#[test]
fn metadata_of_oauth_alone_is_found() {
    let server = key_server();
    server.answers(OPENID, Answer::status(404));
    let iss = server.url("/tenant/a");
    let metadata = json!({"issuer": iss, "jwks_uri": server.url("/jwks")});
    server.answers(
        "/.well-known/oauth-authorization-server/tenant/a",
        Answer::json(&metadata),
    );
    let gate = Settings::empty()
        .table("[keys]\ncooldown = \"1s\"\nfetch_timeout = \"5s\"")
        .table(&issuer("idp", &iss, ""))
        .start();
    wait_until_ready(&gate);
    assert_eq!(status(&gate, &token(&iss, "k1")), 200);
    assert_eq!(
        server.count("/tenant/a/.well-known/openid-configuration"),
        1
    );
    assert_eq!(failures(&gate, "idp"), [""; 0]);
    // Metadata is remembered: a key that is asked for costs one request.
    assert_eq!(status(&gate, &token(&iss, "new")), 401);
    assert_eq!(server.total(), 4);
}

#[test]
fn s14_5_metadata_that_turns_bad_takes_no_keys_away() {
    let server = key_server();
    let gate = settings("")
        .table(&issuer("idp", &server.issuer(), ""))
        .start();
    wait_until_ready(&gate);
    let elsewhere = key_server();
    elsewhere.publishes(&[tokens::second_p256().jwk("k1")]);
    let mut evil = server.metadata();
    evil["jwks_uri"] = elsewhere.url("/jwks").into();
    evil["issuer"] = ISS.into();
    server.answers(OPENID, Answer::json(&evil));
    server.answers("/jwks", Answer::status(500));
    // The first failure is the key set's, the next one the metadata's, too.
    for count in 1..=2 {
        assert_eq!(status(&gate, &token(&server.issuer(), "new")), 503);
        wait_for_fetches(&gate, "idp", "failed", count);
    }
    wait_for_failure(&gate, "idp", "not the configured one");
    assert_eq!(status(&gate, &token(&server.issuer(), "k1")), 200);
    assert_eq!(elsewhere.connections(), 0);
}

/// An issuer that is reached through a proxy, which answers for every host.
fn proxied(proxy: &KeyServer) -> Settings {
    let keys = format!("danger_allow_http = true\nproxy = \"{}\"", proxy.url(""));
    settings(&keys)
        .file("token", "the-token-for-the-issuer")
        .table(&issuer(
            "idp",
            ISS,
            "discovery_url = \"http://idp.example/metadata\"\nbearer_file = \"{dir}/token\"",
        ))
}

#[test]
fn s14_1_the_bearer_token_is_not_shown_to_another_host_that_metadata_names() {
    let proxy = KeyServer::start();
    let metadata = json!({"issuer": ISS, "jwks_uri": "http://keys.example/jwks"});
    proxy.answers("http://idp.example/metadata", Answer::json(&metadata));
    let set = json!({"keys": [tokens::p256().jwk("k1")]});
    proxy.answers("http://keys.example/jwks", Answer::json(&set));
    let gate = proxied(&proxy).start();
    proxy.wait_for_requests("http://keys.example/jwks", 1);
    let shown = |path: &str| {
        let seen = proxy.seen(path);
        seen[0].header("Authorization").map(str::to_owned)
    };
    assert_eq!(
        shown("http://idp.example/metadata").as_deref(),
        Some("Bearer the-token-for-the-issuer")
    );
    assert_eq!(shown("http://keys.example/jwks"), None);
    wait_until_ready(&gate);
}
