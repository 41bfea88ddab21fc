//! A small document in gzip that becomes a huge one.

/// 105,663,127 zeros, compressed as far as deflate can (RFC 1951 §3.2.7): two bits for 258 of them.
///
/// A block with codes of its own gives the length 258 and the distance 1 a single zero bit each, so that a run of zero
/// bytes in the stream is a run of 1032 times as many zero bytes in the document.
pub(crate) fn zeros_in_gzip() -> Vec<u8> {
    const COMPRESSED: usize = 100 * 1024;
    const RUN: u32 = 258;
    // The trailer of RFC 1952 §2.3.1: the checksum of exactly so many zeros.
    const CHECKSUM: u32 = 0xb518_67bf;
    // The last block (1), with codes of its own (2 in two bits).
    let mut bits = Bits::default();
    bits.number(1, 1);
    bits.number(2, 2);
    bits.number(286 - 257, 5); // literals and lengths, beyond the least there can be
    bits.number(0, 5); // distances beyond the first
    bits.number(18 - 4, 4); // codes for the lengths of the codes
    // In the order of the RFC: 16, 17, 18 (a run of zeros): one bit; …; 2: two bits; 14; 1: two bits.
    for length in [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2] {
        bits.number(length, 3);
    }
    let zeros = |bits: &mut Bits, count: u32| {
        bits.code("0");
        bits.number(count - 11, 7);
    };
    bits.code("11"); // The literal 0 is two bits long ("10"),
    zeros(&mut bits, 138); // 1 to 255 do not occur,
    zeros(&mut bits, 117);
    bits.code("11"); // the end of the block, 256, is two bits long ("11"),
    zeros(&mut bits, 28); // 257 to 284 do not occur,
    bits.code("10"); // the length 258, which is code 285, is one bit long ("0"),
    bits.code("10"); // and so is the distance 1 ("0").
    bits.code("10"); // One zero, for the runs to repeat.
    let mut size = 1;
    while bits.0.len() + 2 <= COMPRESSED * 8 {
        bits.code("00");
        size += RUN;
    }
    bits.code("11");

    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    [
        &head[..],
        &bits.bytes(),
        &CHECKSUM.to_le_bytes(),
        &size.to_le_bytes(),
    ]
    .concat()
}

/// The bits of a deflate stream in their order.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    /// Numbers begin with their lowest bit.
    fn number(&mut self, value: u32, width: u32) {
        self.0.extend((0..width).map(|bit| value >> bit & 1 == 1));
    }

    /// Codes begin with their highest bit.
    fn code(&mut self, code: &str) {
        self.0.extend(code.bytes().map(|bit| bit == b'1'));
    }

    /// The lowest bit of each byte is its first.
    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            bits.iter()
                .rev()
                .fold(0, |byte, &bit| byte << 1 | u8::from(bit))
        };
        self.0.chunks(8).map(byte).collect()
    }
}
