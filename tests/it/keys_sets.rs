//! Key sets, from a file or inline, and how `kid` chooses within them.

use serde_json::{Value, json};

use crate::harness::tokens::{self, AUDIENCE};
use crate::harness::{Gate, Request, Settings};

fn audience() -> Settings {
    Settings::empty().top(&format!("expected_audience = \"{AUDIENCE}\""))
}

/// A gate with this list of keys in a file.
fn gate(keys: &[Value]) -> Gate {
    audience()
        .file("jwks.json", json!({"keys": keys}).to_string())
        .top("jwks_file = \"{dir}/jwks.json\"")
        .start()
}

fn status(gate: &Gate, token: &str) -> u16 {
    Request::get("/verify")
        .bearer(token)
        .send(gate.main())
        .status
}

/// Changes one member of a JWK.
fn but(mut jwk: Value, member: &str, value: Value) -> Value {
    jwk[member] = value;
    jwk
}

fn without(mut jwk: Value, member: &str) -> Value {
    jwk.as_object_mut()
        .expect("a JWK is an object")
        .remove(member);
    jwk
}

#[test]
fn every_kind_of_key_works_in_a_file_with_and_without_kid() {
    let names = ["rsa", "p256", "p384", "p521", "ed25519"];
    let keys: Vec<_> = names
        .iter()
        .zip(tokens::every_kind())
        .map(|(name, key)| key.jwk(name))
        .collect();
    let gate = gate(&keys);
    for (name, key) in names.iter().zip(tokens::every_kind()) {
        for algorithm in key.algorithms() {
            let claims = tokens::good_claims();
            assert_eq!(
                status(&gate, &key.sign_kid(algorithm, name, &claims)),
                200,
                "{name} {algorithm}"
            );
            assert_eq!(
                status(&gate, &key.sign(algorithm, &claims)),
                200,
                "{name} {algorithm} without kid"
            );
        }
    }
}

#[test]
fn a_set_can_stand_inline() {
    let set = json!({"keys": [tokens::p256().jwk("k1")]});
    let gate = audience().top(&format!("jwks = '{set}'")).start();
    assert_eq!(
        status(
            &gate,
            &tokens::p256().sign_kid("ES256", "k1", &tokens::good_claims())
        ),
        200
    );
}

#[test]
fn s2_2_kid_is_compared_byte_for_byte() {
    let gate = gate(&[
        tokens::p256().jwk("Key-1"),
        tokens::second_p256().jwk("other"),
    ]);
    let signed = |kid: &str| tokens::p256().sign_kid("ES256", kid, &tokens::good_claims());
    assert_eq!(status(&gate, &signed("Key-1")), 200);
    let unknown = [
        "key-1",
        "KEY-1",
        " Key-1",
        "Key-1 ",
        "Key-1\u{0}",
        "../Key-1",
        "Key-1' OR '1'='1",
        "",
        "Key\u{2d}1\u{301}",
    ];
    for (count, kid) in unknown.iter().enumerate() {
        assert_eq!(status(&gate, &signed(kid)), 401, "{kid:?}");
        assert_eq!(gate.reason(count + 1), "key.unknown", "{kid:?}");
    }
}

#[test]
fn s2_3_only_keys_with_that_kid_are_tried() {
    let gate = gate(&[tokens::p256().jwk("one"), tokens::second_p256().jwk("two")]);
    let claims = tokens::good_claims();
    assert_eq!(
        status(&gate, &tokens::p256().sign_kid("ES256", "one", &claims)),
        200
    );
    assert_eq!(
        status(&gate, &tokens::p256().sign_kid("ES256", "two", &claims)),
        401
    );
    assert_eq!(gate.reason(1), "token.signature");
}

#[test]
fn s2_3_a_kid_that_is_no_string_is_refused() {
    let gate = gate(&[tokens::p256().jwk("1")]);
    for kid in [
        json!(1),
        json!(["1"]),
        json!({"1": 1}),
        json!(true),
        json!(null),
    ] {
        // The signature is the right one for the text, so only the type can be what is refused.
        let mut header = tokens::header("ES256");
        header["kid"] = kid.clone();
        assert_eq!(
            status(
                &gate,
                &tokens::p256().sign_as(&header, &tokens::good_claims())
            ),
            401,
            "{kid}"
        );
    }
}

