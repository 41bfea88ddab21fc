//! HMAC secrets: how they are written down, and which are none.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo, X509Certificate};

use crate::config::SecretEncoding;
use crate::jose::HmacSecret;

const PADDING_OR_NOT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PADDING_OR_NOT);
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, PADDING_OR_NOT);

/// Why a text is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASecret {
    /// There is nothing.
    #[error("an empty secret")]
    Empty,
    /// It is not written in the encoding that `secret_encoding` names.
    #[error("text that is not in the encoding that `secret_encoding` names")]
    Encoding,
    /// PEM text.
    #[error("PEM text, which is never an HMAC secret")]
    Pem,
    /// A public key in some other form: whoever has the public key could forge every token.
    #[error("a public key or certificate, which is never an HMAC secret")]
    PublicKey,
}

/// Whether the text holds PEM, wherever in it, so that no blank in front turns a public key into a secret (CVE-2026-34950).
#[must_use]
pub fn is_pem(text: &str) -> bool {
    text.contains("-----BEGIN ")
}

/// Removes one final line break, as a file has it.
#[must_use]
pub fn without_final_line_break(text: &str) -> &str {
    text.strip_suffix("\r\n")
        .or_else(|| text.strip_suffix('\n'))
        .unwrap_or(text)
}

/// Reads a secret.
///
/// # Errors
/// See [`NotASecret`].
pub fn read(text: &str, encoding: SecretEncoding) -> Result<HmacSecret, NotASecret> {
    if is_pem(text) {
        return Err(NotASecret::Pem);
    }
    let bytes = match encoding {
        SecretEncoding::Text => text.as_bytes().to_vec(),
        SecretEncoding::Hex => hex(text).ok_or(NotASecret::Encoding)?,
        SecretEncoding::Base64 => BASE64.decode(text).map_err(|_| NotASecret::Encoding)?,
        SecretEncoding::Base64url => BASE64URL.decode(text).map_err(|_| NotASecret::Encoding)?,
    };
    let secret = HmacSecret::new(bytes).ok_or(NotASecret::Empty)?;
    if is_public_key(&secret) {
        return Err(NotASecret::PublicKey);
    }
    Ok(secret)
}

/// Whether the bytes are key material of another kind, in whatever form: PEM, DER, JSON, OpenSSH, or one of these once more in
/// base64 or hex. It asks for the *structure*, not whether the key is a good one: a public key that is too weak to verify with is
/// public all the same (CVE-2016-10555, CVE-2022-29217, CVE-2023-48223).
#[must_use]
pub fn is_public_key(secret: &HmacSecret) -> bool {
    let bytes = secret.expose();
    if is_key_material(bytes) {
        return true;
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let unwrapped: String = text.split_ascii_whitespace().collect();
    [
        hex(&unwrapped),
        BASE64.decode(&unwrapped).ok(),
        BASE64URL.decode(&unwrapped).ok(),
    ]
    .into_iter()
    .flatten()
    .any(|inner| is_key_material(&inner))
}

/// Whether everybody knows it: a default of some tutorial, or one byte over and over.
#[must_use]
pub fn is_well_known(secret: &HmacSecret) -> bool {
    let bytes = secret.expose();
    let is_one_byte = bytes.windows(2).all(|pair| pair.first() == pair.last());
    is_one_byte
        || WELL_KNOWN
            .iter()
            .any(|known| bytes.eq_ignore_ascii_case(known.as_bytes()))
}

/// Secrets that stand in tutorials, templates and word lists of attackers.
const WELL_KNOWN: &[&str] = &[
    "secret",
    "secretkey",
    "secret-key",
    "secret_key",
    "my-secret",
    "mysecret",
    "mysecretkey",
    "my_secret_key",
    "supersecret",
    "supersecretkey",
    "super-secret",
    "super-secret-key",
    "changeme",
    "change-me",
    "change_me",
    "changeit",
    "password",
    "qwerty",
    "jwt",
    "jwt-secret",
    "jwt_secret",
    "jwtsecret",
    "token",
    "test",
    "testing",
    "example",
    "default",
    "key",
    "private",
    "hmac",
    "your-secret",
    "your_secret",
    "your-256-bit-secret",
    "your-384-bit-secret",
    "your-512-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-384-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    "your-very-long-secret-key-at-least-32-bytes",
    "this-is-a-secret-key-for-testing-only-change-me",
    "super-secret-jwt-token-with-at-least-32-characters-long",
];

fn hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
        })
        .collect()
}

fn is_key_material(bytes: &[u8]) -> bool {
    let trimmed = bytes.trim_ascii();
    let is_openssh = [
        "ssh-rsa ",
        "ssh-dss ",
        "ssh-ed25519 ",
        "ecdsa-sha2-nistp",
        "sk-ssh-ed25519@",
        "sk-ecdsa-sha2-nistp",
    ]
    .iter()
    .any(|kind| trimmed.starts_with(kind.as_bytes()));
    let is_pem = std::str::from_utf8(bytes).is_ok_and(is_pem);
    is_openssh
        || is_pem
        || is_json_key(trimmed)
        || SubjectPublicKeyInfo::from_der(bytes).is_ok()
        || X509Certificate::from_der(bytes).is_ok()
        || rsa::pkcs1::RsaPublicKey::try_from(bytes).is_ok()
}

