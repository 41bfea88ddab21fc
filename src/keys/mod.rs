//! Where keys come from, and which there are.
//!
//! `source` chooses what the settings of an issuer name. Keys that are here become a [`KeySet`] by `prepare`, with every fault told: `pem`,
//! `jwks` and `secret` read one form each, `demo` knows the keys that everybody has. Keys that an issuer publishes are described by `remote`
//! and kept current by `refresh`, one task for each issuer: `gather` is one fetch, `known` is what it knows, `shared` what others see of it,
//! `store` keeps that on disk, `network` is its way out, `keyring` holds all of them and those who wait, `status` tells how it stands. `file`
//! reads what a configuration names. Nothing here runs on the path of a request but [`KeySet::candidates`]. Depends on `idp`, `jose` and
//! `config`.

pub mod demo;
pub mod file;
mod gather;
pub mod issued;
pub mod jwks;
pub mod keyring;
pub mod known;
pub mod network;
pub mod pem;
mod prepare;
pub mod refresh;
pub mod remote;
pub mod secret;
pub mod set;
pub mod shared;
pub mod source;
pub mod status;
pub mod store;
mod wanted;

#[cfg(test)]
mod tests;

pub use issued::IssuedKeys;
pub use keyring::{Keyring, MissingKey, Waited};
pub use remote::Remote;
pub use set::{KeySet, Miss};
pub use shared::IssuerId;
pub use source::{Source, load, rsa_checks};
pub use status::Status;
