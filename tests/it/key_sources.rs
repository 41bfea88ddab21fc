//! Where the keys of an issuer come from, as far as they are here: secrets and those before them, PEM files, key sets.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::harness::judge::{PACE, fresh};
use crate::harness::process::run;
use crate::harness::tokens::{
    self, SECRET, ed25519, encode, p256, p384, rsa, second_p256, second_rsa,
};
use crate::harness::{Judge, KeyServer, Settings};

const OLD: &str = "the-secret-before-that-one-which-is-long-enough-for-all-0123456789";

fn issuer(lines: &str) -> Settings {
    Settings::empty()
        .top("username_claim_field = \"sub\"")
        .table(&format!(
            "[issuers.corp]\nissuer = \"corp\"\naudience = \"app\"\n{lines}\n{PACE}"
        ))
}

fn claims() -> Value {
    fresh(&json!({"iss": "corp", "aud": "app", "sub": "alice"}))
}

fn with(secret: &str) -> String {
    tokens::hmac(secret.as_bytes(), &tokens::header("HS256"), &claims())
}

/// What `check` tells, as `severity path`, each once.
fn told(settings: &Settings) -> Vec<String> {
    let folder = settings.write();
    for name in ["now", "before"] {
        // A file of secrets that everybody can read would be told of.
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(folder.path().join(name), mode).ok();
    }
    let config = folder.path().join("jwtgate.toml");
    let config = config.to_str().expect("a path in UTF-8");
    let ran = run(&["check", "--config", config, "--json"], "");
    let told: Value = serde_json::from_str(&ran.stdout).expect("a JSON list");
    let text = |fault: &Value, name: &str| fault[name].as_str().expect("text").to_owned();
    let told = told.as_array().expect("a list").iter();
    let mut told: Vec<_> = told
        .map(|fault| format!("{} {}", text(fault, "severity"), text(fault, "path")))
        .collect();
    told.dedup();
    told
}

#[test]
fn the_previous_secret_serves_on() {
    let in_file = "secret_file = \"{dir}/now\"\nprevious_secret_file = \"{dir}/before\"".to_owned();
    let inline = format!("secret = \"{SECRET}\"\nprevious_secret = \"{OLD}\"");
    for lines in [inline, in_file] {
        let settings = issuer(&lines)
            .file("now", format!("{SECRET}\n"))
            .file("before", format!("{OLD}\r\n"));
        let judge = Judge::of(settings);
        judge.passes(&with(SECRET), "alice");
        judge.passes(&with(OLD), "alice");
        // A secret has no name, so what a token calls it says nothing.
        let named = json!({"alg": "HS256", "kid": "anything"});
        judge.passes(&tokens::hmac(OLD.as_bytes(), &named, &claims()), "alice");
        judge.refuses(
            &with("a third secret that is long enough for each of them: 0123456789"),
            "token.signature",
        );
    }
}

#[test]
fn the_top_level_has_a_previous_secret_too() {
    let judge = Judge::of(
        Settings::empty()
            .top(&format!(
                "secret = \"{SECRET}\"\nexpected_audience = \"app\"\nusername_claim_field = \"sub\""
            ))
            .top("previous_secret_file = \"{dir}/before\"")
            .file("before", OLD),
    );
    judge.passes(&with(SECRET), "alice");
    judge.passes(&with(OLD), "alice");
}

#[test]
fn the_previous_secret_of_one_issuer_is_none_of_another() {
    let judge = Judge::of(
        Settings::empty()
            .top(&format!(
                "secret = \"{SECRET}\"\nprevious_secret = \"{OLD}\"\nexpected_issuer = \"top\"\n\
                 username_claim_field = \"sub\""
            ))
            .table("[issuers.corp]\nissuer = \"corp\"\nsecret = \"an-entirely-different-secret-for-this-one-0123456789-0123456789-01\""),
    );
    let signed = |iss: &str| {
        tokens::hmac(
            OLD.as_bytes(),
            &tokens::header("HS256"),
            &fresh(&json!({"iss": iss, "sub": "alice"})),
        )
    };
    judge.passes(&signed("top"), "alice");
    judge.refuses(&signed("corp"), "token.signature");
}

