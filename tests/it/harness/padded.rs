//! Tokens with padding in their base64url, as AWS load balancers write it and RFC 7515 §2 forbids it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::Value;

use super::tokens::Key;

/// A token under ES256 of which each part ends in padding. The signature covers the text with its padding.
pub(crate) fn es256(key: &Key, header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", padded(header), padded(claims));
    let key = EncodingKey::from_ec_pem(key.private_pem().as_bytes()).expect("a P-256 key");
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::ES256);
    // 64 bytes.
    format!("{message}.{}==", signature.expect("the key fits"))
}

/// JSON text that is never as long as needs no padding.
fn padded(json: &Value) -> String {
    let mut text = json.to_string();
    if text.len().is_multiple_of(3) {
        text.push(' ');
    }
    URL_SAFE.encode(text)
}
