//! Whom the gate asks for keys: the configured addresses and nobody else, whatever answers and environment say.

use std::time::Duration;

use serde_json::json;

use crate::harness::fetched::{
    failures, issuer, lacking, settings, status, token, wait_for_failure, wait_for_fetches,
    wait_until_ready,
};
use crate::harness::process::run;
use crate::harness::{Answer, Gate, KeyServer, Request, Settings, tokens, wait};

const ISS: &str = "https://idp.example";
/// Nobody may see it.
const PASSWORD: &str = "hunter2-of-the-operator";

/// A key server with the key `k1`.
fn key_server() -> KeyServer {
    let server = KeyServer::start();
    server.publishes(&[tokens::p256().jwk("k1")]);
    server
}

/// An issuer whose keys are under this address.
fn with_jwks(name: &str, url: &str) -> String {
    issuer(
        name,
        &format!("https://{name}.example"),
        &format!("jwks_url = \"{url}\""),
    )
}

/// Everything that `serve` and `check` say of settings with which they must not start.
fn refused(settings: Settings) -> String {
    let folder = settings.write();
    let config = folder.path().join("jwtgate.toml").display().to_string();
    let checked = run(&["check", "--config", &config], "");
    assert_eq!(checked.code, Some(1), "{}", checked.all());
    let exited = settings.try_start().err().expect("the start is refused");
    format!("{}\n{}", exited.output, checked.all())
}

#[test]
fn s14_1_a_redirect_is_not_followed() {
    let server = key_server();
    let other = key_server();
    let set = json!({"keys": [tokens::p256().jwk("k1")]});
    server.answers("/elsewhere", Answer::json(&set));
    let mut gate = settings("");
    for status in [301, 302, 303, 307, 308] {
        let path = format!("/r{status}");
        let answer = Answer::status(status).with("Location", &server.url("/elsewhere"));
        server.answers(&path, answer);
        gate = gate.table(&with_jwks(&format!("r{status}"), &server.url(&path)));
    }
    server.answers("/other", Answer::redirect(&other.url("/jwks")));
    server.answers("/loop", Answer::redirect(&server.url("/loop")));
    server.answers("/relative", Answer::redirect("elsewhere"));
    server.answers("/nowhere", Answer::status(302));
    for name in ["other", "loop", "relative", "nowhere"] {
        gate = gate.table(&with_jwks(name, &server.url(&format!("/{name}"))));
    }
    let gate = gate.start();
    for name in ["r301", "r302", "r303", "r307", "r308"] {
        wait_for_failure(&gate, name, &format!("{}, a redirect", &name[1..]));
        let iss = format!("https://{name}.example");
        assert_eq!(status(&gate, &token(&iss, "k1")), 503);
    }
    for name in ["other", "loop", "relative", "nowhere"] {
        wait_for_failure(&gate, name, "302, a redirect");
    }
    assert_eq!(server.count("/elsewhere"), 0);
    assert_eq!(other.connections(), 0);
    // Each answer was asked for once, and again after a cooldown at the earliest.
    assert!(server.count("/loop") <= failures(&gate, "loop").len() + 1);
    gate.assert_no_panic();
}

#[test]
fn s14_1_metadata_is_not_looked_for_where_a_redirect_points() {
    let server = key_server();
    let hidden = Answer::json(&server.metadata());
    server.answers("/hidden", hidden);
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        server.answers(path, Answer::redirect(&server.url("/hidden")));
    }
    let gate = settings("")
        .table(&issuer("idp", &server.issuer(), ""))
        .start();
    wait_for_failure(
        &gate,
        "idp",
        "openid-configuration: it answers 302, a redirect",
    );
    wait_for_failure(&gate, "idp", "oauth-authorization-server: it answers 302");
    assert_eq!(server.count("/hidden"), 0);
    assert_eq!(server.count("/jwks"), 0);
    assert_eq!(lacking(&gate), ["issuer.idp"]);
}

#[test]
fn s14_1_plain_http_to_another_machine_is_a_fault() {
    for lines in [
        "jwks_url = \"http://idp.example/jwks\"",
        "jwks_url = [\"https://idp.example/jwks\", \"http://192.0.2.1/jwks\"]",
        "key_url = \"http://idp.example/{kid}\"",
        "discovery_url = \"http://idp.example/metadata\"",
        "jwks_url = \"http://127.0.0.1.idp.example/jwks\"",
        "jwks_url = \"http://localhost.idp.example/jwks\"",
        "jwks_url = \"ftp://idp.example/jwks\"",
        "jwks_url = \"file:///etc/hostname\"",
    ] {
        let output = refused(settings("").table(&issuer("idp", ISS, lines)));
        let key = lines.split(' ').next().unwrap_or_default();
        assert!(output.contains(&format!("issuers.idp.{key}")), "{output}");
        assert!(output.contains("danger_allow_http"), "{output}");
    }
    let output = refused(settings("").table(&issuer("idp", "http://idp.example", "")));
    assert!(output.contains("issuers.idp.issuer"), "{output}");
}

