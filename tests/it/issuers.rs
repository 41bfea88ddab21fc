//! Several issuers at once: `iss` chooses one, and only its keys count.

use serde_json::{Value, json};

use crate::harness::judge::{PACE, but, fresh};
use crate::harness::tokens::{self, Key, SECRET, ed25519, p256, rsa, second_p256, second_rsa};
use crate::harness::{Answer, Gate, Judge, KeyServer, Request, Settings};

const OTHER_SECRET: &str = "another-secret-of-the-tests-that-is-long-enough-for-every-hash-1";

/// The address that an issuer of this name has in these tests.
fn iss(name: &str) -> String {
    format!("https://{name}.example")
}

/// Alice, from the issuer of this name.
fn claims(name: &str) -> Value {
    fresh(&json!({"iss": iss(name), "aud": "app", "sub": "alice"}))
}

fn table(name: &str, lines: &str) -> String {
    format!("[issuers.{name}]\nissuer = \"{}\"\n{lines}\n", iss(name))
}

/// Settings that every issuer of these tests shares.
fn common() -> Settings {
    Settings::empty()
        .top("expected_audience = \"app\"\nusername_claim_field = \"sub\"")
        .table(PACE)
}

fn set(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}

/// How an issuer signs.
struct Signer {
    name: &'static str,
    with: With,
}

