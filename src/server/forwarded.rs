//! What a proxy says of the original request: the one place where its headers are read.
//!
//! Each endpoint reads the headers of its own dialect and no other, so that a client's own `X-Forwarded-Uri` means nothing behind an
//! nginx that sets `X-Original-URI`, and the other way around. They are believed from trusted peers only.

use std::net::Ipv6Addr;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;

use crate::config::OriginalRequestHeader;
use crate::reason::Reason;
use crate::request::{HeaderLines, Original, Scheme};

use super::live::Live;

/// Whose headers describe the original request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// nginx: `X-Original-Method`, `X-Original-URL` or `X-Original-URI` with `X-Forwarded-Proto` and `-Host`.
    Original,
    /// Traefik, Caddy: `X-Forwarded-Method`, `-Proto`, `-Host`, `-Uri`.
    Forwarded,
    /// Nobody's: the request itself.
    Itself,
}

/// actix's headers, as the gate reads them.
#[derive(Debug)]
pub struct ActixHeaders<'r>(pub &'r HeaderMap);

impl HeaderLines for ActixHeaders<'_> {
    fn lines<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.0
            .get_all(name)
            .map(actix_web::http::header::HeaderValue::as_bytes)
    }
}

/// Reads the original request.
///
/// # Errors
/// [`Reason::ProxyUntrusted`], [`Reason::RequestAmbiguous`], [`Reason::RequestMalformed`] or [`Reason::RequestTooLarge`].
pub fn original<'r>(
    request: &'r HttpRequest,
    dialect: Dialect,
    live: &Live,
) -> Result<Original<'r>, Reason> {
    let headers = request.headers();
    if target_size(request) > MAX_TARGET_BYTES || size(request) > live.max_header_bytes {
        return Err(Reason::RequestTooLarge);
    }
    let names = match dialect {
        Dialect::Original => &ORIGINAL,
        Dialect::Forwarded => &FORWARDED,
        Dialect::Itself => {
            return itself(request).map(|own| Original {
                states_method: true,
                states_path: true,
                ..own
            });
        }
    };
    let is_described = names.all().any(|name| headers.contains_key(name));
    if !is_described {
        return itself(request);
    }
    if !live.trust.covers(request.peer_addr()) {
        return Err(Reason::ProxyUntrusted);
    }
    let own = itself(request)?;
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
    headers: &HeaderMap,
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
    headers: &'r HeaderMap,
) -> Result<Original<'r>, Reason> {
    let scheme = match single(headers, "x-forwarded-proto")? {
        Some(text) => Some(scheme(text).ok_or(Reason::RequestMalformed)?),
        None => None,
    };
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
    headers: &HeaderMap,
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
pub fn names_target(request: &HttpRequest, dialect: Dialect) -> bool {
    let names = match dialect {
        Dialect::Original => &ORIGINAL,
        Dialect::Forwarded => &FORWARDED,
        Dialect::Itself => return false,
    };
    [names.url, Some(names.uri)]
        .into_iter()
        .flatten()
        .any(|name| request.headers().contains_key(name))
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

/// The check request itself, where nobody describes another.
fn itself(request: &HttpRequest) -> Result<Original<'_>, Reason> {
    let host = match single(request.headers(), "host")? {
        Some(host) => Some(checked_host(host)?),
        None => None,
    };
    let uri = request.uri();
    Ok(Original {
        method: request.method().as_str(),
        scheme: None,
        host,
        path: uri.path(),
        query: uri.query(),
        states_method: false,
        states_path: false,
    })
}

/// The longest request target, in bytes.
const MAX_TARGET_BYTES: usize = 16 * 1024;

fn target_size(request: &HttpRequest) -> usize {
    let uri = request.uri();
    uri.path().len() + uri.query().map_or(0, str::len)
}

/// The bytes of the header lines, about as they came.
fn size(request: &HttpRequest) -> usize {
    const SEPARATORS: usize = ": \r\n".len();
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + SEPARATORS);
    headers.sum()
}

/// The one value of a header; none when it is absent or empty: some proxies empty what they do not know (ingress-nginx does with
/// `X-Forwarded-Proto`). Different values are ambiguous.
fn single<'r>(headers: &'r HeaderMap, name: &str) -> Result<Option<&'r str>, Reason> {
    Ok(stated(headers, name)?.filter(|text| !text.is_empty()))
}

/// The one value of a header; none when it is absent. Different values are ambiguous.
fn stated<'r>(headers: &'r HeaderMap, name: &str) -> Result<Option<&'r str>, Reason> {
    let mut found: Option<&'r [u8]> = None;
    for value in headers.get_all(name) {
        match found {
            None => found = Some(value.as_bytes()),
            Some(first) if first == value.as_bytes() => {}
            Some(_) => return Err(Reason::RequestAmbiguous),
        }
    }
    found
        .map(|bytes| std::str::from_utf8(bytes).map_err(|_| Reason::RequestMalformed))
        .transpose()
}

