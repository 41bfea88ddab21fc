//! jwtgate itself in front of one application, for a pod that has no proxy.
//!
//! ```text
//! client ─► connection ─► judge: what /forward-auth would say ─► outgoing: less what the client may not say, plus who it is
//!                           │                                        │
//!                           ▼                                        ▼
//!                         refused                          application ─► answer, streamed back
//! ```
//!
//! HTTP is spoken by hyper on both sides; what is ours is what may pass (`outgoing`), and that nothing hangs (`activity`).

mod activity;
mod application;
mod exchange;
mod lines;
mod moving;
mod outgoing;
mod rules;
mod tunnel;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Service;
use super::beside::Beside;
use super::connections::{Connection, accept};
use super::tls::Speaks;
use super::watched::{Patience, Watched};

use application::Application;
use exchange::Exchange;

pub use application::Target;
pub use rules::UpstreamRules;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// For the application to accept a connection.
    pub connect: Duration,
    /// For the application's answer to begin.
    pub response: Duration,
    /// For a body or a tunnel to be silent.
    pub idle: Duration,
    /// For a client to send a head, from its first byte.
    pub head: Duration,
}

/// Room for the largest head that may be allowed, and its request line: what is too large is told by the gate, what is larger still by the
/// parser.
const MAX_HEAD_BYTES: usize = 160 * 1024;
/// Header lines of a request. Proxies in front may send many.
const MAX_HEADER_LINES: usize = 200;
/// From the end of one request to the end of the next one's head: longer than load balancers keep connections, which is a minute. How
/// long the head itself may take is watched below hyper, which has one limit for both.
const IDLE: Duration = Duration::from_secs(75);
/// How long a client may leave an answer untaken.
const WRITE_TIMEOUT: Duration = Duration::from_mins(1);

/// Serves on open sockets until `beside` ends it.
///
/// # Errors
/// A socket cannot be used.
pub fn start(
    service: &Arc<Service>,
    target: Target,
    times: Times,
    beside: Beside,
) -> io::Result<JoinHandle<()>> {
    let end = beside.end.clone();
    let acceptance = beside.acceptance(Speaks::Http1);
    let mut connections = accept(beside.sockets, &acceptance)?;
    let open = TaskTracker::new();
    let front = Arc::new(Front {
        open: open.clone(),
        service: Arc::clone(service),
        application: Application::new(target, times),
        times,
        end,
    });
    Ok(tokio::spawn(async move {
        while let Some(connection) = connections.recv().await {
            open.spawn(Arc::clone(&front).serve(connection));
        }
        open.close();
        open.wait().await;
    }))
}

/// What all connections share.
struct Front {
    service: Arc<Service>,
    application: Application,
    times: Times,
    end: CancellationToken,
    /// Connections and tunnels.
    open: TaskTracker,
}

impl Front {
    async fn serve(self: Arc<Self>, connection: Connection) {
        let (peer, is_tls) = (connection.peer(), connection.is_tls());
        let patience = Patience {
            head: Some(self.times.head),
            answer: WRITE_TIMEOUT,
            quiet: None,
        };
        let stream = Watched::new(connection, patience);
        let exchanges = stream.exchanges();
        let front = Arc::clone(&self);
        let answer = service_fn(move |request| {
            let front = Arc::clone(&front);
            let underway = exchanges.begin();
            async move {
                let exchange = Exchange {
                    service: &front.service,
                    application: &front.application,
                    times: front.times,
                    peer,
                    is_tls,
                    open: &front.open,
                    underway,
                };
                Ok::<_, std::convert::Infallible>(exchange.answer(request).await)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .max_headers(MAX_HEADER_LINES)
            .max_buf_size(MAX_HEAD_BYTES)
            .half_close(false)
            .serve_connection(TokioIo::new(stream), answer)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            // A connection that breaks is the client's affair.
            _ = connection.as_mut() => return,
            () = self.end.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}
