//! Signatures of the requests that one turn of a worker brings, checked together.
//!
//! The first that comes has a task look after it. That task lets every other task go first that is ready, and the sockets be asked once more
//! for what has come meanwhile: whatever else has a signature to check joins. Then all are checked. There is no timer: a request that is
//! alone waits for one look at the sockets, and the busier the worker was, the more come together. Every connection has at most
//! one request here, so there are never more than connections; beyond [`MOST`] each is checked at once.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::sync::oneshot;

use crate::gate::signatures::judge;
use crate::gate::{Judged, Unjudged};

/// How many may wait together.
const MOST: usize = 1024;

/// What waits in this worker.
#[derive(Default)]
pub(super) struct Together(RefCell<Vec<(Unjudged, oneshot::Sender<Judged>)>>);

impl Together {
    /// The verdict; `None` when too many wait, or the check broke off: then it is to be checked at once.
    pub(super) async fn judge(self: &Rc<Self>, unjudged: Unjudged) -> Option<Judged> {
        let (sender, receiver) = oneshot::channel();
        let count = {
            let mut waiting = self.0.borrow_mut();
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
        let waiting = self.0.take();
        for (judged, sender) in judge(waiting) {
            // Whose client has gone away has nobody to tell.
            let _ = sender.send(judged);
        }
    }
}
