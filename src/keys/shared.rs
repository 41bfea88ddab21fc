//! What a refresher shares with those who wait for its keys, and with those who ask how it stands.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::known::Known;
use super::remote::{Origin, Remote};
use super::wanted::Wanted;

/// An issuer of one state of the service. It is never used twice, so that keys can only be installed where they belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IssuerId(u64);

impl IssuerId {
    /// A new one.
    #[must_use]
    pub fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// How far the fetches for an issuer have come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// How many have begun.
    pub begun: u64,
    /// How many have ended.
    pub ended: u64,
    /// When the last one began.
    pub begun_at: Option<Instant>,
    /// Whether everything came back in the last one that ended.
    pub is_complete: bool,
    /// Whether there will be no more: a reload has ended the refresher.
    pub is_stopped: bool,
}

impl Progress {
    /// As an earlier refresher has left it, which began its last fetch then.
    const fn after(last_begun: Option<Instant>) -> Self {
        let count = if last_begun.is_some() { 1 } else { 0 };
        Self {
            begun: count,
            ended: count,
            begun_at: last_begun,
            is_complete: false,
            is_stopped: false,
        }
    }

    /// Whether a fetch is under way.
    #[must_use]
    pub const fn is_fetching(&self) -> bool {
        self.begun > self.ended
    }
}

/// The part of a refresher that others see.
pub struct Shared {
    /// Whose keys.
    pub id: IssuerId,
    /// Where they are.
    pub remote: Remote,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) demand: Notify,
    /// How many requests wait.
    pub(super) waiting: AtomicUsize,
    /// Names of keys that are asked for, with how often, where each key has an address of its own.
    pub(super) wanted: Mutex<Wanted>,
    pub(super) known: Mutex<Known>,
}

/// What came of asking for a key by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// The next fetch asks for it.
    Asked,
    /// No key has such a name.
    Impossible,
    /// Too many others are asked for.
    Full,
}

impl Shared {
    /// What others see of an issuer whose keys are known so far.
    #[must_use]
    pub fn new(id: IssuerId, remote: Remote, known: Known) -> Self {
        Self {
            id,
            remote,
            progress: watch::Sender::new(Progress::after(known.last_begun)),
            demand: Notify::new(),
            waiting: AtomicUsize::new(0),
            wanted: Mutex::default(),
            known: Mutex::new(known),
        }
    }

    /// Whether each key has an address of its own.
    pub(super) const fn is_by_kid(&self) -> bool {
        matches!(self.remote.origin, Origin::ByKid(_))
    }

    /// Asks for a key by its name, where that matters.
    pub fn want(&self, kid: &str) -> Asking {
        if !self.is_by_kid() {
            return Asking::Asked;
        }
        match self.remote.url_of_kid(kid) {
            None => Asking::Impossible,
            Some(_) if lock(&self.wanted).add(kid) => Asking::Asked,
            Some(_) => Asking::Full,
        }
    }

    /// Whether the last fetch asked for the key of this name.
    pub(super) fn was_asked(&self, kid: Option<&str>) -> bool {
        !self.is_by_kid() || kid.is_some_and(|kid| lock(&self.wanted).was_taken(kid))
    }

    /// What is known.
    #[must_use]
    pub fn known(&self) -> Known {
        lock(&self.known).clone()
    }
}

/// Nothing that is locked here is left half changed, so a panic elsewhere does not matter.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
