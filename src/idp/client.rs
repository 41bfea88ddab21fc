//! One bounded GET: no redirects, no cookies, no decompression, limits for size and time.

use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HeaderValue, IF_NONE_MATCH,
};
use reqwest::{Certificate, Proxy, Response, StatusCode};
use url::Url;
use zeroize::Zeroizing;

use super::address::PublicOnly;
use super::freshness;

/// The largest document, in bytes.
pub const MAX_BYTES: usize = 512 * 1024;
/// How long a connection may take to come about, TLS included.
const CONNECT: Duration = Duration::from_secs(2);
/// The longest `ETag` that is kept.
const MAX_ETAG: usize = 512;

/// Fetches documents.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
}

/// How documents are fetched.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whether TLS is spoken at all. Plain HTTP needs no trust store.
    pub is_tls: bool,
    /// PEM certificates of the authorities to trust, instead of those of the system.
    pub authorities: Option<Vec<u8>>,
    /// The proxy to use.
    pub proxy: ProxySetting,
    /// How long a fetch may take in all.
    pub timeout: Duration,
    /// Whether names may lead to public addresses only.
    pub is_public_only: bool,
}

/// The proxy for fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxySetting {
    /// None, whatever the environment says.
    None,
    /// What the environment says.
    Environment,
    /// This one.
    Url(Url),
}

/// One document to fetch.
#[derive(Clone, Copy, Debug)]
pub struct Get<'g> {
    /// Where.
    pub url: &'g Url,
    /// The tag of what is known already.
    pub etag: Option<&'g str>,
    /// A file with a bearer token to show.
    pub bearer_file: Option<&'g str>,
}

/// What came of a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// What is known already is still current.
    NotModified {
        /// How long.
        fresh: Option<Duration>,
    },
    /// A document.
    Document {
        /// Its text.
        text: String,
        /// Its tag, for the next fetch.
        etag: Option<String>,
        /// How long it is current.
        fresh: Option<Duration>,
    },
}

/// Why nothing came of a fetch. No message holds anything of the answer's body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchFault {
    /// The client cannot be set up.
    #[error("fetches cannot be set up: {0}")]
    Setup(String),
    /// The file with the bearer token cannot be read, or holds none.
    #[error("the bearer token cannot be read: {0}")]
    Bearer(String),
    /// No answer in time.
    #[error("no whole answer in time")]
    Timeout,
    /// No connection, no TLS, or a connection that broke.
    #[error("{0}")]
    Transport(String),
    /// A redirect, which is not followed: only configured addresses are asked.
    #[error("it answers {0}, a redirect, which is not followed")]
    Redirect(u16),
    /// Another status than 200 and 304.
    #[error("it answers {0}")]
    Status(u16),
    /// 304 although nothing was known.
    #[error("it answers 304 although nothing was asked to be compared")]
    NothingToCompare,
    /// A compressed answer, which was not asked for.
    #[error("it answers compressed, which was not asked for")]
    Compressed,
    /// More than [`MAX_BYTES`].
    #[error("it answers more than {} KiB", MAX_BYTES / 1024)]
    TooLarge,
    /// Bytes that are no UTF-8.
    #[error("it answers bytes that are no text")]
    NotText,
}

impl FetchFault {
    /// Whether the answer says for certain that a document is no more.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::Status(404 | 410))
    }

    /// Whether the answer says that there is no such document. Object stores say 403 of what they do not have.
    #[must_use]
    pub const fn is_absence(&self) -> bool {
        matches!(self, Self::Status(403 | 404 | 410))
    }
}

impl Client {
    /// A client.
    ///
    /// # Errors
    /// The trust store cannot be read, or holds nothing.
    pub fn new(settings: &Settings) -> Result<Self, FetchFault> {
        let setup = |error: reqwest::Error| FetchFault::Setup(chain(&error));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("jwtgate/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT.min(settings.timeout))
            .timeout(settings.timeout)
            // Fetches are rare, and a kept connection may have died since.
            .pool_max_idle_per_host(0)
            .http1_only()
            .tls_version_min(reqwest::tls::Version::TLS_1_2);
        if settings.is_public_only {
            builder = builder.dns_resolver(PublicOnly);
        }
        builder = match &settings.proxy {
            ProxySetting::None => builder.no_proxy(),
            ProxySetting::Environment => builder,
            ProxySetting::Url(url) => builder.proxy(Proxy::all(url.clone()).map_err(setup)?),
        };
        match &settings.authorities {
            _ if !settings.is_tls => builder = builder.tls_certs_only([]),
            None => {}
            Some(pem) => {
                let certificates = Certificate::from_pem_bundle(pem).map_err(setup)?;
                builder = builder.tls_certs_only(certificates);
            }
        }
        let http = builder.build().map_err(setup)?;
        Ok(Self { http })
    }

    /// Fetches a document.
    ///
    /// # Errors
    /// See [`FetchFault`].
    pub async fn get(&self, get: Get<'_>) -> Result<Fetched, FetchFault> {
        let mut request = self
            .http
            .get(get.url.clone())
            .header(ACCEPT, "application/json, */*;q=0.1")
            .header(ACCEPT_ENCODING, "identity");
        if let Some(etag) = get.etag {
            request = request.header(IF_NONE_MATCH, etag);
        }
        if let Some(file) = get.bearer_file {
            request = request.bearer_auth(bearer(file).await?.as_str());
        }
        let response = request.send().await.map_err(|error| transport(&error))?;
        let fresh = freshness::of(response.headers());
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if get.etag.is_some() => {
                return Ok(Fetched::NotModified { fresh });
            }
            StatusCode::NOT_MODIFIED => return Err(FetchFault::NothingToCompare),
            status if status.is_redirection() => {
                return Err(FetchFault::Redirect(status.as_u16()));
            }
            status => return Err(FetchFault::Status(status.as_u16())),
        }
        let is_identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
        if !response
            .headers()
            .get_all(CONTENT_ENCODING)
            .iter()
            .all(is_identity)
        {
            return Err(FetchFault::Compressed);
        }
        let etag = response
            .headers()
            .get(ETAG)
            .and_then(|etag| etag.to_str().ok())
            .filter(|etag| etag.len() <= MAX_ETAG)
            .map(str::to_owned);
        Ok(Fetched::Document {
            text: body(response).await?,
            etag,
            fresh,
        })
    }
}

async fn body(mut response: Response) -> Result<String, FetchFault> {
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).is_ok_and(|announced| announced > MAX_BYTES) {
        return Err(FetchFault::TooLarge);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| transport(&error))? {
        if bytes.len() + chunk.len() > MAX_BYTES {
            return Err(FetchFault::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| FetchFault::NotText)
}

/// The bearer token of a file. It is read for each fetch: Kubernetes renews it every hour.
async fn bearer(file: &str) -> Result<Zeroizing<String>, FetchFault> {
    let told = |error: std::io::Error| FetchFault::Bearer(format!("{file}: {error}"));
    let text = Zeroizing::new(tokio::fs::read_to_string(file).await.map_err(told)?);
    let token = Zeroizing::new(text.trim().to_owned());
    let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    is_token
        .then_some(token)
        .ok_or_else(|| FetchFault::Bearer(format!("{file} holds no token")))
}

fn transport(error: &reqwest::Error) -> FetchFault {
    if error.is_timeout() {
        FetchFault::Timeout
    } else {
        FetchFault::Transport(chain(error))
    }
}

/// The causes of an error, the outermost left out: it only repeats the address.
fn chain(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        next = cause.source();
    }
    if causes.is_empty() {
        return "the connection failed".to_owned();
    }
    causes.join(": ")
}
