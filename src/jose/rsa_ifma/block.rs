//! The block that a good signature opens to: EMSA-PKCS1-v1_5 (RFC 8017 §9.2). It is built whole and compared whole, and nothing of what a
//! signature opens to is ever parsed.

use aws_lc_rs::digest;

use super::number::Number;

/// A hash of PKCS #1 v1.5 signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256: RS256.
    Sha256,
    /// SHA-384: RS384.
    Sha384,
    /// SHA-512: RS512.
    Sha512,
}

/// The longest block: 4096 bits.
const MAX_BLOCK: usize = 512;

/// What stands in front of the hash in a `DigestInfo` (RFC 8017 §9.2, note 1): with the NULL of the parameters.
const SHA256: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];
const SHA384: [u8; 19] = [
    0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05,
    0x00, 0x04, 0x30,
];
const SHA512: [u8; 19] = [
    0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05,
    0x00, 0x04, 0x40,
];

impl Hash {
    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }

    const fn prefix(self) -> &'static [u8; 19] {
        match self {
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
        }
    }
}

/// The block of `length` bytes for a message: 0, 1, as many 255 as there is room for, 0, the `DigestInfo`.
pub(super) fn expected<const T: usize>(hash: Hash, message: &[u8], length: usize) -> Number<T> {
    let digest = digest::digest(hash.algorithm(), message);
    let mut room = [0xff; MAX_BLOCK];
    let block = room.get_mut(..length).unwrap_or_default();
    let info = hash.prefix().iter().chain(digest.as_ref());
    let from_the_end = info.rev().chain(&[0]);
    for (place, byte) in block.iter_mut().rev().zip(from_the_end) {
        *place = *byte;
    }
    for (place, byte) in block.iter_mut().zip([0, 1]) {
        *place = byte;
    }
    Number::from_bytes(block)
}
