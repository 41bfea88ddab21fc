//! actix, put together: sockets, watched streams, the application.
//!
//! `actix_web::HttpServer` would do the same with less code, but hands out no stream to watch; see [`super::watched`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, Protocol};
use actix_server::{GracefulShutdownSignal, Server};
use actix_service::{
    IntoServiceFactory as _, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config,
};
use actix_web::dev::AppConfig;
use actix_web::middleware::{Compat, Condition};
use actix_web::{App, web};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;
use tracing_actix_web::TracingLogger;

use super::Service;
use super::express::{Express, Lane, Prefixed};
use super::listen::Socket;
use super::routes::Routes;
use super::span::RequestSpan;
use super::tls::{Secure, Speaks, Tls};
use super::watched::{Patience, Watched};

/// What bounds a server.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Worker threads.
    pub workers: usize,
    /// Connections at a time, for each worker.
    pub connections_per_worker: usize,
    /// How long a client may take to send the head of a request.
    pub header_timeout: Duration,
    /// How long requests in flight may take at the end, in seconds.
    pub drain_seconds: u64,
}

/// How long a connection may idle between requests. Longer than nginx keeps its own (60 s): the side that closes first must be the
/// proxy, or it sends a request into a connection that is just being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a connection may go without an answer at all. actix ends idle ones by itself, but not all: see [`super::watched`].
const QUIET: Duration = KEEP_ALIVE.saturating_add(Duration::from_secs(5));
/// How long a connection stays open for reading after an answer to a body that was not read, so that the client sees the answer and
/// no reset.
const LINGER: Duration = Duration::from_secs(1);
/// How long a client may leave an answer untaken.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts a server on open sockets. Signals are the caller's: actix would stop at once on SIGINT.
///
/// # Errors
/// The system refuses.
pub fn start(
    service: &Arc<Service>,
    sockets: Vec<Socket>,
    tls: Option<&Tls>,
    routes: Routes,
    limits: Limits,
    request_spans: bool,
) -> io::Result<Server> {
    let mut builder = Server::build()
        .workers(limits.workers)
        .max_concurrent_connections(limits.connections_per_worker)
        .shutdown_timeout(limits.drain_seconds)
        .disable_signals();
    let application = Application {
        service: web::Data::from(Arc::clone(service)),
        routes,
        request_spans,
        header_timeout: limits.header_timeout,
        draining: builder.graceful_shutdown_signal(),
    };
    for socket in sockets {
        let application = application.clone();
        let name = socket.to_string();
        builder = match socket {
            Socket::Tcp(listener) => builder.listen(name, listener, move || {
                let patience = application.patience();
                fn_service(move |stream: TcpStream| async move {
                    // A peer that is gone already has no address, and must not be taken for a Unix socket.
                    let peer = stream
                        .peer_addr()
                        .map_err(actix_http::error::DispatchError::Io)?;
                    stream.set_nodelay(true).ok();
                    Ok((Watched::new(stream, patience), Protocol::Http1, Some(peer)))
                })
                .and_then(application.http())
            })?,
            Socket::Tls(listener) => {
                let tls = tls.ok_or(io::ErrorKind::Unsupported)?;
                let secure = tls.secure(Speaks::Http1);
                builder.listen(name, listener, move || {
                    let patience = application.patience();
                    let secure = secure.clone();
                    fn_service(move |stream: TcpStream| {
                        let secure = secure.clone();
                        async move {
                            let (stream, peer) = secured(stream, &secure)
                                .await
                                .map_err(actix_http::error::DispatchError::Io)?;
                            Ok((Watched::new(stream, patience), Protocol::Http1, Some(peer)))
                        }
                    })
                    .and_then(application.http())
                })?
            }
            Socket::Unix(listener, _) => builder.listen_uds(name, listener, move || {
                let patience = application.patience();
                fn_service(move |stream: UnixStream| async move {
                    Ok((Watched::new(stream, patience), Protocol::Http1, None))
                })
                .and_then(application.http())
            })?,
        };
    }
    Ok(builder.run())
}

/// TLS on a connection.
async fn secured(
    stream: TcpStream,
    secure: &Secure,
) -> io::Result<(TlsStream<TcpStream>, SocketAddr)> {
    let peer = stream.peer_addr()?;
    stream.set_nodelay(true).ok();
    Ok((secure.accept(stream).await?, peer))
}

/// What each worker builds its own application from.
#[derive(Clone)]
struct Application {
    service: web::Data<Service>,
    routes: Routes,
    request_spans: bool,
    header_timeout: Duration,
    draining: GracefulShutdownSignal,
}

impl Application {
    const fn patience(&self) -> Patience {
        Patience {
            head: Some(self.header_timeout),
            answer: WRITE_TIMEOUT,
            quiet: Some(QUIET),
        }
    }

    /// The lane, and actix behind it.
    fn http<S: AsyncRead + AsyncWrite + Unpin + 'static>(
        &self,
    ) -> impl ServiceFactory<
        (Watched<S>, Protocol, Option<SocketAddr>),
        Config = (),
        Response = (),
        Error = actix_http::error::DispatchError,
        InitError = (),
    > + use<S> {
        let spans = Compat::new(TracingLogger::<RequestSpan>::new());
        let application = App::new()
            .app_data(self.service.clone())
            .wrap(Condition::new(self.request_spans, spans))
            .configure(self.routes.table)
            .into_factory()
            .map_err(|error| error.error_response());
        let draining = self.draining.clone();
        let behind = HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(self.header_timeout)
            .client_disconnect_timeout(LINGER)
            .on_connect_ext(|stream: &Prefixed<Watched<S>>, data| {
                data.insert(stream.inner().exchanges());
            })
            .graceful_shutdown_signal(move || {
                let signal = draining.clone();
                async move { signal.notified().await }
            })
            .finish(map_config(application, |()| AppConfig::default()));
        let lane = Lane {
            service: self.service.clone().into_inner(),
            // A span stands around what actix does.
            hot: if self.request_spans {
                |_| None
            } else {
                self.routes.hot
            },
            draining: self.draining.clone(),
        };
        Express { lane, behind }
    }
}
