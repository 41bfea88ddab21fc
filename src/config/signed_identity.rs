//! `[signed_identity]`: who it is, signed by jwtgate, for applications that trust no plain header.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OneOrMany, Span};

/// How a signed identity is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum SignedWith {
    /// ECDSA on P-256.
    ES256,
    /// ECDSA on P-384.
    ES384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSA with PKCS#1 v1.5, 2048 bits where jwtgate makes the key.
    RS256,
    /// RSA-PSS.
    PS256,
}

/// A short-lived JWT that says who it is, signed by jwtgate, in a header of its own. Its public keys are at `/.well-known/jwks.json`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SignedIdentity {
    /// The header that carries it. Left out: it is off.
    #[schemars(example = &"X-Auth-Identity")]
    pub header: Option<String>,
    /// The issuer that it names (`iss`). Left out: `public_url`.
    #[schemars(example = &"https://gate.example.com")]
    pub issuer: Option<String>,
    /// Whom it is for (`aud`), unless a rule says otherwise: one or a list.
    #[schemars(example = &"https://app.example.com")]
    pub audience: Option<OneOrMany>,
    /// How long it is valid; no longer than the token that it was made from. A new one is made when half of that has passed.
    pub lifetime: Span,
    /// How it is signed: `ES256`, `ES384`, `EdDSA`, `RS256` or `PS256`.
    pub algorithm: SignedWith,
    /// PEM files with private keys: the first signs, all of them are published. Needed where several instances serve, or keys must outlive a restart. Left out: keys are made at start, and new ones every `rotate_every`.
    #[schemars(example = ["/run/secrets/identity.pem", "/run/secrets/identity-previous.pem"])]
    pub key_files: Option<OneOrMany>,
    /// How often a made key is replaced. The next one is published as long before, and the last one as long after.
    pub rotate_every: Span,
}

impl Default for SignedIdentity {
    fn default() -> Self {
        Self {
            header: None,
            issuer: None,
            audience: None,
            lifetime: Span::seconds(5 * 60),
            algorithm: SignedWith::ES256,
            key_files: None,
            rotate_every: Span::seconds(24 * 3600),
        }
    }
}

impl SignedIdentity {
    /// The header that carries it; `None`: it is off.
    #[must_use]
    pub fn header(&self) -> Option<&str> {
        self.header.as_deref().filter(|header| !header.is_empty())
    }
}

impl SignedWith {
    /// The name of RFC 7518.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
        }
    }
}
