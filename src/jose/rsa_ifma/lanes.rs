//! Eight signatures of one key, a lane of every vector for each: the arithmetic of [`super::model`], eight times side by side.
//!
//! Nothing ever goes from one lane to another: every instruction here works on each lane for itself. Where [`super::single`] takes b digit by
//! digit, here the product is taken column by column (Comba 1990), so that sums stay in registers: in tiles of eight by eight
//! digits, whose products are 128 multiplications into sixteen columns.

use std::arch::x86_64::{
    __m512i, __mmask8, _mm512_add_epi64, _mm512_and_si512, _mm512_cmpeq_epu64_mask,
    _mm512_madd52hi_epu64 as high, _mm512_madd52lo_epu64 as low, _mm512_set_epi64,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_srli_epi64,
};

use super::LANES;
use super::model::{Modulus, SQUARINGS};
use super::number::{DIGIT, DIGIT_BITS, GROUP, Number};

/// Eight digits of eight numbers.
type Tile = [__m512i; GROUP];
/// The columns of a product of tiles.
type Columns = [__m512i; 2 * GROUP];

/// Which of eight signatures open to their blocks: bit i for the i-th. See [`super::single::opens_to`] for what must hold of them.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn open_to<const T: usize>(
    s: &[Number<T>; LANES],
    modulus: &Modulus<T>,
    expected: &[Number<T>; LANES],
) -> u8 {
    let n = spread(&modulus.n);
    let inverse = _mm512_set1_epi64(modulus.inverse.cast_signed());
    let s = transposed(s);
    let mut power = s;
    for _ in 0..SQUARINGS {
        power = square(&power, &n, inverse);
    }
    power = multiply(&power, &s, &n, inverse);
    power = multiply(&power, &spread(&modulus.factor), &n, inverse);
    let mut equal = __mmask8::MAX;
    let expected = transposed(expected);
    let digits = power.as_flattened().iter().zip(expected.as_flattened());
    for (own, other) in digits {
        equal &= _mm512_cmpeq_epu64_mask(*own, *other);
    }
    equal
}

/// One number in all lanes.
#[target_feature(enable = "avx512f,avx512ifma")]
fn spread<const T: usize>(number: &Number<T>) -> [Tile; T] {
    let mut tiles = [[_mm512_setzero_si512(); GROUP]; T];
    for (vector, digit) in tiles.as_flattened_mut().iter_mut().zip(number.digits()) {
        *vector = _mm512_set1_epi64(digit.cast_signed());
    }
    tiles
}

/// Eight numbers, each in its lane.
#[target_feature(enable = "avx512f,avx512ifma")]
fn transposed<const T: usize>(numbers: &[Number<T>; LANES]) -> [Tile; T] {
    let mut tiles = [[_mm512_setzero_si512(); GROUP]; T];
    let [n0, n1, n2, n3, n4, n5, n6, n7] = numbers;
    let lower = n0
        .digits()
        .iter()
        .zip(n1.digits())
        .zip(n2.digits().iter().zip(n3.digits()));
    let upper = n4
        .digits()
        .iter()
        .zip(n5.digits())
        .zip(n6.digits().iter().zip(n7.digits()));
    let digits = lower.zip(upper);
    for (vector, (((d0, d1), (d2, d3)), ((d4, d5), (d6, d7)))) in
        tiles.as_flattened_mut().iter_mut().zip(digits)
    {
        *vector = _mm512_set_epi64(
            d7.cast_signed(),
            d6.cast_signed(),
            d5.cast_signed(),
            d4.cast_signed(),
            d3.cast_signed(),
            d2.cast_signed(),
            d1.cast_signed(),
            d0.cast_signed(),
        );
    }
    tiles
}

