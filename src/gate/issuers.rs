//! Who signs tokens: the issuers, each with its own keys and rules, and the choice among them.
//!
//! Where issuers are named, the token's `iss` chooses one, by equality, before anything is verified; the one that it chooses must then
//! have signed it. So no key of one issuer ever verifies a token of another.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::jose::{Algorithm, VerifyingKey};
use crate::keys::{IssuerId, KeySet};

use super::claim_rules::ClaimRules;
use super::identity::IdentityRules;

/// An issuer of tokens, as configured, with its keys of this moment.
#[derive(Debug)]
pub struct Issuer {
    /// Its place in this state of the service.
    pub id: IssuerId,
    /// Its name in the configuration: what logs and metrics say.
    pub name: Arc<str>,
    /// What its tokens say in `iss`; empty: anything.
    pub spellings: Arc<[String]>,
    /// The keys it signs with.
    pub keys: KeySet,
    /// Which keys these are: what was verified by others counts no more.
    pub generation: Generation,
    /// Whether more keys can be had than are here.
    pub supply: Supply,
    /// What its tokens must say.
    pub claims: Arc<ClaimRules>,
    /// How its claims become an identity.
    pub identity: Arc<IdentityRules>,
    /// Whether its base64url may carry padding.
    pub is_padded: bool,
    /// Headers of its tokens that have been verified, with the key they led to.
    pub known_headers: KnownHeaders,
}

/// Whether more keys of an issuer can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// No: all are here.
    Local,
    /// Its whole set can be fetched again.
    Set,
    /// Each key can be fetched by its name.
    ByKid,
}

/// A number for each set of keys that was ever in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u64);

impl Generation {
    /// A new one.
    #[must_use]
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// Every issuer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Issuers {
    all: Arc<[Arc<Issuer>]>,
    /// Which of them an `iss` means; `None`: there is one, and every token is its.
    by_iss: Option<Arc<HashMap<Box<str>, usize, ahash::RandomState>>>,
    has_padded: bool,
}

impl Issuers {
    /// The one issuer, who judges every token.
    #[must_use]
    pub fn sole(issuer: Issuer) -> Self {
        Self {
            has_padded: issuer.is_padded,
            all: [Arc::new(issuer)].into(),
            by_iss: None,
        }
    }

    /// Issuers that are told apart by `iss`, each with every spelling of its own.
    #[must_use]
    pub fn named(issuers: Vec<Issuer>) -> Self {
        let mut by_iss = HashMap::default();
        let mut all = Vec::new();
        for (index, issuer) in issuers.into_iter().enumerate() {
            by_iss.extend(
                issuer
                    .spellings
                    .iter()
                    .map(|iss| (iss.as_str().into(), index)),
            );
            all.push(Arc::new(issuer));
        }
        Self {
            has_padded: all.iter().any(|issuer| issuer.is_padded),
            all: all.into(),
            by_iss: Some(Arc::new(by_iss)),
        }
    }

    /// The issuer of every token, where there is only one and nobody needs to ask.
    #[must_use]
    pub fn the_only(&self) -> Option<(usize, &Arc<Issuer>)> {
        match self.by_iss {
            Some(_) => None,
            None => self.all.first().map(|issuer| (0, issuer)),
        }
    }

    /// The issuer that an `iss` means.
    #[must_use]
    pub fn of(&self, iss: &str) -> Option<(usize, &Arc<Issuer>)> {
        let index = *self.by_iss.as_ref()?.get(iss)?;
        self.all.get(index).map(|issuer| (index, issuer))
    }

    /// Every issuer.
    #[must_use]
    pub fn all(&self) -> &[Arc<Issuer>] {
        &self.all
    }

    /// Whether any issuer's base64url may carry padding.
    #[must_use]
    pub const fn has_padded(&self) -> bool {
        self.has_padded
    }

    /// Whether the issuer at this place still has the keys of this generation.
    #[must_use]
    pub fn is_current(&self, index: usize, generation: Generation) -> bool {
        self.all
            .get(index)
            .is_some_and(|issuer| issuer.generation == generation)
    }

    /// The same issuers, one of them with other keys; `None` when it is not among them.
    #[must_use]
    pub fn with_keys(&self, id: IssuerId, keys: &KeySet) -> Option<Self> {
        let index = self.all.iter().position(|issuer| issuer.id == id)?;
        let replace = |(place, issuer): (usize, &Arc<Issuer>)| {
            if place != index {
                return Arc::clone(issuer);
            }
            Arc::new(Issuer {
                id,
                name: Arc::clone(&issuer.name),
                spellings: Arc::clone(&issuer.spellings),
                keys: keys.clone(),
                generation: Generation::next(),
                supply: issuer.supply,
                claims: Arc::clone(&issuer.claims),
                identity: Arc::clone(&issuer.identity),
                is_padded: issuer.is_padded,
                known_headers: KnownHeaders::of(keys),
            })
        };
        Some(Self {
            all: self.all.iter().enumerate().map(replace).collect(),
            ..self.clone()
        })
    }
}

/// The encoded headers of verified tokens, each with the key and the algorithm it led to: an issuer signs with few headers for each key, so a
/// look-up here spares decoding and parsing one (about 1 µs). Only headers of *verified* tokens enter, so garbage fills nothing,
/// and only such as fit a single key; it is bounded, and it dies with the issuer's keys.
#[derive(Debug)]
pub struct KnownHeaders {
    headers: ArcSwap<HashMap<Arc<[u8]>, Arc<KnownHeader>, ahash::RandomState>>,
    /// How many there may be.
    room: usize,
}

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

/// How many headers are remembered, whatever the number of keys; for each key; and at most. And the longest that is.
const FEW_HEADERS: usize = 64;
const HEADERS_FOR_EACH_KEY: usize = 2;
const MOST_HEADERS: usize = 4096;
const MAX_HEADER_BYTES: usize = 1024;

impl KnownHeaders {
    /// Room for the headers of these keys.
    #[must_use]
    pub fn of(keys: &KeySet) -> Self {
        let room = keys.keys().len().saturating_mul(HEADERS_FOR_EACH_KEY);
        Self {
            headers: ArcSwap::default(),
            room: room.clamp(FEW_HEADERS, MOST_HEADERS),
        }
    }

    /// What this encoded header leads to.
    #[must_use]
    pub fn get(&self, encoded: &[u8]) -> Option<Arc<KnownHeader>> {
        self.headers.load().get(encoded).cloned()
    }

    /// Remembers the header of a token that has been verified.
    pub fn remember(&self, encoded: &[u8], known: &Arc<KnownHeader>) {
        let is_full = self.headers.load().len() >= self.room;
        if is_full || encoded.len() > MAX_HEADER_BYTES {
            return;
        }
        let encoded: Arc<[u8]> = encoded.into();
        self.headers.rcu(|headers| {
            let mut headers = HashMap::clone(headers);
            if headers.len() < self.room {
                headers.insert(Arc::clone(&encoded), Arc::clone(known));
            }
            headers
        });
    }
}
