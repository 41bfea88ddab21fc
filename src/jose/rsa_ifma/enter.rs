//! Into the kernels: the one place of this program with `unsafe` in it.
//!
//! A function that is compiled for instructions which not every processor has may be called only where they are there. [`Cpu`] is the proof:
//! the one way to have it is to have asked the processor. The kernels themselves are safe code: their intrinsics take no pointers.

#![expect(
    unsafe_code,
    reason = "calls of functions for instructions that the processor is known to have"
)]

use super::model::Modulus;
use super::number::Number;
use super::single;
use super::{LANES, lanes};

/// The processor has AVX-512 F and IFMA, and the system keeps their registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cpu(());

impl Cpu {
    /// Asks the processor. Cheap after the first time.
    pub(super) fn detect() -> Option<Self> {
        let has_them =
            is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma");
        has_them.then_some(Self(()))
    }

    /// See [`single::opens_to`].
    #[expect(clippy::unused_self, reason = "having it is the proof")]
    pub(super) fn opens_to<const T: usize>(
        self,
        s: &Number<T>,
        modulus: &Modulus<T>,
        expected: &Number<T>,
    ) -> bool {
        // SAFETY: `self` exists only where `detect` has found both features that the function is compiled for.
        unsafe { single::opens_to(s, modulus, expected) }
    }

    /// See [`lanes::open_to`].
    #[expect(clippy::unused_self, reason = "having it is the proof")]
    pub(super) fn open_to<const T: usize>(
        self,
        s: &[Number<T>; LANES],
        modulus: &Modulus<T>,
        expected: &[Number<T>; LANES],
    ) -> u8 {
        // SAFETY: as above.
        unsafe { lanes::open_to(s, modulus, expected) }
    }
}
