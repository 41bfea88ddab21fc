//! Keys that check signatures, prepared once at load and only used afterwards.
//!
//! The algorithm belongs to the key (RFC 8725 §3.1): a [`VerifyingKey`] holds one prepared check for each algorithm it allows, and
//! nothing here verifies with an algorithm that is not among them. A secret and a public key are different types that cannot
//! turn into each other, so no public key is ever an HMAC secret.

#[cfg(feature = "rsa-ifma")]
use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::ParsedPublicKey;
use zeroize::Zeroizing;

use super::algorithm::{Algorithm, Family, Primitive};
use super::public_key::{KeyFault, PublicKey};
#[cfg(feature = "rsa-ifma")]
use super::rsa_ifma;
use super::thumbprint;

/// A key with everything prepared that a check needs.
pub struct VerifyingKey {
    kid: Option<Box<str>>,
    issuer: Option<Box<str>>,
    family: Family,
    checks: Box<[(Algorithm, Check)]>,
    thumbprint: Box<str>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "there are a few keys, and a box would be one more step on the hot path"
)]
enum Check {
    Hmac(hmac::Key),
    Signature(ParsedPublicKey),
    #[cfg(feature = "rsa-ifma")]
    Rsa(rsa_ifma::Hash, Arc<rsa_ifma::Key>),
}

/// What checks RSA signatures of PKCS #1 v1.5.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RsaChecks {
    /// The processor's own instructions, where it has them and the key is of a usual size; else the crypto library.
    #[default]
    Ifma,
    /// The crypto library.
    Library,
}

impl RsaChecks {
    /// What really checks them in this process, in words.
    #[must_use]
    pub fn told(self) -> &'static str {
        if self == Self::Library {
            return "the crypto library: `keys.rsa_ifma` is off";
        }
        #[cfg(feature = "rsa-ifma")]
        match rsa_ifma::readiness() {
            rsa_ifma::Readiness::Ready => "AVX-512 IFMA",
            rsa_ifma::Readiness::NoInstructions => {
                "the crypto library: this machine has no AVX-512 IFMA"
            }
            rsa_ifma::Readiness::SelfTestFailed => {
                "the crypto library: the self-test of AVX-512 IFMA failed on this machine"
            }
        }
        #[cfg(not(feature = "rsa-ifma"))]
        "the crypto library: built without the feature `rsa-ifma`"
    }

    /// Whether this machine has the instructions and computes wrongly with them.
    #[must_use]
    pub fn has_failed(self) -> bool {
        #[cfg(feature = "rsa-ifma")]
        let has_failed = rsa_ifma::readiness() == rsa_ifma::Readiness::SelfTestFailed;
        #[cfg(not(feature = "rsa-ifma"))]
        let has_failed = false;
        has_failed && self == Self::Ifma
    }
}

/// The bytes of a shared secret. Wiped when dropped, never shown.
pub struct HmacSecret(Zeroizing<Vec<u8>>);

impl HmacSecret {
    /// Takes the bytes; `None` when there are none, since an empty secret is none.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (!bytes.is_empty()).then(|| Self(Zeroizing::new(bytes)))
    }

    /// How long it is, in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// The bytes, for signing.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for HmacSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "HmacSecret({} bytes)", self.0.len())
    }
}

impl VerifyingKey {
    /// Prepares a public key for those of `allowed` that fit it; `None` allows all that its type can check.
    ///
    /// # Errors
    /// None of `allowed` fits.
    pub fn from_public(
        key: &PublicKey,
        kid: Option<&str>,
        allowed: Option<&[Algorithm]>,
        rsa: RsaChecks,
    ) -> Result<Self, KeyFault> {
        let own = own_checks(key, rsa);
        let mut checks = Vec::new();
        for algorithm in fitting(key.family(), allowed)? {
            let check = match own(algorithm) {
                Some(check) => check,
                None => Check::Signature(key.prepare(algorithm)?),
            };
            checks.push((algorithm, check));
        }
        Ok(Self {
            kid: kid.map(Into::into),
            issuer: None,
            family: key.family(),
            checks: checks.into(),
            thumbprint: thumbprint::of(key).into(),
        })
    }

    /// Prepares a shared secret for those of `allowed` that are HMAC; `None` allows those whose hash the secret is as long as.
    ///
    /// # Errors
    /// None of `allowed` fits, or the secret is shorter than the hash of one of them and `danger_short` is off (RFC 7518 §3.2).
    pub fn from_secret(
        secret: &HmacSecret,
        kid: Option<&str>,
        allowed: Option<&[Algorithm]>,
        danger_short: bool,
    ) -> Result<Self, KeyFault> {
        let mut checks = Vec::new();
        for algorithm in fitting(Family::Hmac, allowed)? {
            let Primitive::Hmac(hmac) = algorithm.primitive() else {
                continue;
            };
            if secret.length() < algorithm.hash_bytes() && !danger_short {
                if allowed.is_some() {
                    return Err(short(secret, algorithm));
                }
                continue;
            }
            checks.push((algorithm, Check::Hmac(hmac::Key::new(*hmac, &secret.0))));
        }
        if checks.is_empty() {
            let shortest = Algorithm::of(Family::Hmac).next();
            return Err(
                shortest.map_or(KeyFault::Unsupported, |algorithm| short(secret, algorithm))
            );
        }
        Ok(Self {
            kid: kid.map(Into::into),
            issuer: None,
            family: Family::Hmac,
            checks: checks.into(),
            thumbprint: thumbprint::of_secret(secret).into(),
        })
    }

