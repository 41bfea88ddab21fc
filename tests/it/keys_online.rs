//! `check --online`: issuers are asked for their keys, and what they answer is judged.

use serde_json::{Value, json};

use crate::harness::judge::{but, metadata_of, publisher_for};
use crate::harness::process::{Ran, run};
use crate::harness::tokens::{SECRET, p256, rsa};
use crate::harness::{Answer, KeyServer, Settings, TlsIdentity};

fn check(settings: &Settings, more: &[&str]) -> Ran {
    let folder = settings.write();
    let config = folder.path().join("jwtgate.toml");
    let config = config.to_str().expect("a path in UTF-8");
    run(&[&["check", "--config", config], more].concat(), "")
}

/// What `check --online` tells, and its exit code.
fn online(settings: &Settings) -> (Option<i32>, Vec<Value>) {
    let ran = check(settings, &["--online", "--json"]);
    let told: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.all()));
    (ran.code, told.as_array().expect("a list").clone())
}

fn corp(lines: &str) -> Settings {
    Settings::empty().table(&format!("[issuers.corp]\naudience = \"app\"\n{lines}"))
}

/// An issuer that names this address as its key set.
fn with_set(url: &str) -> Settings {
    corp(&format!("issuer = \"corp\"\njwks_url = \"{url}\""))
}

/// It is told once, at this path, with these words.
#[track_caller]
fn tells(settings: &Settings, severity: &str, path: &str, words: &str) {
    let (code, told) = online(settings);
    let is_fault = severity == "error";
    assert_eq!(code, Some(i32::from(is_fault)), "{told:#?}");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["severity"], severity);
    assert_eq!(told[0]["path"], path);
    let found = told[0]["found"].as_str().expect("text");
    assert!(found.contains(words), "{words} is not in {found}");
    for part in ["expected", "hint"] {
        assert!(told[0][part].as_str().is_some_and(|text| !text.is_empty()));
    }
}

#[test]
fn good_sources_are_nothing_to_talk_about() {
    let server = publisher_for("https://corp.example", &[p256().jwk("a")]);
    for settings in [
        corp(&format!(
            "issuer = \"https://corp.example\"\ndiscovery_url = \"{}\"",
            metadata_of(&server)
        )),
        with_set(&server.url("/jwks")),
        // The names of its keys stand in tokens only.
        corp(&format!(
            "issuer = \"corp\"\nkey_url = \"{}\"",
            server.url("/{kid}")
        )),
        corp(&format!("issuer = \"corp\"\nsecret = \"{SECRET}\"")),
    ] {
        assert_eq!(online(&settings), (Some(0), Vec::new()));
    }
    assert_eq!((server.count("/jwks"), server.total()), (2, 3));
    let ran = check(&with_set(&server.url("/jwks")), &["--online", "--strict"]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stdout.contains("0 errors, 0 warnings"),
        "{}",
        ran.stdout
    );
}

