//! One signature, its digits side by side in vectors: the arithmetic of [`super::model`], eight columns at a time.
//!
//! A step takes one digit of b. What is on its way from the lowest column to the next quotient digit decides how long it takes, so everything
//! that does not hang on the quotient is added beside it: the upper halves of this digit's products, the lower halves of the next
//! one's, and what is carried out of the lowest column. That carry is known before the quotient: the lower halves cancel the lowest
//! 52 bits, so it is the column divided by 2^52, rounded up.

use std::arch::x86_64::{
    __m512i, __mmask8, _mm512_add_epi64, _mm512_alignr_epi64, _mm512_and_si512,
    _mm512_broadcastq_epi64, _mm512_castsi512_si128, _mm512_cmpeq_epu64_mask,
    _mm512_cmpgt_epu64_mask, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_sub_epi64,
    _mm512_maskz_srli_epi64, _mm512_permutexvar_epi64, _mm512_set_epi64, _mm512_set1_epi64,
    _mm512_setzero_si512, _mm512_srli_epi64,
};

use super::model::{Modulus, SQUARINGS};
use super::number::{DIGIT, DIGIT_BITS, GROUP, Number};

/// Only the lowest of eight columns.
const LOWEST: __mmask8 = 1;

/// Whether s^65537 mod n is `expected`. For s < n, and an expected number between n/2³⁰ and n: then the other number of that residue which
/// the last product may give, `expected` + n, is larger than any that it does give.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn opens_to<const T: usize>(
    s: &Number<T>,
    modulus: &Modulus<T>,
    expected: &Number<T>,
) -> bool {
    let n = loaded(&modulus.n);
    let inverse = _mm512_set1_epi64(modulus.inverse.cast_signed());
    let s = loaded(s);
    let mut power = s;
    for _ in 0..SQUARINGS {
        power = multiply(&power, &power, &n, inverse);
    }
    power = multiply(&power, &s, &n, inverse);
    power = multiply(&power, &loaded(&modulus.factor), &n, inverse);
    let mut are_equal = true;
    for (own, other) in power.iter().zip(&loaded(expected)) {
        are_equal &= _mm512_cmpeq_epu64_mask(*own, *other) == __mmask8::MAX;
    }
    are_equal
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn loaded<const T: usize>(number: &Number<T>) -> [__m512i; T] {
    let mut vectors = [_mm512_setzero_si512(); T];
    for (vector, digits) in vectors.iter_mut().zip(&number.0) {
        let [first, second, third, fourth, fifth, sixth, seventh, eighth] =
            digits.map(u64::cast_signed);
        *vector = _mm512_set_epi64(eighth, seventh, sixth, fifth, fourth, third, second, first);
    }
    vectors
}

/// A digit of a number, in all eight places; zero behind the last.
#[target_feature(enable = "avx512f,avx512ifma")]
fn digit<const T: usize>(number: &[__m512i; T], place: usize) -> __m512i {
    let Some(vector) = number.get(place / GROUP) else {
        return _mm512_setzero_si512();
    };
    #[expect(clippy::cast_possible_wrap, reason = "below 8")]
    let lane = _mm512_set1_epi64((place % GROUP) as i64);
    _mm512_permutexvar_epi64(lane, *vector)
}

/// Montgomery's product, as [`super::model::multiply`] has it.
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply<const T: usize>(
    a: &[__m512i; T],
    b: &[__m512i; T],
    n: &[__m512i; T],
    inverse: __m512i,
) -> [__m512i; T] {
    let zero = _mm512_setzero_si512();
    let round_up = _mm512_set1_epi64(DIGIT.cast_signed());
    let mut columns = [zero; T];
    let mut current = digit(b, 0);
    for (column, a) in columns.iter_mut().zip(a) {
        *column = _mm512_madd52lo_epu64(zero, *a, current);
    }
    for place in 0..T * GROUP {
        let next = digit(b, place + 1);
        let [lowest, ..] = columns.as_slice() else {
            break;
        };
        let spread = _mm512_broadcastq_epi64(_mm512_castsi512_si128(*lowest));
        let quotient = _mm512_madd52lo_epu64(zero, spread, inverse);
        let raised = _mm512_add_epi64(*lowest, round_up);
        let carry = _mm512_maskz_srli_epi64::<DIGIT_BITS>(LOWEST, raised);
        // What belongs to the columns after the shift.
        let mut beside = [zero; T];
        for (beside, a) in beside.iter_mut().zip(a) {
            *beside = _mm512_madd52hi_epu64(zero, *a, current);
            *beside = _mm512_madd52lo_epu64(*beside, *a, next);
        }
        if let [lowest, ..] = beside.as_mut_slice() {
            *lowest = _mm512_add_epi64(*lowest, carry);
        }
        for ((column, beside), n) in columns.iter_mut().zip(&mut beside).zip(n) {
            *column = _mm512_madd52lo_epu64(*column, *n, quotient);
            *beside = _mm512_madd52hi_epu64(*beside, *n, quotient);
        }
        let mut above = zero;
        for (column, beside) in columns.iter_mut().zip(&beside).rev() {
            let shifted = _mm512_alignr_epi64::<1>(above, *column);
            above = *column;
            *column = _mm512_add_epi64(shifted, *beside);
        }
        current = next;
    }
    clean(&columns)
}

/// Columns as digits. After one round of carries each is at most 2^52 + 2^9, so what is left to carry is a single one, and where it ripples to
/// is what one addition of the masks tells: a place that overflows adds one to the next, and one that is full passes it on.
#[target_feature(enable = "avx512f,avx512ifma")]
fn clean<const T: usize>(columns: &[__m512i; T]) -> [__m512i; T] {
    let full = _mm512_set1_epi64(DIGIT.cast_signed());
    let minus_one = _mm512_set1_epi64(-1);
    let mut digits = *columns;
    let mut below = _mm512_setzero_si512();
    let (mut overflowing, mut passing_on) = (0_u128, 0_u128);
    for (group, digits) in digits.iter_mut().enumerate() {
        let up = _mm512_srli_epi64::<DIGIT_BITS>(*digits);
        let carried = _mm512_alignr_epi64::<7>(up, below);
        below = up;
        *digits = _mm512_add_epi64(_mm512_and_si512(*digits, full), carried);
        let shift = group * GROUP;
        overflowing |= u128::from(_mm512_cmpgt_epu64_mask(*digits, full)) << shift;
        passing_on |= u128::from(_mm512_cmpeq_epu64_mask(*digits, full)) << shift;
    }
    let mut raised = ((overflowing << 1) + passing_on) ^ passing_on;
    for digits in &mut digits {
        #[expect(clippy::cast_possible_truncation, reason = "eight at a time")]
        let here = raised as __mmask8;
        raised >>= GROUP;
        *digits = _mm512_mask_sub_epi64(*digits, here, *digits, minus_one);
        *digits = _mm512_and_si512(*digits, full);
    }
    digits
}
