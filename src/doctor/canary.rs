//! Values that nobody else would send: where one turns up, it came from here.

use aws_lc_rs::rand;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Twelve random letters, small ones and digits, so that no proxy changes them.
pub(super) fn canary() -> String {
    let mut text = String::from("dr");
    for byte in bytes::<5>() {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(
                HEX.get(usize::from(nibble)).copied().unwrap_or(b'0'),
            ));
        }
    }
    text
}

/// An address of a network for documentation (RFC 5737), which nobody has.
pub(super) fn address() -> String {
    let [byte] = bytes::<1>();
    // Of three digits, so that none is the beginning of another.
    format!("203.0.113.{}", 100 + byte % 150)
}

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without randomness the values are only easier to guess, and nobody is guessing.
    rand::fill(&mut bytes).ok();
    bytes
}
