//! What a proxy says of the original request: the one place where its headers are read.
//!
//! Each endpoint reads the headers of its own dialect and no other, so that a client's own `X-Forwarded-Uri` means nothing behind an
//! nginx that sets `X-Original-URI`, and the other way around. They are believed from trusted peers only.

#[cfg(feature = "ext-authz")]
pub mod attributes;
#[cfg(feature = "spoe")]
pub mod message;
mod text;

use crate::config::OriginalRequestHeader;
use crate::reason::Reason;
use crate::request::{HeaderLines, Original, Scheme};

use super::asked::{Asked, Lines};
use super::live::Live;

use text::{MAX_TARGET_BYTES, checked_host, scheme, split_path};
pub use text::{checked_method, split_url};

/// Whose headers describe the original request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// nginx: `X-Original-Method`, `X-Original-URL` or `X-Original-URI` with `X-Forwarded-Proto` and `-Host`.
    Original,
    /// Traefik, Caddy, HAProxy: `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri`.
    Forwarded,
    /// Envoy: the request line behind a prefix, `Host`, and `X-Forwarded-Proto`.
    RequestLine,
    /// Nobody's: the request itself.
    Itself,
}

/// Reads the original request.
///
/// # Errors
/// [`Reason::ProxyUntrusted`], [`Reason::RequestAmbiguous`], [`Reason::RequestMalformed`] or [`Reason::RequestTooLarge`].
pub fn original<'r, H: Lines>(
    asked: &Asked<'r, H>,
    dialect: Dialect,
    live: &Live,
) -> Result<Original<'r>, Reason> {
    let headers = asked.headers;
    let target_bytes = asked.path.len() + asked.query.map_or(0, str::len);
    if target_bytes > MAX_TARGET_BYTES || headers.bytes() > live.max_header_bytes {
        return Err(Reason::RequestTooLarge);
    }
    let names = match dialect {
        Dialect::Original => &ORIGINAL,
        Dialect::Forwarded => &FORWARDED,
        Dialect::RequestLine => return of_request_line(asked, live),
        Dialect::Itself => {
            return itself(asked).map(|own| Original {
                states_method: true,
                states_path: true,
                ..own
            });
        }
    };
    let is_described = names.all().any(|name| headers.has(name));
    if !is_described {
        return itself(asked);
    }
    if !live.trust.covers(asked.peer) {
        return Err(Reason::ProxyUntrusted);
    }
    let own = itself(asked)?;
    let target = match stated(headers, names.method)? {
        Some(method) => Original {
            method: checked_method(method)?,
            states_method: true,
            ..own
        },
        None => own,
    };
    let pinned = live
        .original_request
        .filter(|_| dialect == Dialect::Original);
    let parts = if pinned == Some(OriginalRequestHeader::Url) {
        None
    } else {
        stated(headers, names.uri)?.map(split_path).transpose()?
    };
    let whole = match names.url {
        Some(name) if pinned != Some(OriginalRequestHeader::Uri) => {
            stated(headers, name)?.map(split_url).transpose()?
        }
        _ => None,
    };
    match whole {
        Some(url) => of_url(target, &url, parts, headers),
        None => of_parts(target, parts, headers),
    }
}

/// The original request where its whole URL is named; what is named beside it must be the same.
fn of_url<'r>(
    target: Original<'r>,
    url: &Original<'r>,
    parts: Option<(&str, Option<&str>)>,
    headers: &impl HeaderLines,
) -> Result<Original<'r>, Reason> {
    let is_other = parts.is_some_and(|(path, query)| (path, query) != (url.path, url.query));
    if is_other || is_elsewhere(url, &target, headers, parts.is_some())? {
        return Err(Reason::RequestAmbiguous);
    }
    Ok(Original {
        method: target.method,
        states_method: target.states_method,
        ..*url
    })
}

