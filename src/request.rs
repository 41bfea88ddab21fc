//! What the gate is asked about: the original request, and the token in it.
//!
//! Leaves that anyone may name. They know no framework: `server/forwarded.rs` fills a [`RequestView`] from what a proxy sent, and
//! the gate reads it.

use std::fmt;
use std::net::IpAddr;

/// Header lines of a request, as the server holds them.
pub trait HeaderLines {
    /// Every value of the header `name` (lower case), one item per line, in the order received.
    fn lines<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]>;
}

/// Header lines that did not come over the wire: for commands and operators that ask about a request. Names are in small letters.
#[derive(Clone, Debug, Default)]
pub struct GivenLines(pub Vec<(String, String)>);

impl HeaderLines for GivenLines {
    fn lines<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        let named = self.0.iter().filter(move |(own, _)| own == name);
        named.map(|(_, value)| value.as_bytes())
    }
}

/// The original request: the one that a client sent to the proxy.
#[derive(Debug)]
pub struct RequestView<'r, H> {
    /// Where tokens are looked for: the header lines of the check request, which the proxy copied from the original.
    pub headers: &'r H,
    /// Method, address and path of the original request.
    pub original: Original<'r>,
    /// The address of the client that sent it; `None` where nobody trustworthy said so, or nobody asks.
    pub source: Option<IpAddr>,
}

/// Method and URL of the original request. Strings are free of control characters and blanks; nothing is decoded.
#[derive(Clone, Copy, Debug)]
pub struct Original<'r> {
    /// The method, an RFC 9110 token.
    pub method: &'r str,
    /// The scheme that the client used; `None` where nobody trustworthy said so.
    pub scheme: Option<Scheme>,
    /// Host and, where given, port; no user part. `None` only where the client sent none (HTTP/1.0).
    pub host: Option<&'r str>,
    /// The path, raw: it starts with `/`, or is `*`.
    pub path: &'r str,
    /// What stands behind the first `?`, raw, without it.
    pub query: Option<&'r str>,
    /// Whether the method is that of the original request. A proxy that does not say it leaves that of its own check.
    pub states_method: bool,
    /// Whether the path is that of the original request.
    pub states_path: bool,
}

impl Original<'static> {
    /// One of which nobody said anything.
    pub const UNSTATED: Self = Self {
        method: "GET",
        scheme: None,
        host: None,
        path: "/",
        query: None,
        states_method: false,
        states_path: false,
    };
}

/// The scheme of the original request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// As it stands in a URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A token that nobody has verified yet. Its `Debug` form shows the length only, so that no log can hold it by accident.
#[derive(Clone, Copy)]
pub struct RawToken<'r>(&'r [u8]);

impl<'r> RawToken<'r> {
    /// The bytes of a token, as they came.
    #[must_use]
    pub const fn new(bytes: &'r [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the verifier.
    #[must_use]
    pub const fn bytes(self) -> &'r [u8] {
        self.0
    }
}

impl fmt::Debug for RawToken<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RawToken({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s17_1_the_debug_form_of_a_token_does_not_hold_it() {
        assert_eq!(
            format!("{:?}", RawToken::new(b"secret.secret.secret")),
            "RawToken(20 bytes)"
        );
    }
}
