//! `jwtgate keys`: the issuers with their keys, asked for by the command itself or told by the running service.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::http::Address;
use crate::harness::judge::{PACE, but, fresh, metadata_of, publisher_for};
use crate::harness::process::{Ran, command, run};
use crate::harness::tokens::{SECRET, ed25519, encode, p256, rsa};
use crate::harness::{Answer, Gate, KeyServer, Request, Settings};

/// Runs `keys` with a configuration of these settings, and more arguments.
fn keys(settings: &Settings, more: &[&str]) -> Ran {
    let folder = settings.write();
    let config = folder.path().join("jwtgate.toml");
    let config = config.to_str().expect("a path in UTF-8");
    run(&[&["keys", "--config", config], more].concat(), "")
}

fn parsed(ran: &Ran) -> Vec<Value> {
    let json: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.all()));
    json["issuers"].as_array().expect("a list").clone()
}

/// An issuer of each kind.
fn every_kind(server: &KeyServer) -> Settings {
    Settings::empty()
        .file(
            "keys.json",
            json!({"keys": [rsa().jwk("file-1"), p256().jwk("file-2")]}).to_string(),
        )
        .table(&format!(
            "[issuers.a-secret]\nissuer = \"a\"\nsecret = \"{SECRET}\"\n\
             [issuers.b-file]\nissuer = \"b\"\njwks_file = \"{{dir}}/keys.json\"\n\
             [issuers.c-metadata]\nissuer = \"https://c.example\"\ndiscovery_url = \"{}\"\n\
             [issuers.d-sets]\nissuer = \"d\"\njwks_url = \"{}?token=Sup3rS3cret\"\n\
             [issuers.e-by-name]\nissuer = \"e\"\nkey_url = \"{}\"",
            metadata_of(server),
            server.url("/jwks"),
            server.url("/keys/{kid}"),
        ))
}

#[test]
fn every_issuer_is_listed_with_its_keys() {
    let server = publisher_for("https://c.example", &[ed25519().jwk("remote-1")]);
    let ran = keys(&every_kind(&server), &["--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let issuers = parsed(&ran);
    let column = |name: &str| -> Vec<_> {
        let texts = issuers
            .iter()
            .map(|issuer| issuer[name].as_str().expect("text"));
        texts.collect()
    };
    assert_eq!(
        column("issuer"),
        ["a-secret", "b-file", "c-metadata", "d-sets", "e-by-name"]
    );
    assert_eq!(
        column("state"),
        ["local", "local", "current", "current", "waiting"]
    );
    assert_eq!(
        issuers[0]["keys"][0]["thumbprint"], "",
        "that of a secret could be guessed at"
    );
    assert_eq!(
        issuers[0]["keys"][0]["algorithms"],
        json!(["HS256", "HS384", "HS512"])
    );
    assert_eq!(issuers[1]["keys"][0]["kid"], "file-1");
    assert_eq!(issuers[1]["keys"][1]["algorithms"], json!(["ES256"]));
    assert_eq!(issuers[2]["urls"], json!([server.url("/jwks")]));
    assert_eq!(issuers[2]["keys"][0]["kid"], "remote-1");
    // RFC 7638 §3, by hand.
    let canonical = format!(
        "{{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":{}}}",
        ed25519().jwk("")["x"]
    );
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, canonical.as_bytes());
    assert_eq!(issuers[2]["keys"][0]["thumbprint"], encode(digest));
    assert_eq!(issuers[3]["fetches_succeeded"], 1);
    assert_eq!(issuers[3]["fetches_failed"], 0);
    assert_eq!(issuers[4]["keys"], json!([]));
    // Each was asked once, and what has a name of its own was not.
    assert_eq!((server.count("/jwks"), server.total()), (2, 3));
    for secret in [SECRET, "Sup3rS3cret"] {
        assert!(!ran.all().contains(secret), "{}", ran.all());
    }
}

