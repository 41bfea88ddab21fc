//! RSA signatures (PKCS #1 v1.5, e = 65537; 2048, 3072 and 4096 bits) checked with AVX-512 IFMA, in a third of the time that the crypto
//! library takes. `docs/rsa-ifma.md` is the page for reviewers.
//!
//! ```text
//! signature ─► s < n? ─► digits ─┐                ┌─► single: s^65537 mod n = block?
//! message ─► hash ─► block ──────┴─► ask ─► enter ┴─► lanes: the same of eight at once
//! ```
//!
//! Everything here is public: signatures, moduli, messages. So nothing need take constant time, and correctness is all. `model` is the same
//! arithmetic in plain integers; it prepares keys, and the kernels are held against it and against the library. Whatever is not exactly
//! what this was made for, keys and processors alike, is left to the library.

#[cfg(not(target_arch = "x86_64"))]
mod absent;
mod block;
#[cfg(target_arch = "x86_64")]
mod enter;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod model;
mod number;
mod self_test;
#[cfg(target_arch = "x86_64")]
mod single;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

#[cfg(not(target_arch = "x86_64"))]
use absent::Cpu;
pub use block::Hash;
use block::expected;
#[cfg(target_arch = "x86_64")]
use enter::Cpu;
use model::Modulus;
use number::Number;

/// A public key, prepared. Only where the processor has the instructions, and they have proved themselves.
pub struct Key {
    cpu: Cpu,
    size: Size,
}

/// By how many groups of eight digits a modulus takes.
enum Size {
    Bits2048(Box<Modulus<5>>),
    Bits3072(Box<Modulus<8>>),
    Bits4096(Box<Modulus<10>>),
}

/// Whether signatures are checked here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Yes.
    Ready,
    /// The processor, or the system, lacks the instructions.
    NoInstructions,
    /// What must be accepted was refused, or the other way round: nothing is checked here.
    SelfTestFailed,
}

/// How many signatures are checked side by side.
const LANES: usize = 8;

/// 65537, the one exponent that is in use.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// Whether this process can check signatures here: asked once, with a test of what is known to be good and bad.
#[must_use]
pub fn readiness() -> Readiness {
    match proven() {
        Ok(_) => Readiness::Ready,
        Err(why) => why,
    }
}

fn proven() -> Result<Cpu, Readiness> {
    static PROVEN: OnceLock<Result<Cpu, Readiness>> = OnceLock::new();
    *PROVEN.get_or_init(|| {
        let cpu = Cpu::detect().ok_or(Readiness::NoInstructions)?;
        if self_test::passes(cpu) {
            Ok(cpu)
        } else {
            Err(Readiness::SelfTestFailed)
        }
    })
}

impl Key {
    /// Prepares a key; `None` where it is not one of those that this was made for, or the process not [`Readiness::Ready`]. Both numbers
    /// are the most significant byte first, without zeros in front.
    #[must_use]
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        Self::on(proven().ok()?, modulus, exponent)
    }

    fn on(cpu: Cpu, modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let is_full = modulus.first().is_some_and(|first| *first >= 0x80);
        let is_odd = modulus.last().is_some_and(|last| last % 2 == 1);
        if !is_full || !is_odd || exponent != EXPONENT {
            return None;
        }
        let size = match modulus.len() {
            256 => Size::Bits2048(Box::new(Modulus::new(modulus))),
            384 => Size::Bits3072(Box::new(Modulus::new(modulus))),
            512 => Size::Bits4096(Box::new(Modulus::new(modulus))),
            _ => return None,
        };
        Some(Self { cpu, size })
    }

    /// What is to be found out of a signature: all of [`Key::verifies`] but the arithmetic. `None`: it is not good, whatever the arithmetic
    /// would say.
    #[must_use]
    pub fn question(
        self: &Arc<Self>,
        hash: Hash,
        message: &[u8],
        signature: &[u8],
    ) -> Option<Question> {
        let numbers = match &self.size {
            Size::Bits2048(modulus) => {
                Numbers::Bits2048(Box::new(ask(modulus, hash, message, signature)?))
            }
            Size::Bits3072(modulus) => {
                Numbers::Bits3072(Box::new(ask(modulus, hash, message, signature)?))
            }
            Size::Bits4096(modulus) => {
                Numbers::Bits4096(Box::new(ask(modulus, hash, message, signature)?))
            }
        };
        Some(Question {
            key: Arc::clone(self),
            numbers,
        })
    }

    /// Whether `signature` is this key's signature over `message` (RFC 8017 §8.2.2): exactly as long as the modulus, smaller than it, and
    /// opening to the one block that the message has.
    #[must_use]
    pub fn verifies(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        match &self.size {
            Size::Bits2048(modulus) => verifies(self.cpu, modulus, hash, message, signature),
            Size::Bits3072(modulus) => verifies(self.cpu, modulus, hash, message, signature),
            Size::Bits4096(modulus) => verifies(self.cpu, modulus, hash, message, signature),
        }
    }
}