/// Montgomery's product in each lane.
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply<const T: usize>(
    a: &[Tile; T],
    b: &[Tile; T],
    n: &[Tile; T],
    inverse: __m512i,
) -> [Tile; T] {
    let mut state = Reduction::new();
    for column in 0..2 * T {
        let mut sum = state.begin();
        // Tiles i and column − i, where both are there.
        let skipped = (column + 1).saturating_sub(T);
        let pairs = a
            .iter()
            .skip(skipped)
            .zip(b.iter().take(column + 1 - skipped).rev());
        for (a, b) in pairs {
            accumulate::<0>(&mut sum, a, b);
        }
        state.end(column, sum, n, inverse);
    }
    clean(&state.result)
}

/// The same for the square: products of different tiles once, doubled, and those of each with itself.
#[target_feature(enable = "avx512f,avx512ifma")]
fn square<const T: usize>(a: &[Tile; T], n: &[Tile; T], inverse: __m512i) -> [Tile; T] {
    let mut state = Reduction::new();
    for column in 0..2 * T {
        let skipped = (column + 1).saturating_sub(T);
        let mut twice = [_mm512_setzero_si512(); 2 * GROUP];
        let half = column.div_ceil(2);
        let lower = a.iter().take(half).skip(skipped);
        let upper = a.iter().take(column + 1 - skipped).rev();
        for (lower, upper) in lower.zip(upper) {
            accumulate::<1>(&mut twice, lower, upper);
        }
        let mut sum = state.begin();
        for (sum, twice) in sum.iter_mut().zip(&twice) {
            *sum = _mm512_add_epi64(*sum, _mm512_add_epi64(*twice, *twice));
        }
        if let Some(middle) = a.get(half).filter(|_| column % 2 == 0) {
            accumulate::<2>(&mut sum, middle, middle);
        }
        state.end(column, sum, n, inverse);
    }
    clean(&state.result)
}

/// What is known after some columns: the quotient so far, the upper half of the columns, and the result so far.
struct Reduction<const T: usize> {
    quotient: [Tile; T],
    upper: Tile,
    result: [Tile; T],
}

impl<const T: usize> Reduction<T> {
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn new() -> Self {
        let zero = [_mm512_setzero_si512(); GROUP];
        Self {
            quotient: [zero; T],
            upper: zero,
            result: [zero; T],
        }
    }

    /// The columns that a tile of columns begins with.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn begin(&self) -> Columns {
        let mut sum = [_mm512_setzero_si512(); 2 * GROUP];
        for (sum, upper) in sum.iter_mut().zip(&self.upper) {
            *sum = *upper;
        }
        sum
    }

    /// Adds the multiple of the modulus, and takes the columns away that are done.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn end(&mut self, column: usize, mut sum: Columns, n: &[Tile; T], inverse: __m512i) {
        let skipped = (column + 1).saturating_sub(T);
        // Where the quotient's own tile of this column is not known yet, it comes below.
        let known = self.quotient.iter().take(column).skip(skipped);
        let moduli = n.iter().take(column + 1 - skipped).rev();
        for (quotient, n) in known.zip(moduli) {
            accumulate::<3>(&mut sum, quotient, n);
        }
        if let Some(own) = self.quotient.get_mut(column) {
            if let Some(lowest) = n.first() {
                *own = quotient(&mut sum, lowest, inverse);
            }
        } else if let Some(done) = self.result.get_mut(column - T) {
            for (done, sum) in done.iter_mut().zip(&sum) {
                *done = *sum;
            }
        }
        for (upper, sum) in self.upper.iter_mut().zip(sum.iter().skip(GROUP)) {
            *upper = *sum;
        }
    }
}

