//! The one table of signature algorithms (RFC 7518 §3.1, RFC 8037 §3.1).
//!
//! An [`Algorithm`] *is* a row of the table, so there is no second list to keep in step: names, key families, lengths and the
//! primitives all come from here. To add one, add a row.

use std::fmt;

use aws_lc_rs::{hmac, signature};

/// A signature algorithm that jwtgate knows.
#[derive(Clone, Copy)]
pub struct Algorithm(&'static Row);

/// The kind of key that an algorithm belongs to. A key has exactly one family (RFC 8725 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// A shared secret.
    Hmac,
    /// RSA, PKCS#1 v1.5 or PSS.
    Rsa,
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// Edwards curve 25519.
    Ed25519,
}

/// What checks a signature of an algorithm.
#[derive(Clone, Copy)]
pub(super) enum Primitive {
    Hmac(&'static hmac::Algorithm),
    Signature(&'static dyn signature::VerificationAlgorithm),
}

struct Row {
    name: &'static str,
    family: Family,
    hash_bytes: usize,
    primitive: Primitive,
    /// The same algorithm in the library that signs; it has none for ES512.
    signer: Option<jsonwebtoken::Algorithm>,
}

macro_rules! rows {
    ($($name:literal $family:ident $hash:literal $kind:ident($primitive:path) $signer:expr;)*) => {
        static TABLE: &[Row] = &[$(Row {
            name: $name,
            family: Family::$family,
            hash_bytes: $hash,
            primitive: Primitive::$kind(&$primitive),
            signer: $signer,
        }),*];
    };
}

rows! {
    "HS256" Hmac 32 Hmac(hmac::HMAC_SHA256) Some(jsonwebtoken::Algorithm::HS256);
    "HS384" Hmac 48 Hmac(hmac::HMAC_SHA384) Some(jsonwebtoken::Algorithm::HS384);
    "HS512" Hmac 64 Hmac(hmac::HMAC_SHA512) Some(jsonwebtoken::Algorithm::HS512);
    "RS256" Rsa 32 Signature(signature::RSA_PKCS1_2048_8192_SHA256) Some(jsonwebtoken::Algorithm::RS256);
    "RS384" Rsa 48 Signature(signature::RSA_PKCS1_2048_8192_SHA384) Some(jsonwebtoken::Algorithm::RS384);
    "RS512" Rsa 64 Signature(signature::RSA_PKCS1_2048_8192_SHA512) Some(jsonwebtoken::Algorithm::RS512);
    "PS256" Rsa 32 Signature(signature::RSA_PSS_2048_8192_SHA256) Some(jsonwebtoken::Algorithm::PS256);
    "PS384" Rsa 48 Signature(signature::RSA_PSS_2048_8192_SHA384) Some(jsonwebtoken::Algorithm::PS384);
    "PS512" Rsa 64 Signature(signature::RSA_PSS_2048_8192_SHA512) Some(jsonwebtoken::Algorithm::PS512);
    "ES256" P256 32 Signature(signature::ECDSA_P256_SHA256_FIXED) Some(jsonwebtoken::Algorithm::ES256);
    "ES384" P384 48 Signature(signature::ECDSA_P384_SHA384_FIXED) Some(jsonwebtoken::Algorithm::ES384);
    "ES512" P521 64 Signature(signature::ECDSA_P521_SHA512_FIXED) None;
    "EdDSA" Ed25519 64 Signature(signature::ED25519) Some(jsonwebtoken::Algorithm::EdDSA);
}

impl Algorithm {
    /// The algorithm with this name, compared byte for byte: `rs256` and `RS256 ` are not names.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(Self)
    }

    /// Every algorithm, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }

    /// Every algorithm of one family of keys.
    pub fn of(family: Family) -> impl Iterator<Item = Self> {
        Self::all().filter(move |algorithm| algorithm.family() == family)
    }

    /// The registered name (the value of `alg`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// The kind of key it needs.
    #[must_use]
    pub const fn family(self) -> Family {
        self.0.family
    }

    /// The length of its hash in bytes: an HMAC secret must be as long (RFC 7518 §3.2).
    #[must_use]
    pub const fn hash_bytes(self) -> usize {
        self.0.hash_bytes
    }

    pub(super) const fn primitive(self) -> Primitive {
        self.0.primitive
    }

    pub(super) const fn signer(self) -> Option<jsonwebtoken::Algorithm> {
        self.0.signer
    }
}

impl PartialEq for Algorithm {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Algorithm {}

impl fmt::Debug for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Family {
    /// What a person calls such a key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hmac => "HMAC secret",
            Self::Rsa => "RSA key",
            Self::P256 => "EC key on P-256",
            Self::P384 => "EC key on P-384",
            Self::P521 => "EC key on P-521",
            Self::Ed25519 => "Ed25519 key",
        }
    }

    /// The names of the algorithms that such a key can check, separated by commas.
    #[must_use]
    pub fn algorithm_names(self) -> String {
        let names: Vec<_> = Algorithm::of(self).map(Algorithm::name).collect();
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s1_2_none_in_any_spelling_is_no_algorithm() {
        for name in ["none", "None", "NONE", "nOnE", ""] {
            assert_eq!(Algorithm::from_name(name), None);
        }
    }

    #[test]
    fn s1_3_names_are_compared_byte_for_byte() {
        for name in ["rs256", "RS256 ", " RS256", "RS256\0", "RS-256", "ES256K"] {
            assert_eq!(Algorithm::from_name(name), None, "{name:?}");
        }
        for algorithm in Algorithm::all() {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        }
    }
}
