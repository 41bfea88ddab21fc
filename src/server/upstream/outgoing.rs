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
            || (!is_trusted && is_about_the_client(name))
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
    say_where_from(&mut headers, asked, original);
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
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
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

/// Says to the application who asks: a trusted proxy's word is kept and added to.
fn say_where_from(headers: &mut HeaderMap, asked: &Asked<'_, HeaderMap>, original: &Original<'_>) {
    if let Some(peer) = asked.peer {
        let address = peer.ip().to_canonical().to_string();
        if let Ok(value) = HeaderValue::from_str(&address) {
            headers.append(FORWARDED_FOR, value.clone());
            headers.entry(REAL_IP).or_insert(value);
        }
    }
    let scheme = original.scheme.unwrap_or(Scheme::Http).as_str();
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    let host = original
        .host
        .and_then(|host| HeaderValue::from_str(host).ok());
    if let Some(host) = host {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
}

/// Takes the token out of every place where one is looked for.
fn strip_token(live: &Live, headers: &mut HeaderMap, query: &mut Option<String>) {
    for (source, name) in live.gate.extract.places() {
        match source {
            TokenSource::Header => {
                headers.remove(name);
            }
            TokenSource::Cookie => strip_cookie(headers, name),
            TokenSource::Query => {
                *query = query
                    .take()
                    .and_then(|query| without_parameter(&query, name));
            }
        }
    }
}

/// Takes out the cookies of this name; the others stay byte for byte.
fn strip_cookie(headers: &mut HeaderMap, name: &str) {
    let is_other = |pair: &&[u8]| {
        let own = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
        own.trim_ascii() != name.as_bytes()
    };
    let lines: Vec<Vec<u8>> = headers
        .get_all(COOKIE)
        .iter()
        .map(|line| {
            let pairs = line.as_bytes().split(|&byte| byte == b';' || byte == b',');
            let kept: Vec<&[u8]> = pairs
                .filter(is_other)
                .map(<[u8]>::trim_ascii)
                .filter(|pair| !pair.is_empty())
                .collect();
            kept.join(&b"; "[..])
        })
        .collect();
    headers.remove(COOKIE);
    for line in lines {
        let value = HeaderValue::from_bytes(&line);
        if let Some(value) = value.ok().filter(|value| !value.is_empty()) {
            headers.append(COOKIE, value);
        }
    }
}
