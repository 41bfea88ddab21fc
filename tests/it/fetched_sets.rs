//! What stands in a set that a provider publishes: which of its keys count, and which never do.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::harness::fetched::{
    claims, issuer, key_status, lacking, settings, status, token, token_by, wait_for_failure,
    wait_until_ready,
};
use crate::harness::process::text;
use crate::harness::tokens::{self, SECRET};
use crate::harness::{Answer, Gate, KeyServer, wait};

const ISS: &str = "https://idp.example";
/// What the log says of a key that does not count, or that should not be as it is.
const ODD: &str = "something in the key set was left out or is odd";

fn set(keys: &[Value]) -> Answer {
    Answer::json(&json!({ "keys": keys }))
}

/// A gate with one issuer, whose keys are these.
fn gate(keys: &[Value]) -> (Gate, KeyServer) {
    let server = KeyServer::start();
    server.answers("/jwks", set(keys));
    let lines = format!("jwks_url = \"{}\"", server.url("/jwks"));
    let gate = settings("").table(&issuer("idp", ISS, &lines)).start();
    wait_until_ready(&gate);
    (gate, server)
}

/// Changes one member of a JWK.
fn but(mut jwk: Value, member: &str, value: impl Into<Value>) -> Value {
    jwk[member] = value.into();
    jwk
}

/// A key that must never count, and a token that it would be good for.
struct Odd {
    name: &'static str,
    jwk: Value,
    token: fn(iss: &str) -> String,
}

fn by_rsa(iss: &str) -> String {
    tokens::rsa().sign_kid("RS256", "odd", &claims(iss))
}

fn by_p521(iss: &str) -> String {
    tokens::p521().sign_kid("ES512", "odd", &claims(iss))
}

fn by_secret(iss: &str) -> String {
    let header = json!({"typ": "JWT", "alg": "HS256", "kid": "odd"});
    tokens::hmac(SECRET.as_bytes(), &header, &claims(iss))
}

/// Signed with the private key that stands in the source tree.
fn by_demo_key(iss: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("certs/demo-ec.pem");
    let pem = fs::read(file).expect("the demo key is there");
    let header = Header {
        kid: Some("odd".to_owned()),
        ..Header::new(Algorithm::ES256)
    };
    let key = EncodingKey::from_ec_pem(&pem).expect("a key");
    jsonwebtoken::encode(&header, &claims(iss), &key).expect("the key can sign")
}

fn demo_jwk() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("certs/demo-jwks.json");
    let text = fs::read_to_string(file).expect("the demo set is there");
    let set: Value = serde_json::from_str(&text).expect("JSON");
    let keys = set["keys"].as_array().expect("a list");
    let found = keys.iter().find(|key| key["kid"] == "demo-ec");
    but(found.expect("an EC key").clone(), "kid", "odd")
}

fn odd_keys() -> Vec<Odd> {
    let rsa = tokens::rsa().jwk("odd");
    let secret = json!({"kty": "oct", "kid": "odd", "k": tokens::encode(SECRET)});
    let odd = |name, jwk, token| Odd { name, jwk, token };
    vec![
        odd("secret", secret.clone(), by_secret),
        odd("secret_alg", but(secret.clone(), "alg", "HS256"), by_secret),
        odd("secret_use", but(secret, "use", "sig"), by_secret),
        odd("encryption", but(rsa.clone(), "use", "enc"), by_rsa),
        odd("upper_use", but(rsa.clone(), "use", "SIG"), by_rsa),
        odd(
            "signing",
            but(rsa.clone(), "key_ops", json!(["sign"])),
            by_rsa,
        ),
        odd("no_ops", but(rsa.clone(), "key_ops", json!([])), by_rsa),
        odd("other_alg", but(rsa.clone(), "alg", "ES256"), by_rsa),
        odd("secret_of_rsa", but(rsa.clone(), "alg", "HS256"), by_rsa),
        odd("oaep", but(rsa.clone(), "alg", "RSA-OAEP"), by_rsa),
        odd("none", but(rsa.clone(), "alg", "none"), by_rsa),
        odd("kid_number", but(rsa.clone(), "kid", 7), by_rsa),
        odd("tiny_e", but(rsa.clone(), "e", "AQ"), by_rsa),
        odd("wrong_kty", but(rsa, "kty", "EC"), by_rsa),
        odd(
            "wrong_crv",
            but(tokens::p521().jwk("odd"), "crv", "P-256"),
            by_p521,
        ),
        odd("demo", demo_jwk(), by_demo_key),
    ]
}

