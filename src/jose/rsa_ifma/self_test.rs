//! A known answer for each size, good and bad, before anything is trusted to the kernels.

use super::{Cpu, EXPONENT, Hash, Key};

/// Lines of hexadecimal digits: a modulus, and the signature of [`MESSAGE`]. The keys were made for this and thrown away.
const KNOWN: &str = include_str!("known_answers.txt");
const MESSAGE: &[u8] = b"jwtgate: may this request pass, and who is it?";

/// Whether what is good is accepted, and what is one bit beside it is not.
pub(super) fn passes(cpu: Cpu) -> bool {
    let mut lines = KNOWN.lines().filter(|line| !line.starts_with('#')).map(hex);
    let mut sizes = 0;
    while let Some((modulus, signature)) = lines.next().zip(lines.next()) {
        let Some(key) = Key::on(cpu, &modulus, &EXPONENT) else {
            return false;
        };
        let accepts =
            |message: &[u8], signature: &[u8]| key.verifies(Hash::Sha256, message, signature);
        let mut other = signature.clone();
        if let Some(last) = other.last_mut() {
            *last ^= 1;
        }
        let shorter = MESSAGE.get(1..).unwrap_or_default();
        let is_as_known = accepts(MESSAGE, &signature)
            && !accepts(MESSAGE, &other)
            && !accepts(shorter, &signature)
            && !accepts(MESSAGE, &modulus);
        if !is_as_known {
            return false;
        }
        sizes += 1;
    }
    sizes == 3
}

fn hex(line: &str) -> Vec<u8> {
    let nibble = |digit: &u8| {
        char::from(*digit)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let pairs = line.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| {
            pair.iter()
                .filter_map(nibble)
                .fold(0, |byte, nibble| byte << 4 | nibble)
        })
        .collect()
}