#[test]
fn s2_3_with_one_configured_key_kid_is_ignored() {
    let gate = audience()
        .file("key.pem", tokens::p256().public_pem())
        .top("signing_certificate = \"{dir}/key.pem\"")
        .start();
    assert_eq!(
        status(
            &gate,
            &tokens::p256().sign_kid("ES256", "whatever", &tokens::good_claims())
        ),
        200
    );
    let hmac = Settings::hmac().start();
    let header = json!({"alg": "HS256", "kid": "whatever"});
    let token = tokens::hmac(tokens::SECRET.as_bytes(), &header, &tokens::good_claims());
    assert_eq!(status(&hmac, &token), 200);
}

#[test]
fn s2_7_two_keys_that_share_a_kid_are_both_tried() {
    let gate = gate(&[
        tokens::p256().jwk("same"),
        tokens::second_p256().jwk("same"),
        tokens::rsa().jwk("same"),
    ]);
    let claims = tokens::good_claims();
    for (key, algorithm) in [
        (tokens::p256(), "ES256"),
        (tokens::second_p256(), "ES256"),
        (tokens::rsa(), "PS384"),
    ] {
        assert_eq!(
            status(&gate, &key.sign_kid(algorithm, "same", &claims)),
            200,
            "{algorithm}"
        );
    }
}

#[test]
fn s2_4_alg_use_and_key_ops_of_a_key_are_obeyed() {
    let good = tokens::rsa().jwk("k");
    let cases = [
        (but(good.clone(), "alg", json!("RS256")), "RS256", 200),
        (but(good.clone(), "alg", json!("RS256")), "RS512", 401),
        (but(good.clone(), "alg", json!("PS256")), "RS256", 401),
        (but(good.clone(), "use", json!("enc")), "RS256", 401),
        (
            but(good.clone(), "key_ops", json!(["verify"])),
            "RS256",
            200,
        ),
        (
            but(good.clone(), "key_ops", json!(["encrypt"])),
            "RS256",
            401,
        ),
        (but(good.clone(), "key_ops", json!([])), "RS256", 401),
        (without(good.clone(), "use"), "RS256", 200),
        (without(good, "kid"), "RS256", 200),
    ];
    for (jwk, algorithm, expected) in cases {
        // A second key keeps the set usable when the first one is out.
        let gate = gate(&[jwk.clone(), tokens::ed25519().jwk("other")]);
        assert_eq!(
            status(
                &gate,
                &tokens::rsa().sign(algorithm, &tokens::good_claims())
            ),
            expected,
            "{jwk}"
        );
    }
}

#[test]
fn s2_5_broken_and_unknown_keys_beside_a_good_one_are_skipped_with_a_warning() {
    let ec = tokens::second_p256().jwk("bad");
    let broken = [
        json!({}),
        json!(7),
        json!(null),
        json!({"kty": "XYZ", "kid": "new"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "short"}),
        json!({"kty": "OKP", "crv": "X25519", "x": tokens::encode([1; 32]), "kid": "x25519"}),
        json!({"kty": "EC", "crv": "secp256k1", "x": ec["x"], "y": ec["y"]}),
        json!({"kty": "EC", "crv": "P-384", "x": ec["x"], "y": ec["y"]}),
        but(ec.clone(), "y", ec["x"].clone()),
        but(ec.clone(), "x", json!(tokens::encode([0; 32]))),
        but(ec.clone(), "x", json!("!!!")),
        without(ec, "y"),
        json!({"kty": "RSA", "n": tokens::encode([0xff; 128]), "e": "AQAB", "kid": "1024 bits"}),
        json!({"kty": "RSA", "n": tokens::encode([0xff; 256]), "e": "AQ", "kid": "e is 1"}),
        json!({"kty": "RSA", "n": "", "e": "AQAB"}),
        json!({"kty": "RSA", "e": "AQAB"}),
        json!({"kty": "RSA", "n": 5, "e": "AQAB"}),
    ];
    let mut keys = broken.to_vec();
    keys.push(tokens::p256().jwk("good"));
    let gate = gate(&keys);
    assert!(gate.wait_for_line("\"WARN\""), "{}", gate.output());
    let claims = tokens::good_claims();
    assert_eq!(
        status(&gate, &tokens::p256().sign_kid("ES256", "good", &claims)),
        200
    );
    assert_eq!(
        status(
            &gate,
            &tokens::second_p256().sign_kid("ES256", "bad", &claims)
        ),
        401
    );
    assert_eq!(
        status(&gate, &tokens::p256().sign_kid("ES256", "short", &claims)),
        401
    );
}

