//! JOSE, pure: bytes in, facts out. No I/O, no clock, no configuration; depends on nothing of ours but [`crate::clock`].
//!
//! `compact` takes a token apart, `json` reads JSON strictly, `header` and `claims` say what stands in it, `algorithm` is the one
//! table of algorithms, `public_key` judges key material, `verifying_key` checks signatures with keys prepared once,
//! `signing_key` signs what we mint, `jwk` and `thumbprint` read and name keys. The gate puts these together.

pub mod algorithm;
pub mod base64url;
pub mod claim_path;
pub mod claims;
pub mod compact;
pub mod header;
pub mod json;
pub mod jwk;
pub mod public_key;
mod roca;
#[cfg(feature = "rsa-ifma")]
pub mod rsa_ifma;
pub mod signing_key;
pub mod thumbprint;
pub mod verifying_key;

pub use algorithm::{Algorithm, Family};
pub use claim_path::{ClaimPath, NotAPath};
pub use claims::Claims;
pub use compact::Compact;
pub use header::Header;
pub use json::Json;
pub use jwk::Jwk;
pub use public_key::PublicKey;
pub use verifying_key::{HmacSecret, RsaChecks, VerifyingKey};
