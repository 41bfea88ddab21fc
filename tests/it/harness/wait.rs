//! Waiting for a condition instead of for a length of time.

use std::time::{Duration, Instant};

/// Asks again and again until `probe` answers, for `limit` at most. `None` when it never did.
pub(crate) fn until<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Lets time pass, where the length of time is what is tried.
pub(crate) fn pass(length: Duration) {
    until(length, || None::<()>);
}
