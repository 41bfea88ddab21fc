//! The words in which proxies say it: methods, hosts, paths and URLs, each read strictly. Nothing is decoded.

use std::net::Ipv6Addr;

use crate::reason::Reason;
use crate::request::{Original, Scheme};

/// The longest request target, in bytes.
pub(super) const MAX_TARGET_BYTES: usize = 16 * 1024;

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

/// A scheme by its name, in any case.
pub(super) fn scheme(text: &str) -> Option<Scheme> {
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
pub(super) fn checked_host(text: &str) -> Result<&str, Reason> {
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
pub(super) fn split_path(text: &str) -> Result<(&str, Option<&str>), Reason> {
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
