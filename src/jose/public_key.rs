//! Public keys, judged: a [`PublicKey`] that exists has a sane size, a sane exponent, a point on its curve.
//!
//! It is made from what `keys/pem.rs` and [`super::jwk`] find, once, at load. What is refused here is refused for good reason
//! (NIST SP 800-131A for RSA below 2048 bits, RFC 7518 §6, RFC 8032 §5.1.3); the messages say what to do.

use aws_lc_rs::signature::ParsedPublicKey;
use rsa::BigUint;
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::traits::PublicKeyParts as _;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521,
    OID_PKCS1_RSAENCRYPTION, OID_SIG_ED25519,
};
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo};

use super::algorithm::{Algorithm, Family, Primitive};
use super::roca;

/// A public key that has been found fit to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    family: Family,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Material {
    Rsa {
        modulus: BigUint,
        exponent: BigUint,
    },
    /// The uncompressed point: `04 ‖ x ‖ y`, both coordinates at full length.
    Ec {
        point: Vec<u8>,
    },
    Ed25519 {
        point: [u8; 32],
    },
}

/// Why a public key was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// RSA outside 2048 to 8192 bits.
    #[error("an RSA key of {0} bits; 2048 to 8192 are accepted")]
    RsaSize(usize),
    /// RSA with an exponent that makes signatures forgeable or checks dear.
    #[error("an RSA key whose exponent is not odd and of 2 to 33 bits")]
    RsaExponent,
    /// RSA with an even modulus.
    #[error("an RSA key whose modulus is even")]
    RsaModulus,
    /// RSA of a generator whose private keys can be computed.
    #[error(
        "an RSA key whose private half can be computed (ROCA, CVE-2017-15361); make a new one elsewhere"
    )]
    RsaRoca,
    /// A coordinate of the wrong length, or a point that is not on the curve.
    #[error("a point that is not on the curve")]
    NotOnCurve,
    /// An Ed25519 point of low order or in a non-canonical encoding (RFC 8032 §5.1.3).
    #[error("an Ed25519 key of low order or in a non-canonical encoding")]
    WeakPoint,
    /// DER that is no `SubjectPublicKeyInfo` or PKCS#1 key.
    #[error("DER that is no public key")]
    NotDer,
    /// A type of key that no known algorithm uses.
    #[error(
        "a key of a type that is not supported; RSA, EC on P-256, P-384 or P-521, and Ed25519 are"
    )]
    Unsupported,
    /// The key would allow no algorithm at all.
    #[error(
        "{family} cannot check any of the listed algorithms ({listed}); it can check {possible}"
    )]
    NoAlgorithm {
        /// What kind of key it is.
        family: &'static str,
        /// What the configuration or the key set allows.
        listed: String,
        /// What this kind of key could check.
        possible: String,
    },
    /// An HMAC secret that is shorter than the hash.
    #[error("a secret of {found} bytes; {algorithm} needs at least {needed} (RFC 7518 §3.2)")]
    ShortSecret {
        /// Its length in bytes.
        found: usize,
        /// The length of the hash in bytes.
        needed: usize,
        /// The algorithm.
        algorithm: &'static str,
    },
}

const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
const RSA_EXPONENT_BITS: std::ops::RangeInclusive<usize> = 2..=33;