/// A JSON Web Key or a set of them, sound or not.
fn is_json_key(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(bytes).is_ok_and(|json| {
        json.get("kty").is_some_and(serde_json::Value::is_string)
            || json.get("keys").is_some_and(serde_json::Value::is_array)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::signing_key::PrivateKey;
    use crate::jose::{Algorithm, Family, jwk};

    #[test]
    fn s3_4_the_encoding_is_said_and_never_guessed() {
        let cases = [
            ("00ff", SecretEncoding::Text, &b"00ff"[..]),
            ("00fF", SecretEncoding::Hex, &[0, 255]),
            ("+/8=", SecretEncoding::Base64, &[251, 255]),
            ("+/8", SecretEncoding::Base64, &[251, 255]),
            ("-_8", SecretEncoding::Base64url, &[251, 255]),
        ];
        for (text, encoding, expected) in cases {
            assert_eq!(read(text, encoding).unwrap().expose(), expected);
        }
        for (text, encoding) in [
            ("0", SecretEncoding::Hex),
            ("0g", SecretEncoding::Hex),
            ("+é", SecretEncoding::Hex),
            ("-_8", SecretEncoding::Base64),
            ("+/8", SecretEncoding::Base64url),
        ] {
            assert_eq!(read(text, encoding).err(), Some(NotASecret::Encoding));
        }
        assert_eq!(
            read("", SecretEncoding::Text).err(),
            Some(NotASecret::Empty)
        );
    }

    #[test]
    fn s3_4_one_final_line_break_of_a_file_is_removed() {
        assert_eq!(without_final_line_break("a\n"), "a");
        assert_eq!(without_final_line_break("a\r\n"), "a");
        assert_eq!(without_final_line_break("a\n\n"), "a\n");
        assert_eq!(without_final_line_break("a\r"), "a\r");
        assert_eq!(without_final_line_break("a "), "a ");
    }

    #[test]
    fn s1_4_a_public_key_in_any_form_is_never_a_secret() {
        let private = PrivateKey::generate(Family::P256, 0).unwrap();
        let jwk = jwk::to_json(
            private.public(),
            "k",
            Algorithm::from_name("ES256").unwrap(),
        );
        let forms = [
            (
                "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
                NotASecret::Pem,
            ),
            (" \r\n-----BEGIN CERTIFICATE-----", NotASecret::Pem),
            ("ecdsa-sha2-nistp256 AAAA", NotASecret::PublicKey),
            (&jwk.to_string(), NotASecret::PublicKey),
        ];
        for (text, expected) in forms {
            assert_eq!(read(text, SecretEncoding::Text).err(), Some(expected));
        }
    }

    #[test]
    fn s1_4_a_public_key_wrapped_once_more_is_never_a_secret_either() {
        let rsa = PrivateKey::generate(Family::Rsa, 2048).unwrap();
        let jwk = jwk::to_json(rsa.public(), "k", Algorithm::from_name("RS256").unwrap());
        let pair = aws_lc_rs::rsa::KeyPair::from_pkcs8(rsa.pkcs8()).unwrap();
        let pkcs1 = aws_lc_rs::signature::KeyPair::public_key(&pair)
            .as_ref()
            .to_vec();
        let pem = ::pem::encode(&::pem::Pem::new("RSA PUBLIC KEY", pkcs1.clone()));
        let set = format!("{{\"keys\":[{jwk}]}}");
        let unsound = r#"{"kty":"RSA","use":"enc","n":"AQAB"}"#;
        // An SPKI of a curve that nothing here supports (secp256k1).
        let foreign = [
            &[
                0x30, 0x16, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                0x05,
            ][..],
            &[0x2b, 0x81, 0x04, 0x00, 0x0a, 0x03, 0x02, 0x00, 0x04],
        ]
        .concat();
        let base64 = |bytes: &[u8]| BASE64.encode(bytes);
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
        };
        for (text, encoding) in [
            (base64(&pkcs1), SecretEncoding::Base64),
            (hex(&pkcs1), SecretEncoding::Hex),
            (base64(&pkcs1), SecretEncoding::Text),
            (base64(pem.as_bytes()), SecretEncoding::Base64),
            (base64(pem.as_bytes()), SecretEncoding::Text),
            (hex(pem.as_bytes()), SecretEncoding::Hex),
            (BASE64URL.encode(pem.as_bytes()), SecretEncoding::Base64url),
            (base64(&foreign), SecretEncoding::Base64),
            (set.clone(), SecretEncoding::Text),
            (base64(set.as_bytes()), SecretEncoding::Base64),
            (unsound.to_owned(), SecretEncoding::Text),
        ] {
            assert!(read(&text, encoding).is_err(), "{encoding:?} {text}");
        }
        for random in [
            "ssh-tunnel-shared-secret-between-a-and-b",
            r#"{"keys":"this is a secret text of some length"}"#,
            "Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6MDEyMw==",
            "0f6c1f0b8e2d4c6aa1b2c3d4e5f60718",
        ] {
            assert!(read(random, SecretEncoding::Text).is_ok());
        }
    }

    #[test]
    fn s3_5_secrets_that_everybody_knows_are_noticed() {
        for text in [
            "secret",
            "ChangeMe",
            "your-256-bit-secret",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(is_well_known(&read(text, SecretEncoding::Text).unwrap()));
        }
        assert!(!is_well_known(
            &read("0f6c1f0b", SecretEncoding::Text).unwrap()
        ));
    }
}
