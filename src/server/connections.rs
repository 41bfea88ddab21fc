//! Connections for the listeners that actix does not serve: accepted, bounded in number, with TLS where the address says so.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::listen::Socket;
use super::tls::{Secure, Speaks, Tls};

/// Bytes both ways.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that has been accepted. It counts until it is dropped.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    peer: Option<SocketAddr>,
    is_tls: bool,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    /// Whether TLS is spoken on it.
    pub(super) const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Who is at the other end; `None` is a Unix socket.
    pub(super) const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }
}

/// How the connections of a listener are taken.
#[derive(Clone, Debug)]
pub(super) struct Acceptance {
    /// The most at a time.
    pub(super) most: usize,
    /// What is spoken over TLS.
    pub(super) speaks: Speaks,
    /// The certificate, where an address speaks TLS.
    pub(super) tls: Option<Tls>,
    /// When no more are taken.
    pub(super) end: CancellationToken,
}

/// How long nobody is accepted when the system has no descriptors left: trying again at once would only burn time.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts on all these sockets. The receiver ends when `end` is cancelled.
///
/// # Errors
/// A socket cannot be used by the runtime.
pub(super) fn accept(
    sockets: Vec<Socket>,
    acceptance: &Acceptance,
) -> io::Result<mpsc::Receiver<Connection>> {
    let places = Arc::new(Semaphore::new(acceptance.most));
    let (taker, connections) = mpsc::channel(1);
    let secure = acceptance
        .tls
        .as_ref()
        .map(|tls| tls.secure(acceptance.speaks));
    for socket in sockets {
        let (listener, secure) = match socket {
            Socket::Tcp(listener) => (Listener::tcp(listener)?, None),
            Socket::Tls(listener) => {
                let secure = secure.clone().ok_or(io::ErrorKind::Unsupported)?;
                (Listener::tcp(listener)?, Some(secure))
            }
            Socket::Unix(listener, _) => {
                listener.set_nonblocking(true)?;
                (Listener::Unix(UnixListener::from_std(listener)?), None)
            }
        };
        let worker = Worker {
            secure,
            places: Arc::clone(&places),
            taker: taker.clone(),
        };
        let end = acceptance.end.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = end.cancelled() => {}
                () = worker.run(listener) => {}
            }
        });
    }
    Ok(connections)
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(Self::Tcp)
    }

    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Answers are small and nobody shall wait for them.
                stream.set_nodelay(true).ok();
                Ok(Accepted::Tcp(stream, peer))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok(Accepted::Unix(Box::new(stream)))
            }
        }
    }
}

enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(Box<dyn Stream>),
}

/// What accepts on one socket.
struct Worker {
    secure: Option<Secure>,
    places: Arc<Semaphore>,
    taker: mpsc::Sender<Connection>,
}

impl Worker {
    async fn run(self, listener: Listener) {
        loop {
            match listener.accept().await {
                Ok(accepted) => {
                    // Who comes when all places are taken waits here, and the next ones in the system's queue. No place is held for
                    // one who has not come: a socket where nobody calls would keep it from those where somebody does.
                    let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                        return;
                    };
                    self.take(accepted, place).await;
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "connections cannot be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn take(&self, accepted: Accepted, place: OwnedSemaphorePermit) {
        let (stream, peer): (Box<dyn Stream>, _) = match (accepted, &self.secure) {
            (Accepted::Tcp(stream, peer), Some(secure)) => {
                let (secure, taker) = (secure.clone(), self.taker.clone());
                // Nobody waits for another's handshake. One that fails is the client's affair.
                tokio::spawn(async move {
                    if let Ok(stream) = secure.accept(stream).await {
                        let connection = Connection {
                            stream: Box::new(stream),
                            peer: Some(peer),
                            is_tls: true,
                            _place: place,
                        };
                        taker.send(connection).await.ok();
                    }
                });
                return;
            }
            (Accepted::Tcp(stream, peer), None) => (Box::new(stream), Some(peer)),
            (Accepted::Unix(stream), _) => (stream, None),
        };
        let connection = Connection {
            stream,
            peer,
            is_tls: false,
            _place: place,
        };
        self.taker.send(connection).await.ok();
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
