//! A body that must not stand still. Its length is told as it came, so that it is framed as it came.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::server::exchanges::Underway;

use super::activity::Activity;

/// What a body may break by.
pub(super) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// A body whose frames count as activity, and that ends with an error when none comes for too long.
#[derive(Debug)]
pub(super) struct Moving {
    body: Incoming,
    activity: Activity,
    limit: Duration,
    /// Set when the next frame is not here yet.
    alarm: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
    /// Held until it is dropped.
    _underway: Underway,
}

impl Moving {
    pub(super) const fn new(
        body: Incoming,
        activity: Activity,
        limit: Duration,
        underway: Underway,
    ) -> Self {
        Self {
            body,
            activity,
            limit,
            alarm: None,
            is_waiting: false,
            _underway: underway,
        }
    }
}

impl Body for Moving {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.is_waiting = false;
            match &frame {
                None => self.activity.ended(),
                Some(Ok(_)) if self.body.is_end_stream() => self.activity.ended(),
                Some(Ok(_)) => self.activity.moved(),
                Some(Err(_)) => self.activity.broke(),
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = self.limit;
        let is_waiting = std::mem::replace(&mut self.is_waiting, true);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep(limit)));
        if !is_waiting {
            alarm.as_mut().reset(Instant::now() + limit);
        }
        match alarm.as_mut().poll(context) {
            Poll::Ready(()) => {
                self.activity.broke();
                Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
