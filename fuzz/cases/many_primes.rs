//! A key whose modulus is a product of many primes of 64 bits, for which signing costs next to nothing: there are no secrets here, and a
//! check of signatures cannot tell such a modulus from another.

use rsa::BigUint;

/// Bits of a prime.
const BITS: usize = 64;
const EXPONENT: u64 = 65_537;
/// With these as bases, the test of Miller and Rabin is no guess below 2^64 (Sorenson, Webster, 2015).
const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];

pub(super) struct ManyPrimes {
    pub(super) n: BigUint,
    factors: Vec<Factor>,
}

struct Factor {
    prime: u64,
    /// The inverse of the exponent modulo `prime - 1`.
    d: u64,
    /// 1 modulo this prime, 0 modulo the others.
    unit: BigUint,
}

impl ManyPrimes {
    /// A modulus of `bits` bits whose primes are the first below these numbers, none twice.
    pub(super) fn below(bits: usize, mut start: impl FnMut(usize) -> u64) -> Self {
        let mut primes: Vec<u64> = Vec::new();
        for index in 0..bits / BITS {
            let fits = |candidate: &u64| {
                !primes.contains(candidate)
                    && !(candidate - 1).is_multiple_of(EXPONENT)
                    && is_prime(*candidate)
            };
            primes.push((3..=start(index)).rev().find(fits).expect("a prime"));
        }
        let n: BigUint = primes.iter().map(|prime| BigUint::from(*prime)).product();
        assert_eq!(n.bits(), bits);
        let factors = primes.into_iter().map(|prime| {
            let others = &n / prime;
            let inverse = power(rest(&others, prime), prime - 2, prime);
            Factor {
                prime,
                d: inverse_of_exponent(prime - 1),
                unit: others * inverse % &n,
            }
        });
        Self {
            factors: factors.collect(),
            n,
        }
    }

    /// What opens to this block.
    pub(super) fn sign(&self, block: &BigUint) -> BigUint {
        let parts = self.factors.iter().map(|Factor { prime, d, unit }| {
            let part = power(rest(block, *prime), *d, *prime);
            unit * part
        });
        parts.sum::<BigUint>() % &self.n
    }
}

fn rest(number: &BigUint, modulus: u64) -> u64 {
    let rest = (number % modulus).to_bytes_le();
    rest.iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

fn product(a: u64, b: u64, modulus: u64) -> u64 {
    u64::try_from(u128::from(a) * u128::from(b) % u128::from(modulus)).expect("below the modulus")
}

fn power(base: u64, mut exponent: u64, modulus: u64) -> u64 {
    let (mut square, mut result) = (base % modulus, 1);
    while exponent > 0 {
        if exponent % 2 == 1 {
            result = product(result, square, modulus);
        }
        square = product(square, square, modulus);
        exponent /= 2;
    }
    result
}

/// `(1 + k * order) / EXPONENT` for the one `k` that leaves no rest.
fn inverse_of_exponent(order: u64) -> u64 {
    let whole = (0..EXPONENT)
        .map(|k| 1 + u128::from(k) * u128::from(order))
        .find(|sum| sum % u128::from(EXPONENT) == 0);
    let inverse = whole.expect("the two have no divisor in common") / u128::from(EXPONENT);
    u64::try_from(inverse).expect("below the order")
}

fn is_prime(candidate: u64) -> bool {
    if candidate.is_multiple_of(2) {
        return candidate == 2;
    }
    let twos = (candidate - 1).trailing_zeros();
    let odd = (candidate - 1) >> twos;
    BASES
        .iter()
        .filter(|base| **base % candidate != 0)
        .all(|base| {
            let mut root = power(*base, odd, candidate);
            root == 1
                || (0..twos).any(|_| {
                    let is_minus_one = root == candidate - 1;
                    root = product(root, root, candidate);
                    is_minus_one
                })
        })
}