enum With {
    Key(&'static Key, &'static str),
    Secret(&'static str),
}

impl Signer {
    fn sign(&self, kid: Option<&str>, claims: &Value) -> String {
        let header = |algorithm: &str| but(&tokens::header(algorithm), &json!({"kid": kid}));
        match &self.with {
            With::Key(key, algorithm) => key.sign_as(&header(algorithm), claims),
            With::Secret(secret) => tokens::hmac(secret.as_bytes(), &header("HS256"), claims),
        }
    }
}

#[test]
fn no_key_of_one_issuer_verifies_a_token_of_another() {
    let remote = KeyServer::start();
    remote.publishes(&[ed25519().jwk("k1")]);
    let signers = [
        ("file", With::Key(rsa(), "RS256")),
        // The same name for another key.
        ("inline", With::Key(second_rsa(), "RS256")),
        ("pem", With::Key(p256(), "ES256")),
        ("cert", With::Key(second_p256(), "ES256")),
        ("hmac", With::Secret(SECRET)),
        ("shared", With::Secret(OTHER_SECRET)),
        ("remote", With::Key(ed25519(), "EdDSA")),
    ]
    .map(|(name, with)| Signer { name, with });
    let settings = common()
        .file("file.json", set(&[rsa().jwk("k1")]))
        .file("key.pem", p256().public_pem())
        .file("idp.crt", second_p256().certificate_pem())
        .table(&table("file", "jwks_file = \"{dir}/file.json\""))
        .table(&table(
            "inline",
            &format!("jwks = '{}'", set(&[second_rsa().jwk("k1")])),
        ))
        .table(&table("pem", "signing_certificate = \"{dir}/key.pem\""))
        .table(&table("cert", "signing_certificate = [\"{dir}/idp.crt\"]"))
        .table(&table("hmac", &format!("secret = \"{SECRET}\"")))
        .table(&table("shared", &format!("secret = \"{OTHER_SECRET}\"")))
        .table(&table(
            "remote",
            &format!("jwks_url = \"{}\"", remote.url("/jwks")),
        ));
    let judge = Judge::of(settings);
    // Twice, for what the gate remembers of tokens and headers.
    for _ in 0..2 {
        for signer in &signers {
            for claimed in &signers {
                for kid in [None, Some("k1")] {
                    let token = signer.sign(kid, &claims(claimed.name));
                    if signer.name == claimed.name {
                        judge.passes(&token, "alice");
                        continue;
                    }
                    let is_same_kind = matches!(
                        (&signer.with, &claimed.with),
                        (With::Secret(_), With::Secret(_))
                    ) || matches!(
                        (&signer.with, &claimed.with),
                        (With::Key(_, one), With::Key(_, other)) if one == other
                    );
                    let reason = if is_same_kind {
                        "token.signature"
                    } else {
                        "token.algorithm"
                    };
                    judge.refuses(&token, reason);
                }
            }
        }
    }
    judge.gate().assert_no_panic();
}

#[test]
fn a_key_is_known_by_its_name_only_within_its_issuer() {
    let settings = common()
        .file("one.json", set(&[rsa().jwk("first"), p256().jwk("shared")]))
        .file(
            "two.json",
            set(&[second_rsa().jwk("second"), second_p256().jwk("shared")]),
        )
        .table(&table("one", "jwks_file = \"{dir}/one.json\""))
        .table(&table("two", "jwks_file = \"{dir}/two.json\""));
    let judge = Judge::of(settings);
    judge.passes(&rsa().sign_kid("RS256", "first", &claims("one")), "alice");
    judge.passes(&p256().sign_kid("ES256", "shared", &claims("one")), "alice");
    judge.passes(
        &second_p256().sign_kid("ES256", "shared", &claims("two")),
        "alice",
    );
    for (token, reason) in [
        (
            second_rsa().sign_kid("RS256", "second", &claims("one")),
            "key.unknown",
        ),
        (
            second_rsa().sign_kid("RS256", "first", &claims("one")),
            "token.signature",
        ),
        (
            rsa().sign_kid("RS256", "first", &claims("two")),
            "key.unknown",
        ),
        (
            second_p256().sign_kid("ES256", "shared", &claims("one")),
            "token.signature",
        ),
        (
            p256().sign_kid("ES256", "shared", &claims("two")),
            "token.signature",
        ),
        (
            second_p256().sign("ES256", &claims("one")),
            "token.signature",
        ),
    ] {
        judge.refuses(&token, reason);
    }
}

#[test]
fn s1_4_the_public_key_of_one_issuer_is_never_the_secret_of_another() {
    let public = rsa().public_pem();
    let der: String = public
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let jwk = rsa().jwk("k1").to_string();
    for secret in [&public, &der, &jwk] {
        let settings = common()
            .file("idp.pem", public.as_str())
            .file("secret", secret.as_str())
            .table(&table("public", "signing_certificate = \"{dir}/idp.pem\""))
            .table(&table("hmac", "secret_file = \"{dir}/secret\""));
        let Err(exited) = settings.try_start() else {
            panic!("a public key was taken for a secret: {secret}");
        };
        assert!(
            exited.output.contains("issuers.hmac.secret_file"),
            "{}",
            exited.output
        );
    }
    // And whoever signs with it, in any spelling, is refused by the issuer of the key.
    let judge = Judge::of(
        common()
            .file("idp.pem", public.as_str())
            .table(&table("public", "signing_certificate = \"{dir}/idp.pem\""))
            .table(&table("hmac", &format!("secret = \"{SECRET}\""))),
    );
    for secret in [&public, &der, &jwk] {
        let forged =
            |name: &str| tokens::hmac(secret.as_bytes(), &tokens::header("HS256"), &claims(name));
        judge.refuses(&forged("public"), "token.algorithm");
        judge.refuses(&forged("hmac"), "token.signature");
    }
}

#[test]
fn s6_7_a_token_of_nobody_known_is_refused_and_nobody_is_asked_for_its_keys() {
    let (one, two) = (KeyServer::start(), KeyServer::start());
    one.publishes(&[rsa().jwk("k1")]);
    two.answers("/k1", Answer::bytes(p256().public_pem()));
    let judge = Judge::of(
        common()
            .table(&table(
                "one",
                &format!("jwks_url = \"{}\"", one.url("/jwks")),
            ))
            .table(&table(
                "two",
                &format!("key_url = \"{}\"", two.url("/{kid}")),
            )),
    );
    judge.passes(&rsa().sign_kid("RS256", "k1", &claims("one")), "alice");
    judge.passes(&p256().sign_kid("ES256", "k1", &claims("two")), "alice");
    let asked = (one.total(), two.total());
    let unknown = |changes: Value| rsa().sign_kid("RS256", "new", &but(&claims("one"), &changes));
    for iss in [
        Value::Null,
        json!(""),
        json!("https://unknown.example"),
        json!("https://ONE.example"),
        json!("https://one.example/"),
        json!("http://one.example"),
        json!("https://one.example "),
        json!("https://one.example\u{0}"),
        json!("https://one.example#"),
        json!("one.example"),
        json!("one"),
        json!("https://one.examp\u{200b}le"),
    ] {
        judge.refuses(&unknown(json!({"iss": iss})), "token.issuer");
    }
    for iss in [
        json!(["https://one.example"]),
        json!(7),
        json!(true),
        json!({"https://one.example": 1}),
    ] {
        judge.refuses(&unknown(json!({"iss": iss})), "token.claim_type");
    }
    refuses_what_is_no_token(&judge);
    assert_eq!((one.total(), two.total()), asked);
}

/// Tokens that are seen through before any key is needed.
fn refuses_what_is_no_token(judge: &Judge) {
    // A claim that is there twice is nobody's.
    let header = tokens::encode(json!({"alg": "RS256", "kid": "new"}).to_string());
    let twice = tokens::encode(format!("{{\"iss\":\"{0}\",\"iss\":\"{0}\"}}", iss("one")));
    judge.refuses(&format!("{header}.{twice}.AAAA"), "token.payload");
    judge.refuses(
        &format!("{header}.{}.AAAA", tokens::encode("[]")),
        "token.payload",
    );
    judge.refuses(
        &format!("{header}.{}.AAAA", tokens::encode("{\"iss\":null}")),
        "token.claim_type",
    );
    // Within the issuer, what no signature can hold causes nothing either.
    let unsigned = tokens::compact(&json!({"alg": "none", "kid": "new"}), &claims("one"), b"");
    judge.refuses(&unsigned, "token.algorithm");
    let foreign = tokens::hmac(
        b"any",
        &json!({"alg": "HS256", "kid": "k1"}),
        &claims("one"),
    );
    judge.refuses(&foreign, "token.algorithm");
}

fn metrics(gate: &Gate) -> String {
    Request::get("/metrics").send(gate.admin()).text()
}

#[test]
fn logs_metrics_and_the_listing_name_issuers_as_the_configuration_does() {
    let remote = KeyServer::start();
    remote.publishes(&[rsa().jwk("k1")]);
    let judge = Judge::of(
        common()
            .top("expected_issuer = \"https://top.example\"")
            .top(&format!("secret = \"{SECRET}\""))
            .table(&table(
                "Corp-1_x",
                &format!("jwks_url = \"{}\"", remote.url("/jwks")),
            ))
            .table(&table("partner", &format!("secret = \"{OTHER_SECRET}\""))),
    );
    let partner = |changes: Value| {
        let claims = but(&claims("partner"), &changes);
        tokens::hmac(OTHER_SECRET.as_bytes(), &tokens::header("HS256"), &claims)
    };
    let top = |changes: Value| {
        let claims = but(&claims("top"), &changes);
        tokens::hmac(SECRET.as_bytes(), &tokens::header("HS256"), &claims)
    };
    judge.passes(&rsa().sign_kid("RS256", "k1", &claims("Corp-1_x")), "alice");
    judge.passes(&partner(json!({})), "alice");
    judge.passes(&top(json!({})), "alice");
    judge.passes(&top(json!({})), "alice");

    judge.refuses(&partner(json!({"aud": "x"})), "token.audience");
    assert_eq!(judge.last_refusal()["issuer.name"], "partner");
    judge.refuses(&top(json!({"aud": "x"})), "token.audience");
    assert_eq!(judge.last_refusal()["issuer.name"], "default");
    judge.refuses(
        &second_rsa().sign_kid("RS256", "k1", &claims("Corp-1_x")),
        "token.signature",
    );
    assert_eq!(judge.last_refusal()["issuer.name"], "Corp-1_x");
    // What nobody has verified is not repeated.
    judge.refuses(
        &partner(json!({"iss": "https://evil.example/x"})),
        "token.issuer",
    );
    assert_eq!(judge.last_refusal()["issuer.name"], "-");
    assert!(!judge.gate().output().contains("evil.example"));

    let metrics = metrics(judge.gate());
    for line in [
        r#"jwtgate_decisions_total{result="allow",reason="none",issuer="Corp-1_x",source="header"} 1"#,
        r#"jwtgate_decisions_total{result="allow",reason="none",issuer="partner",source="header"} 1"#,
        r#"jwtgate_decisions_total{result="allow",reason="none",issuer="default",source="header"} 2"#,
        r#"jwtgate_decisions_total{result="deny",reason="token.audience",issuer="partner",source="header"} 1"#,
        r#"jwtgate_decisions_total{result="deny",reason="token.signature",issuer="Corp-1_x",source="header"} 1"#,
        r#"jwtgate_decisions_total{result="deny",reason="token.issuer",issuer="none",source="header"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert_eq!(listed(judge.gate()), ["default", "Corp-1_x", "partner"]);
    let userinfo = Request::get("/userinfo")
        .bearer(partner(json!({})))
        .send(judge.gate().main());
    assert_eq!(userinfo.json()["issuer"], "https://partner.example");
}

/// The issuers that the admin listener lists.
fn listed(gate: &Gate) -> Vec<String> {
    let listed = Request::get("/keys").send(gate.admin()).json();
    let issuers = listed["issuers"].as_array().expect("a list").iter();
    issuers
        .map(|issuer| issuer["issuer"].as_str().expect("a name").to_owned())
        .collect()
}
