//! `[server]`: the listeners and limits of the service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OneOrMany, Span};

/// Which of nginx's two headers names the original URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OriginalRequestHeader {
    /// `X-Original-URL`: scheme, host, path and query.
    Url,
    /// `X-Original-URI`: path and query.
    Uri,
}

/// The listeners and limits of the service.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Addresses to listen on: `HOST:PORT`, `tls:HOST:PORT` or `unix:/PATH` (mode 0660; a stale socket is replaced). Port 0 takes a free one.
    #[schemars(example = ["127.0.0.1:8080", "unix:/run/jwtgate.sock"])]
    pub listen: OneOrMany,
    /// The PEM file with the certificate, and what leads to its authority, of every `tls:` address of all listeners. A change is taken as it comes.
    #[schemars(example = &"/run/secrets/tls.crt")]
    pub tls_certificate: Option<String>,
    /// The PEM file with the private key of that certificate.
    #[schemars(example = &"/run/secrets/tls.key")]
    pub tls_key: Option<String>,
    /// A PEM file with the authorities of clients: then a `tls:` address wants a certificate from everybody. Left out: from nobody.
    #[schemars(example = &"/run/secrets/proxies-ca.crt")]
    pub tls_client_authorities: Option<String>,
    /// Worker threads. Left out: one per core.
    #[schemars(range(min = 1, max = 1024), example = 2)]
    pub workers: Option<u64>,
    /// Peers whose `X-Original-*` and `X-Forwarded-*` headers are believed: networks, addresses, and `unix` for Unix sockets.
    #[schemars(example = ["10.0.0.0/8", "unix"])]
    pub trusted_proxies: Vec<String>,
    /// Read the original URL from this header of `/verify` only: `url` or `uri`. Left out: from either; both must agree.
    #[schemars(example = &"uri")]
    pub original_request: Option<OriginalRequestHeader>,
    /// The largest header block of a request, in bytes. More is answered 431.
    #[schemars(range(min = 1024, max = 131_072))]
    pub max_header_bytes: u64,
    /// The longest token, in bytes.
    #[schemars(range(min = 64, max = 65_536))]
    pub max_token_bytes: u64,
    /// The most connections at a time, over all workers. More wait to be accepted.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: u64,
    /// How long a client may take to send the head of a request.
    pub header_timeout: Span,
    /// How long the service goes on accepting after SIGTERM, so that load balancers see `/readyz` turn first.
    pub drain_delay: Span,
    /// How long requests in flight may take after that.
    pub drain_timeout: Span,
    /// The `realm` of `WWW-Authenticate`.
    pub realm: String,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: OneOrMany::Many(vec!["127.0.0.1:8080".to_owned()]),
            tls_certificate: None,
            tls_key: None,
            tls_client_authorities: None,
            workers: None,
            trusted_proxies: ["127.0.0.0/8", "::1/128", "unix"]
                .map(str::to_owned)
                .to_vec(),
            original_request: None,
            max_header_bytes: 64 * 1024,
            max_token_bytes: 16 * 1024,
            max_connections: 25_000,
            header_timeout: Span::seconds(5),
            drain_delay: Span::seconds(0),
            drain_timeout: Span::seconds(10),
            realm: "jwtgate".to_owned(),
        }
    }
}
