//! The request that goes on to the application: what the client sent, less what a client may not say, plus who it is.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName,
    HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Uri, Version};

use crate::config::TokenSource;
use crate::gate::Permit;
use crate::login::retpath::without_parameter;
use crate::request::{Original, Scheme};
use crate::server::asked::Asked;
use crate::server::client_address::client;
use crate::server::live::Live;
use crate::server::respond;
use crate::server::spelling::is_same_folded;

/// Names that concern one connection only (RFC 9110 §7.6.1).
const OF_ONE_CONNECTION: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("http2-settings"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// A request for the application, without its body.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) target: PathAndQuery,
    pub(super) headers: HeaderMap,
    /// Whether the connection becomes a WebSocket where the application agrees.
    pub(super) is_upgrade: bool,
}

/// Makes it; `None` where an identity header that is promised cannot be made.
pub(super) fn outgoing(
    live: &Live,
    permit: &Permit,
    asked: &Asked<'_, HeaderMap>,
    original: &Original<'_>,
    head: &Parts,
) -> Option<Outgoing> {
    let identity = respond::identity_lines(live, permit)?;
    let mut headers = head.headers.clone();
    let is_upgrade = wants_websocket(head);
    remove_those_of_the_connection(&mut headers);
    // The body says its length itself, and whoever waits to be asked for it is asked here.
    headers.remove(CONTENT_LENGTH);
    headers.remove(EXPECT);
    let is_trusted = live.trust.covers(asked.peer);
    let is_forged = |name: &HeaderName| {
        let name = name.as_str();
        identity.iter().any(|(own, _)| is_same_folded(own, name))
            || live.upstream.strips(name)
            // A trusted proxy's word on who asks is kept; all else of that kind is said anew.
            || (is_about_the_client(name) && !(is_trusted && name == FORWARDED_FOR.as_str()))
    };
    remove_all(&mut headers, is_forged);
    let mut target = original.path.to_owned();
    let mut query = original.query.map(str::to_owned);
    if live.upstream.strip_token {
        strip_token(live, &mut headers, &mut query);
    }
    if let Some(query) = query {
        target.push('?');
        target.push_str(&query);
    }
    say_where_from(&mut headers, asked, original, live);
    let host = original.host.unwrap_or("localhost");
    headers.insert(HOST, HeaderValue::from_str(host).ok()?);
    headers.append(VIA, HeaderValue::from_static("1.1 jwtgate"));
    if is_upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    for (name, value) in identity {
        if value.is_empty() {
            continue;
        }
        let name = HeaderName::try_from(name).ok()?;
        headers.insert(name, HeaderValue::from_maybe_shared(value).ok()?);
    }
    Some(Outgoing {
        target: PathAndQuery::try_from(target).ok()?,
        headers,
        is_upgrade,
    })
}

impl Outgoing {
    /// The address of the request line, by which hyper keeps connections; it goes to the one application whatever it says.
    pub(super) fn address(target: PathAndQuery) -> Option<Uri> {
        Uri::builder()
            .scheme("http")
            .authority("application")
            .path_and_query(target)
            .build()
            .ok()
    }
}

/// Takes out what concerns one connection: also of answers.
pub(super) fn remove_those_of_the_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in OF_ONE_CONNECTION.iter().chain(&named) {
        headers.remove(name);
    }
}

/// RFC 6455 §4.1. Other protocols are not upgraded to.
fn wants_websocket(head: &Parts) -> bool {
    let holds = |name: HeaderName, word: &str| {
        let lines = head.headers.get_all(name);
        let mut words = lines
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','));
        words.any(|one| one.trim().eq_ignore_ascii_case(word))
    };
    head.version == Version::HTTP_11
        && head.method == http::Method::GET
        && holds(UPGRADE, "websocket")
        && holds(CONNECTION, "upgrade")
}

/// What only a proxy may say of a client.
fn is_about_the_client(name: &str) -> bool {
    let is_forwarded = name
        .get(..12)
        .is_some_and(|start| is_same_folded(start, "x-forwarded-"));
    is_forwarded
        || is_same_folded(name, FORWARDED.as_str())
        || is_same_folded(name, REAL_IP.as_str())
}

