//! Keys that sign: for `mint`, `demo` and `keygen`. Never on the path of a request.
//!
//! `jsonwebtoken` signs, on the same aws-lc; ES512, which it does not know, is signed by aws-lc directly.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
};
use jsonwebtoken::EncodingKey;
use zeroize::Zeroizing;

use super::algorithm::{Algorithm, Family};
use super::base64url;
use super::public_key::PublicKey;
use super::verifying_key::HmacSecret;

/// A private key or a shared secret, ready to sign with one algorithm.
pub struct SigningKey {
    algorithm: Algorithm,
    signer: Signer,
}

enum Signer {
    Library(EncodingKey, jsonwebtoken::Algorithm),
    P521(EcdsaKeyPair),
}

/// A private key in PKCS#8 DER with its public half. Wiped when dropped.
pub struct PrivateKey {
    pkcs8: Zeroizing<Vec<u8>>,
    public: PublicKey,
}

/// Why a key cannot sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningFault {
    /// The DER is no private key of a known type.
    #[error("not a private key of a supported type (RSA, EC on P-256, P-384 or P-521, Ed25519)")]
    NotAPrivateKey,
    /// The algorithm needs another kind of key.
    #[error("{algorithm} cannot be signed with this {family}; it signs {possible}")]
    Algorithm {
        /// The algorithm asked for.
        algorithm: &'static str,
        /// What kind of key there is.
        family: &'static str,
        /// What it can sign.
        possible: String,
    },
    /// The crypto library refused.
    #[error("the crypto library refused to sign or to generate")]
    Refused,
}

impl PrivateKey {
    /// A new key. `rsa_bits` (2048, 3072 or 4096) is read for RSA only.
    ///
    /// # Errors
    /// A size that is not offered, a family without private keys, no randomness.
    pub fn generate(family: Family, rsa_bits: u32) -> Result<Self, SigningFault> {
        let pkcs8 = match family {
            Family::Rsa => {
                let size = match rsa_bits {
                    2048 => KeySize::Rsa2048,
                    3072 => KeySize::Rsa3072,
                    4096 => KeySize::Rsa4096,
                    _ => return Err(SigningFault::Refused),
                };
                let pair = RsaKeyPair::generate(size).map_err(|_| SigningFault::Refused)?;
                let der = pair.as_der().map_err(|_| SigningFault::Refused)?;
                der.as_ref().to_vec()
            }
            Family::Ed25519 => {
                let pair = Ed25519KeyPair::generate().map_err(|_| SigningFault::Refused)?;
                let der = pair.to_pkcs8v1().map_err(|_| SigningFault::Refused)?;
                der.as_ref().to_vec()
            }
            Family::P256 | Family::P384 | Family::P521 => {
                let curve = curve(family).ok_or(SigningFault::Refused)?;
                let pair = EcdsaKeyPair::generate(curve).map_err(|_| SigningFault::Refused)?;
                let der = pair.to_pkcs8v1().map_err(|_| SigningFault::Refused)?;
                der.as_ref().to_vec()
            }
            Family::Hmac => return Err(SigningFault::Refused),
        };
        Self::from_der(&pkcs8)
    }

    /// Reads PKCS#8, PKCS#1 (RSA) or SEC 1 (EC) DER.
    ///
    /// # Errors
    /// DER that is none of them, or whose public half is refused.
    pub fn from_der(der: &[u8]) -> Result<Self, SigningFault> {
        let refused = |_| SigningFault::NotAPrivateKey;
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der)) {
            let pkcs8 = pair.as_der().map_err(|_| SigningFault::Refused)?;
            return Ok(Self {
                pkcs8: Zeroizing::new(pkcs8.as_ref().to_vec()),
                public: PublicKey::from_pkcs1(pair.public_key().as_ref()).map_err(refused)?,
            });
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self {
                pkcs8: Zeroizing::new(der.to_vec()),
                public: PublicKey::ed25519(pair.public_key().as_ref()).map_err(refused)?,
            });
        }
        for family in [Family::P256, Family::P384, Family::P521] {
            let Some(curve) = curve(family) else { continue };
            if let Ok(pair) = EcdsaKeyPair::from_private_key_der(curve, der) {
                let pkcs8 = pair.to_pkcs8v1().map_err(|_| SigningFault::Refused)?;
                let point = pair.public_key().as_ref().to_vec();
                return Ok(Self {
                    pkcs8: Zeroizing::new(pkcs8.as_ref().to_vec()),
                    public: PublicKey::ec_point(family, point).map_err(refused)?,
                });
            }
        }
        Err(SigningFault::NotAPrivateKey)
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The key in PKCS#8 DER.
    #[must_use]
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }
}

