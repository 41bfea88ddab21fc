//! JSON Web Key Sets (RFC 7517 §5): each key on its own, so that a broken one never takes the set down.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::config::Fault;
use crate::config::effective::TENANT;
use crate::jose::{Algorithm, Family, Jwk, RsaChecks, VerifyingKey};

use super::secret::{is_public_key, is_well_known};

/// The most keys that a fetched set may hold.
pub const MAX_FETCHED_KEYS: usize = 100;
/// The most keys that a set of the operator's own may hold.
pub const MAX_LOCAL_KEYS: usize = 1000;

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// How a key set is read.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'r> {
    /// The algorithms to accept; `None`: what each key can check.
    pub allowed: Option<&'r [Algorithm]>,
    /// What becomes of secrets in the set.
    pub secrets: Secrets,
    /// The most keys that it may hold.
    pub max_keys: usize,
    /// What checks RSA signatures.
    pub rsa: RsaChecks,
}

/// What becomes of shared secrets (`oct`) in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// They are left out: a secret that is published is none.
    LeftOut,
    /// They are used when they are strong.
    Strong,
    /// They are used, short or well known ones too.
    WeakToo,
}

/// Reads a set. A key that cannot be used is left out with a warning; a document that is no set, or a set without a usable key,
/// is a fault. `path` names the document in faults.
#[must_use]
pub fn read(text: &str, path: &str, rules: Rules<'_>) -> (Vec<VerifyingKey>, Vec<Fault>) {
    let document: Document<'_> = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(error) => {
            // Only the position: what stands there could be key material.
            let (line, column) = (error.line(), error.column());
            let found = format!("line {line}, column {column}: no such JSON");
            let hint = "RFC 7517 §5 shows the form";
            return (Vec::new(), vec![Fault::new(path, found, EXPECTED, hint)]);
        }
    };
    let count = document.keys.len();
    if count > rules.max_keys {
        let expected = format!("at most {} keys", rules.max_keys);
        let hint = "leave out keys that are no longer used";
        let fault = Fault::new(path, format!("{count} keys"), expected, hint);
        return (Vec::new(), vec![fault]);
    }
    let mut keys = Vec::new();
    let mut faults = Vec::new();
    for (index, raw) in document.keys.iter().enumerate() {
        let path = format!("{path} keys[{index}]");
        match prepare(raw.get(), rules) {
            Ok((key, notes)) => {
                let hint = "tell the issuer: it may have to replace this key";
                faults.extend(notes.into_iter().map(|note| {
                    Fault::warning(&path, note, "a key set with sound public keys only", hint)
                }));
                keys.push(key);
            }
            Err(found) => faults.push(Fault::warning(
                path,
                format!("a key that is left out: {found}"),
                "an RSA, EC (P-256, P-384, P-521) or Ed25519 key for signatures",
                "the other keys are used; a token signed with this one is refused",
            )),
        }
    }
    leave_out_secrets_beside_public_keys(&mut keys, path, &mut faults);
    if keys.is_empty() {
        let found = format!("{count} keys, none usable");
        let hint = "the warnings above say why each was left out";
        faults.push(Fault::new(path, found, EXPECTED, hint));
    }
    (keys, faults)
}

const EXPECTED: &str = "a JSON Web Key Set with at least one usable key: {\"keys\":[{\"kty\":…}]}";

/// A set is for the public or it is not: where public keys stand in it, a secret beside them has been published with them.
fn leave_out_secrets_beside_public_keys(
    keys: &mut Vec<VerifyingKey>,
    path: &str,
    faults: &mut Vec<Fault>,
) {
    let count = keys.len();
    if keys.iter().all(|key| key.family() == Family::Hmac) {
        return;
    }
    keys.retain(|key| key.family() != Family::Hmac);
    if keys.len() < count {
        faults.push(Fault::warning(
            path,
            "a shared secret beside public keys, which is left out",
            "a set of public keys, or a set of secrets",
            "give the secret an issuer of its own: `[issuers.NAME]` with `secret_file`",
        ));
    }
}

