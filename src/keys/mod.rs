//! Where keys come from, and which there are.
//!
//! `source` chooses what the configuration names and `prepare` turns it into a [`KeySet`], with every fault told. `pem`, `jwks` and
//! `secret` read one form each; `demo` knows the keys that everybody has. Nothing here runs on the path of a request but
//! [`KeySet::candidates`]. Depends on `jose` and `config`.

pub mod demo;
mod file;
pub mod jwks;
pub mod pem;
mod prepare;
pub mod secret;
pub mod set;
pub mod source;

pub use set::{KeySet, Miss};
pub use source::load;