fn iss(name: &str) -> String {
    format!("https://{}.example", name.replace('_', "-"))
}

/// A gate with an issuer for each odd key, all of which have the key `k1` first, and this from then on.
fn gate_of(all: &[Odd], server: &KeyServer, then: impl Fn(&Odd) -> Answer) -> Gate {
    let mut settings = settings("");
    for Odd { name, .. } in all {
        let path = format!("/{name}");
        server.answers(&path, set(&[tokens::p256().jwk("k1")]));
        let lines = format!("jwks_url = \"{}\"", server.url(&path));
        settings = settings.table(&issuer(name, &iss(name), &lines));
    }
    let gate = settings.start();
    wait_until_ready(&gate);
    for odd in all {
        server.answers(&format!("/{}", odd.name), then(odd));
    }
    gate
}

#[test]
fn s2_5_odd_keys_beside_good_ones_are_left_out_and_told() {
    let all = odd_keys();
    let server = KeyServer::start();
    let good = [tokens::p256().jwk("k1"), tokens::second_p256().jwk("k2")];
    let gate = gate_of(&all, &server, |odd| {
        set(&[good[0].clone(), odd.jwk.clone(), good[1].clone(), json!(7)])
    });
    thread::scope(|scope| {
        for Odd { name, token, .. } in &all {
            let gate = &gate;
            scope.spawn(move || {
                let new = token_by(tokens::second_p256(), &iss(name), "k2");
                let taken = wait::until(Duration::from_secs(5), || {
                    (status(gate, &new) == 200).then_some(())
                });
                assert!(taken.is_some(), "{name}");
                assert_ne!(status(gate, &token(&iss(name))), 200, "{name}");
            });
        }
    });
    for Odd { name, .. } in &all {
        let known = key_status(&gate, name);
        let kids: Vec<_> = known["keys"].as_array().into_iter().flatten().collect();
        assert_eq!(kids.len(), 2, "{known}");
        let notes = known["notes"].as_array().map(Vec::len);
        assert_eq!(notes, Some(2), "{known}");
        assert!(gate.wait_for_line(ODD));
        let told = wait::until(Duration::from_secs(5), || {
            let told = gate.records(ODD);
            let own = told.iter().filter(|record| record["issuer.name"] == *name);
            (own.count() == 2).then_some(())
        });
        assert!(told.is_some(), "{name}");
    }
    assert!(!gate.output().contains(&tokens::encode(SECRET)));
}

#[test]
fn s14_5_a_set_of_odd_keys_alone_takes_no_keys_away() {
    let all = odd_keys();
    let server = KeyServer::start();
    let gate = gate_of(&all, &server, |odd| set(std::slice::from_ref(&odd.jwk)));
    thread::scope(|scope| {
        for Odd { name, token, .. } in &all {
            let gate = &gate;
            scope.spawn(move || {
                assert_eq!(status(gate, &token(&iss(name))), 503, "{name}");
            });
        }
    });
    for Odd { name, .. } in &all {
        wait_for_failure(&gate, name, "no usable key");
        assert_eq!(status(&gate, &token(&iss(name), "k1")), 200, "{name}");
    }
    assert_eq!(lacking(&gate), [""; 0]);
}

#[test]
fn s2_6_private_members_in_a_published_set_are_warned_about_and_not_shown() {
    let private = "cHJpdmF0ZS1wcml2YXRlLXByaXZhdGUtcHJpdmF0ZS0";
    let (gate, _server) = gate(&[but(tokens::p256().jwk("k1"), "d", private)]);
    assert_eq!(status(&gate, &token(ISS, "k1")), 200);
    assert!(gate.wait_for_line(ODD));
    let told = gate.records(ODD);
    assert_eq!(told.len(), 1);
    assert!(text(&told[0], "note").contains("private members"));
    assert_eq!(told[0]["level"], "WARN");
    let shown = format!("{}\n{}", gate.output(), key_status(&gate, "idp"));
    assert!(shown.contains("private members"));
    assert!(!shown.contains(private));
}