#[test]
fn a_previous_secret_that_is_not_there_is_a_warning_and_an_empty_one_is_none() {
    let lines = format!("secret = \"{SECRET}\"\nprevious_secret_file = \"{{dir}}/before\"");
    let absent = issuer(&lines);
    assert_eq!(told(&absent), ["warning issuers.corp.previous_secret_file"]);
    Judge::of(absent).passes(&with(SECRET), "alice");
    for empty in ["", "\n", "\r\n"] {
        let settings = issuer(&lines).file("before", empty);
        assert_eq!(told(&settings), Vec::<String>::new(), "{empty:?}");
        let judge = Judge::of(settings);
        judge.passes(&with(SECRET), "alice");
        judge.refuses(&with(empty), "token.signature");
        judge.refuses(&with(""), "token.signature");
    }
    let off = format!("secret = \"{SECRET}\"\nprevious_secret_file = \"\"\nprevious_secret = \"\"");
    assert_eq!(told(&issuer(&off)), Vec::<String>::new());
}

#[test]
fn two_previous_secrets_are_a_fault_and_an_empty_file_beside_one_is_not() {
    let lines = format!(
        "secret = \"{SECRET}\"\nprevious_secret = \"{OLD}\"\nprevious_secret_file = \"{{dir}}/before\""
    );
    let both = issuer(&lines).file(
        "before",
        "yet-another-secret-that-is-long-enough-for-every-hash-0123456789",
    );
    let path = "error issuers.corp.previous_secret, issuers.corp.previous_secret_file";
    assert_eq!(told(&both), [path]);
    assert!(both.try_start().is_err());
    assert_eq!(
        told(&issuer(&lines).file("before", "\n")),
        Vec::<String>::new()
    );
}

#[test]
fn s3_3_a_previous_secret_is_judged_as_any_other() {
    for (previous, severity) in [
        ("short", "error"),
        ("your-256-bit-secret", "error"),
        (&"x".repeat(64), "error"),
    ] {
        let lines = format!("secret = \"{SECRET}\"\nprevious_secret = \"{previous}\"");
        let told = told(&issuer(&lines));
        assert_eq!(told, [format!("{severity} issuers.corp.previous_secret")]);
    }
    let public = issuer(&format!(
        "secret = \"{SECRET}\"\nprevious_secret_file = \"{{dir}}/before\""
    ))
    .file("before", rsa().public_pem());
    assert_eq!(told(&public), ["error issuers.corp.previous_secret_file"]);
    // In the encoding of the present one.
    let hex = issuer(&format!(
        "secret = \"{}\"\nprevious_secret = \"{OLD}\"\nsecret_encoding = \"hex\"",
        "0123456789abcdef".repeat(8)
    ));
    assert_eq!(told(&hex), ["error issuers.corp.previous_secret"]);
}

#[test]
fn a_previous_secret_without_a_secret_is_told() {
    for lines in [
        format!("signing_certificate = \"{{dir}}/idp.pem\"\nprevious_secret = \"{OLD}\""),
        "jwks_url = \"https://idp.example/jwks\"\nprevious_secret_file = \"{dir}/before\""
            .to_owned(),
    ] {
        let settings = issuer(&lines)
            .file("idp.pem", rsa().public_pem())
            .file("before", OLD);
        let told = told(&settings);
        let is_told = told
            .iter()
            .any(|told| told.contains("issuers.corp.previous_secret"));
        assert!(is_told, "nobody is told that it goes unheard: {lines}");
    }
}

#[test]
fn several_pem_files_are_several_keys_of_one_issuer() {
    let judge = Judge::of(
        issuer("signing_certificate = [\"{dir}/new.pem\", \"{dir}/old.crt\", \"{dir}/both.pem\"]")
            .file("new.pem", rsa().public_pem())
            .file("old.crt", second_rsa().certificate_pem())
            .file(
                "both.pem",
                format!("{}{}", p256().public_pem(), ed25519().certificate_pem()),
            ),
    );
    for (key, algorithm) in [
        (rsa(), "RS256"),
        (second_rsa(), "PS384"),
        (p256(), "ES256"),
        (ed25519(), "EdDSA"),
    ] {
        judge.passes(&key.sign(algorithm, &claims()), "alice");
        judge.passes(&key.sign_kid(algorithm, "any", &claims()), "alice");
    }
    judge.refuses(&second_p256().sign("ES256", &claims()), "token.signature");
    judge.refuses(&p384().sign("ES384", &claims()), "token.algorithm");
    let absent = issuer("signing_certificate = [\"{dir}/new.pem\", \"/absent.pem\"]")
        .file("new.pem", rsa().public_pem());
    assert_eq!(
        told(&absent),
        ["error issuers.corp.signing_certificate /absent.pem"]
    );
}

#[test]
fn a_pem_key_can_stand_inline_in_the_table() {
    let judge = Judge::of(issuer(&format!(
        "signing_certificate_pem = \"\"\"\n{}\"\"\"",
        p256().public_pem()
    )));
    judge.passes(&p256().sign("ES256", &claims()), "alice");
    judge.refuses(&second_p256().sign("ES256", &claims()), "token.signature");
}

