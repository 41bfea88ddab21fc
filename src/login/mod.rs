//! Sending people to sign in, and back.
//!
//! `retpath` decides which addresses people may be sent back to; it is the only place where a `Location` is made. `return_hosts` is its
//! allow list. Depends on
//! `config` and on the [`request`](crate::request) leaf.

pub mod retpath;
mod return_hosts;

pub use retpath::{ReturnPolicy, Way};