#[test]
fn the_text_tells_what_the_json_tells() {
    let server = publisher_for("https://c.example", &[ed25519().jwk("remote-1")]);
    let ran = keys(&every_kind(&server), &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    for part in [
        "b-file\n",
        "state     local: ",
        "state     current: ",
        "state     waiting: ",
        "checked   0s ago",
        "key       file-1",
        "key       remote-1",
        "key       (no kid)",
        "EdDSA",
        &server.url("/keys/{kid}"),
    ] {
        assert!(
            ran.stdout.contains(part),
            "{part} is not in\n{}",
            ran.stdout
        );
    }
    for secret in [SECRET, "Sup3rS3cret"] {
        assert!(!ran.all().contains(secret), "{}", ran.all());
    }
}

#[test]
fn an_issuer_without_keys_or_with_some_of_them_is_exit_code_1() {
    let server = KeyServer::start();
    server.answers("/good", Answer::json(&json!({"keys": [p256().jwk("a")]})));
    server.answers("/html", Answer::html());
    let issuer = |urls: &[&str]| {
        let urls: Vec<_> = urls
            .iter()
            .map(|path| format!("\"{}\"", server.url(path)))
            .collect();
        Settings::empty().table(&format!(
            "[issuers.corp]\nissuer = \"corp\"\njwks_url = [{}]",
            urls.join(", ")
        ))
    };
    for (urls, state, error) in [
        (&["/absent"][..], "lacking", "404"),
        (&["/html"], "lacking", "/html"),
        (&["/good", "/absent"], "stale", "404"),
        (&["/html", "/good"], "stale", "/html"),
    ] {
        let ran = keys(&issuer(urls), &["--json"]);
        assert_eq!(ran.code, Some(1), "{}", ran.all());
        let issuers = parsed(&ran);
        assert_eq!(issuers[0]["state"], state, "{urls:?}");
        let errors = issuers[0]["errors"].to_string();
        assert!(errors.contains(error), "{errors}");
        let text = keys(&issuer(urls), &[]);
        assert_eq!(text.code, Some(1));
        assert!(text.stdout.contains("error     "), "{}", text.stdout);
    }
    let fine = keys(&issuer(&["/good"]), &[]);
    assert_eq!(fine.code, Some(0), "{}", fine.all());
}

#[test]
fn what_was_left_out_of_a_set_is_told() {
    let server = KeyServer::start();
    let weak = json!({"kty": "RSA", "kid": "weak", "n": encode([0xff; 64]), "e": "AQAB"});
    let encryption = but(&rsa().jwk("enc"), &json!({"use": "enc"}));
    server.publishes(&[p256().jwk("a"), weak, encryption]);
    let settings = Settings::empty().table(&format!(
        "[issuers.corp]\nissuer = \"corp\"\njwks_url = \"{}\"",
        server.url("/jwks")
    ));
    let ran = keys(&settings, &["--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let issuer = &parsed(&ran)[0];
    assert_eq!(issuer["keys"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        issuer["notes"].as_array().map(Vec::len),
        Some(2),
        "{issuer}"
    );
    assert!(keys(&settings, &[]).stdout.contains("note      "));
}

#[test]
fn s17_2_what_an_issuer_writes_cannot_forge_lines_on_a_terminal() {
    let server = KeyServer::start();
    let evil = "k\u{1b}[2J\nstate     current\r\u{9b}x\u{202e}";
    server.publishes(&[p256().jwk(evil)]);
    let settings = Settings::empty().table(&format!(
        "[issuers.corp]\nissuer = \"corp\"\njwks_url = \"{}\"",
        server.url("/jwks")
    ));
    let ran = keys(&settings, &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(
        ran.stdout.contains("\\u{1b}[2J\\u{a}state"),
        "{}",
        ran.stdout
    );
    let may_stand =
        |character: char| character == '\n' || character.is_ascii_graphic() || character == ' ';
    assert!(ran.stdout.chars().all(may_stand), "{:?}", ran.stdout);
    assert_eq!(
        ran.stdout.matches("state     ").count(),
        2,
        "{}",
        ran.stdout
    );
}

#[test]
fn a_configuration_with_faults_is_exit_code_2_and_nobody_is_asked() {
    let server = KeyServer::start();
    server.publishes(&[p256().jwk("a")]);
    let settings = Settings::empty().table(&format!(
        "[issuers.corp]\nissuer = \"corp\"\njwks_url = \"{}\"\n[issuers.default]\nissuer = \"x\"",
        server.url("/jwks")
    ));
    let ran = keys(&settings, &[]);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("issuers.default"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    assert_eq!(server.total(), 0);
}

/// A running gate whose admin listener is a socket in its folder.
fn running(server: &KeyServer) -> Gate {
    Settings::empty()
        .top("username_claim_field = \"sub\"")
        .admin("listen = \"unix:{dir}/admin.sock\"")
        .table(&format!(
            "[issuers.corp]\nissuer = \"corp\"\njwks_url = \"{}\"\n{PACE}",
            server.url("/jwks")
        ))
        .start()
}

/// Lets the keys come.
fn first_token(gate: &Gate) {
    let claims = fresh(&json!({"iss": "corp", "sub": "alice"}));
    let answer = Request::get("/verify")
        .bearer(p256().sign_kid("ES256", "a", &claims))
        .timeout(Duration::from_secs(30))
        .send(gate.main());
    assert_eq!(answer.status, 200);
}

#[test]
fn the_running_service_tells_its_keys() {
    let server = KeyServer::start();
    server.publishes(&[p256().jwk("a")]);
    let gate = running(&server);
    first_token(&gate);
    let config = gate.folder().join("jwtgate.toml");
    let config = config.to_str().expect("a path in UTF-8");
    let socket = format!("unix:{}", gate.folder().join("admin.sock").display());
    for arguments in [
        &["keys", "--running", "--config", config, "--json"][..],
        &["keys", "--admin", &socket, "--json"],
    ] {
        let ran = run(arguments, "");
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        let issuer = &parsed(&ran)[0];
        assert_eq!(issuer["state"], "current");
        assert_eq!(issuer["keys"][0]["kid"], "a");
        assert!(
            issuer["next_fetch_in_seconds"].as_u64() > Some(100),
            "{issuer}"
        );
    }
    // Without --config the variable and its service.
    let output = command()
        .arg("keys")
        .env("JWTGATE_CONFIG", config)
        .output()
        .expect("the binary can be started");
    assert_eq!(output.status.code(), Some(0));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("key       a"), "{told}");
    // The service was asked and not the issuer.
    assert_eq!(server.count("/jwks"), 1);
}

#[test]
fn a_service_whose_issuer_fails_is_exit_code_1() {
    let server = KeyServer::start();
    server.answers("/jwks", Answer::status(500));
    let gate = running(&server);
    server.wait_for_requests("/jwks", 1);
    let socket = format!("unix:{}", gate.folder().join("admin.sock").display());
    let lacking = || {
        let ran = run(&["keys", "--admin", &socket, "--json"], "");
        let issuer = parsed(&ran)[0].clone();
        (ran.code == Some(1) && issuer["fetches_failed"].as_u64() > Some(0)).then_some(issuer)
    };
    let issuer = crate::harness::wait::until(Duration::from_secs(10), lacking);
    let issuer = issuer.expect("the failure is told");
    assert_eq!(issuer["state"], "lacking");
    assert!(
        issuer["errors"][0]
            .as_str()
            .is_some_and(|error| error.contains("500"))
    );
}

#[test]
fn where_nobody_can_be_asked_it_is_exit_code_2() {
    let gate = Settings::hmac().start();
    let address = |address: &Address| match address {
        Address::Tcp(address) => address.to_string(),
        Address::Unix(path) => format!("unix:{}", path.display()),
    };
    // The main listener tells nothing.
    let ran = run(&["keys", "--admin", &address(gate.main())], "");
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("404"), "{}", ran.stderr);
    let fine = run(&["keys", "--admin", &address(gate.admin())], "");
    assert_eq!(fine.code, Some(0), "{}", fine.all());
    for (admin, hint) in [
        ("unix:/nowhere/admin.sock", "is the service running"),
        ("not an address", "--admin"),
        ("", "--admin"),
    ] {
        let ran = run(&["keys", "--admin", admin], "");
        assert_eq!(ran.code, Some(2), "{admin}: {}", ran.all());
        assert!(ran.stderr.contains(hint), "{admin}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
    let off = keys(&Settings::hmac().admin("listen = \"\""), &["--running"]);
    assert_eq!(off.code, Some(2), "{}", off.all());
}