#[test]
fn each_issuer_can_have_a_key_set_in_a_file_or_inline() {
    let set = |keys: &[Value]| json!({"keys": keys}).to_string();
    let judge = Judge::of(
        issuer(&format!("jwks = '{}'", set(&[p256().jwk("a"), rsa().jwk("b")])))
            .file("partner.json", set(&[ed25519().jwk("a")]))
            .table("[issuers.partner]\nissuer = \"partner\"\naudience = \"app\"\njwks_file = \"{dir}/partner.json\""),
    );
    judge.passes(&p256().sign_kid("ES256", "a", &claims()), "alice");
    judge.passes(&rsa().sign_kid("RS256", "b", &claims()), "alice");
    judge.refuses(&rsa().sign_kid("RS256", "a", &claims()), "token.algorithm");
    judge.refuses(&ed25519().sign_kid("EdDSA", "c", &claims()), "key.unknown");
    let partner = fresh(&json!({"iss": "partner", "aud": "app", "sub": "bob"}));
    judge.passes(&ed25519().sign_kid("EdDSA", "a", &partner), "bob");
    judge.refuses(&p256().sign_kid("ES256", "a", &partner), "token.algorithm");
}

fn oct(kid: &str) -> Value {
    json!({"kty": "oct", "kid": kid, "k": encode(SECRET), "use": "sig"})
}

fn hmac(kid: &str) -> String {
    let header = json!({"alg": "HS256", "kid": kid});
    tokens::hmac(SECRET.as_bytes(), &header, &claims())
}

#[test]
fn s2_6_a_secret_beside_public_keys_is_left_out_with_a_warning() {
    let set = json!({"keys": [oct("s"), p256().jwk("p")]}).to_string();
    for lines in [
        "jwks_file = \"{dir}/keys.json\"".to_owned(),
        format!("jwks = '{set}'"),
    ] {
        let settings = issuer(&lines).file("keys.json", set.as_str());
        let told = told(&settings);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("warning issuers.corp.jwks"), "{told:?}");
        let judge = Judge::of(settings);
        judge.passes(&p256().sign_kid("ES256", "p", &claims()), "alice");
        judge.refuses(&hmac("s"), "key.unknown");
        judge.refuses(&hmac("p"), "token.algorithm");
        let nameless = with(SECRET);
        judge.refuses(&nameless, "token.algorithm");
    }
}

#[test]
fn s2_6_a_set_of_secrets_works_here_and_never_from_elsewhere() {
    let set = json!({"keys": [oct("s")]});
    let judge =
        Judge::of(issuer("jwks_file = \"{dir}/keys.json\"").file("keys.json", set.to_string()));
    judge.passes(&hmac("s"), "alice");

    let server = KeyServer::start();
    server.publishes(&[oct("s"), p256().jwk("p")]);
    let judge = Judge::of(issuer(&format!("jwks_url = \"{}\"", server.url("/jwks"))));
    judge.passes(&p256().sign_kid("ES256", "p", &claims()), "alice");
    judge.refuses(&hmac("p"), "token.algorithm");
    judge.refuses(&hmac("s"), "key.unknown");
    assert!(judge.gate().wait_for_line("a published one is none"));

    let secrets_only = KeyServer::start();
    secrets_only.publishes(&[oct("s")]);
    let judge = Judge::of(issuer(&format!(
        "jwks_url = \"{}\"",
        secrets_only.url("/jwks")
    )));
    judge.refuses(&hmac("s"), "key.unavailable");
    let algorithms =
        issuer("jwks_url = \"https://idp.example/jwks\"\nalgorithms = [\"RS256\", \"HS256\"]");
    assert_eq!(told(&algorithms), ["error issuers.corp.algorithms"]);
}

#[test]
fn several_addresses_are_one_set_and_each_may_fail_alone() {
    let server = KeyServer::start();
    let document = |keys: &[Value]| crate::harness::Answer::json(&json!({"keys": keys}));
    server.answers("/one", document(&[p256().jwk("a")]));
    server.answers("/two", document(&[rsa().jwk("b")]));
    let urls = ["/one", "/two", "/absent"].map(|path| format!("\"{}\"", server.url(path)));
    let judge = Judge::of(issuer(&format!("jwks_url = [{}]", urls.join(", "))));
    judge.passes(&p256().sign_kid("ES256", "a", &claims()), "alice");
    judge.passes(&rsa().sign_kid("RS256", "b", &claims()), "alice");
    assert!(judge.gate().wait_for_line("keys cannot be fetched"));
}