impl SigningKey {
    /// Prepares a private key; without an algorithm, the first of its family.
    ///
    /// # Errors
    /// The algorithm needs another kind of key.
    pub fn from_private(
        key: &PrivateKey,
        algorithm: Option<Algorithm>,
    ) -> Result<Self, SigningFault> {
        let family = key.public.family();
        let algorithm = choose(family, algorithm)?;
        let signer = match (algorithm.signer(), family) {
            (None, _) => {
                let curve = curve(family).ok_or(SigningFault::Refused)?;
                let pair = EcdsaKeyPair::from_pkcs8(curve, &key.pkcs8)
                    .map_err(|_| SigningFault::NotAPrivateKey)?;
                Signer::P521(pair)
            }
            (Some(library), Family::Rsa) => {
                // `EncodingKey::from_rsa_der` takes PKCS#1 and fails only when it signs; its PEM reader takes PKCS#8.
                let text = pem::encode(&pem::Pem::new("PRIVATE KEY", key.pkcs8.to_vec()));
                let key = EncodingKey::from_rsa_pem(text.as_bytes())
                    .map_err(|_| SigningFault::NotAPrivateKey)?;
                Signer::Library(key, library)
            }
            (Some(library), Family::Ed25519) => {
                Signer::Library(EncodingKey::from_ed_der(&key.pkcs8), library)
            }
            (Some(library), _) => Signer::Library(EncodingKey::from_ec_der(&key.pkcs8), library),
        };
        Ok(Self { algorithm, signer })
    }

    /// Prepares a shared secret; without an algorithm, HS256.
    ///
    /// # Errors
    /// The algorithm is not HMAC.
    pub fn from_secret(
        secret: &HmacSecret,
        algorithm: Option<Algorithm>,
    ) -> Result<Self, SigningFault> {
        let algorithm = choose(Family::Hmac, algorithm)?;
        let library = algorithm.signer().ok_or(SigningFault::Refused)?;
        Ok(Self {
            algorithm,
            signer: Signer::Library(EncodingKey::from_secret(secret.expose()), library),
        })
    }

    /// The algorithm it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// A compact JWS over `claims`, with `alg`, `typ` and, where given, `kid` in its header.
    ///
    /// # Errors
    /// The crypto library refuses.
    pub fn sign(
        &self,
        kid: Option<&str>,
        typ: &str,
        claims: &serde_json::Value,
    ) -> Result<String, SigningFault> {
        let mut header = serde_json::json!({ "alg": self.algorithm.name(), "typ": typ });
        if let (Some(kid), Some(members)) = (kid, header.as_object_mut()) {
            members.insert("kid".to_owned(), kid.into());
        }
        let message = format!(
            "{}.{}",
            base64url::encode(header.to_string().as_bytes()),
            base64url::encode(claims.to_string().as_bytes())
        );
        let signature = self.signature(message.as_bytes())?;
        Ok(format!("{message}.{signature}"))
    }

    fn signature(&self, message: &[u8]) -> Result<String, SigningFault> {
        match &self.signer {
            Signer::Library(key, algorithm) => jsonwebtoken::crypto::sign(message, key, *algorithm)
                .map_err(|_| SigningFault::Refused),
            Signer::P521(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| base64url::encode(signature.as_ref()))
                .map_err(|_| SigningFault::Refused),
        }
    }
}

fn choose(family: Family, algorithm: Option<Algorithm>) -> Result<Algorithm, SigningFault> {
    match algorithm {
        None => Algorithm::of(family).next().ok_or(SigningFault::Refused),
        Some(algorithm) if algorithm.family() == family => Ok(algorithm),
        Some(algorithm) => Err(SigningFault::Algorithm {
            algorithm: algorithm.name(),
            family: family.name(),
            possible: family.algorithm_names(),
        }),
    }
}

fn curve(family: Family) -> Option<&'static EcdsaSigningAlgorithm> {
    match family {
        Family::P256 => Some(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Family::P384 => Some(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        Family::P521 => Some(&signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        Family::Hmac | Family::Rsa | Family::Ed25519 => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{Compact, RsaChecks, VerifyingKey};

    #[test]
    fn every_algorithm_signs_what_its_public_half_verifies() {
        for algorithm in Algorithm::all() {
            let (signing, verifying) = if algorithm.family() == Family::Hmac {
                let secret = HmacSecret::new(vec![9; 64]).unwrap();
                (
                    SigningKey::from_secret(&secret, Some(algorithm)).unwrap(),
                    VerifyingKey::from_secret(&secret, None, None, false).unwrap(),
                )
            } else {
                let private = PrivateKey::generate(algorithm.family(), 2048).unwrap();
                (
                    SigningKey::from_private(&private, Some(algorithm)).unwrap(),
                    VerifyingKey::from_public(private.public(), None, None, RsaChecks::default())
                        .unwrap(),
                )
            };
            let token = signing
                .sign(Some("k"), "JWT", &serde_json::json!({"sub": "a"}))
                .unwrap();
            let parts = Compact::split(token.as_bytes()).unwrap();
            let signature = base64url::decode(parts.signature).unwrap();
            assert!(
                verifying.verifies(algorithm, parts.signing_input, &signature),
                "{algorithm}"
            );
            assert!(!verifying.verifies(algorithm, b"other", &signature));
        }
    }

    #[test]
    fn an_algorithm_of_another_family_is_refused() {
        let private = PrivateKey::generate(Family::P256, 0).unwrap();
        let refused = SigningKey::from_private(&private, Algorithm::from_name("RS256"));
        assert!(matches!(refused, Err(SigningFault::Algorithm { .. })));
        assert!(PrivateKey::from_der(b"nonsense").is_err());
    }
}
