//! Our own RSA checks against the crypto library: the same verdict on every signature, and how long each takes.
//!
//! ```sh
//! cargo bench --profile release --bench rsa_ifma                            # 24,000 signatures and the guard, as .ci/run does
//! cargo bench --bench rsa_ifma -- --signatures 10000000 --pool 60           # the long run
//! ```
//!
//! The keys are those of `tests/vectors/rsa-extreme-keys.json`. A difference ends the run with the key, the kind and the signature.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]
#![expect(clippy::too_many_lines, reason = "lists of cases")]

use std::collections::BTreeMap;
use std::fmt::{Arguments, Write as _};
use std::hint::black_box;
use std::io::Write as _;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, VerificationAlgorithm,
};
use jwtgate::jose::rsa_ifma::{Hash, Key, Question, Readiness, answers, readiness};
use rsa::BigUint;
use rsa::pkcs1::EncodeRsaPublicKey as _;

const KEYS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/vectors/rsa-extreme-keys.json"
);
/// Our share of the library's time for 2048 bits. More than this, and the compiler has stopped to put the kernel together as it should.
const GUARD: f64 = 0.6;
/// About what a token has in front of its signature.
const MESSAGE_BYTES: usize = 1443;

const HASHES: [(Hash, &digest::Algorithm, &dyn VerificationAlgorithm, &[u8]); 3] = [
    (
        Hash::Sha256,
        &digest::SHA256,
        &RSA_PKCS1_2048_8192_SHA256,
        b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
    ),
    (
        Hash::Sha384,
        &digest::SHA384,
        &RSA_PKCS1_2048_8192_SHA384,
        b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
    ),
    (
        Hash::Sha512,
        &digest::SHA512,
        &RSA_PKCS1_2048_8192_SHA512,
        b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
    ),
];

/// A small generator (SplitMix64), so that a run can be had again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).expect("64 bits");
        usize::try_from(self.next() % limit).expect("below a usize")
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        std::iter::repeat_with(|| self.next().to_le_bytes())
            .flatten()
            .take(length)
            .collect()
    }
}

/// A signature with the message that it is of, or is not.
#[derive(Clone)]
struct Signed {
    kind: &'static str,
    hash: usize,
    message: Vec<u8>,
    signature: Vec<u8>,
}

struct Subject {
    name: String,
    bytes: usize,
    n: BigUint,
    d: BigUint,
    own: Arc<Key>,
    library: Vec<ParsedPublicKey>,
    good: Vec<Signed>,
    wrong_blocks: Vec<Signed>,
}

impl Subject {
    fn read(json: &serde_json::Value) -> Self {
        let text = |name: &str| json[name].as_str().expect("text").to_owned();
        let number = |name: &str| {
            BigUint::parse_bytes(text(name).as_bytes(), 16).expect("hexadecimal digits")
        };
        let (n, d) = (number("n"), number("d"));
        let exponent = BigUint::from(65_537_u32);
        let der = rsa::RsaPublicKey::new_unchecked(n.clone(), exponent.clone())
            .to_pkcs1_der()
            .expect("DER");
        let bytes = n.to_bytes_be().len();
        Self {
            name: format!("{} bits, {}", bytes * 8, text("name")),
            bytes,
            own: Key::new(&n.to_bytes_be(), &exponent.to_bytes_be())
                .map(Arc::new)
                .expect("a key for this"),
            library: HASHES
                .iter()
                .map(|(_, _, algorithm, _)| {
                    ParsedPublicKey::new(*algorithm, der.as_bytes()).expect("a key")
                })
                .collect(),
            n,
            d,
            good: Vec::new(),
            wrong_blocks: Vec::new(),
        }
    }

    fn padded(&self, number: &BigUint) -> Vec<u8> {
        let bytes = number.to_bytes_be();
        [vec![0; self.bytes.saturating_sub(bytes.len())], bytes].concat()
    }

    fn open(&self, block: &[u8]) -> Vec<u8> {
        self.padded(&BigUint::from_bytes_be(block).modpow(&self.d, &self.n))
    }