/// The eight digits of the quotient that make the eight lowest columns vanish, whose multiples of the lowest tile of the modulus are added.
#[target_feature(enable = "avx512f,avx512ifma")]
fn quotient(sum: &mut Columns, n: &Tile, inverse: __m512i) -> Tile {
    let zero = _mm512_setzero_si512();
    let round_up = _mm512_set1_epi64(DIGIT.cast_signed());
    let mut quotient = [zero; GROUP];
    let mut rest = sum.as_mut_slice();
    for digit in &mut quotient {
        let Some((lowest, others)) = rest.split_first_mut() else {
            break;
        };
        *digit = low(zero, *lowest, inverse);
        // The lower half of digit·n₀ cancels the lowest 52 bits: what is carried is the column divided by 2^52, rounded up.
        let carry = _mm512_srli_epi64::<DIGIT_BITS>(_mm512_add_epi64(*lowest, round_up));
        if let Some(next) = others.first_mut() {
            *next = _mm512_add_epi64(*next, carry);
        }
        for (column, n) in others.iter_mut().zip(n.iter().skip(1)) {
            *column = low(*column, *digit, *n);
        }
        for (column, n) in others.iter_mut().zip(n) {
            *column = high(*column, *digit, *n);
        }
        rest = others;
    }
    quotient
}

/// Columns as digits, one after the other. What is carried out of the last is none: the numbers are below 2n.
#[target_feature(enable = "avx512f,avx512ifma")]
fn clean<const T: usize>(columns: &[Tile; T]) -> [Tile; T] {
    let full = _mm512_set1_epi64(DIGIT.cast_signed());
    let mut digits = *columns;
    let mut carry = _mm512_setzero_si512();
    for digit in digits.as_flattened_mut() {
        let sum = _mm512_add_epi64(*digit, carry);
        *digit = _mm512_and_si512(sum, full);
        carry = _mm512_srli_epi64::<DIGIT_BITS>(sum);
    }
    digits
}

/// One digit of a times eight of b.
macro_rules! row {
    ($a:ident: $($low:ident $high:ident $b:ident),*) => {
        $($low = low($low, $a, $b); $high = high($high, $a, $b);)*
    };
}

/// Adds the product of two tiles. Written out, so that the columns stay in registers; `USER` makes one function for each place that
/// calls it, which the compiler then puts there.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn accumulate<const USER: usize>(sum: &mut Columns, a: &Tile, b: &Tile) {
    let [a0, a1, a2, a3, a4, a5, a6, a7] = *a;
    let [b0, b1, b2, b3, b4, b5, b6, b7] = *b;
    let [
        mut c0,
        mut c1,
        mut c2,
        mut c3,
        mut c4,
        mut c5,
        mut c6,
        mut c7,
        mut c8,
        mut c9,
        mut c10,
        mut c11,
        mut c12,
        mut c13,
        mut c14,
        mut c15,
    ] = *sum;
    row!(a0: c0 c1 b0, c1 c2 b1, c2 c3 b2, c3 c4 b3, c4 c5 b4, c5 c6 b5, c6 c7 b6, c7 c8 b7);
    row!(a1: c1 c2 b0, c2 c3 b1, c3 c4 b2, c4 c5 b3, c5 c6 b4, c6 c7 b5, c7 c8 b6, c8 c9 b7);
    row!(a2: c2 c3 b0, c3 c4 b1, c4 c5 b2, c5 c6 b3, c6 c7 b4, c7 c8 b5, c8 c9 b6, c9 c10 b7);
    row!(a3: c3 c4 b0, c4 c5 b1, c5 c6 b2, c6 c7 b3, c7 c8 b4, c8 c9 b5, c9 c10 b6, c10 c11 b7);
    row!(a4: c4 c5 b0, c5 c6 b1, c6 c7 b2, c7 c8 b3, c8 c9 b4, c9 c10 b5, c10 c11 b6, c11 c12 b7);
    row!(a5: c5 c6 b0, c6 c7 b1, c7 c8 b2, c8 c9 b3, c9 c10 b4, c10 c11 b5, c11 c12 b6, c12 c13 b7);
    row!(a6: c6 c7 b0, c7 c8 b1, c8 c9 b2, c9 c10 b3, c10 c11 b4, c11 c12 b5, c12 c13 b6, c13 c14 b7);
    row!(a7: c7 c8 b0, c8 c9 b1, c9 c10 b2, c10 c11 b3, c11 c12 b4, c12 c13 b5, c13 c14 b6, c14 c15 b7);
    *sum = [
        c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15,
    ];
}
