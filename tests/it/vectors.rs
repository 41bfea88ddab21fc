//! Tokens that others made, as data: `tests/vectors/README.md` says where they come from. They go through the library itself, at a
//! fixed moment, each twice: the second time the cache may answer, and must answer the same.

use std::collections::HashMap;

use jwtgate::app;
use jwtgate::clock::Timestamp;
use jwtgate::config::{Config, OneOrMany, Secret, SecretEncoding, TokenSource};
use jwtgate::gate::{self, Credential, State};
use jwtgate::jose::{Algorithm, Compact, Jwk, RsaChecks, VerifyingKey, base64url};
use jwtgate::reason::Reason;
use jwtgate::request::RawToken;
use serde_json::Value;

const FOREIGN: &str = include_str!("../vectors/foreign.json");
const RFC: &str = include_str!("../vectors/rfc.json");

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().expect("a string")
}

/// A gate for one key and one algorithm, with the settings that the vectors were made for.
fn state(document: &Value, key: &str, algorithm: &str) -> State {
    let settings = &document["settings"];
    let mut config = Config {
        algorithms: Some(algorithm.into()),
        expected_audience: text(settings, "expected_audience").into(),
        expected_issuer: text(settings, "expected_issuer").into(),
        username_claim_field: text(settings, "username_claim_field").into(),
        ..Config::default()
    };
    let key = &document["keys"][key];
    if let Some(secret) = key["secret_base64"].as_str() {
        config.secret = Some(Secret::from(secret));
        config.secret_encoding = SecretEncoding::Base64;
    } else {
        config.signing_certificate_pem = Some(text(key, "public_pem").to_owned());
    }
    let (state, _, faults) = app::compile_gate(&config, Timestamp::from_seconds(1_780_000_000));
    state.unwrap_or_else(|| panic!("{faults:?}"))
}

/// The value of `X-Auth-User`, or the reason of the refusal.
fn user(state: &State, token: &str, now: Timestamp) -> Result<String, Reason> {
    let credential = Credential::new(RawToken::new(token.as_bytes()), TokenSource::Header);
    let permit = gate::admit(state, credential, now).map_err(|refusal| refusal.reason())?;
    let names = state.headers.names();
    let values = permit.verified().identity().values();
    let (_, value) = names
        .zip(values)
        .find(|(name, _)| *name == "X-Auth-User")
        .expect("the header is configured");
    Ok(String::from_utf8(value.to_vec()).expect("ASCII in percent mode"))
}

#[test]
fn tokens_of_other_implementations_are_judged_as_recorded() {
    let document: Value = serde_json::from_str(FOREIGN).expect("JSON");
    let now = Timestamp::from_seconds(document["settings"]["now"].as_i64().expect("a number"));
    let mut states: HashMap<(String, String), State> = HashMap::new();
    let mut wrong = Vec::new();
    let mut counts = (0, 0);
    for case in document["cases"].as_array().expect("a list") {
        let (key, algorithm) = (text(case, "key"), text(case, "algorithm"));
        let state = states
            .entry((key.to_owned(), algorithm.to_owned()))
            .or_insert_with(|| state(&document, key, algorithm));
        let token = text(case, "token");
        let expected = match text(case, "verdict") {
            "accept" => Some(text(case, "user").to_owned()),
            _ => None,
        };
        for round in ["first", "again"] {
            let found = user(state, token, now);
            if found.clone().ok() != expected {
                wrong.push(format!(
                    "{} ({round}): expected {expected:?}, found {found:?}",
                    text(case, "id")
                ));
            }
        }
        if expected.is_some() {
            counts.0 += 1;
        } else {
            counts.1 += 1;
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(counts.0 >= 300 && counts.1 >= 2000, "{counts:?}");
}

#[test]
fn the_examples_of_the_rfcs_verify() {
    let cases: Value = serde_json::from_str(RFC).expect("JSON");
    let mut valid = 0;
    for case in cases.as_array().expect("a list") {
        let token = text(case, "token");
        let holds = || {
            let jwk = Jwk::parse(case["key"].to_string().as_bytes()).ok()?;
            let algorithm = Algorithm::from_name(text(case, "algorithm"))?;
            let key = match (jwk.public_key(), jwk.secret()) {
                (Some(key), _) => {
                    VerifyingKey::from_public(key, None, None, RsaChecks::default()).ok()?
                }
                (None, Some(secret)) => {
                    VerifyingKey::from_secret(secret, None, None, false).ok()?
                }
                (None, None) => return None,
            };
            let parts = Compact::split(token.as_bytes())?;
            base64url::decode(parts.payload).ok()?;
            let header = base64url::decode(parts.header).ok()?;
            let header = jwtgate::jose::Header::parse(&header).ok()?;
            let signature = base64url::decode(parts.signature).ok()?;
            let is_named = header.algorithm == algorithm;
            (is_named && key.verifies(algorithm, parts.signing_input, &signature)).then_some(())
        };
        let expected = text(case, "verdict") == "signature-valid";
        assert_eq!(holds().is_some(), expected, "{}", text(case, "id"));
        valid += usize::from(expected);
    }
    assert!(valid >= 10, "{valid}");
}

#[test]
fn s1_4_no_form_of_a_public_key_can_be_configured_as_a_secret() {
    let document: Value = serde_json::from_str(FOREIGN).expect("JSON");
    for (name, key) in document["keys"].as_object().expect("keys") {
        let Some(pem) = key["public_pem"].as_str() else {
            continue;
        };
        let der = pem::parse(pem).expect("PEM").into_contents();
        let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der);
        let forms = [
            (pem.to_owned(), SecretEncoding::Text),
            (pem.replace('\n', "\r\n"), SecretEncoding::Text),
            (pem.trim_end().to_owned(), SecretEncoding::Text),
            (format!(" \n{pem}"), SecretEncoding::Text),
            (key["jwk"].to_string(), SecretEncoding::Text),
            (base64, SecretEncoding::Base64),
        ];
        for (secret, secret_encoding) in forms {
            for algorithms in [None, Some("HS256"), Some("HS512")] {
                let config = Config {
                    secret: Some(Secret::from(secret.as_str())),
                    secret_encoding,
                    algorithms: algorithms.map(OneOrMany::from),
                    ..Config::default()
                };
                let (state, _, faults) =
                    app::compile_gate(&config, Timestamp::from_seconds(1_780_000_000));
                assert!(state.is_none(), "{name}: {secret}: {faults:?}");
            }
        }
    }
}