impl PublicKey {
    /// An RSA key from its modulus and exponent, big-endian.
    ///
    /// # Errors
    /// A size outside 2048 to 8192 bits, an even modulus, an exponent that is not odd or longer than 33 bits, a key of the
    /// ROCA generator.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyFault> {
        let modulus = BigUint::from_bytes_be(modulus);
        let exponent = BigUint::from_bytes_be(exponent);
        if !RSA_BITS.contains(&modulus.bits()) {
            return Err(KeyFault::RsaSize(modulus.bits()));
        }
        if !RSA_EXPONENT_BITS.contains(&exponent.bits()) {
            return Err(KeyFault::RsaExponent);
        }
        if roca::is_marked(&modulus.to_bytes_be()) {
            return Err(KeyFault::RsaRoca);
        }
        let key = rsa::RsaPublicKey::new_with_max_size(modulus, exponent, *RSA_BITS.end())
            .map_err(|fault| match fault {
                rsa::Error::InvalidModulus => KeyFault::RsaModulus,
                _ => KeyFault::RsaExponent,
            })?;
        let material = Material::Rsa {
            modulus: key.n().clone(),
            exponent: key.e().clone(),
        };
        Self::judged(Family::Rsa, material)
    }

    /// An RSA key from PKCS#1 DER.
    ///
    /// # Errors
    /// DER that is no such key, and what [`Self::rsa`] refuses.
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, KeyFault> {
        let key = rsa::pkcs1::RsaPublicKey::try_from(der).map_err(|_| KeyFault::NotDer)?;
        Self::rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes())
    }

    /// An EC key from its coordinates, each at the full length of the curve's field (RFC 7518 §6.2.1.2).
    ///
    /// # Errors
    /// Coordinates of another length, a point that is not on the curve.
    pub fn ec(family: Family, x: &[u8], y: &[u8]) -> Result<Self, KeyFault> {
        let mut point = Vec::with_capacity(1 + x.len() + y.len());
        point.push(UNCOMPRESSED);
        point.extend_from_slice(x);
        point.extend_from_slice(y);
        if Some(x.len()) != coordinate_bytes(family) {
            return Err(KeyFault::NotOnCurve);
        }
        Self::ec_point(family, point)
    }

    /// An EC key from its uncompressed point.
    ///
    /// # Errors
    /// Another form or length of point, one that is not on the curve.
    pub fn ec_point(family: Family, point: Vec<u8>) -> Result<Self, KeyFault> {
        let coordinate = coordinate_bytes(family).ok_or(KeyFault::Unsupported)?;
        if point.len() != 1 + 2 * coordinate || point.first() != Some(&UNCOMPRESSED) {
            return Err(KeyFault::NotOnCurve);
        }
        Self::judged(family, Material::Ec { point })
    }

    /// An Ed25519 key from its 32 bytes.
    ///
    /// # Errors
    /// Another length, a point of low order, a non-canonical encoding.
    pub fn ed25519(bytes: &[u8]) -> Result<Self, KeyFault> {
        let point = <[u8; 32]>::try_from(bytes).map_err(|_| KeyFault::NotOnCurve)?;
        if is_weak_edwards_point(&point) {
            return Err(KeyFault::WeakPoint);
        }
        Self::judged(Family::Ed25519, Material::Ed25519 { point })
    }

    /// A key of any supported type from a DER `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
    ///
    /// # Errors
    /// DER that is none, a type that is not supported, a key that its own judge above refuses.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyFault> {
        let (rest, spki) = SubjectPublicKeyInfo::from_der(der).map_err(|_| KeyFault::NotDer)?;
        if !rest.is_empty() {
            return Err(KeyFault::NotDer);
        }
        let key = spki.subject_public_key.data.as_ref();
        let kind = &spki.algorithm.algorithm;
        if *kind == OID_PKCS1_RSAENCRYPTION {
            Self::from_pkcs1(key)
        } else if *kind == OID_KEY_TYPE_EC_PUBLIC_KEY {
            let curve = spki
                .algorithm
                .parameters
                .as_ref()
                .and_then(|parameters| parameters.as_oid().ok())
                .ok_or(KeyFault::Unsupported)?;
            let family = [
                (OID_EC_P256, Family::P256),
                (OID_NIST_EC_P384, Family::P384),
                (OID_NIST_EC_P521, Family::P521),
            ]
            .into_iter()
            .find_map(|(oid, family)| (oid == curve).then_some(family))
            .ok_or(KeyFault::Unsupported)?;
            Self::ec_point(family, key.to_vec())
        } else if *kind == OID_SIG_ED25519 {
            Self::ed25519(key)
        } else {
            // A key restricted to RSASSA-PSS lands here too: its parameters would have to be enforced.
            Err(KeyFault::Unsupported)
        }
    }

    /// What kind of key it is.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }

    /// Whether it is an RSA key with an exponent below 65537: legal, and a sign of an old or careless generator.
    #[must_use]
    pub fn has_small_exponent(&self) -> bool {
        matches!(&self.material, Material::Rsa { exponent, .. } if *exponent < BigUint::from(65_537_u32))
    }

    /// One line for a person: type and size.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.material {
            Material::Rsa { modulus, .. } => format!("RSA key of {} bits", modulus.bits()),
            Material::Ec { .. } | Material::Ed25519 { .. } => self.family.name().to_owned(),
        }
    }

    pub(super) const fn material(&self) -> &Material {
        &self.material
    }

    /// Modulus and exponent of an RSA key, the most significant byte first.
    #[cfg(feature = "rsa-ifma")]
    pub(super) fn rsa_numbers(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        match &self.material {
            Material::Rsa { modulus, exponent } => {
                Some((modulus.to_bytes_be(), exponent.to_bytes_be()))
            }
            Material::Ec { .. } | Material::Ed25519 { .. } => None,
        }
    }

    /// Prepares the key for one algorithm of its family, so that no request ever parses it.
    pub(super) fn prepare(&self, algorithm: Algorithm) -> Result<ParsedPublicKey, KeyFault> {
        let Primitive::Signature(verification) = algorithm.primitive() else {
            return Err(KeyFault::Unsupported);
        };
        let refused = match self.material {
            Material::Rsa { .. } => KeyFault::RsaExponent,
            Material::Ec { .. } | Material::Ed25519 { .. } => KeyFault::NotOnCurve,
        };
        ParsedPublicKey::new(verification, self.encoded()?).map_err(|_| refused)
    }

    /// The form in which aws-lc takes it: PKCS#1 DER, the point, the 32 bytes.
    fn encoded(&self) -> Result<Vec<u8>, KeyFault> {
        match &self.material {
            Material::Rsa { modulus, exponent } => {
                let key = rsa::RsaPublicKey::new_unchecked(modulus.clone(), exponent.clone());
                let der = key.to_pkcs1_der().map_err(|_| KeyFault::NotDer)?;
                Ok(der.as_bytes().to_vec())
            }
            Material::Ec { point } => Ok(point.clone()),
            Material::Ed25519 { point } => Ok(point.to_vec()),
        }
    }

    /// Lets the crypto library judge too: it knows what lies on a curve.
    fn judged(family: Family, material: Material) -> Result<Self, KeyFault> {
        let key = Self { family, material };
        let algorithm = Algorithm::of(family).next().ok_or(KeyFault::Unsupported)?;
        key.prepare(algorithm)?;
        Ok(key)
    }
}