    /// Good signatures, and signatures of blocks with each fault that padding can have.
    fn fill(&mut self, numbers: Range<usize>, random: &mut Random) {
        for number in numbers {
            let hash = number % HASHES.len();
            let message = random.bytes(1 + number * 37 % MESSAGE_BYTES);
            let signed = |kind, block: &[u8]| Signed {
                kind,
                hash,
                message: message.clone(),
                signature: self.open(block),
            };
            let good = block(self.bytes, hash, &message);
            let (kind, wrong) = wrong_block(number, &good, hash, random);
            let (good, wrong) = (signed("good", &good), signed(kind, &wrong));
            self.good.push(good);
            self.wrong_blocks.push(wrong);
        }
    }

    /// Something to judge: good, or beside it in one of many ways.
    fn question(&self, others: &[Self], random: &mut Random) -> Signed {
        let mut signed = self.good[random.below(self.good.len())].clone();
        let s = BigUint::from_bytes_be(&signed.signature);
        let one = BigUint::from(1_u8);
        let all_ones = vec![0xff; self.bytes];
        let replace = |kind: &'static str, signature: Vec<u8>| Signed {
            kind,
            signature,
            ..signed.clone()
        };
        let number = |kind, number: &BigUint| replace(kind, self.padded(number));
        match random.below(30) {
            0..12 => signed,
            12..15 => {
                let bit = random.below(self.bytes * 8);
                signed.signature[bit / 8] ^= 1 << (bit % 8);
                signed.kind = "a bit of the signature changed";
                signed
            }
            15 => {
                let place = random.below(signed.message.len());
                signed.message[place] ^= 1;
                signed.kind = "the message changed";
                signed
            }
            16 => {
                signed.hash = (signed.hash + 1) % HASHES.len();
                signed.kind = "another hash";
                signed
            }
            17..21 => self.wrong_blocks[random.below(self.wrong_blocks.len())].clone(),
            21 => number("0", &BigUint::from(0_u8)),
            22 => number("1", &one),
            23 => match random.below(3) {
                0 => number("n - 1", &(&self.n - &one)),
                1 => number("n", &self.n),
                _ => number("n + 1", &(&self.n + &one)),
            },
            24 => replace("all ones", all_ones),
            25 => number("s + n", &(s + &self.n)),
            26 => number("n - s", &(&self.n - s)),
            27 => {
                let others: Vec<_> = others.iter().filter(|other| other.n != self.n).collect();
                let other = others[random.below(others.len())];
                let theirs = &other.good[random.below(other.good.len())];
                replace("another key's signature", theirs.signature.clone())
            }
            28 => match random.below(4) {
                0 => replace("a byte short", signed.signature[1..].to_vec()),
                1 => replace(
                    "a byte short, at the end",
                    signed.signature[..self.bytes - 1].to_vec(),
                ),
                2 => replace(
                    "a zero in front",
                    [&[0], signed.signature.as_slice()].concat(),
                ),
                _ => replace(
                    "a byte behind",
                    [signed.signature.as_slice(), &[0]].concat(),
                ),
            },
            _ if random.below(2) == 0 => replace("random", random.bytes(self.bytes)),
            _ => {
                let shift = random.below(self.bytes * 8 - 8);
                let few = BigUint::from(random.next() % 200 + 1);
                number("few bits", &(few << shift))
            }
        }
    }

    /// The one verdict of both; they must be of one mind.
    fn judge(&self, signed: &Signed) -> bool {
        let (hash, _, _, _) = HASHES[signed.hash];
        let own = self.own.verifies(hash, &signed.message, &signed.signature);
        let library = self.library[signed.hash]
            .verify_sig(&signed.message, &signed.signature)
            .is_ok();
        assert!(
            own == library,
            "the library says {library}, we say {own}: {}, {}, {hash:?}\nmessage   {}\nsignature {}",
            self.name,
            signed.kind,
            hex(&signed.message),
            hex(&signed.signature)
        );
        own
    }
}

