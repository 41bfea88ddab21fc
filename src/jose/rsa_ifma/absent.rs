//! What stands for the kernels where they cannot run: nothing, which cannot be had.

use super::LANES;
use super::model::Modulus;
use super::number::Number;

/// There is none.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cpu {}

impl Cpu {
    /// No.
    pub(super) const fn detect() -> Option<Self> {
        None
    }

    /// Nobody can call it.
    pub(super) fn opens_to<const T: usize>(
        self,
        _: &Number<T>,
        _: &Modulus<T>,
        _: &Number<T>,
    ) -> bool {
        match self {}
    }

    /// Nor this.
    pub(super) fn open_to<const T: usize>(
        self,
        _: &[Number<T>; LANES],
        _: &Modulus<T>,
        _: &[Number<T>; LANES],
    ) -> u8 {
        match self {}
    }
}
