//! What is known of an issuer's published keys: the documents that were fetched, and the keys in them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use crate::clock::Timestamp;
use crate::idp::discovery::Metadata;
use crate::idp::freshness;

use super::remote::{Judged, Origin, Remote};
use super::set::{KeySet, Selection};
use super::store::{Stored, StoredDocument};

/// What is known of an issuer's published keys.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The last good documents.
    pub holdings: Vec<Holding>,
    /// What its metadata said, and when that was.
    pub metadata: Option<(Metadata, Instant)>,
    /// When the last fetch began.
    pub last_begun: Option<Instant>,
    /// How the fetches went.
    pub record: Record,
}

/// What is counted and shown of an issuer's fetches.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Fetches that brought or confirmed everything.
    pub succeeded: u64,
    /// Fetches of which something failed.
    pub failed: u64,
    /// When the next one is due.
    pub next: Option<Instant>,
    /// What went wrong in the last one.
    pub errors: Vec<String>,
}

/// A good document.
#[derive(Clone, Debug)]
pub struct Holding {
    /// From where.
    pub url: Url,
    /// The name of its one key, where it is one.
    pub kid: Option<Box<str>>,
    /// Its text.
    pub text: Arc<str>,
    /// Its tag.
    pub etag: Option<String>,
    /// When it was last known to be current, by the wall clock.
    pub checked_at: Timestamp,
    /// How long it is fresh from then on.
    pub fresh: Duration,
    /// When it is too old to be used.
    pub stale_at: Instant,
    /// What it holds.
    pub judged: Judged,
}

/// The bounds of how long an answer counts as fresh, whatever it says.
const LEAST_FRESH: Duration = Duration::from_mins(1);

impl Known {
    /// What is known, judged again: for an issuer whose settings may have changed since `before`. Its metadata is asked for anew.
    #[must_use]
    pub fn judged_for(mut self, before: &Remote, remote: &Remote) -> Self {
        self.metadata = None;
        let (old, new) = (before.pace.max_stale, remote.pace.max_stale);
        let now = Instant::now();
        self.holdings.retain_mut(|holding| {
            let shifted = (holding.stale_at + new).checked_sub(old);
            holding.stale_at = shifted.unwrap_or(now);
            match remote.judge(&holding.text, holding.kid.as_deref()) {
                Ok(judged) => holding.judged = judged,
                Err(_) => return false,
            }
            true
        });
        self
    }

    /// What a file kept, as far as it can be used now.
    ///
    /// # Errors
    /// Nothing of it can, and why: it is of another issuer or from another address, or too old.
    pub fn from_stored(stored: Stored, remote: &Remote, now: Timestamp) -> Result<Self, String> {
        if stored.origin != origin_name(&remote.origin) {
            // Without saying whose: an address may hold what nobody shall see.
            return Err("it is of another issuer, or from another address".to_owned());
        }
        let mut holdings = Vec::new();
        for document in stored.documents {
            // A moment in the future is one before the clock was set back.
            let checked_at = Timestamp::from_seconds(document.checked_at);
            let left = remote.pace.max_stale.checked_sub(now.since(checked_at));
            let (Some(left), Ok(url)) = (left, Url::parse(&document.url)) else {
                continue;
            };
            let Ok(judged) = remote.judge(&document.text, document.kid.as_deref()) else {
                continue;
            };
            holdings.push(Holding {
                url,
                kid: document.kid.map(Into::into),
                text: document.text.into(),
                etag: document.etag,
                checked_at,
                fresh: Duration::ZERO,
                stale_at: Instant::now() + left,
                judged,
            });
        }
        if holdings.is_empty() {
            return Err("its keys are too old, or no longer fit the settings".to_owned());
        }
        Ok(Self {
            holdings,
            ..Self::default()
        })
    }

    /// For a file.
    #[must_use]
    pub fn to_stored(&self, remote: &Remote) -> Stored {
        Stored {
            origin: origin_name(&remote.origin),
            documents: self
                .holdings
                .iter()
                .map(|holding| StoredDocument {
                    url: holding.url.to_string(),
                    kid: holding.kid.as_deref().map(str::to_owned),
                    etag: holding.etag.clone(),
                    checked_at: holding.checked_at.seconds(),
                    text: holding.text.as_ref().to_owned(),
                })
                .collect(),
        }
    }

    /// The keys.
    #[must_use]
    pub fn key_set(&self) -> KeySet {
        let keys = self
            .holdings
            .iter()
            .flat_map(|holding| &holding.judged.keys);
        KeySet::new(keys.cloned(), Selection::ByKid)
    }

    /// The document from an address.
    #[must_use]
    pub fn holding(&self, url: &Url) -> Option<&Holding> {
        self.holdings.iter().find(|holding| holding.url == *url)
    }

    /// Takes a good document, in the place of the one from the same address.
    pub fn put(&mut self, holding: Holding) {
        match self.holdings.iter_mut().find(|own| own.url == holding.url) {
            Some(own) => *own = holding,
            None => self.holdings.push(holding),
        }
    }

    /// Drops what is too old. Says whether something was.
    pub fn drop_stale(&mut self, now: Instant) -> bool {
        let count = self.holdings.len();
        self.holdings.retain(|holding| holding.stale_at > now);
        self.holdings.len() < count
    }

    /// How long ago the oldest document was known to be current; `None` without any.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let oldest = self
            .holdings
            .iter()
            .map(|holding| holding.checked_at)
            .min()?;
        Some(Timestamp::now().since(oldest))
    }

    /// When the first document gets too old.
    #[must_use]
    pub fn stale_at(&self) -> Option<Instant> {
        self.holdings.iter().map(|holding| holding.stale_at).min()
    }

    /// How long all documents are fresh, within the bounds.
    #[must_use]
    pub fn fresh(&self, max_refresh: Duration) -> Duration {
        let least = self.holdings.iter().map(|holding| holding.fresh).min();
        least
            .unwrap_or(freshness::UNSTATED)
            .clamp(LEAST_FRESH, max_refresh.max(LEAST_FRESH))
    }
}

/// What a file says of where its documents come from: keys of one issuer must never be taken for another's.
fn origin_name(origin: &Origin) -> String {
    match origin {
        Origin::Metadata { issuer, places } => {
            let places: Vec<_> = places.iter().map(Url::as_str).collect();
            format!("metadata of {issuer} at {}", places.join(" "))
        }
        Origin::Sets(urls) => {
            let urls: Vec<_> = urls.iter().map(Url::as_str).collect();
            format!("sets at {}", urls.join(" "))
        }
        Origin::ByKid(template) => format!("keys at {template}"),
    }
}
