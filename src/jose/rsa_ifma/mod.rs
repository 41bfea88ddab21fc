//! RSA signatures (PKCS #1 v1.5, e = 65537; 2048, 3072 and 4096 bits) checked with AVX-512 IFMA, in a third of the time that the crypto
//! library takes. `docs/rsa-ifma.md` is the page for reviewers.
//!
//! ```text
//! signature ─► s < n? ─► digits ─┐
//! message ─► hash ─► block ──────┴─► enter ─► single: s^65537 mod n = block?
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
mod model;
mod number;
mod self_test;
#[cfg(target_arch = "x86_64")]
mod single;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

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

fn verifies<const T: usize>(
    cpu: Cpu,
    modulus: &Modulus<T>,
    hash: Hash,
    message: &[u8],
    signature: &[u8],
) -> bool {
    let length = modulus.bytes.len();
    // Of the same length, bytes are ordered as the numbers are.
    if signature.len() != length || *signature >= *modulus.bytes {
        return false;
    }
    let block = expected(hash, message, length);
    cpu.opens_to(&Number::from_bytes(signature), modulus, &block)
}