#[test]
fn s14_1_plain_http_to_another_machine_works_where_the_danger_is_named() {
    let proxy = KeyServer::start();
    let set = json!({"keys": [tokens::p256().jwk("k1")]});
    proxy.answers("http://idp.example/jwks", Answer::json(&set));
    let keys = format!(
        "danger_allow_http = true\nproxy = \"{}\"",
        proxy.url("").trim_end_matches('/')
    );
    let gate = settings(&keys)
        .table(&issuer(
            "idp",
            ISS,
            "jwks_url = \"http://idp.example/jwks\"",
        ))
        .start();
    wait_until_ready(&gate);
    assert_eq!(status(&gate, &token(ISS, "k1")), 200);
    assert!(gate.output().contains("weak configuration"));
}

#[test]
fn s14_1_an_address_with_a_password_is_a_fault_that_does_not_show_it() {
    for url in [
        format!("https://me:{PASSWORD}@idp.example/x/{{kid}}"),
        format!("https://{PASSWORD}@idp.example/x/{{kid}}"),
        format!("https://me:{PASSWORD}@idp.example:99999/x/{{kid}}"),
        format!("https://me:{PASSWORD}@idp.exa mple/x/{{kid}}"),
        format!("http://me:{PASSWORD}@127.0.0.1/x/{{kid}}"),
        format!("https:/me:{PASSWORD}@/x/{{kid}}"),
    ] {
        for key in ["jwks_url", "key_url", "discovery_url"] {
            let lines = format!("{key} = \"{url}\"");
            let output = refused(settings("").table(&issuer("idp", ISS, &lines)));
            assert!(output.contains(&format!("issuers.idp.{key}")), "{output}");
            assert!(!output.contains(PASSWORD), "{key} = {url}\n{output}");
        }
    }
    let iss = format!("https://me:{PASSWORD}@idp.example");
    let output = refused(settings("").table(&issuer("idp", &iss, "")));
    assert!(output.contains("issuers.idp.issuer"), "{output}");
    assert!(!output.contains(PASSWORD), "{output}");
    for proxy in [
        format!("socks5://me:{PASSWORD}@127.0.0.1:1"),
        format!("http://me:{PASSWORD}@127.0.0.1:99999"),
        format!("me:{PASSWORD}@127.0.0.1:1"),
    ] {
        let keys = format!("proxy = \"{proxy}\"");
        let output = refused(settings(&keys).table(&issuer("idp", ISS, "")));
        assert!(output.contains("keys.proxy"), "{output}");
        assert!(!output.contains(PASSWORD), "{output}");
    }
}

/// Every way in which an environment names a proxy, none of them with an exception.
fn with_proxy_in_environment(mut settings: Settings, proxy: &KeyServer) -> Settings {
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        settings = settings
            .env(name, &proxy.url(""))
            .env(&name.to_lowercase(), &proxy.url(""));
    }
    settings.env("NO_PROXY", "").env("no_proxy", "")
}

