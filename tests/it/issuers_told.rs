//! `explain` with several issuers: which one judged, what it found, and what it expected.

use serde_json::{Value, json};

use crate::harness::judge::{but, fresh, metadata_of, publisher_for};
use crate::harness::process::{Ran, run};
use crate::harness::tokens::{self, SECRET, p256, rsa, second_rsa};
use crate::harness::{Answer, KeyServer, Settings, padded};

fn explain(settings: &Settings, token: &str, more: &[&str]) -> Ran {
    let folder = settings.write();
    let config = folder.path().join("jwtgate.toml");
    let config = config.to_str().expect("a path in UTF-8");
    run(&[&["explain", "--config", config], more].concat(), token)
}

/// What `explain --json` says, and that its exit code says the same.
#[track_caller]
fn told(settings: &Settings, token: &str) -> Value {
    let ran = explain(settings, token, &["--json"]);
    let told: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.all()));
    let is_allowed = told["result"] == "allowed";
    assert_eq!(ran.code, Some(i32::from(!is_allowed)), "{}", ran.all());
    told
}

/// Two issuers with rules of their own.
fn two() -> Settings {
    Settings::empty()
        .top("username_claim_field = \"sub\"")
        .file("corp.json", json!({"keys": [rsa().jwk("k1"), p256().jwk("k2")]}).to_string())
        .table(&format!(
            "[issuers.corp]\nissuer = \"https://corp.example\"\naudience = [\"app\", \"api\"]\n\
             jwks_file = \"{{dir}}/corp.json\"\ntoken_type = \"at+jwt\"\nleeway = \"10s\"\n\
             required_claims = {{ hd = [\"example.com\", \"example.org\"] }}\nsigner = \"gate\"\n\
             [issuers.partner]\nissuer = [\"partner\", \"https://partner.example\"]\naudience = \"partner-app\"\n\
             secret = \"{SECRET}\"\nusername_claim = \"email\""
        ))
}

fn corp(header: &Value, changes: &Value) -> String {
    let claims = fresh(&json!({
        "iss": "https://corp.example", "aud": "app", "sub": "alice", "hd": "example.com",
    }));
    let whole = json!({"alg": "RS256", "kid": "k1", "typ": "at+jwt", "signer": "gate"});
    rsa().sign_as(&but(&whole, header), &but(&claims, changes))
}

fn partner(changes: &Value) -> String {
    let claims = fresh(&json!({"iss": "partner", "aud": "partner-app", "email": "bob"}));
    tokens::signed(&but(&claims, changes))
}

#[test]
fn good_tokens_of_either_issuer_are_allowed() {
    let same = json!({});
    let corp = told(&two(), &corp(&same, &same));
    assert_eq!(corp["headers"]["X-Auth-User"], "alice");
    let partner = told(&two(), &partner(&same));
    assert_eq!(partner["headers"]["X-Auth-User"], "bob");
}

/// The token is refused for this reason by this issuer, and the comparison holds these texts.
#[track_caller]
fn compares(token: &str, reason: &str, issuer: &str, found: &str, expected: &str) {
    let told = told(&two(), token);
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(text("reason"), reason);
    assert_eq!(text("issuer"), issuer, "{reason}");
    assert!(text("found").contains(found), "{reason}: {told}");
    assert!(text("expected").contains(expected), "{reason}: {told}");
}

#[test]
fn the_issuer_that_judged_the_header_is_named_with_what_it_found_and_expected() {
    for (header, reason, found, expected) in [
        (
            json!({"signer": "other"}),
            "token.signer",
            "signer \"other\"",
            "[\"gate\"]",
        ),
        (
            json!({"signer": null}),
            "token.signer",
            "signer absent",
            "[\"gate\"]",
        ),
        (json!({"typ": "JWT"}), "token.type", "typ \"JWT\"", "at+jwt"),
        (
            json!({"kid": "k9"}),
            "key.unknown",
            "kid \"k9\"",
            "[\"k1\", \"k2\"]",
        ),
    ] {
        compares(&corp(&header, &json!({})), reason, "corp", found, expected);
    }
    let confused = tokens::hmac(
        b"x",
        &json!({"alg": "HS256", "typ": "at+jwt", "signer": "gate"}),
        &fresh(&json!({
            "iss": "https://corp.example",
        })),
    );
    compares(
        &confused,
        "token.algorithm",
        "corp",
        "alg \"HS256\"",
        "\"RS256\"",
    );
}

#[test]
fn the_issuer_that_judged_the_claims_is_named_with_what_it_found_and_expected() {
    let late = tokens::now() - 11;
    let exp = format!("exp {late}");
    for (claims, reason, found, expected) in [
        (
            json!({"aud": "other"}),
            "token.audience",
            "aud \"other\"",
            "[\"app\", \"api\"]",
        ),
        (
            json!({"hd": "evil"}),
            "token.claim",
            "hd \"evil\"",
            "hd one of [\"example.com\", \"example.org\"]",
        ),
        (
            json!({"hd": null}),
            "token.claim",
            "hd absent",
            "example.com",
        ),
        (
            json!({"exp": late}),
            "token.expired",
            exp.as_str(),
            "less 10s",
        ),
        (
            json!({"sub": null}),
            "identity.username",
            "`sub` is absent",
            "text",
        ),
    ] {
        compares(&corp(&json!({}), &claims), reason, "corp", found, expected);
    }
    for (claims, reason, found, expected) in [
        (
            json!({"aud": "app"}),
            "token.audience",
            "aud \"app\"",
            "[\"partner-app\"]",
        ),
        (
            json!({"email": 7}),
            "identity.username",
            "`email` is a number",
            "text",
        ),
    ] {
        compares(&partner(&claims), reason, "partner", found, expected);
    }
}

