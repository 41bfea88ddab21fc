//! Key thumbprints (RFC 7638, RFC 8037 §2): a name for key material that does not depend on how it was written down.

use aws_lc_rs::digest;

use super::algorithm::Family;
use super::base64url;
use super::public_key::{Material, PublicKey};
use super::verifying_key::HmacSecret;

/// The SHA-256 thumbprint of a public key, in base64url.
#[must_use]
pub fn of(key: &PublicKey) -> String {
    let members: Vec<String> = required_members(key)
        .into_iter()
        .map(|(name, value)| format!("\"{name}\":\"{value}\""))
        .collect();
    of_canonical(&format!("{{{}}}", members.join(",")))
}

/// The SHA-256 thumbprint of a shared secret, in base64url (RFC 7638 §3.2). It is as secret as the secret is weak.
#[must_use]
pub fn of_secret(secret: &HmacSecret) -> String {
    let k = base64url::encode(secret.expose());
    of_canonical(&format!("{{\"k\":\"{k}\",\"kty\":\"oct\"}}"))
}

/// The members that make a JWK of a public key, in lexicographic order (RFC 7638 §3.2), values in base64url or plain names.
#[must_use]
pub fn required_members(key: &PublicKey) -> Vec<(&'static str, String)> {
    match key.material() {
        Material::Rsa { modulus, exponent } => vec![
            ("e", base64url::encode(&exponent.to_bytes_be())),
            ("kty", "RSA".to_owned()),
            ("n", base64url::encode(&modulus.to_bytes_be())),
        ],
        Material::Ec { point } => {
            let coordinates = point.get(1..).unwrap_or_default();
            let (x, y) = coordinates
                .split_at_checked(coordinates.len() / 2)
                .unwrap_or_default();
            vec![
                ("crv", curve_name(key.family()).to_owned()),
                ("kty", "EC".to_owned()),
                ("x", base64url::encode(x)),
                ("y", base64url::encode(y)),
            ]
        }
        Material::Ed25519 { point } => vec![
            ("crv", curve_name(key.family()).to_owned()),
            ("kty", "OKP".to_owned()),
            ("x", base64url::encode(point)),
        ],
    }
}

/// The registered name of a family's curve; empty where there is none.
#[must_use]
pub const fn curve_name(family: Family) -> &'static str {
    match family {
        Family::P256 => "P-256",
        Family::P384 => "P-384",
        Family::P521 => "P-521",
        Family::Ed25519 => "Ed25519",
        Family::Hmac | Family::Rsa => "",
    }
}

fn of_canonical(json: &str) -> String {
    base64url::encode(digest::digest(&digest::SHA256, json.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::Jwk;

    #[test]
    fn the_examples_of_the_rfcs_come_out() {
        // RFC 7638 §3.1 and RFC 8037 Appendix A.3.
        let rsa = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"}"#;
        let ed =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        for (jwk, expected) in [
            (rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
            (ed, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        ] {
            let jwk = Jwk::parse(jwk.as_bytes()).unwrap();
            assert_eq!(of(jwk.public_key().unwrap()), expected);
        }
    }
}
