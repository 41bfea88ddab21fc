//! The arithmetic, digit by digit, in plain integers: what prepares a key, and what every kernel is held against on every machine.
//!
//! Let n be the modulus, odd, and R = 2^(52·D) for D digits. With D = 40, 64 and 80 for 2048, 3072 and 4096 bits, n < R/2^32.
//!
//! [`multiply`] is Montgomery's product a·b·R⁻¹ mod n (P. L. Montgomery, Modular multiplication without trial division, 1985), a digit of b
//! at a time, without a final subtraction: for a, b < 2n it gives a number below n·(1 + 4n/R), which is below 2n again, and below
//! n·(1 + 2⁻³⁰).
//!
//! Columns are sums in 64 bits that are not carried within a product. Each of D steps adds four halves of products below 2^52 to a column, so
//! it stays below 4·80·2^52 + 2^13 < 2^61.
//!
//! [`Modulus::power`] is s^65537 mod n. Squaring s itself 16 times and multiplying by s leaves the factor R⁻⁶⁵⁵³⁶, and one product with
//! R⁶⁵⁵³⁷ mod n, which belongs to the key, takes it away: no conversion into Montgomery's form and none back.

use super::number::{DIGIT, DIGIT_BITS, GROUP, Number, low_digit};

/// A modulus with what products need, for `8 · T` digits.
pub(super) struct Modulus<const T: usize> {
    /// The number itself, as bytes: as many as a signature has.
    pub(super) bytes: Box<[u8]>,
    pub(super) n: Number<T>,
    /// −1/n mod 2^52.
    pub(super) inverse: u64,
    /// R⁶⁵⁵³⁷ mod n, or that plus n.
    pub(super) factor: Number<T>,
}

/// How often s is squared: 65537 = 2^16 + 1.
pub(super) const SQUARINGS: usize = 16;

impl<const T: usize> Modulus<T> {
    /// Prepares an odd modulus of `bits` bits, of which the first is set.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let n = Number::from_bytes(bytes);
        let inverse = negative_inverse(n.digits().first().copied().unwrap_or_default());
        let square = |number: &Number<T>| multiply(number, number, &n, inverse);
        // 2^(bits−1) is smaller than n. Doubled often enough, it is R mod n, and then R·2^k.
        let mut first_bit = vec![0; bytes.len()];
        if let Some(first) = first_bit.first_mut() {
            *first = 0x80;
        }
        let (bits, bits_of_r) = (bytes.len() * 8, T * GROUP * DIGIT_BITS as usize);
        let squarings = bits_of_r.trailing_zeros();
        let to_r = bits_of_r - (bits - 1);
        let mut factor = Number::from_bytes(&first_bit);
        for _ in 0..to_r + (bits_of_r >> squarings) {
            factor = doubled(&factor, &n);
        }
        // The square of R·2^k is R·2^(2k): up to R·R.
        for _ in 0..squarings {
            factor = square(&factor);
        }
        // And that of R^k is R^(2k−1): from R² to R^65537.
        for _ in 0..SQUARINGS {
            factor = square(&factor);
        }
        Self {
            bytes: bytes.into(),
            n,
            inverse,
            factor,
        }
    }

    /// s^65537 mod n, or that plus n where it is below n/2³⁰.
    #[cfg(test)]
    pub(super) fn power(&self, s: &Number<T>) -> Number<T> {
        let product = |a: &Number<T>, b: &Number<T>| multiply(a, b, &self.n, self.inverse);
        let mut power = *s;
        for _ in 0..SQUARINGS {
            power = product(&power, &power);
        }
        product(&product(&power, s), &self.factor)
    }
}

/// a·b·R⁻¹ mod n, or that plus n.
pub(super) fn multiply<const T: usize>(
    a: &Number<T>,
    b: &Number<T>,
    n: &Number<T>,
    inverse: u64,
) -> Number<T> {
    let mut columns = Number::<T>::ZERO.0;
    let columns = columns.as_flattened_mut();
    for &digit in b.digits() {
        add(columns, a, |own| low(own, digit));
        let lowest = columns.first().copied().unwrap_or_default();
        // So that the lowest digit of the sum is zero.
        let quotient = low(lowest & DIGIT, inverse);
        add(columns, n, |own| low(own, quotient));
        let carry = columns.first().map_or(0, |lowest| lowest >> DIGIT_BITS);
        columns.rotate_left(1);
        if let Some(highest) = columns.last_mut() {
            *highest = 0;
        }
        if let Some(lowest) = columns.first_mut() {
            *lowest += carry;
        }
        // The upper half of a product belongs one column higher, which is where it stands now.
        add(columns, a, |own| high(own, digit));
        add(columns, n, |own| high(own, quotient));
    }
    clean(columns)
}

fn add<const T: usize>(columns: &mut [u64], number: &Number<T>, of: impl Fn(u64) -> u64) {
    for (column, digit) in columns.iter_mut().zip(number.digits()) {
        *column += of(*digit);
    }
}

/// Columns as digits. What is carried out of the last is none: the number is below 2n.
fn clean<const T: usize>(columns: &[u64]) -> Number<T> {
    let mut number = Number::ZERO;
    let mut carry = 0;
    for (digit, column) in number.0.as_flattened_mut().iter_mut().zip(columns) {
        let sum = column + carry;
        *digit = sum & DIGIT;
        carry = sum >> DIGIT_BITS;
    }
    number
}

fn low(one: u64, other: u64) -> u64 {
    low_digit(u128::from(one) * u128::from(other))
}

fn high(one: u64, other: u64) -> u64 {
    low_digit((u128::from(one) * u128::from(other)) >> DIGIT_BITS)
}

/// 2·number mod n, for a number below n.
fn doubled<const T: usize>(number: &Number<T>, n: &Number<T>) -> Number<T> {
    let mut twice = [[0; GROUP]; T];
    for (column, digit) in twice.as_flattened_mut().iter_mut().zip(number.digits()) {
        *column = digit << 1;
    }
    let twice: Number<T> = clean(twice.as_flattened());
    let mut rest = Number::ZERO;
    let mut borrow = 0;
    let digits = twice.digits().iter().zip(n.digits());
    for (place, (own, other)) in rest.0.as_flattened_mut().iter_mut().zip(digits) {
        let difference = own.wrapping_sub(*other).wrapping_sub(borrow);
        *place = difference & DIGIT;
        borrow = difference >> 63;
    }
    if borrow == 0 { rest } else { twice }
}

/// −1/n mod 2^52 for an odd n: Newton's iteration doubles the number of correct bits, and n is its own inverse in three.
fn negative_inverse(n: u64) -> u64 {
    let mut inverse = n;
    for _ in 0..5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(n.wrapping_mul(inverse)));
    }
    inverse.wrapping_neg() & DIGIT
}
