//! What comes after an upgrade (WebSocket): bytes both ways, until one side ends it or both are silent.

use std::io;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio_util::io::InspectReader;

use super::activity::Activity;

/// Joins the two sides of an upgraded exchange.
pub(super) async fn join(client: OnUpgrade, application: OnUpgrade, idle: Duration) {
    let (Ok(client), Ok(application)) = tokio::join!(client, application) else {
        return;
    };
    let activity = Activity::default();
    // What matters here is movement alone.
    activity.ended();
    let moved = || {
        let activity = activity.clone();
        move |_: &[u8]| activity.moved()
    };
    let mut client = InspectReader::new(TokioIo::new(client), moved());
    let mut application = InspectReader::new(TokioIo::new(application), moved());
    let copied: io::Result<_> = tokio::select! {
        copied = copy_bidirectional(&mut client, &mut application) => copied,
        () = activity.silence(idle) => Err(io::ErrorKind::TimedOut.into()),
    };
    // Either side may have gone without a word: that is how most of these end.
    drop(copied);
}
