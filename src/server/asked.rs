//! What came to a listener, whatever protocol it speaks: the one form in which the rest of the room reads it.

use std::net::SocketAddr;

use actix_web::dev::RequestHead;
use actix_web::http::header::HeaderMap;

use crate::request::HeaderLines;

/// A request as it came to a listener.
#[derive(Debug)]
pub struct Asked<'r, H> {
    /// The method of the request line.
    pub method: &'r str,
    /// The path of the request line, raw.
    pub path: &'r str,
    /// What stands behind its first `?`, raw.
    pub query: Option<&'r str>,
    /// Its header lines.
    pub headers: &'r H,
    /// Who sent it to the listener; `None` is a Unix socket.
    pub peer: Option<SocketAddr>,
    /// Who sent the original request to the proxy, where the protocol says so beside the headers.
    pub client: Option<SocketAddr>,
}

/// Header lines of a whole request.
pub trait Lines: HeaderLines {
    /// The bytes of all lines, about as they came.
    fn bytes(&self) -> usize;

    /// Whether a line has this name (lower case).
    fn has(&self, name: &str) -> bool {
        self.lines(name).next().is_some()
    }
}

/// What stands in a header line beside name and value.
pub(super) const SEPARATORS: usize = ": \r\n".len();

impl HeaderLines for HeaderMap {
    fn lines<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.get_all(name)
            .map(actix_web::http::header::HeaderValue::as_bytes)
    }
}

impl Lines for HeaderMap {
    fn bytes(&self) -> usize {
        self.iter()
            .map(|(name, value)| name.as_str().len() + value.len() + SEPARATORS)
            .sum()
    }

    fn has(&self, name: &str) -> bool {
        self.contains_key(name)
    }
}

impl<'r> Asked<'r, HeaderMap> {
    /// A request over HTTP.
    #[must_use]
    pub fn over_http(head: &'r RequestHead) -> Self {
        let uri = &head.uri;
        Self {
            method: head.method.as_str(),
            path: uri.path(),
            query: uri.query(),
            headers: head.headers(),
            peer: head.peer_addr,
            client: None,
        }
    }
}

// Only references and addresses: copied like them, whatever holds the headers.
impl<H> Clone for Asked<'_, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H> Copy for Asked<'_, H> {}
