//! The cache of verified tokens: seen this exact token before?
//!
//! The key is the SHA-256 of the *whole* token, never of a part and never a short hash (the class of CVE-2026-33496), and no token
//! text is kept. Only verified tokens enter, so bad ones can neither be answered from here nor push good ones out. An entry counts
//! no longer than its token, its issuer's keys and its settings (a new one builds a new cache), nor longer than an hour; every hit looks
//! at the time again. What no longer counts is pushed out by what does. In front of it stands what each thread has met again (`recent`).

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::digest;
use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use crate::clock::Timestamp;
use crate::request::RawToken;

use super::recent::{self, Origin};
use super::refusal::DigestPrefix;
use super::verify::Verified;

/// The SHA-256 of a whole token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// What the log may say of it.
    #[must_use]
    pub fn prefix(&self) -> DigestPrefix {
        DigestPrefix(self.0.first_chunk().copied().unwrap_or_default())
    }
}

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
    entries: Cache<TokenDigest, Entry, Weigher, ahash::RandomState, Evictions>,
    evictions: Evictions,
}

/// A verified token, and until when it may be answered from here.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    verified: Arc<Verified>,
    keep_until: Timestamp,
}

impl Entry {
    fn is_good(&self, now: Timestamp, is_current: impl Fn(&Verified) -> bool) -> bool {
        // One that seems to have come later than now was inserted before the clock was set back.
        now < self.keep_until
            && self.keep_until <= now.plus(MAX_AGE)
            && self.verified.validity().holds_at(now)
            && is_current(&self.verified)
    }
}

/// No entry stays longer, whatever its `exp` says.
const MAX_AGE: Duration = Duration::from_hours(1);

/// What the cache and the allocator need for an entry beside the entry itself: a slot, a place in a table, rounding. With it,
/// 60,000 tokens of 20 groups were accounted 1,121 bytes each, and took 1,082.
const OVERHEAD: usize = 200;
/// The smallest part of a cache, in bytes. Each core has its part where there is room, and what is larger than a part is not kept at all.
const MIN_SHARD: u64 = 1024 * 1024;
/// How many entries the tables have room for at the start. They grow; all the room at once would double the time that a start takes.
const ROOM: usize = 4096;
/// For how many of these it is remembered that they were pushed out: those that come again are worth keeping.
const GHOSTS: f64 = 0.25;

/// How many caches there were so far.
static CACHES: AtomicU64 = AtomicU64::new(0);

impl TokenCache {
    /// A cache that takes at most about `max_bytes`.
    #[must_use]
    pub fn new(max_bytes: u64) -> Self {
        let evictions = Evictions::default();
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let options = OptionsBuilder::new()
            .shards(shards(max_bytes, cores))
            .estimated_items_capacity(ROOM)
            .weight_capacity(max_bytes)
            .ghost_allocation(GHOSTS)
            .build();
        let hasher = ahash::RandomState::new();
        let entries = match options {
            Ok(options) => Cache::with_options(options, Weigher, hasher, evictions.clone()),
            // All that is asked for is given above.
            Err(_) => Cache::with(ROOM, max_bytes, Weigher, hasher, evictions.clone()),
        };
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
        if let Some(entry) =
            recent::get(self.origin, token, |entry| entry.is_good(now, &is_current))
        {
            return Ok(entry.verified);
        }
        let digest = digest(token);
        let entry = self.entries.get(&digest).ok_or(digest)?;
        if !entry.is_good(now, &is_current) {
            return Err(digest);
        }
        recent::insert(self.origin, token, &entry);
        Ok(entry.verified)
    }

    /// Remembers a verified token.
    pub fn insert(&self, digest: TokenDigest, verified: Arc<Verified>, now: Timestamp) {
        let longest = now.plus(MAX_AGE);
        let until = verified.validity().until();
        let keep_until = until.map_or(longest, |until| until.min(longest));
        let entry = Entry {
            verified,
            keep_until,
        };
        self.entries.insert(digest, entry);
    }

    /// How many entries there are. Those that have expired count until they are pushed out.
    #[must_use]
    pub fn entries(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    /// How many bytes they take, about.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries.weight()
    }

    /// How many were pushed out for want of room.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.evictions.0.load(Ordering::Relaxed)
    }
}

/// How many parts with a lock each a cache of so many bytes has.
fn shards(max_bytes: u64, cores: usize) -> usize {
    let fitting = usize::try_from(max_bytes / MIN_SHARD).unwrap_or(usize::MAX);
    // The library takes the next power of two: here the one before, so that none is smaller.
    let largest = fitting.checked_ilog2().map_or(1, |power| 1 << power);
    largest.min(cores.next_power_of_two())
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
struct Weigher;

impl Weighter<TokenDigest, Entry> for Weigher {
    fn weight(&self, _: &TokenDigest, entry: &Entry) -> u64 {
        let size = size_of::<TokenDigest>() + size_of::<Entry>() + entry.verified.size() + OVERHEAD;
        u64::try_from(size).unwrap_or(u64::MAX)
    }
}

/// Counts entries that are pushed out.
#[derive(Clone, Debug, Default)]
struct Evictions(Arc<AtomicU64>);

impl Lifecycle<TokenDigest, Entry> for Evictions {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: TokenDigest, _: Entry) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_cache_is_not_cut_into_parts_that_hold_nothing() {
        const MIB: u64 = 1024 * 1024;
        for (max_bytes, cores, expected) in [
            (64 * 1024, 64, 1),
            (MIB, 64, 1),
            (3 * MIB, 64, 2),
            (64 * MIB, 64, 64),
            (64 * MIB, 3, 4),
            (64 * MIB, 1, 1),
            (1, 1, 1),
            (u64::MAX, 2, 2),
        ] {
            assert_eq!(shards(max_bytes, cores), expected, "{max_bytes} {cores}");
        }
    }
}