/// The original request where scheme, host and target are named apart.
fn of_parts<'r>(
    own: Original<'r>,
    parts: Option<(&'r str, Option<&'r str>)>,
    headers: &'r impl HeaderLines,
) -> Result<Original<'r>, Reason> {
    let scheme = stated_scheme(headers)?;
    let host = match single(headers, "x-forwarded-host")? {
        Some(text) => Some(checked_host(text)?),
        None => own.host,
    };
    let (path, query) = parts.unwrap_or((own.path, own.query));
    Ok(Original {
        scheme,
        host,
        path,
        query,
        states_path: parts.is_some(),
        ..own
    })
}

/// Whether a whole URL names another place than the headers beside it: a client's own `X-Original-URL` behind a proxy that sets
/// `X-Original-URI` must not choose the host.
fn is_elsewhere(
    url: &Original<'_>,
    own: &Original<'_>,
    headers: &impl HeaderLines,
    has_uri: bool,
) -> Result<bool, Reason> {
    let stated_scheme = single(headers, "x-forwarded-proto")?;
    let other_scheme = stated_scheme.is_some_and(|text| scheme(text) != url.scheme);
    let stated_host = match single(headers, "x-forwarded-host")? {
        Some(text) => Some(checked_host(text)?),
        // Beside a URI, the host of the check request is the client's.
        None => own.host.filter(|_| has_uri),
    };
    let other_host = stated_host.zip(url.host).is_some_and(|(stated, named)| {
        without_default_port(stated, url.scheme) != without_default_port(named, url.scheme)
    });
    Ok(other_scheme || other_host)
}

fn without_default_port(host: &str, scheme: Option<Scheme>) -> String {
    let port = match scheme {
        Some(Scheme::Https) => ":443",
        Some(Scheme::Http) | None => ":80",
    };
    host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase()
}

/// Whether the proxy names the path of the original request. Where it does not, the path is that of an endpoint here, which is no
/// place to send people back to.
#[must_use]
pub fn names_target(headers: &impl Lines, dialect: Dialect) -> bool {
    let names = match dialect {
        Dialect::Original => &ORIGINAL,
        Dialect::Forwarded => &FORWARDED,
        Dialect::RequestLine => return true,
        Dialect::Itself => return false,
    };
    [names.url, Some(names.uri)]
        .into_iter()
        .flatten()
        .any(|name| headers.has(name))
}

struct Names {
    method: &'static str,
    url: Option<&'static str>,
    uri: &'static str,
}

const ORIGINAL: Names = Names {
    method: "x-original-method",
    url: Some("x-original-url"),
    uri: "x-original-uri",
};

const FORWARDED: Names = Names {
    method: "x-forwarded-method",
    url: None,
    uri: "x-forwarded-uri",
};

impl Names {
    fn all(&self) -> impl Iterator<Item = &'static str> {
        [
            Some(self.method),
            self.url,
            Some(self.uri),
            Some("x-forwarded-proto"),
            Some("x-forwarded-host"),
        ]
        .into_iter()
        .flatten()
    }
}

/// Below this path Envoy asks with the client's own method, path and query.
pub const EXT_AUTHZ_PREFIX: &str = "/ext-authz";

/// The original request of a check that is the client's own but for a prefix of its path (Envoy). Its host is that of the check; of the
/// headers only the scheme is read, since a client's own `X-Forwarded-Host` and `-Uri` pass through Envoy untouched.
fn of_request_line<'r, H: Lines>(
    asked: &Asked<'r, H>,
    live: &Live,
) -> Result<Original<'r>, Reason> {
    if !live.trust.covers(asked.peer) {
        return Err(Reason::ProxyUntrusted);
    }
    let rest = asked.path.strip_prefix(EXT_AUTHZ_PREFIX);
    let path = rest.ok_or(Reason::RequestMalformed)?;
    // Without a query: the parser has cut it off already.
    let (path, _) = split_path(path)?;
    Ok(Original {
        scheme: stated_scheme(asked.headers)?,
        path,
        states_method: true,
        states_path: true,
        ..itself(asked)?
    })
}