impl Subject {
    /// In company, each must be what it is alone.
    fn judge_together(&self, company: &[Signed], alone: &[bool]) {
        let question = |signed: &Signed| {
            let (hash, _, _, _) = HASHES[signed.hash];
            self.own.question(hash, &signed.message, &signed.signature)
        };
        let questions: Vec<Option<Question>> = company.iter().map(question).collect();
        let asked: Vec<_> = questions.iter().flatten().collect();
        let mut answers = answers(&asked).into_iter();
        let together: Vec<_> = questions
            .iter()
            .map(|question| question.is_some() && answers.next() == Some(true))
            .collect();
        assert!(
            together == alone && answers.next().is_none(),
            "{}: alone {alone:?}, together {together:?}",
            self.name
        );
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The block of RFC 8017 §9.2, put together here once more.
fn block(length: usize, hash: usize, message: &[u8]) -> Vec<u8> {
    let (_, algorithm, _, prefix) = HASHES[hash];
    let digest = digest::digest(algorithm, message);
    let info = [prefix, digest.as_ref()].concat();
    let padding = vec![0xff; length - info.len() - 3];
    [&[0, 1], padding.as_slice(), &[0], &info].concat()
}

/// A block with a fault.
fn wrong_block(
    number: usize,
    good: &[u8],
    hash: usize,
    random: &mut Random,
) -> (&'static str, Vec<u8>) {
    let mut wrong = good.to_vec();
    let info = HASHES[hash].3.len() + HASHES[hash].1.output_len();
    let separator = good.len() - info - 1;
    let kind = match number % 12 {
        0 => {
            wrong[1] = 2;
            "block type 2"
        }
        1 => {
            wrong[1] = 0;
            "block type 0"
        }
        2 => {
            wrong[2 + random.below(separator - 2)] ^= 1 << random.below(8);
            "a byte of the padding changed"
        }
        3 => {
            wrong[separator] = 0xff;
            "no separator"
        }
        4 => {
            wrong[separator + 1 + random.below(19)] ^= 1;
            "the DigestInfo changed"
        }
        5 => {
            let last = wrong.len() - 1;
            wrong[last - random.below(32)] ^= 0x80;
            "the hash changed"
        }
        6 => {
            // Eight bytes of padding, and what an attacker likes behind the hash (Bleichenbacher 2006).
            let short = [&[0, 1], &[0xff; 8][..], &[0], &good[separator + 1..]].concat();
            wrong = [short, random.bytes(good.len())].concat();
            wrong.truncate(good.len());
            "short padding and rubbish behind"
        }
        7 => {
            // Without the NULL: two bytes less, and both lengths.
            let mut bare = good[separator + 1..].to_vec();
            bare.drain(15..17);
            bare[1] -= 2;
            bare[3] -= 2;
            let padding = vec![0xff; good.len() - bare.len() - 3];
            wrong = [&[0, 1], padding.as_slice(), &[0], &bare].concat();
            "DigestInfo without NULL"
        }
        8 => {
            wrong[2..=separator].fill(0);
            "padding of zeros"
        }
        9 => {
            wrong = [&good[1..], &[0]].concat();
            wrong[0] = 0;
            "a byte to the left"
        }
        10 => {
            wrong[separator + 1..].rotate_left(19);
            "the hash in front of its name"
        }
        _ => {
            wrong[2] = 0;
            "an empty padding"
        }
    };
    (kind, wrong)
}

fn compare(subjects: &[Subject], count: usize) {
    let mut random = Random(1);
    let mut told = BTreeMap::<&str, (u64, u64)>::new();
    let began = Instant::now();
    let mut judged = 0;
    while judged < count {
        let subject = &subjects[random.below(subjects.len())];
        // Alone, and in every number that fills some lanes of one group or of two.
        let company: Vec<_> = (0..=random.below(16))
            .map(|_| subject.question(subjects, &mut random))
            .collect();
        let alone: Vec<_> = company.iter().map(|signed| subject.judge(signed)).collect();
        subject.judge_together(&company, &alone);
        for (signed, is_good) in company.iter().zip(&alone) {
            let (all, good) = told.entry(signed.kind).or_default();
            *all += 1;
            *good += u64::from(*is_good);
        }
        let before = judged;
        judged += company.len();
        if before / 1_000_000 < judged / 1_000_000 {
            say(format_args!("{judged} signatures, no difference"));
        }
    }
    let mut sum = 0;
    for (kind, (all, good)) in &told {
        say(format_args!("{kind:<36} {all:>9}, {good:>9} accepted"));
        sum += good;
        let is_good = *kind == "good";
        assert!(
            is_good == (*good > 0) && (!is_good || good == all),
            "{kind}"
        );
    }
    say(format_args!(
        "{judged} signatures of {} keys, alone and in company, in {:.1} s, {sum} of them good: no difference between ours and the library's verdicts",
        subjects.len(),
        began.elapsed().as_secs_f64()
    ));
}

/// The least time of many.
fn least(work: impl Fn() -> bool) -> Duration {
    const TIMES: usize = 400;
    const BATCH: u32 = 8;
    let batch = || {
        let began = Instant::now();
        for _ in 0..BATCH {
            assert!(black_box(work()));
        }
        began.elapsed() / BATCH
    };
    std::iter::repeat_with(batch)
        .take(TIMES)
        .min()
        .expect("some")
}

/// Whether ours takes as small a part of the library's time as it should.
fn is_fast(subjects: &[Subject]) -> bool {
    let mut is_fast = true;
    for bytes in [256, 384, 512] {
        let subject = subjects.iter().find(|subject| subject.bytes == bytes);
        let subject = subject.expect("a key of every size");
        let message = Random(3).bytes(MESSAGE_BYTES);
        let signature = subject.open(&block(bytes, 0, &message));
        let own = least(|| subject.own.verifies(Hash::Sha256, &message, &signature));
        let library = least(|| subject.library[0].verify_sig(&message, &signature).is_ok());
        let ratio = own.as_secs_f64() / library.as_secs_f64();
        say(format_args!(
            "RS256, {} bits, {MESSAGE_BYTES} bytes: ours {:.1} µs, the library {:.1} µs, ratio {ratio:.2}",
            bytes * 8,
            own.as_secs_f64() * 1e6,
            library.as_secs_f64() * 1e6
        ));
        is_fast &= ratio < GUARD;
        for count in [1, 2, 3, 4, 8] {
            let question = || subject.own.question(Hash::Sha256, &message, &signature);
            let together = least(|| {
                let questions: Vec<_> = std::iter::repeat_with(question).take(count).collect();
                let questions: Vec<_> = questions.iter().flatten().collect();
                answers(&questions) == vec![true; count]
            });
            let each = together / u32::try_from(count).expect("a few");
            say(format_args!(
                "{:>40} {:.1} µs, each {:.1}",
                format!("{count} together:"),
                together.as_secs_f64() * 1e6,
                each.as_secs_f64() * 1e6
            ));
        }
    }
    is_fast
}

fn say(line: Arguments<'_>) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// The number behind an argument.
fn argument(name: &str) -> Option<usize> {
    let mut arguments = std::env::args();
    arguments.find(|argument| argument == name)?;
    arguments.next()?.parse().ok()
}

fn main() -> ExitCode {
    match readiness() {
        Readiness::Ready => {}
        Readiness::NoInstructions => {
            say(format_args!(
                "NOT TESTED: this processor has no AVX-512 IFMA, so our RSA checks cannot run here"
            ));
            return ExitCode::SUCCESS;
        }
        Readiness::SelfTestFailed => {
            say(format_args!("THE SELF-TEST FAILED"));
            return ExitCode::FAILURE;
        }
    }
    let text = std::fs::read_to_string(KEYS).expect("the keys are there");
    let keys: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
    let mut random = Random(2);
    let pool = argument("--pool").unwrap_or(6);
    let mut subjects: Vec<_> = keys.iter().map(Subject::read).collect();
    for (number, subject) in subjects.iter_mut().enumerate() {
        // Each key begins with another fault.
        subject.fill(number * pool..(number + 1) * pool, &mut random);
    }
    compare(&subjects, argument("--signatures").unwrap_or(24_000));
    if is_fast(&subjects) {
        return ExitCode::SUCCESS;
    }
    say(format_args!(
        "TOO SLOW: ours should take less than {GUARD} of the library's time"
    ));
    ExitCode::FAILURE
}
