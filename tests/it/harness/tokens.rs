//! Keys and tokens. Everything is signed by `jsonwebtoken` and aws-lc, never by the code under test.

use std::sync::OnceLock;
use std::time::SystemTime;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

/// 64 bytes: long enough for HS512.
pub(crate) const SECRET: &str = "the-tests-know-this-secret-and-nobody-else-should-0123456789abcd";
pub(crate) const AUDIENCE: &str = "https://myApp.domain.local/";

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("the clock stands after 1970");
    i64::try_from(elapsed.as_secs()).expect("the clock stands before the end of time")
}

/// Alice, for the next five minutes.
pub(crate) fn good_claims() -> Value {
    json!({
        "sub": "alice-7", "username": "alice", "email": "alice@example.com", "groups": ["dev", "ops"],
        "aud": AUDIENCE, "iat": now(), "exp": now() + 300,
    })
}

/// [`good_claims`] with some of them replaced; `null` in the changes takes a claim out.
pub(crate) fn claims_with(changes: &Value) -> Value {
    let mut claims = good_claims();
    for (name, value) in changes.as_object().expect("the changes are an object") {
        if value.is_null() {
            claims
                .as_object_mut()
                .expect("claims are an object")
                .remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

/// A token that `Settings::hmac()` lets pass.
pub(crate) fn good() -> String {
    signed(&good_claims())
}

/// As [`good`], for somebody else.
pub(crate) fn good_for(username: &str) -> String {
    with(&json!({"username": username}))
}

/// [`claims_with`], signed.
pub(crate) fn with(changes: &Value) -> String {
    signed(&claims_with(changes))
}

/// These claims under HS256 and [`SECRET`].
pub(crate) fn signed(claims: &Value) -> String {
    hmac(
        SECRET.as_bytes(),
        &json!({"typ": "JWT", "alg": "HS256"}),
        claims,
    )
}

pub(crate) fn expired() -> String {
    with(&json!({"exp": now() - 3600}))
}

/// Right in everything but the signature.
pub(crate) fn forged() -> String {
    hmac(
        b"another secret that is long enough for any of the hashes there are",
        &header("HS256"),
        &good_claims(),
    )
}

/// `alg: none`, without a signature.
pub(crate) fn unsigned() -> String {
    compact(&header("none"), &good_claims(), b"")
}

pub(crate) fn wrong_audience() -> String {
    with(&json!({"aud": "https://another.example.com/"}))
}

/// An HMAC token; the header names the algorithm.
pub(crate) fn hmac(secret: &[u8], header: &Value, claims: &Value) -> String {
    jws(&EncodingKey::from_secret(secret), header, claims)
}

pub(crate) fn header(algorithm: &str) -> Value {
    json!({"typ": "JWT", "alg": algorithm})
}

/// Joins three parts, whatever they are.
pub(crate) fn compact(header: &Value, claims: &Value, signature: &[u8]) -> String {
    format!("{}.{}", message(header, claims), encode(signature))
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn message(header: &Value, claims: &Value) -> String {
    format!(
        "{}.{}",
        encode(header.to_string()),
        encode(claims.to_string())
    )
}

fn jws(key: &EncodingKey, header: &Value, claims: &Value) -> String {
    let message = message(header, claims);
    let name = header["alg"]
        .as_str()
        .expect("the header names an algorithm");
    let algorithm: Algorithm = name.parse().expect("an algorithm that jsonwebtoken knows");
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).expect("the key fits");
    format!("{message}.{signature}")
}

/// A key pair of the tests.
pub(crate) struct Key {
    kind: Kind,
    pair: KeyPair,
}

#[derive(Clone, Copy)]
enum Kind {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
}

/// Gives the functions that make one key each, once per process.
macro_rules! keys {
    ($($name:ident = $kind:ident),+ $(,)?) => {$(
        pub(crate) fn $name() -> &'static Key {
            static KEY: OnceLock<Key> = OnceLock::new();
            KEY.get_or_init(|| Key::generate(Kind::$kind))
        }
    )+};
}

keys! {
    rsa = Rsa,
    second_rsa = Rsa,
    p256 = P256,
    second_p256 = P256,
    p384 = P384,
    p521 = P521,
    ed25519 = Ed25519,
}

/// One key of each kind.
pub(crate) fn every_kind() -> [&'static Key; 5] {
    [rsa(), p256(), p384(), p521(), ed25519()]
}

impl Key {
    fn generate(kind: Kind) -> Self {
        let algorithm = match kind {
            Kind::Rsa => &rcgen::PKCS_RSA_SHA256,
            Kind::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Kind::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Kind::P521 => &rcgen::PKCS_ECDSA_P521_SHA512,
            Kind::Ed25519 => &rcgen::PKCS_ED25519,
        };
        Self {
            kind,
            pair: KeyPair::generate_for(algorithm).expect("a key can be generated"),
        }
    }

    /// Every algorithm that a key of this kind can sign with.
    pub(crate) fn algorithms(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Rsa => &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
            Kind::P256 => &["ES256"],
            Kind::P384 => &["ES384"],
            Kind::P521 => &["ES512"],
            Kind::Ed25519 => &["EdDSA"],
        }
    }

    pub(crate) fn public_pem(&self) -> String {
        self.pair.public_key_pem()
    }

    pub(crate) fn private_pem(&self) -> String {
        self.pair.serialize_pem()
    }

    /// A self-signed certificate that is valid for the next centuries.
    pub(crate) fn certificate_pem(&self) -> String {
        self.certificate_until(4000)
    }

    /// The same, out of date.
    pub(crate) fn expired_certificate_pem(&self) -> String {
        self.certificate_until(2020)
    }

    fn certificate_until(&self, year: i32) -> String {
        let mut params =
            CertificateParams::new(["idp.example.com".to_owned()]).expect("a valid name");
        params.not_before = rcgen::date_time_ymd(2010, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params
            .self_signed(&self.pair)
            .expect("the key can sign")
            .pem()
    }

    /// The public key as a JWK without `alg`.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let raw = self.pair.public_key_raw();
        let mut jwk = match self.kind {
            Kind::Rsa => {
                let jwk = Jwk::from_encoding_key(&self.encoding_key(), Algorithm::RS256)
                    .expect("an RSA key");
                let jwk = serde_json::to_value(jwk).expect("a JWK is JSON");
                json!({"kty": "RSA", "n": jwk["n"], "e": jwk["e"]})
            }
            Kind::P256 => ec_jwk("P-256", raw),
            Kind::P384 => ec_jwk("P-384", raw),
            Kind::P521 => ec_jwk("P-521", raw),
            Kind::Ed25519 => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(raw)}),
        };
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// These claims under the algorithm.
    pub(crate) fn sign(&self, algorithm: &str, claims: &Value) -> String {
        self.sign_as(&header(algorithm), claims)
    }

    /// The same with a `kid`.
    pub(crate) fn sign_kid(&self, algorithm: &str, kid: &str, claims: &Value) -> String {
        self.sign_as(&json!({"typ": "JWT", "alg": algorithm, "kid": kid}), claims)
    }

    /// The same with any header that names an algorithm.
    pub(crate) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        if matches!(self.kind, Kind::P521) {
            // jsonwebtoken has no ES512.
            let pair = EcdsaKeyPair::from_pkcs8(
                &ECDSA_P521_SHA512_FIXED_SIGNING,
                self.pair.serialized_der(),
            );
            let signature = pair
                .expect("a P-521 key")
                .sign(&SystemRandom::new(), message(header, claims).as_bytes());
            return compact(
                header,
                claims,
                signature.expect("the key can sign").as_ref(),
            );
        }
        jws(&self.encoding_key(), header, claims)
    }

    fn encoding_key(&self) -> EncodingKey {
        let pem = self.private_pem();
        match self.kind {
            Kind::Rsa => EncodingKey::from_rsa_pem(pem.as_bytes()),
            Kind::P256 | Kind::P384 | Kind::P521 => EncodingKey::from_ec_pem(pem.as_bytes()),
            Kind::Ed25519 => EncodingKey::from_ed_pem(pem.as_bytes()),
        }
        .expect("a key that was just generated")
    }
}

fn ec_jwk(curve: &str, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at((point.len() - 1) / 2);
    json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
}