/// What a request line says beside method and target.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'r> {
    /// The authority of an absolute form.
    pub authority: Option<&'r str>,
    /// Whether it came over TLS.
    pub is_tls: bool,
    /// Whether it is older than HTTP/1.1, and need not name a host.
    pub is_old: bool,
}

/// The original request where it comes straight from the client, or from a proxy that passes it on whole: the request itself. A trusted
/// proxy's word counts for the scheme alone.
///
/// # Errors
/// [`Reason::RequestAmbiguous`], [`Reason::RequestMalformed`] or [`Reason::RequestTooLarge`].
pub fn direct<'r, H: Lines>(
    asked: &Asked<'r, H>,
    target: RequestLine<'_>,
    live: &Live,
) -> Result<Original<'r>, Reason> {
    let target_bytes = asked.path.len() + asked.query.map_or(0, str::len);
    if target_bytes > MAX_TARGET_BYTES || asked.headers.bytes() > live.max_header_bytes {
        return Err(Reason::RequestTooLarge);
    }
    // It asks for a tunnel to another host (RFC 9110 §9.3.6), and never for this application.
    if asked.method == "CONNECT" {
        return Err(Reason::RequestMalformed);
    }
    // RFC 9112 §3.2: one line, and only one.
    if asked.headers.lines("host").count() > 1 {
        return Err(Reason::RequestAmbiguous);
    }
    let own = itself(asked)?;
    if own.host.is_none() && !target.is_old {
        return Err(Reason::RequestMalformed);
    }
    // RFC 9112 §3.2.2 lets the request line win; who sends two means mischief.
    if target
        .authority
        .is_some_and(|authority| own.host != Some(authority))
    {
        return Err(Reason::RequestAmbiguous);
    }
    let (path, _) = split_path(asked.path)?;
    let stated = if live.trust.covers(asked.peer) {
        stated_scheme(asked.headers)?
    } else {
        None
    };
    Ok(Original {
        method: checked_method(asked.method)?,
        scheme: stated.or(target.is_tls.then_some(Scheme::Https)),
        path,
        states_method: true,
        states_path: true,
        ..own
    })
}

/// The scheme that a proxy says the client used.
fn stated_scheme(headers: &impl HeaderLines) -> Result<Option<Scheme>, Reason> {
    match single(headers, "x-forwarded-proto")? {
        Some(text) => scheme(text).map(Some).ok_or(Reason::RequestMalformed),
        None => Ok(None),
    }
}

/// The check request itself, where nobody describes another.
fn itself<'r, H: Lines>(asked: &Asked<'r, H>) -> Result<Original<'r>, Reason> {
    Ok(Original {
        method: asked.method,
        scheme: None,
        host: itself_host(asked.headers)?,
        path: asked.path,
        query: asked.query,
        states_method: false,
        states_path: false,
    })
}

fn itself_host(headers: &impl HeaderLines) -> Result<Option<&str>, Reason> {
    single(headers, "host")?.map(checked_host).transpose()
}

/// The one value of a header; none when it is absent or empty: some proxies empty what they do not know (ingress-nginx does with
/// `X-Forwarded-Proto`). Different values are ambiguous.
fn single<'r>(headers: &'r impl HeaderLines, name: &str) -> Result<Option<&'r str>, Reason> {
    Ok(stated(headers, name)?.filter(|text| !text.is_empty()))
}

/// The one value of a header; none when it is absent. Different values are ambiguous.
fn stated<'r>(headers: &'r impl HeaderLines, name: &str) -> Result<Option<&'r str>, Reason> {
    let mut found: Option<&'r [u8]> = None;
    for value in headers.lines(name) {
        match found {
            None => found = Some(value),
            Some(first) if first == value => {}
            Some(_) => return Err(Reason::RequestAmbiguous),
        }
    }
    found
        .map(|bytes| std::str::from_utf8(bytes).map_err(|_| Reason::RequestMalformed))
        .transpose()
}
