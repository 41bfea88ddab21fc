//! The compact serialisation (RFC 7515 §7.1): `header.payload.signature`.

use memchr::{memchr, memrchr};

/// A token taken apart at its dots; nothing is decoded yet.
#[derive(Clone, Copy)]
pub struct Compact<'t> {
    /// The base64url text of the header.
    pub header: &'t [u8],
    /// The base64url text of the payload. It may still hold a dot: decoding refuses that.
    pub payload: &'t [u8],
    /// The base64url text of the signature.
    pub signature: &'t [u8],
    /// `header.payload`: the bytes that the signature covers, as received.
    pub signing_input: &'t [u8],
}

impl<'t> Compact<'t> {
    /// Splits at the first and the last dot; `None` when there are fewer than two. It looks at no byte twice and allocates
    /// nothing, so that 20,000 dots cost what 20,000 other bytes cost: a dot between the two is refused as a character that is
    /// no base64url.
    #[must_use]
    pub fn split(token: &'t [u8]) -> Option<Self> {
        let last = memrchr(b'.', token)?;
        let (signing_input, signature) = token.split_at_checked(last)?;
        let (_, signature) = signature.split_first()?;
        let first = memchr(b'.', signing_input)?;
        let (header, payload) = signing_input.split_at_checked(first)?;
        let (_, payload) = payload.split_first()?;
        Some(Self {
            header,
            payload,
            signature,
            signing_input,
        })
    }

    /// The same token without the padding that RFC 7515 §2 forbids and AWS load balancers write; the signature still covers the text
    /// as received. `None` when what stands there is no padding. The second value says whether there was any.
    #[must_use]
    pub fn unpadded(self) -> Option<(Self, bool)> {
        let (header, in_header) = without_padding(self.header)?;
        let (payload, in_payload) = without_padding(self.payload)?;
        let (signature, in_signature) = without_padding(self.signature)?;
        let parts = Self {
            header,
            payload,
            signature,
            signing_input: self.signing_input,
        };
        Some((parts, in_header || in_payload || in_signature))
    }
}

/// A text without its padding, which is all there or not at all (RFC 4648 §3.2).
fn without_padding(text: &[u8]) -> Option<(&[u8], bool)> {
    if text.is_empty() {
        return Some((text, false));
    }
    let end = text.iter().rposition(|&byte| byte != b'=')? + 1;
    let stripped = text.get(..end)?;
    let padding = text.len() - end;
    let is_right = padding == 0 || (padding <= 2 && text.len().is_multiple_of(4));
    is_right.then_some((stripped, padding > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_parts_are_split_and_fewer_are_not() {
        let parts = Compact::split(b"aa.bb.cc").unwrap();
        assert_eq!(
            (parts.header, parts.payload, parts.signature),
            (&b"aa"[..], &b"bb"[..], &b"cc"[..])
        );
        assert_eq!(parts.signing_input, b"aa.bb");
        for token in ["", "a", "a.b", "."] {
            assert!(Compact::split(token.as_bytes()).is_none(), "{token}");
        }
        assert!(Compact::split(b"..").is_some_and(|parts| parts.header.is_empty()));
    }

    #[test]
    fn padding_is_taken_off_where_it_is_right() {
        let unpadded = |token: &'static str| Compact::split(token.as_bytes()).unwrap().unpadded();
        let (parts, was_padded) = unpadded("YQ==.YWE=.YWFh").unwrap();
        assert_eq!(
            (parts.header, parts.payload, parts.signature, was_padded),
            (&b"YQ"[..], &b"YWE"[..], &b"YWFh"[..], true)
        );
        assert_eq!(parts.signing_input, b"YQ==.YWE=");
        assert!(unpadded("YQ.YWE.YWFh").is_some_and(|(_, was_padded)| !was_padded));
        for token in ["YQ=.YWE.YWFh", "YQ===.YWE.YWFh", "YWFh====.a.a", "====.a.a"] {
            assert!(unpadded(token).is_none(), "{token}");
        }
    }
}