#[test]
fn a_token_of_nobody_known_is_told_with_every_name_that_is() {
    for (iss, found) in [
        (
            json!("https://corp.example/"),
            "iss \"https://corp.example/\"",
        ),
        (Value::Null, "iss absent"),
        (json!("x\u{1b}[2J"), "iss \"x\\u001b[2J\""),
    ] {
        let told = told(&two(), &corp(&json!({}), &json!({"iss": iss})));
        assert_eq!(told["reason"], "token.issuer");
        assert_eq!(told["issuer"], Value::Null);
        assert_eq!(told["found"], found);
        for name in [
            "https://corp.example",
            "\"partner\"",
            "https://partner.example",
        ] {
            let expected = told["expected"].as_str().unwrap_or_default();
            assert!(expected.contains(name), "{expected}");
        }
    }
}

#[test]
fn the_text_says_the_same_and_never_the_token() {
    let token = corp(&json!({}), &json!({"aud": "other"}));
    let ran = explain(&two(), &token, &[]);
    assert_eq!(ran.code, Some(1));
    for part in [
        "ok      signature",
        "FAILED  claims",
        "-       identity",
        "denied: token.audience",
        "found:    aud \"other\"",
        "expected: one of [\"app\", \"api\"]",
    ] {
        assert!(
            ran.stdout.contains(part),
            "{part} is not in\n{}",
            ran.stdout
        );
    }
    for part in token.split('.') {
        assert!(!ran.all().contains(part), "{}", ran.all());
    }
}

#[test]
fn the_keys_of_an_issuer_elsewhere_are_fetched() {
    let server = publisher_for("https://corp.example", &[rsa().jwk("k1")]);
    let settings = Settings::empty()
        .top("username_claim_field = \"sub\"\nexpected_audience = \"app\"")
        .table(&format!(
            "[issuers.corp]\nissuer = \"https://corp.example\"\ndiscovery_url = \"{}\"",
            metadata_of(&server)
        ));
    let claims = fresh(&json!({"iss": "https://corp.example", "aud": "app", "sub": "alice"}));
    let good = told(&settings, &rsa().sign_kid("RS256", "k1", &claims));
    assert_eq!(good["headers"]["X-Auth-User"], "alice");
    let unknown = told(&settings, &second_rsa().sign_kid("RS256", "k2", &claims));
    assert_eq!(unknown["reason"], "key.unknown");
    assert_eq!(unknown["found"], "kid \"k2\"");
    assert_eq!(unknown["expected"], "one of [\"k1\"]");
    assert_eq!(server.count("/jwks"), 2);
    // It says so where it cannot.
    server.answers("/jwks", Answer::status(500));
    let ran = explain(
        &settings,
        &rsa().sign_kid("RS256", "k1", &claims),
        &["--json"],
    );
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("key.unavailable"), "{}", ran.all());
    assert!(
        ran.stderr.contains("keys cannot be fetched"),
        "{}",
        ran.all()
    );
    assert!(ran.stderr.contains("500"), "{}", ran.all());
}

#[test]
fn the_key_that_a_load_balancer_names_is_fetched() {
    let server = KeyServer::start();
    server.answers("/3a2b1c0d", Answer::bytes(p256().public_pem()));
    let settings = Settings::empty().table(&format!(
        "[issuers.alb]\npreset = \"aws-alb\"\nissuer = \"https://alb.example\"\nsigner = \"web\"\nkey_url = \"{}\"",
        server.url("/{kid}")
    ));
    let claims = fresh(&json!({"iss": "https://alb.example", "sub": "alice"}));
    let header = |kid: &str| json!({"alg": "ES256", "kid": kid, "signer": "web"});
    let good = told(
        &settings,
        &padded::es256(p256(), &header("3a2b1c0d"), &claims),
    );
    assert_eq!(good["headers"]["X-Auth-User"], "alice");
    let gone = told(&settings, &padded::es256(p256(), &header("other"), &claims));
    assert_eq!(gone["reason"], "key.unknown");
    assert_eq!(gone["found"], "kid \"other\"");
    assert_eq!(server.count("/other"), 1);
    assert_eq!(server.total(), 2);
}

#[test]
fn a_tenant_that_is_not_the_issuer_s_is_told_as_such() {
    const ACME: &str = "11111111-1111-1111-1111-111111111111";
    const GLOBEX: &str = "22222222-2222-2222-2222-222222222222";
    let settings = Settings::empty()
        .file("keys.json", json!({"keys": [rsa().jwk("k1")]}).to_string())
        .table(&format!(
            "[issuers.work]\npreset = \"entra\"\ntenants = [\"{ACME}\", \"{GLOBEX}\"]\naudience = \"app\"\n\
             jwks_file = \"{{dir}}/keys.json\""
        ));
    let claims = fresh(&json!({
        "iss": format!("https://login.microsoftonline.com/{ACME}/v2.0"), "tid": GLOBEX, "aud": "app", "oid": "7",
    }));
    let told = told(&settings, &rsa().sign_kid("RS256", "k1", &claims));
    assert_eq!(told["reason"], "token.issuer");
    assert_eq!(told["issuer"], "work");
    // `iss` is one of those that are expected: that is not what was wrong.
    let found = told["found"].as_str().unwrap_or_default();
    assert!(found.contains("tid"), "{told}");
}