fn prepare(json: &str, rules: Rules<'_>) -> Result<(VerifyingKey, Vec<&'static str>), String> {
    let jwk = Jwk::parse(json.as_bytes()).map_err(|fault| fault.to_string())?;
    // What the set says of a key and what the configuration says must both allow an algorithm (RFC 7517 §4.4).
    let own = jwk.algorithm().map(|algorithm| vec![algorithm]);
    let allowed: Option<Vec<Algorithm>> = match (own, rules.allowed) {
        (None, None) => None,
        (None, Some(listed)) => Some(listed.to_vec()),
        (Some(own), None) => Some(own),
        (Some(own), Some(listed)) => {
            Some(own.into_iter().filter(|one| listed.contains(one)).collect())
        }
    };
    let mut notes = Vec::new();
    if jwk.has_private_members() {
        notes.push("private members, which are not read");
    }
    let prepared = match (jwk.public_key(), jwk.secret()) {
        (Some(key), _) => {
            if key.has_small_exponent() {
                notes.push("an RSA key with an exponent below 65537");
            }
            VerifyingKey::from_public(key, jwk.kid(), allowed.as_deref(), rules.rsa)
        }
        (None, Some(_)) if rules.secrets == Secrets::LeftOut => {
            return Err("a shared secret, and a published one is none".to_owned());
        }
        (None, Some(secret)) if is_public_key(secret) => {
            return Err("its `k` is a public key, which is never a secret".to_owned());
        }
        (None, Some(secret)) if is_well_known(secret) && rules.secrets != Secrets::WeakToo => {
            return Err("its `k` is a secret that everybody knows".to_owned());
        }
        (None, Some(secret)) => VerifyingKey::from_secret(
            secret,
            jwk.kid(),
            allowed.as_deref(),
            rules.secrets == Secrets::WeakToo,
        ),
        (None, None) => return Err("no key material".to_owned()),
    };
    // A template for every tenant restricts nothing.
    let issuer = jwk.issuer().filter(|issuer| !issuer.contains(TENANT));
    prepared
        .map(|key| (key.only_for(issuer), notes))
        .map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Severity, fault::any_stops};

    const RULES: Rules<'_> = Rules {
        allowed: None,
        secrets: Secrets::Strong,
        max_keys: MAX_FETCHED_KEYS,
        rsa: RsaChecks::Ifma,
    };
    const ED: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"good","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    #[test]
    fn s2_5_broken_keys_never_take_the_set_down() {
        let broken = [
            "7",
            "null",
            r#"{"kty":"RSA"}"#,
            r#"{"kty":"RSA","use":7,"n":"AQAB","e":"AQAB"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#,
            r#"{"kty":"unheard-of","kid":"x"}"#,
        ];
        let text = format!(r#"{{"keys":[{},{ED}],"more":1}}"#, broken.join(","));
        let (keys, faults) = read(&text, "jwks", RULES);
        assert_eq!(keys.len(), 1);
        assert_eq!(keys[0].kid(), Some("good"));
        assert_eq!(faults.len(), broken.len());
        assert!(!any_stops(&faults));
    }

    #[test]
    fn a_set_without_a_usable_key_is_a_fault() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"keys":{}}"#,
            r#"{"keys":[]}"#,
            r#"{"keys":[{"kty":"RSA"}]}"#,
        ] {
            let (keys, faults) = read(text, "jwks", RULES);
            assert!(keys.is_empty());
            assert!(any_stops(&faults), "{text}");
        }
        let many = vec![ED; MAX_FETCHED_KEYS + 1].join(",");
        let (keys, faults) = read(&format!(r#"{{"keys":[{many}]}}"#), "jwks", RULES);
        assert!(keys.is_empty() && any_stops(&faults));
    }

    #[test]
    fn s1_4_a_secret_of_a_set_is_judged_as_any_other() {
        let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
        for secret in [
            pem.as_bytes(),
            &[0; 64],
            b"a-string-secret-at-least-256-bits-long",
        ] {
            let k = crate::jose::base64url::encode(secret);
            let text = format!(r#"{{"keys":[{{"kty":"oct","k":"{k}"}},{ED}]}}"#);
            let (keys, faults) = read(&text, "jwks", RULES);
            assert_eq!((keys.len(), faults.len()), (1, 1), "{faults:?}");
        }
    }

    #[test]
    fn s2_6_a_secret_in_a_fetched_set_is_left_out() {
        let k = crate::jose::base64url::encode(&[7, 1, 9, 4].repeat(16));
        let text = format!(r#"{{"keys":[{{"kty":"oct","k":"{k}"}},{ED}]}}"#);
        let fetched = Rules {
            secrets: Secrets::LeftOut,
            ..RULES
        };
        let (keys, faults) = read(&text, "jwks", fetched);
        assert_eq!((keys.len(), faults.len()), (1, 1), "{faults:?}");
        let alone = format!(r#"{{"keys":[{{"kty":"oct","k":"{k}"}}]}}"#);
        assert_eq!(read(&alone, "jwks", RULES).0.len(), 1);
        assert_eq!(read(&alone, "jwks", fetched).0.len(), 0);
    }

    #[test]
    fn a_secret_beside_a_public_key_is_left_out() {
        let k = crate::jose::base64url::encode(&[7, 1, 9, 4].repeat(16));
        for text in [
            format!(r#"{{"keys":[{{"kty":"oct","k":"{k}"}},{ED}]}}"#),
            format!(r#"{{"keys":[{ED},{{"kty":"oct","k":"{k}"}}]}}"#),
        ] {
            let (keys, faults) = read(&text, "jwks", RULES);
            assert_eq!((keys.len(), faults.len()), (1, 1), "{faults:?}");
            assert_eq!(keys[0].kid(), Some("good"));
        }
    }

    #[test]
    fn s2_4_the_configuration_and_the_set_must_both_allow_an_algorithm() {
        let listed = [Algorithm::from_name("RS256").unwrap()];
        let rules = Rules {
            allowed: Some(&listed),
            ..RULES
        };
        let (keys, faults) = read(&format!(r#"{{"keys":[{ED}]}}"#), "jwks", rules);
        assert!(keys.is_empty());
        assert_eq!(faults[0].severity, Severity::Warning);
    }
}