    /// Whether `signature` is this key's signature over `message` with `algorithm`; `false`, too, when the key does not allow
    /// that algorithm. HMAC tags are compared in constant time at full length.
    #[must_use]
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match self.check(algorithm) {
            Some(Check::Hmac(key)) => hmac::verify(key, message, signature).is_ok(),
            Some(Check::Signature(key)) => key.verify_sig(message, signature).is_ok(),
            #[cfg(feature = "rsa-ifma")]
            Some(Check::Rsa(hash, key)) => key.verifies(*hash, message, signature),
            None => false,
        }
    }

    /// Whether its RSA signatures (PKCS #1 v1.5) are checked with AVX-512 IFMA, and not by the library.
    #[must_use]
    pub fn has_ifma(&self) -> bool {
        #[cfg(feature = "rsa-ifma")]
        return self
            .checks
            .iter()
            .any(|(_, check)| matches!(check, Check::Rsa(..)));
        #[cfg(not(feature = "rsa-ifma"))]
        false
    }

    /// Whether the key may check signatures of this algorithm.
    #[must_use]
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        self.check(algorithm).is_some()
    }

    /// The key's name in its set.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What kind of key it is.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// The algorithms it may check.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.checks.iter().map(|(algorithm, _)| *algorithm)
    }

    /// The key's RFC 7638 thumbprint (SHA-256, base64url): it names the material, whatever the `kid`.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The issuer that this key alone may speak for, where its set says so (Microsoft's sets for several tenants do).
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The same key, for one issuer only.
    #[must_use]
    pub fn only_for(self, issuer: Option<&str>) -> Self {
        Self {
            issuer: issuer.map(Into::into),
            ..self
        }
    }

    /// What tells it from other keys of a set.
    #[must_use]
    pub fn identity(&self) -> (Option<&str>, &str, Option<&str>) {
        (self.kid(), self.thumbprint(), self.issuer())
    }

    /// Whether the two are the same material under the same name for the same algorithms and issuer.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.kid == other.kid
            && self.thumbprint == other.thumbprint
            && self.issuer == other.issuer
            && self.algorithms().eq(other.algorithms())
    }

    fn check(&self, algorithm: Algorithm) -> Option<&Check> {
        self.checks
            .iter()
            .find(|(own, _)| *own == algorithm)
            .map(|(_, check)| check)
    }
}

/// A signature whose check takes less time in company.
#[cfg(feature = "rsa-ifma")]
pub type Question = rsa_ifma::Question;
/// There is none.
#[cfg(not(feature = "rsa-ifma"))]
pub type Question = std::convert::Infallible;

impl VerifyingKey {
    /// What [`answers`] is to find out of a signature; `None` where that gains nothing, or the answer is no already.
    #[cfg(feature = "rsa-ifma")]
    #[must_use]
    pub fn question(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Option<Question> {
        match self.check(algorithm)? {
            Check::Hmac(_) | Check::Signature(_) => None,
            Check::Rsa(hash, key) => key.question(*hash, message, signature),
        }
    }

    /// Nothing gains by company here.
    #[cfg(not(feature = "rsa-ifma"))]
    #[must_use]
    pub const fn question(&self, _: Algorithm, _: &[u8], _: &[u8]) -> Option<Question> {
        None
    }
}

/// Whether each signature is good. All must be of one key.
#[cfg(feature = "rsa-ifma")]
#[must_use]
pub fn answers(questions: &[&Question]) -> Vec<bool> {
    rsa_ifma::answers(questions)
}

/// There is nothing to answer.
#[cfg(not(feature = "rsa-ifma"))]
#[must_use]
pub const fn answers(_: &[&Question]) -> Vec<bool> {
    Vec::new()
}

/// What checks an algorithm of an RSA key with [`RsaChecks::Ifma`], where that can be.
#[cfg(feature = "rsa-ifma")]
fn own_checks(key: &PublicKey, rsa: RsaChecks) -> impl Fn(Algorithm) -> Option<Check> {
    let numbers = key.rsa_numbers().filter(|_| rsa == RsaChecks::Ifma);
    let prepared = numbers.and_then(|(modulus, exponent)| rsa_ifma::Key::new(&modulus, &exponent));
    let prepared = prepared.map(Arc::new);
    move |algorithm| {
        let hash = match algorithm.name() {
            "RS256" => rsa_ifma::Hash::Sha256,
            "RS384" => rsa_ifma::Hash::Sha384,
            "RS512" => rsa_ifma::Hash::Sha512,
            _ => return None,
        };
        Some(Check::Rsa(hash, Arc::clone(prepared.as_ref()?)))
    }
}

#[cfg(not(feature = "rsa-ifma"))]
fn own_checks(_: &PublicKey, _: RsaChecks) -> impl Fn(Algorithm) -> Option<Check> {
    |_| None
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("VerifyingKey")
            .field("kid", &self.kid)
            .field("family", &self.family)
            .finish_non_exhaustive()
    }
}

