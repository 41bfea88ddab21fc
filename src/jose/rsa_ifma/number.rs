//! Numbers as both the model and the kernels have them: digits of 52 bits, the least first, in groups of eight as a vector holds them.

/// How many bits a digit has: those that `vpmadd52luq` and `vpmadd52huq` multiply.
pub(super) const DIGIT_BITS: u32 = 52;
/// The largest digit.
pub(super) const DIGIT: u64 = (1 << DIGIT_BITS) - 1;
/// Digits in a group.
pub(super) const GROUP: usize = 8;
/// Two digits are 13 bytes.
const PAIR_BYTES: usize = 13;
/// Room for the bytes of the largest number, and for reading a pair of digits behind them as 16 bytes.
const ROOM: usize = 10 * 4 * PAIR_BYTES + 16;

/// A number of `8 · T` digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number<const T: usize>(pub(super) [[u64; GROUP]; T]);

impl<const T: usize> Number<T> {
    pub(super) const ZERO: Self = Self([[0; GROUP]; T]);

    /// Reads bytes, the most significant first. They must be no more than the digits can hold, which every caller sees to by the type:
    /// 256 bytes for 40 digits, 384 for 64, 512 for 80.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut little = [0; ROOM];
        for (place, byte) in little.iter_mut().zip(bytes.iter().rev()) {
            *place = *byte;
        }
        let mut number = Self::ZERO;
        let pairs = number.0.as_flattened_mut().chunks_exact_mut(2);
        for (pair, window) in pairs.zip(little.windows(16).step_by(PAIR_BYTES)) {
            let bits = u128::from_le_bytes(window.try_into().unwrap_or_default());
            if let [low, high] = pair {
                *low = low_digit(bits);
                *high = low_digit(bits >> DIGIT_BITS);
            }
        }
        number
    }

    /// The digits, the least first.
    pub(super) const fn digits(&self) -> &[u64] {
        self.0.as_flattened()
    }
}

/// The lowest digit of some bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the upper bits are those of the next digits"
)]
pub(super) const fn low_digit(bits: u128) -> u64 {
    bits as u64 & DIGIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_to_stand_in_its_digit() {
        for place in 0..512 {
            let mut bytes = [0; 512];
            bytes[511 - place] = 0xa5;
            let number = Number::<10>::from_bytes(&bytes);
            let (digit, bit) = (place * 8 / 52, place * 8 % 52);
            let mut expected = [0; 80];
            expected[digit] = (0xa5 << bit) & DIGIT;
            if bit + 8 > 52 {
                expected[digit + 1] = 0xa5 >> (52 - bit);
            }
            assert_eq!(number.digits(), expected, "{place}");
        }
    }

    #[test]
    fn all_ones_of_every_size_fill_whole_digits_and_a_rest() {
        for (number, bits) in [
            (
                Number::<5>::from_bytes(&[0xff; 256]).digits().to_vec(),
                2048,
            ),
            (
                Number::<8>::from_bytes(&[0xff; 384]).digits().to_vec(),
                3072,
            ),
            (
                Number::<10>::from_bytes(&[0xff; 512]).digits().to_vec(),
                4096,
            ),
        ] {
            let (whole, rest) = (bits / 52, bits % 52);
            for (index, digit) in number.iter().enumerate() {
                let expected = match index.cmp(&whole) {
                    std::cmp::Ordering::Less => DIGIT,
                    std::cmp::Ordering::Equal => (1 << rest) - 1,
                    std::cmp::Ordering::Greater => 0,
                };
                assert_eq!(*digit, expected, "{bits} {index}");
            }
        }
    }
}