fn remove_all(headers: &mut HeaderMap, is_meant: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_meant(name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

/// Says to the application who asks, and for what: the very address, scheme and host that were judged.
fn say_where_from(
    headers: &mut HeaderMap,
    asked: &Asked<'_, HeaderMap>,
    original: &Original<'_>,
    live: &Live,
) {
    let set = |headers: &mut HeaderMap, name, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    if let Some(client) = client(asked, live) {
        set(headers, REAL_IP, &client.to_canonical().to_string());
    }
    if let Some(peer) = asked.peer {
        let address = peer.ip().to_canonical().to_string();
        if let Ok(value) = HeaderValue::from_str(&address) {
            headers.append(FORWARDED_FOR, value);
        }
    }
    let scheme = original.scheme.unwrap_or(Scheme::Http).as_str();
    set(headers, FORWARDED_PROTO, scheme);
    if let Some(host) = original.host {
        set(headers, FORWARDED_HOST, host);
    }
}

/// Takes the token out of every place where one is looked for.
fn strip_token(live: &Live, headers: &mut HeaderMap, query: &mut Option<String>) {
    for (source, name) in live.gate.extract.places() {
        match source {
            TokenSource::Header => strip_credentials(headers, name),
            TokenSource::Cookie => strip_cookie(headers, name),
            TokenSource::Query => {
                *query = query
                    .take()
                    .and_then(|query| without_parameter(&query, name));
            }
        }
    }
}

/// Takes out the lines of this name, but for credentials of another kind, which are no tokens.
fn strip_credentials(headers: &mut HeaderMap, name: &str) {
    const OTHERS: [&str; 3] = ["basic ", "digest ", "negotiate "];
    let is_other = |value: &HeaderValue| {
        let bytes = value.as_bytes();
        OTHERS.iter().any(|scheme| {
            bytes
                .get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
        })
    };
    rewrite(headers, name, |value| {
        is_other(value).then(|| value.clone())
    });
}

/// Takes out the cookies of this name. Lines that have none stay as they are, and so do the other cookies.
fn strip_cookie(headers: &mut HeaderMap, name: &str) {
    rewrite(headers, COOKIE.as_str(), |value| {
        without_cookie(value.as_bytes(), name.as_bytes())
            .map_or_else(
                || Some(value.clone()),
                |line| HeaderValue::from_bytes(&line).ok(),
            )
            .filter(|value| !value.is_empty())
    });
}

/// A line without the cookies of this name; `None` where it has none. What separates the others stays.
fn without_cookie(line: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let is_separator = |byte: &u8| matches!(byte, b';' | b',');
    let is_meant = |piece: &[u8]| {
        let own = piece.split(|&byte| byte == b'=').next().unwrap_or_default();
        own.trim_ascii() == name
    };
    let pieces = || line.split_inclusive(is_separator);
    let bare = |piece: &'_ [u8]| -> Vec<u8> {
        piece
            .strip_suffix(b";")
            .or(piece.strip_suffix(b","))
            .unwrap_or(piece)
            .to_vec()
    };
    if !pieces().any(|piece| is_meant(&bare(piece))) {
        return None;
    }
    let kept: Vec<u8> = pieces()
        .filter(|piece| !is_meant(&bare(piece)))
        .flatten()
        .copied()
        .collect();
    let kept = kept.trim_ascii();
    // Where the last one went, what separated it goes, too.
    let is_last = line.split(is_separator).next_back().is_some_and(is_meant);
    let kept = if is_last { bare(kept) } else { kept.to_vec() };
    Some(kept)
}

/// Writes the lines of a name anew.
fn rewrite(
    headers: &mut HeaderMap,
    name: &str,
    change: impl Fn(&HeaderValue) -> Option<HeaderValue>,
) {
    let lines: Vec<HeaderValue> = headers.get_all(name).iter().filter_map(change).collect();
    headers.remove(name);
    let Ok(name) = HeaderName::try_from(name) else {
        return;
    };
    for line in lines {
        headers.append(name.clone(), line);
    }
}
