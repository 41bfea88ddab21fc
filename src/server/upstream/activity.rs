//! When something last moved: what is silent for too long is ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Counts what moves. Clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity(Arc<State>);

#[derive(Debug, Default)]
struct State {
    moves: AtomicU64,
    /// Whether all that a client sends has come.
    has_ended: AtomicBool,
    /// Whether it broke off.
    is_broken: AtomicBool,
}

impl Activity {
    /// Something has moved.
    pub(super) fn moved(&self) {
        self.0.moves.fetch_add(1, Ordering::Relaxed);
    }

    /// All has come.
    pub(super) fn ended(&self) {
        self.moved();
        self.0.has_ended.store(true, Ordering::Relaxed);
    }

    /// It broke off.
    pub(super) fn broke(&self) {
        self.0.is_broken.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.0.is_broken.load(Ordering::Relaxed)
    }

    /// Ends when all has come and nothing has moved since for `limit`, and less than twice that. Until then somebody else watches.
    pub(super) async fn silence(&self, limit: Duration) {
        let mut seen = self.0.moves.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(limit).await;
            let now = self.0.moves.load(Ordering::Relaxed);
            if now == seen && self.0.has_ended.load(Ordering::Relaxed) {
                return;
            }
            seen = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn silence_is_noticed_and_movement_is_none() {
        let activity = Activity::default();
        activity.ended();
        let began = Instant::now();
        let moving = activity.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_secs(9)).await;
                moving.moved();
            }
        });
        activity.silence(Duration::from_secs(10)).await;
        let took = began.elapsed();
        assert!((100..=110).contains(&took.as_secs()), "{took:?}");
    }
}
