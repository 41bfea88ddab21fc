//! THE HOT PATH: may this request pass, and who is it?
//!
//! ```text
//! RequestView ─► extract ─► Credential ─► verify ─► Verified ─► Permit
//!                                          │  ▲
//!                                          ▼  │ cache: seen this exact token before?
//! ```
//!
//! [`decide`] is a plain function over one [`State`]: no async, no lock held, no I/O, no framework type. `extract` finds the token in one
//! of the `places`, `verify` judges it with `claim_rules`, `identity` makes the headers, `cache` remembers. Whatever goes wrong is a [`Refusal`]
//! with one [`Reason`](crate::reason::Reason); what the outside hears of it is decided in `server/respond.rs`. A key
//! that is not here and may be had is a [`Halt::KeyMissing`]: the server waits for it and asks again.
#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used
)]

pub mod cache;
pub mod claim_path;
pub mod claim_rules;
pub mod extract;
mod header_name;
mod header_value;
pub mod identity;
pub mod issuers;
pub mod places;
pub mod refusal;
mod required_claims;
pub mod state;
pub mod verify;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::config::TokenSource;
use crate::request::{HeaderLines, RequestView};

pub use extract::Credential;
pub use issuers::Issuer;
pub use refusal::{Halt, Refusal};
pub use state::State;
pub use verify::Verified;

/// Proof that a request may pass: only [`decide`] and [`admit`] make one.
#[derive(Debug)]
pub struct Permit {
    verified: Arc<Verified>,
    source: TokenSource,
    lookup: Lookup,
}

/// How the cache of verified tokens answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It knew the token.
    Hit,
    /// It did not; the token was verified and is remembered now.
    Miss,
    /// It is off.
    Off,
}

impl Permit {
    /// What was verified.
    #[must_use]
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// Where the token stood.
    #[must_use]
    pub const fn source(&self) -> TokenSource {
        self.source
    }

    /// How the cache answered.
    #[must_use]
    pub const fn lookup(&self) -> Lookup {
        self.lookup
    }
}

/// Decides one request at the moment `now`.
///
/// # Errors
/// The request may not pass, or not yet, and why.
pub fn decide<H: HeaderLines>(
    state: &State,
    request: &RequestView<'_, H>,
    now: Timestamp,
) -> Result<Permit, Halt> {
    let credential = extract::extract(&state.extract, request).map_err(Refusal::without_token)?;
    admit(state, credential, now)
}

/// Decides on a token that has been found.
///
/// # Errors
/// The token is not good, gives no identity, or its key is missing, and why.
pub fn admit(state: &State, credential: Credential<'_>, now: Timestamp) -> Result<Permit, Halt> {
    let (token, source) = (credential.token(), credential.source());
    let permit = |verified, lookup| Permit {
        verified,
        source,
        lookup,
    };
    let Some(cache) = state.cache.as_ref() else {
        let verified = verify::verify(state, token, now).map_err(|refused| refused.from(source))?;
        return Ok(permit(Arc::new(verified), Lookup::Off));
    };
    // Length is checked before anything is computed over the token.
    if token.bytes().len() > state.max_token_bytes {
        return Err(verify::too_large(token).from(source));
    }
    let digest = cache::digest(token);
    let known = cache
        .get(&digest, now)
        .filter(|verified| verified.is_current(&state.issuers));
    if let Some(verified) = known {
        return Ok(permit(verified, Lookup::Hit));
    }
    let verified = verify::verify(state, token, now).map_err(|refused| refused.from(source))?;
    let verified = Arc::new(verified);
    cache.insert(digest, Arc::clone(&verified), now);
    Ok(permit(verified, Lookup::Miss))
}
