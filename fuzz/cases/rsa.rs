//! Our own RSA checks beside the library's: one verdict, alone and in company.
//!
//! The input is a key's number and then, one after the other, signatures to judge:
//!
//! ```text
//! key │ how  hash  length of the message  length of the rest (2 bytes, the lower first)  message  rest │ how …
//! ```
//!
//! `how` says what is made of the rest, so that what a fuzzer changes reaches what it could not by guessing: the signature itself, its
//! distance to the modulus or to a good one, or the block that it opens to. The last two need a key that signs: those of many primes do,
//! and those whose moduli have extreme digits do not.

#[path = "many_primes.rs"]
mod many_primes;

use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, VerificationAlgorithm,
};
use jwtgate::jose::rsa_ifma::{Hash, Key, answers};
use rsa::BigUint;
use rsa::pkcs1::EncodeRsaPublicKey as _;

use many_primes::ManyPrimes;

/// No more are judged: three companies of eight.
const MOST: usize = 24;

/// How many signatures of an input were judged good, and how many not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) good: usize,
    pub(super) bad: usize,
}

struct Hashed {
    own: Hash,
    digest: &'static digest::Algorithm,
    library: &'static dyn VerificationAlgorithm,
    /// DigestInfo of RFC 8017 §9.2, up to the hash.
    prefix: &'static [u8],
}

static HASHES: [Hashed; 3] = [
    Hashed {
        own: Hash::Sha256,
        digest: &digest::SHA256,
        library: &RSA_PKCS1_2048_8192_SHA256,
        prefix: b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
    },
    Hashed {
        own: Hash::Sha384,
        digest: &digest::SHA384,
        library: &RSA_PKCS1_2048_8192_SHA384,
        prefix: b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
    },
    Hashed {
        own: Hash::Sha512,
        digest: &digest::SHA512,
        library: &RSA_PKCS1_2048_8192_SHA512,
        prefix: b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
    },
];

struct Subject {
    n: BigUint,
    length: usize,
    /// What signs for it.
    signer: Option<ManyPrimes>,
    /// `None` where the processor lacks the instructions.
    own: Option<Arc<Key>>,
    library: Vec<ParsedPublicKey>,
}

struct Signed<'i> {
    hash: &'static Hashed,
    library: &'i ParsedPublicKey,
    message: &'i [u8],
    signature: Vec<u8>,
}

/// Judges what the input says by our own code and by the library, each alone and all together, and panics where they differ.
pub(super) fn compare(input: &[u8]) -> Found {
    let mut found = Found::default();
    let Some((&number, mut rest)) = input.split_first() else {
        return found;
    };
    let subject = &subjects()[usize::from(number) % subjects().len()];
    let own = subject.own.as_ref();
    let own = own.expect("AVX-512 IFMA, without which there is nothing to compare");
    let mut questions = Vec::new();
    let mut alone = Vec::new();
    while let Some((signed, behind)) = subject.read(rest)
        && alone.len() < MOST
    {
        rest = behind;
        let Signed {
            hash,
            library,
            message,
            signature,
        } = &signed;
        let verdict = library.verify_sig(message, signature).is_ok();
        assert_eq!(own.verifies(hash.own, message, signature), verdict);
        questions.push(own.question(hash.own, message, signature));
        alone.push(verdict);
        *(if verdict {
            &mut found.good
        } else {
            &mut found.bad
        }) += 1;
    }
    let asked: Vec<_> = questions.iter().flatten().collect();
    let mut answers = answers(&asked).into_iter();
    for (question, verdict) in questions.iter().zip(alone) {
        let together = question.is_some() && answers.next() == Some(true);
        assert_eq!(together, verdict, "in company");
    }
    assert_eq!(answers.next(), None, "an answer that nobody asked for");
    found
}

/// Where the primes begin of a key that signs, by their number.
type Start = fn(usize) -> u64;

