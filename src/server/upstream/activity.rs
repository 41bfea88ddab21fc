//! When something last moved: what is silent for too long is ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts what moves. Clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Activity(Arc<AtomicU64>);

impl Activity {
    /// Something has moved.
    pub(super) fn moved(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends when nothing has moved for `limit`, and less than twice that.
    pub(super) async fn silence(&self, limit: Duration) {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(limit).await;
            let now = self.0.load(Ordering::Relaxed);
            if now == seen {
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