const UNCOMPRESSED: u8 = 4;

/// The length of one coordinate on the curve; `None` for what is no EC family.
pub(super) const fn coordinate_bytes(family: Family) -> Option<usize> {
    match family {
        Family::P256 => Some(32),
        Family::P384 => Some(48),
        Family::P521 => Some(66),
        Family::Hmac | Family::Rsa | Family::Ed25519 => None,
    }
}

/// The y-coordinates, little-endian, of the points whose order divides 8. A signature under such a key proves nothing: one
/// signature fits many messages.
const LOW_ORDER: [[u8; 32]; 5] = [
    low_order(0),
    low_order(1),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    field_minus(1),
];

const fn low_order(first: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = first;
    bytes
}

/// p − `less`, little-endian, for p = 2²⁵⁵ − 19 and `less` ≤ 0x12 + 0xdb.
const fn field_minus(less: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed - less;
    bytes[31] = 0x7f;
    bytes
}

fn is_weak_edwards_point(point: &[u8; 32]) -> bool {
    let mut y = *point;
    // The highest bit is the sign of x, not part of y.
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    let is_not_below_field = y.iter().rev().ge(field_minus(0).iter().rev());
    is_not_below_field || LOW_ORDER.contains(&y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};

    fn modulus(bits: usize) -> Vec<u8> {
        let mut bytes = vec![0xff; bits / 8];
        bytes[0] = 0x80;
        bytes
    }

    #[test]
    fn s3_1_weak_rsa_keys_are_refused() {
        let e = [1, 0, 1];
        assert_eq!(
            PublicKey::rsa(&modulus(1024), &e),
            Err(KeyFault::RsaSize(1024))
        );
        assert_eq!(
            PublicKey::rsa(&modulus(8200), &e),
            Err(KeyFault::RsaSize(8200))
        );
        assert_eq!(PublicKey::rsa(&[], &e), Err(KeyFault::RsaSize(0)));
        let mut even = modulus(2048);
        even[255] = 0xfe;
        assert_eq!(PublicKey::rsa(&even, &e), Err(KeyFault::RsaModulus));
        for exponent in [&[][..], &[1], &[2], &[4], &[2, 0, 0, 0, 1], &[1, 0, 0]] {
            assert_eq!(
                PublicKey::rsa(&modulus(2048), exponent),
                Err(KeyFault::RsaExponent),
                "{exponent:?}"
            );
        }
        assert!(
            PublicKey::rsa(&modulus(2048), &[3])
                .unwrap()
                .has_small_exponent()
        );
        assert!(
            !PublicKey::rsa(&modulus(8192), &e)
                .unwrap()
                .has_small_exponent()
        );
    }

    #[test]
    fn s3_2_points_off_the_curve_are_refused() {
        let pair =
            EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref().to_vec();
        assert!(PublicKey::ec_point(Family::P256, point.clone()).is_ok());
        assert_eq!(
            PublicKey::ec_point(Family::P384, point.clone()),
            Err(KeyFault::NotOnCurve)
        );
        let mut off = point.clone();
        off[64] ^= 1;
        assert_eq!(
            PublicKey::ec_point(Family::P256, off),
            Err(KeyFault::NotOnCurve)
        );
        assert_eq!(
            PublicKey::ec(Family::P256, &[0; 32], &[0; 32]),
            Err(KeyFault::NotOnCurve)
        );
        assert_eq!(
            PublicKey::ec(Family::P256, &point[1..32], &point[32..65]),
            Err(KeyFault::NotOnCurve)
        );
    }

    #[test]
    fn s3_2_low_order_and_non_canonical_edwards_points_are_refused() {
        let good = Ed25519KeyPair::generate().unwrap();
        assert!(PublicKey::ed25519(good.public_key().as_ref()).is_ok());
        assert_eq!(PublicKey::ed25519(&[1; 31]), Err(KeyFault::NotOnCurve));
        assert_eq!(PublicKey::ed25519(&[1; 33]), Err(KeyFault::NotOnCurve));
        for mut point in LOW_ORDER {
            assert_eq!(PublicKey::ed25519(&point), Err(KeyFault::WeakPoint));
            point[31] |= 0x80;
            assert_eq!(PublicKey::ed25519(&point), Err(KeyFault::WeakPoint));
        }
        for non_canonical in [0xed, 0xee, 0xff] {
            let mut point = [0xff; 32];
            point[0] = non_canonical;
            assert_eq!(PublicKey::ed25519(&point), Err(KeyFault::WeakPoint));
        }
    }

    #[test]
    fn der_with_something_behind_it_is_refused() {
        assert_eq!(PublicKey::from_spki(b""), Err(KeyFault::NotDer));
        assert_eq!(PublicKey::from_spki(&[0x30, 0x80]), Err(KeyFault::NotDer));
        assert_eq!(PublicKey::from_pkcs1(b"\x30\x00"), Err(KeyFault::NotDer));
    }
}