#[test]
fn s14_1_a_proxy_in_the_environment_is_not_used() {
    let server = key_server();
    let proxy = KeyServer::start();
    let settings = settings("").table(&issuer("idp", &server.issuer(), ""));
    let gate = with_proxy_in_environment(settings, &proxy).start();
    wait_until_ready(&gate);
    assert_eq!(status(&gate, &token(&server.issuer(), "k1")), 200);
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn s14_1_a_configured_proxy_is_used() {
    let server = key_server();
    let metadata = Answer::json(&server.metadata());
    let set = json!({"keys": [tokens::p256().jwk("k1")]});
    let place = "/.well-known/openid-configuration";
    let of_environment = KeyServer::start();
    for (value, is_named) in [("", true), ("environment", false)] {
        let proxy = KeyServer::start();
        proxy.answers(&server.url(place), metadata.clone());
        proxy.answers(&server.url("/jwks"), Answer::json(&set));
        let value = if is_named {
            proxy.url("")
        } else {
            value.into()
        };
        let settings =
            settings(&format!("proxy = \"{value}\"")).table(&issuer("idp", &server.issuer(), ""));
        let environment = if is_named { &of_environment } else { &proxy };
        let gate = with_proxy_in_environment(settings, environment).start();
        wait_until_ready(&gate);
        assert_eq!(status(&gate, &token(&server.issuer(), "k1")), 200);
        assert_eq!(proxy.count(&server.url("/jwks")), 1);
    }
    assert_eq!(server.connections(), 0);
    assert_eq!(of_environment.connections(), 0);
}

#[test]
fn s14_1_a_proxy_is_asked_for_a_tunnel_and_sees_no_token() {
    let proxy = KeyServer::start();
    let lines = "jwks_url = \"https://idp.example/jwks\"\nbearer_file = \"{dir}/token\"";
    let gate = settings(&format!("proxy = \"{}\"", proxy.url("")))
        .file("token", PASSWORD)
        .table(&issuer("idp", ISS, lines))
        .start();
    proxy.wait_for_requests("idp.example:443", 1);
    let seen = &proxy.seen("idp.example:443")[0];
    assert_eq!(seen.method, "CONNECT");
    assert_eq!(seen.header("Authorization"), None, "{seen:?}");
    wait_for_failure(&gate, "idp", "https://idp.example/jwks");
    assert!(!gate.output().contains(PASSWORD));
}

#[test]
fn s14_1_a_proxy_that_is_down_is_not_passed_by() {
    let server = key_server();
    let proxy = KeyServer::start();
    proxy.go_down();
    let gate = settings(&format!("proxy = \"{}\"", proxy.url("")))
        .table(&issuer("idp", &server.issuer(), ""))
        .start();
    wait_for_fetches(&gate, "idp", "failed", 1);
    assert_eq!(server.connections(), 0);
    assert_eq!(lacking(&gate), ["issuer.idp"]);
}

#[test]
fn s2_1_nothing_in_a_token_makes_the_gate_ask_anybody() {
    let server = key_server();
    let other = key_server();
    let gate = settings("")
        .table(&issuer("idp", &server.issuer(), ""))
        .start();
    wait_until_ready(&gate);
    let url = other.url("/jwks");
    for header in [
        json!({"alg": "ES256", "kid": "k1", "jku": url}),
        json!({"alg": "ES256", "kid": "k1", "x5u": url}),
        json!({"alg": "ES256", "kid": url}),
        json!({"alg": "ES256", "kid": "nobody", "jku": url, "x5u": url}),
    ] {
        let forged = tokens::second_p256().sign_as(
            &header,
            &tokens::claims_with(&json!({"iss": server.issuer()})),
        );
        assert_ne!(status(&gate, &forged), 200);
        let foreign = tokens::p256().sign_as(
            &header,
            &tokens::claims_with(&json!({"iss": other.issuer()})),
        );
        assert_eq!(status(&gate, &foreign), 401);
    }
    // What is asked for anew is the configured set.
    let asked = wait::until(Duration::from_secs(5), || {
        (server.count("/jwks") >= 2).then_some(())
    });
    assert!(asked.is_some());
    assert_eq!(other.connections(), 0);
}

#[test]
fn s17_1_the_query_of_an_address_is_not_shown() {
    let state = tempfile::tempdir().expect("a temporary folder can be made");
    let server = key_server();
    let start = |path: &str| {
        let url = server.url(&format!("{path}?api_key={PASSWORD}"));
        let lines = format!("jwks_url = \"{url}\"");
        settings(&format!("state_dir = \"{}\"", state.path().display()))
            .table("[log]\nlevel = \"trace\"")
            .table(&issuer("idp", ISS, &lines))
            .start()
    };
    let shown = |gate: &Gate| {
        let text = |path: &str| Request::get(path).send(gate.admin()).text();
        format!("{}{}{}", gate.output(), text("/keys"), text("/metrics"))
    };
    let gate = start("/jwks");
    wait_until_ready(&gate);
    assert!(server.seen("/jwks")[0].path.contains(PASSWORD));
    server.answers("/jwks", Answer::status(500));
    assert_eq!(status(&gate, &token(ISS, "new")), 503);
    server.go_down();
    assert_eq!(status(&gate, &token(ISS, "new")), 503);
    wait_for_failure(&gate, "idp", "500");
    wait_for_failure(&gate, "idp", "refused");
    let all = shown(&gate);
    assert!(!all.contains(PASSWORD), "{all}");
    drop(gate);
    // Nor by what was kept from it.
    let gate = start("/other");
    wait_for_failure(&gate, "idp", "refused");
    let all = shown(&gate);
    assert!(!all.contains(PASSWORD), "{all}");
}
