//! Envoy's external authorization over gRPC: `envoy.service.auth.v3.Authorization/Check`, and the health service of gRPC.
//!
//! What a request is comes from the attributes alone (`forwarded/attributes`), and the answer is what `/forward-auth` would say, as a
//! `CheckResponse` (`response`), with the claims that were asked for as `metadata`.

pub mod metadata;
mod response;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::ext_authz::v3::pb::{
    Authorization, AuthorizationServer, CheckRequest, CheckResponse,
};
use futures_util::stream::unfold;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::reason::Reason;

use super::Service;
use super::answer::{Checked, Exchange, check};
use super::asked::Asked;
use super::beside::Beside;
use super::connections::{Connection, accept};
use super::forwarded::attributes::{AttributeLines, address_of, of_attributes};
use super::respond::Endpoint;
use super::tls::Speaks;
use super::turn::settled;
use super::watched::{Patience, Watched};

/// What bounds the connections of this listener.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Checks at a time on one connection.
    pub concurrent_streams: u32,
    /// Silence after which a connection is asked whether it lives.
    pub keep_alive: Duration,
}

/// How long a connection may take to answer that it lives; less where it is asked more often.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest check, in bytes: a head of the largest size and what stands around it. Envoy sends bodies only where it is told to, and
/// nothing here reads them.
const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// How long a check may take, from its first byte to the answer. Keys are waited for within that.
const CHECK_TIME: Duration = Duration::from_secs(15);
/// How long a connection may leave an answer untaken.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// What a connection and a stream on it may send before it is read, in bytes.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const STREAM_WINDOW: u32 = 64 * 1024;
/// Streams that a client may reset before they were looked at (CVE-2023-44487).
const MAX_RESET_STREAMS: usize = 64;
/// The header lines of a gRPC request itself, in bytes: the original request's are in its message.
const MAX_HEADER_LIST_BYTES: u32 = 16 * 1024;
/// How often the health service looks.
const HEALTH_EVERY: Duration = Duration::from_secs(1);

/// Serves on open sockets until `beside` ends it.
///
/// # Errors
/// A socket cannot be used.
pub fn start(service: &Arc<Service>, limits: Limits, beside: Beside) -> io::Result<JoinHandle<()>> {
    let end = beside.end.clone();
    let acceptance = beside.acceptance(Speaks::Http2);
    let connections = accept(beside.sockets, &acceptance)?;
    // One that is alive is spoken to at least this often: it is asked, and answers. That counts from its first byte, so that one that
    // never says what it wants does not keep its place either.
    let keep_alive_timeout = KEEP_ALIVE_TIMEOUT.min(limits.keep_alive);
    let quiet = limits.keep_alive + 2 * keep_alive_timeout;
    let patience = Patience {
        head: None,
        answer: WRITE_TIMEOUT,
        quiet: Some(quiet),
    };
    let known = Arc::clone(service);
    let incoming = unfold(
        (connections, known),
        move |(mut connections, known)| async move {
            loop {
                let connection = connections.recv().await?;
                // Nobody else may fill the memory with what he says.
                if known.admits(connection.peer(), "ext_authz") {
                    let connection = Watched::new(connection, patience);
                    return Some((Ok::<_, io::Error>(connection), (connections, known)));
                }
            }
        },
    );
    let (reporter, health) = tonic_health::server::health_reporter();
    let health_ends = end.clone();
    let watch = tokio::spawn(report_health(Arc::clone(service), reporter, health_ends));
    let gate = Gate {
        service: Arc::clone(service),
    };
    let checks = AuthorizationServer::new(gate).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let server = Server::builder()
        .timeout(CHECK_TIME)
        .max_concurrent_streams(limits.concurrent_streams)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .http2_keepalive_interval(Some(limits.keep_alive))
        .http2_keepalive_timeout(Some(keep_alive_timeout))
        .http2_max_pending_accept_reset_streams(Some(MAX_RESET_STREAMS))
        .http2_max_header_list_size(MAX_HEADER_LIST_BYTES)
        .add_service(health)
        .add_service(checks)
        .serve_with_incoming_shutdown(incoming, async move { end.cancelled().await });
    Ok(tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the gRPC listener has ended");
        }
        watch.abort();
    }))
}

/// The services whose health is told; the one without a name is all of them.
const SERVICES: [&str; 2] = ["", "envoy.service.auth.v3.Authorization"];

/// Tells whoever asks whether checks can be answered: what `/readyz` says. At the end whoever watches is told that it is over, and the
/// watching ends, for a connection is closed when nothing is asked on it any more.
async fn report_health(
    service: Arc<Service>,
    mut reporter: HealthReporter,
    end: CancellationToken,
) {
    let mut told = None;
    while !end.is_cancelled() {
        let is_ready = service.lacking().is_empty();
        if told != Some(is_ready) {
            told = Some(is_ready);
            let status = if is_ready {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            };
            for name in SERVICES {
                reporter.set_service_status(name, status).await;
            }
        }
        tokio::select! {
            () = end.cancelled() => {}
            () = tokio::time::sleep(HEALTH_EVERY) => {}
        }
    }
    for name in SERVICES {
        let status = ServingStatus::NotServing;
        reporter.set_service_status(name, status).await;
        reporter.clear_service_status(name).await;
    }
}

impl Connected for Watched<Connection> {
    type ConnectInfo = PeerAddress;

    fn connect_info(&self) -> PeerAddress {
        PeerAddress(self.inner().peer())
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(Option<std::net::SocketAddr>);

#[derive(Debug)]
struct Gate {
    service: Arc<Service>,
}

#[tonic::async_trait]
impl Authorization for Gate {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        // A peer that nobody knows is nobody who is trusted: an address that no network holds.
        let peer = request.extensions().get::<PeerAddress>().copied();
        let peer = peer.ok_or_else(|| Status::internal("no peer"))?;
        let attributes = request.into_inner().attributes.unwrap_or_default();
        let http = attributes
            .request
            .and_then(|request| request.http)
            .ok_or_else(|| Status::invalid_argument("only checks of HTTP requests are answered"))?;
        let client = attributes.source.as_ref().and_then(address_of);
        let lines = AttributeLines(&http);
        let asked = Asked {
            method: &http.method,
            path: &http.path,
            query: None,
            headers: &lines,
            peer: peer.0,
            client,
        };
        let service = &self.service;
        let checked = settled(
            service,
            |attempt| {
                let live = service.live.load();
                let exchange =
                    Exchange::begin(service, &live, asked, Endpoint::ForwardAuth, attempt);
                let original = if live.trust.covers(peer.0) {
                    of_attributes(&http, live.max_header_bytes)
                } else {
                    Err(Reason::ProxyUntrusted)
                };
                check(&exchange, original, true).map(|checked| match checked {
                    Checked::Pass(permit) => {
                        let claims = original.ok().and_then(|original| {
                            live.metadata.of(&live, &asked, original, &permit)
                        });
                        response::allow(&live, &permit, lines, claims)
                    }
                    Checked::Refused(reply) => response::deny(&reply),
                })
            },
            |reply| response::deny(&reply),
        );
        Ok(Response::new(checked.await))
    }
}