/// A method, if it is one.
///
/// # Errors
/// [`Reason::RequestMalformed`].
pub fn checked_method(text: &str) -> Result<&str, Reason> {
    // RFC 9110 §5.6.2: a token; no known method is longer than 16 letters.
    let is_token = (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    is_token.then_some(text).ok_or(Reason::RequestMalformed)
}

fn scheme(text: &str) -> Option<Scheme> {
    // Traefik says `ws` and `wss` of WebSockets.
    let is = |names: [&str; 2]| names.iter().any(|name| text.eq_ignore_ascii_case(name));
    if is(["https", "wss"]) {
        Some(Scheme::Https)
    } else if is(["http", "ws"]) {
        Some(Scheme::Http)
    } else {
        None
    }
}

/// A host and perhaps a port, with no user part, path or list in it. Whether it is a *known* host is asked where it matters.
fn checked_host(text: &str) -> Result<&str, Reason> {
    let is_name = |name: &str| {
        (1..=253).contains(&name.len())
            && !name.starts_with('.')
            && !name.contains("..")
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    let is_address = |name: &str| {
        let inner = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        inner.is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok())
    };
    let is_host = |name: &str| is_name(name) || is_address(name);
    // Not `parse` alone, which takes `+80` too.
    let is_port =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let is_with_port = || {
        text.rsplit_once(':')
            .is_some_and(|(name, port)| is_host(name) && is_port(port))
    };
    (is_host(text) || is_with_port())
        .then_some(text)
        .ok_or(Reason::RequestMalformed)
}

/// Reads an absolute URL as it stands; nothing is decoded.
///
/// # Errors
/// [`Reason::RequestMalformed`] or [`Reason::RequestTooLarge`].
pub fn split_url(text: &str) -> Result<Original<'_>, Reason> {
    let (scheme_text, rest) = text.split_once("://").ok_or(Reason::RequestMalformed)?;
    let scheme = scheme(scheme_text).ok_or(Reason::RequestMalformed)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(end);
    if host.is_empty() {
        return Err(Reason::RequestMalformed);
    }
    // A `?` right behind the host is the client's: `Host: app.example.com?` would make a query of the whole path.
    let (path, query) = if target.is_empty() {
        ("/", None)
    } else {
        split_path(target)?
    };
    Ok(Original {
        method: "",
        scheme: Some(scheme),
        host: Some(checked_host(host)?),
        path,
        query,
        states_method: false,
        states_path: true,
    })
}

/// Splits a path from its query. A fragment never reaches a server; where one stands, somebody wants two readers to disagree
/// (CVE-2026-41059).
fn split_path(text: &str) -> Result<(&str, Option<&str>), Reason> {
    if text.len() > MAX_TARGET_BYTES {
        return Err(Reason::RequestTooLarge);
    }
    let is_plain = !text
        .chars()
        .any(|character| character.is_control() || character == ' ' || character == '#');
    if !is_plain || !(text.starts_with('/') || text == "*") {
        return Err(Reason::RequestMalformed);
    }
    Ok(match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_2_urls_are_split_and_odd_ones_refused() {
        let url = split_url("HTTPS://a.example:8443/p%20x/a%2Fb?x=1&y=%2F").unwrap();
        assert_eq!(
            (url.scheme, url.host, url.path, url.query),
            (
                Some(Scheme::Https),
                Some("a.example:8443"),
                "/p%20x/a%2Fb",
                Some("x=1&y=%2F")
            )
        );
        assert_eq!(split_url("http://a").unwrap().path, "/");
        assert!(split_url("http://[::1]:8080/").is_ok() && split_url("http://my_app/").is_ok());
        for text in [
            "",
            "/path",
            "://a/",
            "ftp://a/",
            "http:///x",
            "http://u@a/",
            "http://a b/",
            "http://a,b/",
            "http://a/x#y",
            "http://a/x y",
            "http://a/\u{7}",
            "http://é/",
            "http://a:99999/",
            "http://a:/",
            "http://a:b/",
            "http://::1/",
            "http://a?x",
            "http://a:80?/admin",
            "http://.a/",
            "http://a../",
            "http://[::1/",
            "javascript://a/",
        ] {
            assert!(split_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn s10_2_paths_and_methods_are_checked() {
        assert_eq!(split_path("/a?b?c"), Ok(("/a", Some("b?c"))));
        assert_eq!(split_path("/?"), Ok(("/", Some(""))));
        assert_eq!(split_path("*"), Ok(("*", None)));
        for text in ["", "a", "http://a/", "/a#b", "/a b", "/a\tb"] {
            assert!(split_path(text).is_err(), "{text}");
        }
        assert!(checked_method("PROPFIND").is_ok());
        assert!(checked_method("GE T").is_err() && checked_method("G\u{e9}T").is_err());
    }
}
