//! Everything that a decision needs, loaded once per request and replaced as a whole.
//!
//! Settings, keys and cache stand in one value behind one `ArcSwap`: a reload or a rotation builds a new one and swaps it, so that no
//! request ever sees new keys with old settings, and no cached token outlives the key or the settings it was judged by.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::jose::{Algorithm, VerifyingKey};
use crate::keys::KeySet;

use super::cache::TokenCache;
use super::claim_rules::ClaimRules;
use super::identity::IdentityRules;
use super::places::ExtractRules;

/// The state of the gate. `app` builds it.
#[derive(Debug)]
pub struct State {
    /// Who signs tokens, and what they must say.
    pub issuer: Issuer,
    /// Where tokens stand.
    pub extract: ExtractRules,
    /// How claims become headers.
    pub identity: IdentityRules,
    /// The longest token, in bytes.
    pub max_token_bytes: usize,
    /// Tokens that have been verified; `None`: off.
    pub cache: Option<TokenCache>,
    /// Headers of tokens that have been verified, with the key they led to.
    pub known_headers: KnownHeaders,
}

/// An issuer of tokens, as configured.
#[derive(Debug)]
pub struct Issuer {
    /// Its name in the configuration: what logs and metrics say.
    pub name: Arc<str>,
    /// The keys it signs with.
    pub keys: KeySet,
    /// What its tokens must say.
    pub claims: ClaimRules,
}

/// The encoded headers of verified tokens, each with the key and the algorithm it led to: an issuer signs with few headers, so a
/// look-up here spares decoding and parsing one (about 1 µs). Only headers of *verified* tokens enter, so garbage fills nothing,
/// and only such as fit a single key; it is bounded, and it dies with the state.
#[derive(Debug, Default)]
pub struct KnownHeaders(ArcSwap<HashMap<Box<[u8]>, Arc<KnownHeader>, ahash::RandomState>>);

/// What a known header leads to.
#[derive(Debug)]
pub struct KnownHeader {
    /// The algorithm, which the key allows.
    pub algorithm: Algorithm,
    /// The key that verified a token with this very header.
    pub key: Arc<VerifyingKey>,
    /// The `kid` in the header, for the log.
    pub kid: Option<Box<str>>,
}

/// The most headers that are remembered, and the longest that is.
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 1024;

impl KnownHeaders {
    /// What this encoded header leads to.
    #[must_use]
    pub fn get(&self, encoded: &[u8]) -> Option<Arc<KnownHeader>> {
        self.0.load().get(encoded).cloned()
    }

    /// Remembers the header of a token that has been verified.
    pub fn remember(&self, encoded: &[u8], known: &Arc<KnownHeader>) {
        let is_full = self.0.load().len() >= MAX_HEADERS;
        if is_full || encoded.len() > MAX_HEADER_BYTES {
            return;
        }
        self.0.rcu(|headers| {
            let mut headers = HashMap::clone(headers);
            if headers.len() < MAX_HEADERS {
                headers.insert(encoded.into(), Arc::clone(known));
            }
            headers
        });
    }
}