fn fitting(family: Family, allowed: Option<&[Algorithm]>) -> Result<Vec<Algorithm>, KeyFault> {
    let fits = |algorithm: &Algorithm| allowed.is_none_or(|list| list.contains(algorithm));
    let fitting: Vec<_> = Algorithm::of(family).filter(fits).collect();
    if fitting.is_empty() {
        let listed: Vec<_> = allowed
            .unwrap_or_default()
            .iter()
            .map(|algorithm| algorithm.name())
            .collect();
        return Err(KeyFault::NoAlgorithm {
            family: family.name(),
            listed: listed.join(", "),
            possible: family.algorithm_names(),
        });
    }
    Ok(fitting)
}

fn short(secret: &HmacSecret, algorithm: Algorithm) -> KeyFault {
    KeyFault::ShortSecret {
        found: secret.length(),
        needed: algorithm.hash_bytes(),
        algorithm: algorithm.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair as _};

    fn algorithm(name: &str) -> Algorithm {
        Algorithm::from_name(name).unwrap()
    }

    fn secret(length: usize) -> HmacSecret {
        HmacSecret::new(vec![7; length]).unwrap()
    }

    #[test]
    fn s3_3_secrets_shorter_than_the_hash_are_refused() {
        let listed = [algorithm("HS512")];
        let refused = VerifyingKey::from_secret(&secret(63), None, Some(&listed), false);
        assert!(matches!(
            refused,
            Err(KeyFault::ShortSecret {
                found: 63,
                needed: 64,
                ..
            })
        ));
        assert!(VerifyingKey::from_secret(&secret(64), None, Some(&listed), false).is_ok());
        assert!(VerifyingKey::from_secret(&secret(3), None, Some(&listed), true).is_ok());
        assert!(VerifyingKey::from_secret(&secret(31), None, None, false).is_err());
        assert!(HmacSecret::new(Vec::new()).is_none());
    }

    #[test]
    fn a_secret_without_a_list_allows_what_it_is_long_enough_for() {
        let key = VerifyingKey::from_secret(&secret(48), None, None, false).unwrap();
        let names: Vec<_> = key.algorithms().map(Algorithm::name).collect();
        assert_eq!(names, ["HS256", "HS384"]);
    }

    #[test]
    fn s1_4_a_public_key_never_checks_an_hmac() {
        let pair =
            EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref().to_vec();
        let public = PublicKey::ec_point(Family::P256, point.clone()).unwrap();
        let key = VerifyingKey::from_public(&public, None, None, RsaChecks::default()).unwrap();
        let forged = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &point), b"message");
        assert!(!key.verifies(algorithm("HS256"), b"message", forged.as_ref()));
        let listed = [algorithm("HS256"), algorithm("RS256")];
        assert!(matches!(
            VerifyingKey::from_public(&public, None, Some(&listed), RsaChecks::default()),
            Err(KeyFault::NoAlgorithm { .. })
        ));
    }

    #[test]
    fn s4_3_ecdsa_signatures_of_zeros_and_in_der_are_refused() {
        let pair =
            EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let public =
            PublicKey::ec_point(Family::P256, pair.public_key().as_ref().to_vec()).unwrap();
        let key = VerifyingKey::from_public(&public, None, None, RsaChecks::default()).unwrap();
        let random = aws_lc_rs::rand::SystemRandom::new();
        let good = pair.sign(&random, b"message").unwrap();
        assert!(key.verifies(algorithm("ES256"), b"message", good.as_ref()));
        for length in [0, 63, 64, 65, 72] {
            assert!(!key.verifies(algorithm("ES256"), b"message", &vec![0; length]));
        }
        assert!(!key.verifies(algorithm("ES384"), b"message", good.as_ref()));
    }

    #[test]
    fn s17_1_debug_forms_hold_no_secret() {
        assert_eq!(format!("{:?}", secret(64)), "HmacSecret(64 bytes)");
        let key = VerifyingKey::from_secret(&secret(64), None, None, false).unwrap();
        assert!(!format!("{key:?}").contains("7, 7"));
    }
}