#[test]
fn s2_7_keys_of_a_published_set_that_share_a_name_are_both_tried() {
    let (gate, _server) = gate(&[
        tokens::p256().jwk("k"),
        tokens::second_p256().jwk("k"),
        tokens::rsa().jwk("k"),
    ]);
    for _ in 0..2 {
        assert_eq!(status(&gate, &token(ISS, "k")), 200);
        assert_eq!(
            status(&gate, &token_by(tokens::second_p256(), ISS, "k")),
            200
        );
        let by_rsa = tokens::rsa().sign_kid("RS256", "k", &claims(ISS));
        assert_eq!(status(&gate, &by_rsa), 200);
        let by_none = tokens::second_rsa().sign_kid("RS256", "k", &claims(ISS));
        assert_eq!(status(&gate, &by_none), 401);
    }
}

#[test]
fn s2_7_keys_of_two_published_sets_that_share_a_name_are_both_tried() {
    let server = KeyServer::start();
    server.answers("/a", set(&[tokens::p256().jwk("k")]));
    server.answers("/b", set(&[tokens::second_p256().jwk("k")]));
    let lines = format!(
        "jwks_url = [\"{}\", \"{}\"]",
        server.url("/a"),
        server.url("/b")
    );
    let gate = settings("").table(&issuer("idp", ISS, &lines)).start();
    wait_until_ready(&gate);
    for _ in 0..2 {
        assert_eq!(status(&gate, &token(ISS, "k")), 200);
        assert_eq!(
            status(&gate, &token_by(tokens::second_p256(), ISS, "k")),
            200
        );
    }
}

#[test]
fn s1_4_a_published_key_is_no_secret() {
    let (gate, server) = gate(&[tokens::rsa().jwk("k1"), tokens::p256().jwk("k2")]);
    let header = |kid| json!({"typ": "JWT", "alg": "HS256", "kid": kid});
    for (kid, key) in [("k1", tokens::rsa()), ("k2", tokens::p256())] {
        let jwk = key.jwk(kid);
        let forms = [
            key.public_pem(),
            key.public_pem().trim().to_owned(),
            jwk.to_string(),
            jwk["n"]
                .as_str()
                .or(jwk["x"].as_str())
                .unwrap_or_default()
                .to_owned(),
        ];
        for form in forms {
            let forged = tokens::hmac(form.as_bytes(), &header(kid), &claims(ISS));
            assert_eq!(status(&gate, &forged), 401);
        }
    }
    // Another algorithm is no reason to ask for other keys.
    assert_eq!(server.count("/jwks"), 1);
}

#[test]
fn s2_4_alg_of_a_published_key_is_obeyed() {
    let (gate, server) = gate(&[but(tokens::rsa().jwk("k1"), "alg", "RS512")]);
    let by = |algorithm| tokens::rsa().sign_kid(algorithm, "k1", &claims(ISS));
    assert_eq!(status(&gate, &by("RS512")), 200);
    for algorithm in ["RS256", "RS384", "PS512"] {
        assert_eq!(status(&gate, &by(algorithm)), 401, "{algorithm}");
        assert_eq!(server.count("/jwks"), 1);
    }
    assert_eq!(gate.reason(3), "token.algorithm");
}

#[test]
fn a_set_of_a_hundred_keys_is_taken_whatever_its_content_type() {
    let mut keys: Vec<_> = (1..100)
        .map(|n| tokens::rsa().jwk(&format!("k{n}")))
        .collect();
    keys.push(tokens::p256().jwk("last"));
    let server = KeyServer::start();
    let text = json!({ "keys": keys }).to_string();
    server.answers("/jwks", Answer::text(&text, "text/html; charset=latin1"));
    let lines = format!("jwks_url = \"{}\"", server.url("/jwks"));
    let gate = settings("").table(&issuer("idp", ISS, &lines)).start();
    wait_until_ready(&gate);
    assert_eq!(status(&gate, &token(ISS, "last")), 200);
    // One more is more than a set may hold, and takes none away.
    keys.push(tokens::second_p256().jwk("new"));
    server.answers("/jwks", set(&keys));
    assert_eq!(
        status(&gate, &token_by(tokens::second_p256(), ISS, "new")),
        503
    );
    wait_for_failure(&gate, "idp", "101 keys");
    assert_eq!(status(&gate, &token(ISS, "last")), 200);
}
