//! JSON Web Keys (RFC 7517, RFC 7518 §6, RFC 8037 §2), each read on its own so that a broken one harms no other.
//!
//! The types of `jsonwebtoken` are not used here: they know no ES512, so that `"alg":"ES512"` could not be told from garbage.

use zeroize::Zeroizing;

use super::algorithm::{Algorithm, Family};
use super::base64url;
use super::json::{Json, Object};
use super::public_key::{KeyFault, PublicKey};
use super::thumbprint;
use super::verifying_key::HmacSecret;

/// One key of a set, with what the set says of its use.
#[derive(Debug)]
pub struct Jwk {
    kid: Option<String>,
    issuer: Option<String>,
    algorithm: Option<Algorithm>,
    material: KeyMaterial,
    has_private_members: bool,
}

#[derive(Debug)]
enum KeyMaterial {
    Public(PublicKey),
    Secret(HmacSecret),
}

/// Why one key of a set is left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkFault {
    /// Not a JSON object with unique members.
    #[error("it is not a JSON object with unique members")]
    NotAnObject,
    /// A member is absent or of the wrong type or spelling.
    #[error("its member `{0}` is absent, of the wrong type or no base64url")]
    Member(&'static str),
    /// A `kty` or `crv` that no known algorithm uses.
    #[error("its `kty` or `crv` is not supported")]
    Unsupported,
    /// `use` is not `sig` (RFC 7517 §4.2).
    #[error("its `use` is not `sig`")]
    NotForSignatures,
    /// `key_ops` has no `verify` (RFC 7517 §4.3).
    #[error("its `key_ops` does not hold `verify`")]
    NotForVerifying,
    /// `alg` is no signature algorithm, or one for another type of key.
    #[error("its `alg` is no signature algorithm for this type of key")]
    Algorithm,
    /// The key material itself is not fit.
    #[error("it is {0}")]
    Key(#[from] KeyFault),
}

impl Jwk {
    /// Reads one key.
    ///
    /// # Errors
    /// See [`JwkFault`]: each is a reason to leave this key out and to go on with the next.
    pub fn parse(json: &[u8]) -> Result<Self, JwkFault> {
        let Ok(Json::Object(members)) = Json::parse(json) else {
            return Err(JwkFault::NotAnObject);
        };
        check_use(&members)?;
        let material = material(&members)?;
        let algorithm = match text(&members, "alg")? {
            None => None,
            Some(name) => Some(
                Algorithm::from_name(name)
                    .filter(|algorithm| algorithm.family() == material.family())
                    .ok_or(JwkFault::Algorithm)?,
            ),
        };
        let private = ["d", "p", "q", "dp", "dq", "qi", "oth"];
        let has_private_members = matches!(material, KeyMaterial::Public(_))
            && private.iter().any(|name| members.get(name).is_some());
        Ok(Self {
            kid: text(&members, "kid")?.map(str::to_owned),
            // A member that no standard knows may be anything.
            issuer: members
                .get("issuer")
                .and_then(Json::as_str)
                .map(str::to_owned),
            algorithm,
            material,
            has_private_members,
        })
    }

    /// The key's name in its set.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The issuer that it alone may speak for: a member that Microsoft's sets for several tenants have.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The one algorithm that the set allows for this key.
    #[must_use]
    pub const fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// The public key; `None` for a shared secret.
    #[must_use]
    pub const fn public_key(&self) -> Option<&PublicKey> {
        match &self.material {
            KeyMaterial::Public(key) => Some(key),
            KeyMaterial::Secret(_) => None,
        }
    }

    /// The shared secret; `None` for a public key.
    #[must_use]
    pub const fn secret(&self) -> Option<&HmacSecret> {
        match &self.material {
            KeyMaterial::Public(_) => None,
            KeyMaterial::Secret(secret) => Some(secret),
        }
    }

    /// Whether somebody put private members into what should hold public keys only. They are not read.
    #[must_use]
    pub const fn has_private_members(&self) -> bool {
        self.has_private_members
    }
}

impl KeyMaterial {
    const fn family(&self) -> Family {
        match self {
            Self::Public(key) => key.family(),
            Self::Secret(_) => Family::Hmac,
        }
    }
}

/// The JWK of a public key, for a key set that others read.
#[must_use]
pub fn to_json(key: &PublicKey, kid: &str, algorithm: Algorithm) -> serde_json::Value {
    let mut members = serde_json::Map::new();
    for (name, value) in thumbprint::required_members(key) {
        members.insert(name.to_owned(), value.into());
    }
    describe(members, kid, algorithm)
}

/// The JWK of a shared secret.
#[must_use]
pub fn secret_to_json(secret: &HmacSecret, kid: &str, algorithm: Algorithm) -> serde_json::Value {
    let mut members = serde_json::Map::new();
    members.insert("kty".to_owned(), "oct".into());
    members.insert("k".to_owned(), base64url::encode(secret.expose()).into());
    describe(members, kid, algorithm)
}

fn describe(
    mut members: serde_json::Map<String, serde_json::Value>,
    kid: &str,
    algorithm: Algorithm,
) -> serde_json::Value {
    members.insert("kid".to_owned(), kid.into());
    members.insert("alg".to_owned(), algorithm.name().into());
    members.insert("use".to_owned(), "sig".into());
    members.into()
}

fn check_use(members: &Object<'_>) -> Result<(), JwkFault> {
    if text(members, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(JwkFault::NotForSignatures);
    }
    match members.get("key_ops") {
        None => Ok(()),
        Some(Json::Array(operations)) => operations
            .iter()
            .any(|operation| operation.as_str() == Some("verify"))
            .then_some(())
            .ok_or(JwkFault::NotForVerifying),
        Some(_) => Err(JwkFault::Member("key_ops")),
    }
}

fn material(members: &Object<'_>) -> Result<KeyMaterial, JwkFault> {
    let kty = text(members, "kty")?.ok_or(JwkFault::Member("kty"))?;
    let public = match kty {
        "RSA" => PublicKey::rsa(&bytes(members, "n")?, &bytes(members, "e")?)?,
        "EC" => {
            let family = match text(members, "crv")?.ok_or(JwkFault::Member("crv"))? {
                "P-256" => Family::P256,
                "P-384" => Family::P384,
                "P-521" => Family::P521,
                _ => return Err(JwkFault::Unsupported),
            };
            PublicKey::ec(family, &bytes(members, "x")?, &bytes(members, "y")?)?
        }
        "OKP" => match text(members, "crv")?.ok_or(JwkFault::Member("crv"))? {
            "Ed25519" => PublicKey::ed25519(&bytes(members, "x")?)?,
            _ => return Err(JwkFault::Unsupported),
        },
        "oct" => {
            let secret = HmacSecret::new(std::mem::take(&mut *bytes(members, "k")?));
            return secret.map(KeyMaterial::Secret).ok_or(JwkFault::Member("k"));
        }
        _ => return Err(JwkFault::Unsupported),
    };
    Ok(KeyMaterial::Public(public))
}

fn text<'o>(members: &'o Object<'_>, name: &'static str) -> Result<Option<&'o str>, JwkFault> {
    match members.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) => Err(JwkFault::Member(name)),
    }
}

