//! Base64url without padding (RFC 7515 §2), strict: no padding, no other alphabet, no blank, no unused bit set.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The text was not canonical base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not canonical base64url without padding (RFC 7515 §2)")]
pub struct NotBase64Url;

/// Decodes into a new vector.
///
/// # Errors
/// Anything but the one canonical spelling of some bytes.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, NotBase64Url> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotBase64Url)
}

/// Decodes into `buffer` and gives the part of it that was filled.
///
/// # Errors
/// Anything but the one canonical spelling of some bytes, and text that decodes to more than the buffer holds.
pub fn decode_into<'b>(text: &[u8], buffer: &'b mut [u8]) -> Result<&'b [u8], NotBase64Url> {
    let filled = URL_SAFE_NO_PAD
        .decode_slice(text, buffer)
        .map_err(|_| NotBase64Url)?;
    buffer.get(..filled).ok_or(NotBase64Url)
}

/// Encodes.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s5_1_only_the_canonical_spelling_is_read() {
        assert_eq!(decode(b"Zm8").unwrap(), b"fo");
        for wrong in ["Zm9", "Zm8=", "Zm 8", "Zm8\n", "Z", "-_+/", "Zm8."] {
            assert_eq!(decode(wrong.as_bytes()), Err(NotBase64Url), "{wrong}");
        }
    }

    #[test]
    fn a_small_buffer_is_an_error_and_no_panic() {
        assert_eq!(decode_into(b"Zm9v", &mut [0; 2]), Err(NotBase64Url));
        assert_eq!(decode_into(b"Zm9v", &mut [0; 3]), Ok(&b"foo"[..]));
    }
}