/// A signature whose form is in order, and what it must open to.
pub struct Question {
    key: Arc<Key>,
    numbers: Numbers,
}

impl std::fmt::Debug for Question {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Question").finish_non_exhaustive()
    }
}

enum Numbers {
    Bits2048(Box<Asked<5>>),
    Bits3072(Box<Asked<8>>),
    Bits4096(Box<Asked<10>>),
}

/// A number, and what its power must be.
#[derive(Clone, Copy)]
struct Asked<const T: usize> {
    s: Number<T>,
    block: Number<T>,
}

impl<const T: usize> Asked<T> {
    /// What is in a lane that nobody asked for: zero, whose power is zero, and not this.
    const NOTHING: Self = Self {
        s: Number::ZERO,
        block: Number([[u64::MAX; number::GROUP]; T]),
    };
}

/// From so many signatures on, eight lanes take less time than one after the other.
const WORTH_LANES: usize = 5;

/// Answers questions about signatures of one key, in their order. `false`, too, for one of another key: whoever asks sees to it that there
/// is none.
#[must_use]
pub fn answers(questions: &[&Question]) -> Vec<bool> {
    let Some(first) = questions.first() else {
        return Vec::new();
    };
    let Key { cpu, size } = &*first.key;
    let is_own = |question: &&&Question| Arc::ptr_eq(&question.key, &first.key);
    macro_rules! of_size {
        ($modulus:ident, $numbers:path) => {{
            let asked: Vec<_> = questions
                .iter()
                .map(|question| match &question.numbers {
                    $numbers(asked) if is_own(&question) => Some(&**asked),
                    _ => None,
                })
                .collect();
            answers_of(*cpu, $modulus, &asked)
        }};
    }
    match size {
        Size::Bits2048(modulus) => of_size!(modulus, Numbers::Bits2048),
        Size::Bits3072(modulus) => of_size!(modulus, Numbers::Bits3072),
        Size::Bits4096(modulus) => of_size!(modulus, Numbers::Bits4096),
    }
}

fn answers_of<const T: usize>(
    cpu: Cpu,
    modulus: &Modulus<T>,
    asked: &[Option<&Asked<T>>],
) -> Vec<bool> {
    let mut answers = Vec::with_capacity(asked.len());
    for group in asked.chunks(LANES) {
        if group.len() < WORTH_LANES {
            let alone = |asked: Option<&Asked<T>>| {
                asked.is_some_and(|asked| cpu.opens_to(&asked.s, modulus, &asked.block))
            };
            answers.extend(group.iter().copied().map(alone));
            continue;
        }
        let mut lanes = [Asked::NOTHING; LANES];
        for (lane, asked) in lanes.iter_mut().zip(group) {
            *lane = asked.copied().unwrap_or(Asked::NOTHING);
        }
        let good = cpu.open_to(
            &lanes.map(|lane| lane.s),
            modulus,
            &lanes.map(|lane| lane.block),
        );
        // Bits of lanes that nobody asked for have nobody to go to.
        answers.extend(
            (0..LANES)
                .map(|lane| good & (1 << lane) != 0)
                .take(group.len()),
        );
    }
    answers
}

fn ask<const T: usize>(
    modulus: &Modulus<T>,
    hash: Hash,
    message: &[u8],
    signature: &[u8],
) -> Option<Asked<T>> {
    let length = modulus.bytes.len();
    // Of the same length, bytes are ordered as the numbers are.
    if signature.len() != length || *signature >= *modulus.bytes {
        return None;
    }
    Some(Asked {
        s: Number::from_bytes(signature),
        block: expected(hash, message, length),
    })
}

fn verifies<const T: usize>(
    cpu: Cpu,
    modulus: &Modulus<T>,
    hash: Hash,
    message: &[u8],
    signature: &[u8],
) -> bool {
    ask(modulus, hash, message, signature)
        .is_some_and(|asked| cpu.opens_to(&asked.s, modulus, &asked.block))
}
