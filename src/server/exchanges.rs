//! Which of what arrives on a connection is a head: whoever reads bodies says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What tells a stream that a request is being answered whose body may still come. What arrives meanwhile is no head.
#[derive(Clone, Debug, Default)]
pub struct Exchanges(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Exchanges that have begun and not ended.
    open: AtomicUsize,
    /// How often one began or ended.
    changes: AtomicUsize,
}

/// An exchange that ends when the last clone of this is dropped.
#[derive(Debug)]
pub struct Underway(Arc<Counts>);

impl Exchanges {
    /// The head of a request has been read.
    #[must_use]
    pub fn begin(&self) -> Underway {
        Underway::of(&self.0)
    }

    pub(super) fn is_any_open(&self) -> bool {
        self.0.open.load(Ordering::Acquire) > 0
    }

    pub(super) fn changes(&self) -> usize {
        self.0.changes.load(Ordering::Acquire)
    }
}

impl Underway {
    fn of(counts: &Arc<Counts>) -> Self {
        counts.open.fetch_add(1, Ordering::AcqRel);
        counts.changes.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(counts))
    }
}

impl Clone for Underway {
    fn clone(&self) -> Self {
        Self::of(&self.0)
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.changes.fetch_add(1, Ordering::AcqRel);
    }
}
