//! Everything that a decision needs, loaded once per request and replaced as a whole.
//!
//! Settings, keys and cache stand in one value behind one `ArcSwap`: a reload or a rotation builds a new one and swaps it, so that no
//! request ever sees new keys with old settings. A rotation keeps the cache, whose entries name the keys they were verified by; a
//! reload begins a new one.

use std::sync::Arc;

use crate::config::RsaTogether;
use crate::keys::{IssuerId, KeySet};
use crate::policy::Policy;

use super::cache::TokenCache;
use super::headers::Headers;
use super::issuers::Issuers;
use super::places::ExtractRules;
use super::signed_identity::IdentitySigner;

/// The state of the gate. `app` builds it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct State {
    /// Who signs tokens, and what they must say.
    pub issuers: Issuers,
    /// Where tokens stand.
    pub extract: Arc<ExtractRules>,
    /// Who may pass where.
    pub policy: Arc<Policy>,
    /// The identity headers.
    pub headers: Headers,
    /// What signs identities; `None`: off.
    pub signer: Option<Arc<IdentitySigner>>,
    /// The longest token, in bytes.
    pub max_token_bytes: usize,
    /// When RSA signatures are checked together with those of other requests.
    pub together: RsaTogether,
    /// Tokens that have been verified; `None`: off.
    pub cache: Option<Arc<TokenCache>>,
}

impl State {
    /// The same state with other keys for one issuer; `None` when it is not among its issuers.
    #[must_use]
    pub fn with_keys(&self, id: IssuerId, keys: &KeySet) -> Option<Self> {
        Some(Self {
            issuers: self.issuers.with_keys(id, keys)?,
            ..self.clone()
        })
    }
}
