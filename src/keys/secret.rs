//! HMAC secrets: how they are written down, and which are none.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::config::SecretEncoding;
use crate::jose::{HmacSecret, Jwk, PublicKey};

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
    text.contains("-----BEGIN")
}

/// Removes one final line break, as a file has it.
#[must_use]
pub fn without_final_line_break(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
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
    if is_public_key(&bytes) {
        return Err(NotASecret::PublicKey);
    }
    HmacSecret::new(bytes).ok_or(NotASecret::Empty)
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

fn is_public_key(bytes: &[u8]) -> bool {
    let is_openssh = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"]
        .iter()
        .any(|prefix| bytes.trim_ascii_start().starts_with(prefix.as_bytes()));
    let is_jwk = || {
        bytes.trim_ascii_start().first() == Some(&b'{') && Jwk::parse(bytes.trim_ascii()).is_ok()
    };
    is_openssh
        || PublicKey::from_spki(bytes).is_ok()
        || PublicKey::from_pkcs1(bytes).is_ok()
        || X509Certificate::from_der(bytes).is_ok()
        || is_jwk()
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
        let rsa = PrivateKey::generate(Family::Rsa, 2048).unwrap();
        let pair = aws_lc_rs::rsa::KeyPair::from_pkcs8(rsa.pkcs8()).unwrap();
        let der = aws_lc_rs::signature::KeyPair::public_key(&pair)
            .as_ref()
            .to_vec();
        let text = BASE64.encode(der);
        assert_eq!(
            read(&text, SecretEncoding::Base64).err(),
            Some(NotASecret::PublicKey)
        );
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
