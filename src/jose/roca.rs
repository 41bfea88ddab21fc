//! RSA keys of a broken generator (ROCA, CVE-2017-15361): smart cards and TPMs of Infineon chose primes of one narrow form, so that
//! the private half can be computed from the public one.
//!
//! Both primes are powers of 65537 modulo each of the first primes, and so is their product. A sound modulus passes for one by
//! chance once in 200 million.

/// The small primes modulo which not every number is a power of 65537.
const PRIMES: [u32; 17] = [
    11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
];

const GENERATOR: u32 = 65_537;

/// Whether a modulus, big-endian, has the mark of that generator.
pub(super) fn is_marked(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|&prime| {
        let step = |rest: u32, &byte: &u8| (rest * 256 + u32::from(byte)) % prime;
        is_power_of_generator(modulus.iter().fold(0, step), prime)
    })
}

fn is_power_of_generator(number: u32, prime: u32) -> bool {
    let generator = GENERATOR % prime;
    let mut power = 1;
    loop {
        if power == number {
            return true;
        }
        power = power * generator % prime;
        if power == 1 {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_the_generator_are_marked_and_their_neighbours_are_not() {
        // 65537² and the number above it.
        assert!(is_marked(&[1, 0, 2, 0, 1]));
        assert!(!is_marked(&[1, 0, 2, 0, 2]));
        assert!(!is_marked(&[]));
    }
}
