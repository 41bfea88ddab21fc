//! What doctor plays itself, so that it sees what arrives: the application behind the proxy, and jwtgate.

pub(super) mod application;
pub(super) mod contract;
pub(super) mod gate;

use std::sync::{Arc, Mutex, PoisonError};

use super::wire::{Framing, Head};

/// Names the request that doctor sent, so that what arrives is not taken for another's.
pub(super) const MARK: &str = "X-Jwtgate-Doctor";

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) lines: Vec<(String, String)>,
    /// Whether a body was announced.
    pub(super) has_body: bool,
}

impl Seen {
    fn of(head: &Head) -> Self {
        let mut words = head.words();
        let mut word = || words.next().unwrap_or_default().to_owned();
        Self {
            method: word(),
            target: word(),
            lines: head.lines.clone(),
            has_body: !matches!(head.framing(), Framing::None | Framing::Length(0)),
        }
    }
}

/// What arrived so far, shared by the connections.
#[derive(Debug)]
pub(super) struct Record<T>(Arc<Mutex<Vec<T>>>);

impl<T> Record<T> {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Vec::new())))
    }

    fn push(&self, seen: T) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(seen);
    }

    /// Takes out what `is_meant`.
    pub(super) fn take(&self, is_meant: impl Fn(&T) -> bool) -> Vec<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (meant, others) = all.drain(..).partition(is_meant);
        *all = others;
        meant
    }
}

impl<T> Clone for Record<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