/// The largest modulus, the smallest, and one in between.
const STARTS: [Start; 3] = [
    |_| u64::MAX,
    |index| match index {
        0 => 0x8000_0000_000f_ffff,
        _ => u64::MAX,
    },
    |index| !((index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8),
];

/// First those that sign, in the order of their sizes, then those of the fixture.
fn subjects() -> &'static [Subject] {
    static SUBJECTS: OnceLock<Vec<Subject>> = OnceLock::new();
    SUBJECTS.get_or_init(|| {
        let text = include_str!("../../tests/vectors/rsa-extreme-keys.json");
        let keys: Vec<serde_json::Value> = serde_json::from_str(text).expect("a list of keys");
        let extreme = keys.iter().map(|key| {
            let digits = key["n"].as_str().expect("digits").as_bytes();
            let n = BigUint::parse_bytes(digits, 16).expect("hexadecimal digits");
            Subject::new(n, None)
        });
        let sizes = [2048, 3072, 4096].into_iter();
        sizes
            .flat_map(|bits| STARTS.map(|start| ManyPrimes::below(bits, start)))
            .map(|signer| Subject::new(signer.n.clone(), Some(signer)))
            .chain(extreme)
            .collect()
    })
}

impl Subject {
    fn new(n: BigUint, signer: Option<ManyPrimes>) -> Self {
        let e = BigUint::from(65_537_u32);
        let der = rsa::RsaPublicKey::new_unchecked(n.clone(), e.clone())
            .to_pkcs1_der()
            .expect("DER");
        let library = HASHES.iter().map(|hash| {
            ParsedPublicKey::new(hash.library, der.as_bytes()).expect("a key for the library")
        });
        Self {
            length: n.to_bytes_be().len(),
            own: Key::new(&n.to_bytes_be(), &e.to_bytes_be()).map(Arc::new),
            library: library.collect(),
            n,
            signer,
        }
    }

    /// The next signature, and what stands behind it.
    fn read<'i>(&'i self, input: &'i [u8]) -> Option<(Signed<'i>, &'i [u8])> {
        let (&[how, hash, of_message, low, high], input) = input.split_first_chunk()?;
        let (message, input) = split(input, usize::from(of_message));
        let (rest, input) = split(input, usize::from(u16::from_le_bytes([low, high])));
        let kind = usize::from(hash) % HASHES.len();
        let hash = &HASHES[kind];
        let number = BigUint::from_bytes_be(rest);
        let open = |signer: &ManyPrimes, block: &[u8]| {
            self.bytes(&signer.sign(&BigUint::from_bytes_be(block)))
        };
        let signature = match (how % 6, &self.signer) {
            (0, _) => rest.to_vec(),
            (1, _) => self.bytes(&number),
            (2, _) => self.bytes(&(&self.n + number)),
            (4, Some(signer)) => open(signer, &changed(self.block(hash, message), rest)),
            (5, Some(signer)) => changed(open(signer, &self.block(hash, message)), rest),
            _ => self.bytes(&(&self.n - number % &self.n)),
        };
        let signed = Signed {
            hash,
            library: &self.library[kind],
            message,
            signature,
        };
        Some((signed, input))
    }

    /// As many bytes as the modulus has, the upper ones cut off.
    fn bytes(&self, number: &BigUint) -> Vec<u8> {
        let bytes = number.to_bytes_be();
        let bytes = &bytes[bytes.len().saturating_sub(self.length)..];
        [&vec![0; self.length - bytes.len()], bytes].concat()
    }

    /// The block of RFC 8017 §9.2.
    fn block(&self, hash: &Hashed, message: &[u8]) -> Vec<u8> {
        let digest = digest::digest(hash.digest, message);
        let info = [hash.prefix, digest.as_ref()].concat();
        let padding = vec![0xff; self.length - info.len() - 3];
        [&[0, 1], padding.as_slice(), &[0], &info].concat()
    }
}

fn split(input: &[u8], length: usize) -> (&[u8], &[u8]) {
    input.split_at(length.min(input.len()))
}

/// Bytes, with each bit turned around that is set in the mask, which ends where they end.
fn changed(mut bytes: Vec<u8>, mask: &[u8]) -> Vec<u8> {
    for (byte, bits) in bytes.iter_mut().rev().zip(mask.iter().rev()) {
        *byte ^= bits;
    }
    bytes
}
