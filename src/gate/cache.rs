//! The cache of verified tokens: seen this exact token before?
//!
//! The key is the SHA-256 of the *whole* token, never of a part and never a short hash (the class of CVE-2026-33496), and no token
//! text is kept. Only verified tokens enter, so bad ones can neither be answered from here nor push good ones out. An entry dies
//! with its token's `exp`, with its state (a new key or setting builds a new cache), and every hit checks the time again: a clock
//! that was set back or forth revives nothing. In front of it stands what each thread has met again (`recent`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use moka::Expiry;
use moka::notification::RemovalCause;
use moka::sync::Cache;

use crate::clock::Timestamp;
use crate::request::RawToken;

use super::recent::{self, Origin};
use super::verify::Verified;

/// The SHA-256 of a whole token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

/// The digest of a token.
#[must_use]
pub fn digest(token: RawToken<'_>) -> TokenDigest {
    let digest = digest::digest(&digest::SHA256, token.bytes());
    TokenDigest(digest.as_ref().first_chunk().copied().unwrap_or_default())
}

/// Verified tokens, bounded in bytes.
pub struct TokenCache {
    /// Names this cache in what threads remember of it.
    origin: Origin,
    entries: Cache<TokenDigest, Entry, ahash::RandomState>,
    evictions: Arc<AtomicU64>,
}

#[derive(Clone)]
struct Entry {
    verified: Arc<Verified>,
    /// How long it may stay, by the monotonic clock.
    keep: Duration,
}

/// No entry stays longer, whatever its `exp` says.
const MAX_AGE: Duration = Duration::from_hours(1);

/// What moka and the allocator need for an entry beside the entry itself: bucket, list nodes, timer node, rounding. With it, 40,000
/// tokens of 20 groups took the 1.4 KiB each in memory that is accounted for them.
const OVERHEAD: usize = 540;

/// How many caches there were so far.
static CACHES: AtomicU64 = AtomicU64::new(0);

impl TokenCache {
    /// A cache that takes at most about `max_bytes`.
    #[must_use]
    pub fn new(max_bytes: u64) -> Self {
        let evictions = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&evictions);
        let entries = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_, entry: &Entry| size_of_entry(entry))
            .expire_after(UntilExpiry)
            .eviction_listener(move |_, _, cause| {
                if cause == RemovalCause::Size {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build_with_hasher(ahash::RandomState::new());
        Self {
            origin: Origin(CACHES.fetch_add(1, Ordering::Relaxed)),
            entries,
            evictions,
        }
    }

    /// What was verified of this token, if it is known, valid at `now` and verified by keys that `is_current` says count.
    ///
    /// # Errors
    /// It is not; its digest, to insert it by.
    pub fn get(
        &self,
        token: RawToken<'_>,
        now: Timestamp,
        is_current: impl Fn(&Verified) -> bool,
    ) -> Result<Arc<Verified>, TokenDigest> {
        let is_good =
            |verified: &Arc<Verified>| verified.validity().holds_at(now) && is_current(verified);
        if let Some(verified) = recent::get(self.origin, token).filter(is_good) {
            return Ok(verified);
        }
        let digest = digest(token);
        let entry = self.entries.get(&digest).ok_or(digest)?;
        if !is_good(&entry.verified) {
            return Err(digest);
        }
        recent::insert(self.origin, token, &entry.verified);
        Ok(entry.verified)
    }

    /// Remembers a verified token.
    pub fn insert(&self, digest: TokenDigest, verified: Arc<Verified>, now: Timestamp) {
        let keep = verified
            .validity()
            .until()
            .map_or(MAX_AGE, |until| until.since(now).min(MAX_AGE));
        self.entries.insert(digest, Entry { verified, keep });
    }

    /// How many entries there are, after housekeeping.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.entry_count()
    }

    /// How many bytes they take, about.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries.weighted_size()
    }

    /// How many were pushed out for want of room.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

struct UntilExpiry;

impl Expiry<TokenDigest, Entry> for UntilExpiry {
    fn expire_after_create(&self, _: &TokenDigest, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.keep)
    }
}

fn size_of_entry(entry: &Entry) -> u32 {
    let size = size_of::<TokenDigest>() + size_of::<Entry>() + entry.verified.size() + OVERHEAD;
    u32::try_from(size).unwrap_or(u32::MAX)
}
