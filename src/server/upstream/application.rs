//! The way to the application: kept connections over TCP or a Unix socket.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::combinators::BoxBody;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpStream, UnixStream};
use tower_service::Service;

use crate::config::Fault;

use super::Times;
use super::moving::Broken;

/// The body of a request on its way to the application.
pub(super) type Body = BoxBody<Bytes, Broken>;

/// Where the application is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `http://HOST:PORT`; an IPv6 address stands in brackets.
    Tcp(String, u16),
    /// `unix:/PATH`.
    Unix(PathBuf),
}

impl Target {
    /// Reads `upstream.url`.
    ///
    /// # Errors
    /// It is neither form.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fault = |hint: &str| {
            Fault::new(
                "upstream.url",
                format!("`{text}`"),
                "`http://HOST:PORT` or `unix:/PATH`",
                hint,
            )
        };
        if let Some(path) = text.strip_prefix("unix:") {
            let is_whole = path.starts_with('/');
            return is_whole
                .then(|| Self::Unix(path.into()))
                .ok_or_else(|| fault("the path of a Unix socket begins with a slash"));
        }
        let url: Uri = text
            .parse()
            .map_err(|_| fault("for example `http://127.0.0.1:3000`"))?;
        if url.scheme_str() == Some("https") {
            return Err(fault(
                "an application on the same machine or in the same pod needs no TLS; in front of others stands a proxy",
            ));
        }
        let is_bare = matches!(url.path_and_query().map_or("/", |rest| rest.as_str()), "/");
        match url.authority() {
            Some(authority)
                if url.scheme_str() == Some("http")
                    && is_bare
                    && !authority.as_str().contains('@') =>
            {
                let port = authority.port_u16().unwrap_or(80);
                Ok(Self::Tcp(authority.host().to_owned(), port))
            }
            _ => Err(fault(
                "no path, query or user: what clients ask for is passed on as it is",
            )),
        }
    }
}

/// How long a connection to the application is kept without a request. Shorter than common applications keep theirs (Node.js: 5 s), so
/// that no request meets a connection that is just being closed.
const KEPT: Duration = Duration::from_secs(4);

/// The application.
#[derive(Debug)]
pub(super) struct Application {
    client: Client<Connector, Body>,
}

impl Application {
    pub(super) fn new(target: Target, times: Times) -> Self {
        let connector = Connector {
            target: Arc::new(target),
            timeout: times.connect,
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(KEPT)
            .pool_timer(TokioTimer::new())
            .http1_max_headers(super::MAX_HEADER_LINES)
            .set_host(false)
            .build(connector);
        Self { client }
    }

    /// Sends a request, and gives the head of the answer. Its address is only the key of the kept connections.
    pub(super) async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Error> {
        self.client.request(request).await
    }
}

#[derive(Clone, Debug)]
struct Connector {
    target: Arc<Target>,
    timeout: Duration,
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Always to the one application, whatever the address says.
    fn call(&mut self, _: Uri) -> Self::Future {
        let target = Arc::clone(&self.target);
        let timeout = self.timeout;
        Box::pin(async move {
            let connecting = async {
                match &*target {
                    Target::Tcp(host, port) => {
                        let stream = TcpStream::connect(format!("{host}:{port}")).await?;
                        stream.set_nodelay(true).ok();
                        Ok(Stream::Tcp(TokioIo::new(stream)))
                    }
                    Target::Unix(path) => {
                        let stream = UnixStream::connect(path).await?;
                        Ok(Stream::Unix(TokioIo::new(stream)))
                    }
                }
            };
            tokio::time::timeout(timeout, connecting).await?
        })
    }
}

/// A connection to the application.
enum Stream {
    Tcp(TokioIo<TcpStream>),
    Unix(TokioIo<UnixStream>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl Write for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_applications_are_read() {
        let tcp = |host: &str, port| Ok(Target::Tcp(host.to_owned(), port));
        assert_eq!(
            Target::parse("http://127.0.0.1:3000"),
            tcp("127.0.0.1", 3000)
        );
        assert_eq!(Target::parse("http://app/"), tcp("app", 80));
        assert_eq!(Target::parse("http://[::1]:1"), tcp("[::1]", 1));
        assert_eq!(
            Target::parse("unix:/run/app.sock"),
            Ok(Target::Unix("/run/app.sock".into()))
        );
        for text in [
            "",
            "app",
            "127.0.0.1:3000",
            "https://app",
            "http://",
            "http://a/b",
            "http://a?x",
            "http://u:p@a",
            "unix:app.sock",
            "ftp://a",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }
}