#[test]
fn nobody_is_asked_without_online() {
    let server = KeyServer::start();
    let ran = check(&with_set(&server.url("/jwks")), &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_source_without_a_usable_key_is_an_error() {
    let server = KeyServer::start();
    let unusable = but(&rsa().jwk("enc"), &json!({"use": "enc"}));
    for (path, answer, words) in [
        ("/500", Answer::status(500), "500"),
        (
            "/302",
            Answer::redirect("https://elsewhere.example/"),
            "redirect",
        ),
        ("/html", Answer::html(), "no such JSON"),
        ("/empty", Answer::json(&json!({"keys": []})), "0 keys"),
        (
            "/enc",
            Answer::json(&json!({"keys": [unusable]})),
            "none usable",
        ),
        (
            "/oct",
            Answer::json(&json!({"keys": [{"kty": "oct", "k": "AAAA"}]})),
            "none usable",
        ),
        ("/gzip", Answer::gzip_bomb(), "compressed"),
        ("/big", Answer::big(600 * 1024), "512 KiB"),
        ("/garbage", Answer::garbage(), "/garbage"),
    ] {
        server.answers(path, answer);
        tells(
            &with_set(&server.url(path)),
            "error",
            "issuers.corp.jwks_url",
            words,
        );
    }
    tells(
        &with_set(&server.url("/404")),
        "error",
        "issuers.corp.jwks_url",
        "404",
    );
}

#[test]
fn a_server_that_is_not_there_or_is_somebody_else_is_an_error() {
    let down = KeyServer::start();
    down.go_down();
    tells(
        &with_set(&down.url("/jwks")),
        "error",
        "issuers.corp.jwks_url",
        "refused",
    );

    let identity = TlsIdentity::good();
    let server = KeyServer::start_tls(&identity);
    server.publishes(&[p256().jwk("a")]);
    let trusted = with_set(&server.url("/jwks"))
        .file("ca.pem", identity.ca_pem())
        .table("ca_file = \"{dir}/ca.pem\"");
    assert_eq!(online(&trusted), (Some(0), Vec::new()));
    let stranger = TlsIdentity::good();
    let untrusted = with_set(&server.url("/jwks"))
        .file("ca.pem", stranger.ca_pem())
        .table("ca_file = \"{dir}/ca.pem\"");
    tells(&untrusted, "error", "issuers.corp.jwks_url", "certificate");
    assert_eq!(server.count("/jwks"), 1);
}

#[test]
fn metadata_of_somebody_else_is_an_error() {
    let server = publisher_for("https://evil.example", &[p256().jwk("a")]);
    let settings = corp(&format!(
        "issuer = \"https://corp.example\"\ndiscovery_url = \"{}\"",
        metadata_of(&server)
    ));
    tells(
        &settings,
        "error",
        "issuers.corp.discovery_url",
        "https://evil.example",
    );
    assert_eq!(server.count("/jwks"), 0);
}

#[test]
fn both_places_of_metadata_are_told() {
    let server = KeyServer::start();
    let settings = corp(&format!("issuer = \"{}\"", server.url("/realm")));
    let (code, told) = online(&settings);
    assert_eq!(code, Some(1));
    let found: Vec<_> = told
        .iter()
        .map(|fault| fault["found"].as_str().expect("text"))
        .collect();
    assert_eq!(
        found,
        [format!(
            "no metadata: {}: it answers 404; {}: it answers 404",
            server.url("/realm/.well-known/openid-configuration"),
            server.url("/.well-known/oauth-authorization-server/realm")
        )]
    );
}

#[test]
fn what_is_partly_broken_is_a_warning() {
    let server = KeyServer::start();
    let unusable = but(&rsa().jwk("enc"), &json!({"use": "enc"}));
    server.publishes(&[p256().jwk("a"), unusable]);
    let left_out = with_set(&server.url("/jwks"));
    tells(&left_out, "warning", "issuers.corp.jwks_url", "left out");
    assert_eq!(check(&left_out, &["--online", "--strict"]).code, Some(1));
    server.publishes(&[p256().jwk("a")]);
    let one_of_two = corp(&format!(
        "issuer = \"corp\"\njwks_url = [\"{}\", \"{}\"]",
        server.url("/jwks"),
        server.url("/absent")
    ));
    tells(
        &one_of_two,
        "warning",
        "issuers.corp.jwks_url",
        "/absent: it answers 404",
    );
    assert_eq!(check(&one_of_two, &["--online", "--strict"]).code, Some(1));
}

#[test]
fn every_issuer_is_told_at_its_own_path() {
    let server = KeyServer::start();
    server.publishes(&[p256().jwk("a")]);
    let settings = Settings::empty()
        .top("expected_audience = \"app\"\nexpected_issuer = \"top\"")
        .top(&format!("jwks_url = \"{}\"", server.url("/top")))
        .table(&format!(
            "[issuers.bad]\nissuer = \"bad\"\njwks_url = \"{}\"\n[issuers.good]\nissuer = \"good\"\njwks_url = \"{}\"",
            server.url("/bad"),
            server.url("/jwks")
        ));
    let (code, told) = online(&settings);
    assert_eq!(code, Some(1));
    let paths: Vec<_> = told
        .iter()
        .map(|fault| fault["path"].as_str().expect("text"))
        .collect();
    assert_eq!(paths, ["jwks_url", "issuers.bad.jwks_url"]);
}

#[test]
fn a_configuration_with_faults_is_told_without_asking() {
    let server = KeyServer::start();
    let settings = with_set(&server.url("/jwks")).top("auth_url = \"nowhere\"");
    let (code, told) = online(&settings);
    assert_eq!(code, Some(1));
    assert_eq!(told[0]["path"], "auth_url");
    assert_eq!(server.connections(), 0);
}