#[test]
fn a_set_without_a_usable_key_is_refused_at_start() {
    for text in [
        "{\"keys\": []}".to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "no json".to_owned(),
        json!({"keys": [but(tokens::rsa().jwk("k"), "use", json!("enc"))]}).to_string(),
    ] {
        let settings = audience()
            .file("jwks.json", text.clone())
            .top("jwks_file = \"{dir}/jwks.json\"");
        assert!(settings.try_start().is_err(), "{text}");
    }
}

#[test]
fn s1_7_a_curve_and_its_algorithm_match() {
    let gate = gate(&[tokens::p256().jwk("p256"), tokens::p384().jwk("p384")]);
    let claims = tokens::good_claims();
    let es256 = tokens::p256().sign("ES256", &claims);
    let parts: Vec<_> = es256.split('.').collect();
    for algorithm in ["ES384", "ES512", "ES256K", "EdDSA", "RS256"] {
        let header = tokens::encode(tokens::header(algorithm).to_string());
        let relabelled = format!("{header}.{}.{}", parts[1], parts[2]);
        assert_eq!(status(&gate, &relabelled), 401, "{algorithm}");
    }
    assert_eq!(
        status(&gate, &tokens::p384().sign_kid("ES384", "p256", &claims)),
        401
    );
}

#[test]
fn s2_1_keys_that_a_token_brings_along_are_never_used() {
    let gate = gate(&[tokens::p256().jwk("ours")]);
    let attacker = tokens::second_p256();
    let certificate = pem::parse(attacker.certificate_pem())
        .expect("a PEM block")
        .into_contents();
    let certificate =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, certificate);
    let extras = [
        ("jwk", attacker.jwk("ours")),
        ("jku", json!("http://127.0.0.1:9/jwks.json")),
        ("x5u", json!("http://127.0.0.1:9/cert.pem")),
        ("x5c", json!([certificate])),
    ];
    for (name, value) in extras {
        for kid in [None, Some("ours"), Some("theirs")] {
            let mut header = tokens::header("ES256");
            header[name] = value.clone();
            if let Some(kid) = kid {
                header["kid"] = json!(kid);
            }
            assert_eq!(
                status(&gate, &attacker.sign_as(&header, &tokens::good_claims())),
                401,
                "{name} {kid:?}"
            );
        }
    }
}

#[test]
fn s5_4_crit_and_b64_are_refused_under_a_right_signature() {
    let gate = Settings::hmac().start();
    let extras = [
        json!({"crit": ["exp"], "exp": 1}),
        json!({"crit": []}),
        json!({"crit": "exp"}),
        json!({"crit": null}),
        json!({"b64": false, "crit": ["b64"]}),
        json!({"b64": false}),
        json!({"zip": "DEF"}),
        json!({"enc": "A128GCM"}),
        json!({"cty": "JWT"}),
    ];
    for extra in extras {
        let mut header = tokens::header("HS256");
        for (name, value) in extra.as_object().expect("an object") {
            header[name] = value.clone();
        }
        let token = tokens::hmac(tokens::SECRET.as_bytes(), &header, &tokens::good_claims());
        assert_eq!(status(&gate, &token), 401, "{extra}");
    }
}