fn bytes(members: &Object<'_>, name: &'static str) -> Result<Zeroizing<Vec<u8>>, JwkFault> {
    let text = text(members, name)?.ok_or(JwkFault::Member(name))?;
    base64url::decode(text.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| JwkFault::Member(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED: &str =
        r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    fn fault(members: &str) -> JwkFault {
        Jwk::parse(format!("{{{members}}}").as_bytes()).unwrap_err()
    }

    #[test]
    fn s2_4_use_key_ops_and_alg_are_enforced() {
        assert_eq!(
            fault(&format!(r#"{ED},"use":"enc""#)),
            JwkFault::NotForSignatures
        );
        assert_eq!(fault(&format!(r#"{ED},"use":7"#)), JwkFault::Member("use"));
        assert_eq!(
            fault(&format!(r#"{ED},"key_ops":["sign"]"#)),
            JwkFault::NotForVerifying
        );
        for algorithm in ["RS256", "HS256", "RSA-OAEP", "none"] {
            assert_eq!(
                fault(&format!(r#"{ED},"alg":"{algorithm}""#)),
                JwkFault::Algorithm
            );
        }
        let good = format!(r#"{{{ED},"alg":"EdDSA","use":"sig","key_ops":["verify"],"kid":"a"}}"#);
        let jwk = Jwk::parse(good.as_bytes()).unwrap();
        assert_eq!(jwk.kid(), Some("a"));
        assert_eq!(jwk.algorithm().unwrap().name(), "EdDSA");
    }

    #[test]
    fn s2_5_broken_and_unknown_keys_are_faults_and_no_panics() {
        let broken = [
            ("", JwkFault::Member("kty")),
            (r#""kty":"XYZ""#, JwkFault::Unsupported),
            (r#""kty":"RSA","e":"AQAB""#, JwkFault::Member("n")),
            (
                r#""kty":"OKP","crv":"Ed25519","x":"AA""#,
                JwkFault::Key(KeyFault::NotOnCurve),
            ),
            (
                r#""kty":"OKP","crv":"Ed448","x":"AA""#,
                JwkFault::Unsupported,
            ),
            (
                r#""kty":"EC","crv":"P-256","x":"AA==","y":"AA""#,
                JwkFault::Member("x"),
            ),
            (r#""kty":"oct","k":"""#, JwkFault::Member("k")),
            (r#""kty":"oct","k":"AA","k":"AA""#, JwkFault::NotAnObject),
        ];
        for (members, expected) in broken {
            assert_eq!(fault(members), expected, "{members}");
        }
    }

    #[test]
    fn s2_6_private_members_are_noticed() {
        let jwk = Jwk::parse(format!(r#"{{{ED},"d":"AAAA"}}"#).as_bytes()).unwrap();
        assert!(jwk.has_private_members());
    }
}
