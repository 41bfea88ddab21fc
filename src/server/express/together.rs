//! Signatures of the requests that one turn of a worker brings, checked together.
//!
//! The first that comes has a task look after it. That task lets every other task go first that is ready, and the sockets be asked once more
//! for what has come meanwhile: whatever else has a signature to check joins. Then all are checked. There is no timer, and the busier
//! the worker is, the more come together. Every connection has at most one request here, so there are never more than connections; beyond
//! [`MOST`] each is checked at once.
//!
//! To wait costs a second way through the gate, and whoever comes first of many waits for all of them. So company is sought only while
//! the worker is busy: then it answers more in the same time, and everybody waits less. One that has time to spare answers each at once.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::oneshot;

use crate::gate::signatures::judge;
use crate::gate::{Judged, Signatures, Unjudged};
use crate::telemetry::Metrics;

/// How many may wait together.
const MOST: usize = 1024;

/// How many must have come together for it to have paid.
const WORTHWHILE: usize = 6;

/// After how many requests it is asked again whether the worker is busy, while it is not.
const ALONE: u32 = 64;

/// A worker that works more than so many tenths of the time is busy.
const BUSY_TENTHS: u32 = 9;

/// What waits in this worker.
pub(super) struct Together {
    waiting: RefCell<Vec<(Box<Unjudged>, oneshot::Sender<Judged>)>>,
    /// For how many more requests the worker counts as not busy.
    alone: Cell<u32>,
    load: Load,
    metrics: Metrics,
}

impl Together {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self {
            waiting: RefCell::default(),
            alone: Cell::new(ALONE),
            load: Load::default(),
            metrics,
        }
    }

    /// When the signature of the next request is checked.
    pub(super) fn next(&self) -> Signatures<'static> {
        let alone = self.alone.get();
        if alone > 0 {
            let still = alone == 1 && !self.load.was_high();
            self.alone.set(if still { ALONE } else { alone - 1 });
        }
        Signatures::Together {
            is_busy: alone == 0,
        }
    }

    /// The verdict; `None` when too many wait, or the check broke off: then it is to be checked at once.
    pub(super) async fn judge(self: &Rc<Self>, unjudged: Box<Unjudged>) -> Option<Judged> {
        let (sender, receiver) = oneshot::channel();
        let count = {
            let mut waiting = self.waiting.borrow_mut();
            if waiting.len() >= MOST {
                return None;
            }
            waiting.push((unjudged, sender));
            waiting.len()
        };
        if count == 1 {
            let own = Rc::clone(self);
            tokio::task::spawn_local(async move {
                tokio::task::yield_now().await;
                own.answer();
            });
        }
        receiver.await.ok()
    }

    fn answer(&self) {
        let waiting = self.waiting.take();
        let count = waiting.len();
        if count > 1 {
            self.metrics.checked_together(count);
        }
        // Where this fails, nobody is answered, and each is checked at once.
        let Ok(judged) = catch_unwind(AssertUnwindSafe(|| judge(waiting))) else {
            self.metrics.panicked();
            return;
        };
        for (judged, sender) in judged {
            // Whose client has gone away has nobody to tell.
            let _ = sender.send(judged);
        }
        if count < WORTHWHILE || !self.load.was_high() {
            self.alone.set(ALONE);
        }
    }
}

/// How much of its time this thread works.
#[derive(Default)]
struct Load(Cell<Option<(Instant, Duration)>>);

impl Load {
    /// Whether it was busy since this was asked last.
    fn was_high(&self) -> bool {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let Ok(worked) = Duration::try_from(time) else {
            return false;
        };
        let now = Instant::now();
        let last = self.0.replace(Some((now, worked)));
        last.is_some_and(|(then, before)| {
            let passed = now.saturating_duration_since(then);
            worked.saturating_sub(before) * 10 >= passed * BUSY_TENTHS
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_sleeps_is_not_busy_and_one_that_works_is() {
        let load = Load::default();
        assert!(!load.was_high(), "nothing is known yet");
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(20) {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        assert!(!load.was_high());
        let end = Instant::now() + Duration::from_secs(20);
        // On a full machine it may be kept from working: a part is shorter than what a thread gets at a time.
        let part = Duration::from_micros(500);
        let is_seen = std::iter::repeat_with(|| {
            let start = Instant::now();
            while start.elapsed() < part {
                std::hint::spin_loop();
            }
            load.was_high()
        })
        .take_while(|_| Instant::now() < end)
        .any(|was_high| was_high);
        assert!(is_seen);
    }

    /// So many that wait, and what becomes of them.
    #[cfg(feature = "rsa-ifma")]
    fn answered(count: usize, meanwhile: impl FnOnce(&Together)) -> Option<Vec<bool>> {
        let unjudged = crate::gate::signatures::tests::unjudged(count)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let local = tokio::task::LocalSet::new();
        let answers = local.block_on(&runtime.unwrap(), async {
            let together = Rc::new(Together::new(Metrics::default()));
            let mut asking: Vec<_> = unjudged
                .into_iter()
                .map(|unjudged| {
                    let own = Rc::clone(&together);
                    Box::pin(async move { own.judge(Box::new(unjudged)).await.is_some() })
                })
                .collect();
            // Everybody comes, and nobody has been answered yet.
            let mut early = Vec::new();
            for one in &mut asking {
                early.push(futures_util::poll!(one));
            }
            meanwhile(&together);
            let mut answers = Vec::new();
            for (one, early) in asking.into_iter().zip(early) {
                answers.push(match early {
                    std::task::Poll::Ready(answer) => answer,
                    std::task::Poll::Pending => one.await,
                });
            }
            answers
        });
        Some(answers)
    }

    #[test]
    #[cfg(feature = "rsa-ifma")]
    fn who_is_alone_is_answered_in_the_next_turn_too() {
        let Some(mut unjudged) = crate::gate::signatures::tests::unjudged(1) else {
            return;
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let is_answered = tokio::task::LocalSet::new().block_on(&runtime.unwrap(), async {
            let together = Rc::new(Together::new(Metrics::default()));
            let own = Rc::clone(&together);
            let unjudged = Box::new(unjudged.remove(0));
            let alone = tokio::task::spawn_local(async move { own.judge(unjudged).await });
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
            alone.is_finished()
        });
        assert!(is_answered);
    }

    #[test]
    #[cfg(feature = "rsa-ifma")]
    fn beyond_the_most_nobody_waits() {
        let Some(answers) = answered(MOST + 3, |_| ()) else {
            return;
        };
        assert_eq!(answers[..MOST], [true; MOST]);
        assert_eq!(answers[MOST..], [false; 3], "to be checked at once");
    }

    #[test]
    #[cfg(feature = "rsa-ifma")]
    fn whose_check_breaks_off_is_told_so() {
        let broken = answered(3, |together| drop(together.waiting.take()));
        assert_eq!(broken, broken.as_ref().map(|_| vec![false; 3]));
    }

    #[test]
    fn company_is_not_sought_before_the_worker_has_shown_to_be_busy() {
        let together = Together::new(Metrics::default());
        for _ in 0..=ALONE {
            let next = together.next();
            assert!(matches!(next, Signatures::Together { is_busy: false }));
        }
    }
}
