//! The address of the client, as a trusted proxy says it.

use std::net::{IpAddr, SocketAddr};

use super::asked::{Asked, Lines};
use super::live::Live;

/// The address of the client, where a rule asks for it and somebody trustworthy said so. A peer that is no trusted proxy is the client
/// itself. A trusted one speaks for others: the last address in `X-Forwarded-For` that is not a trusted proxy's own is what the outermost
/// of them saw, and everything in front of it is what the client claims. Where all of them are trusted, the first one sent the request.
#[must_use]
pub(super) fn source<H: Lines>(asked: &Asked<'_, H>, live: &Live) -> Option<IpAddr> {
    let is_asked_for = live.gate.policy.asks_for_source();
    is_asked_for.then(|| client(asked, live)).flatten()
}

/// The same, whoever asks for it.
#[must_use]
pub(super) fn client<H: Lines>(asked: &Asked<'_, H>, live: &Live) -> Option<IpAddr> {
    let nearest = asked.client.or(asked.peer);
    if !live.trust.covers(nearest) {
        return nearest.map(|nearest| nearest.ip());
    }
    let lines = asked.headers.lines("x-forwarded-for");
    let mut chain = Vec::new();
    for line in lines {
        // One that cannot be read hides what stands in front of it.
        let text = std::str::from_utf8(line).ok()?;
        chain.extend(text.split(',').map(|one| address(one.trim())));
    }
    let mut source = None;
    for one in chain.into_iter().rev() {
        source = Some(one?);
        if !live.trust.covers(source.map(|address| (address, 0).into())) {
            break;
        }
    }
    // Where the protocol names the client, nobody in front of it need be named.
    source.or_else(|| asked.client.map(|client| client.ip()))
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let is_bare = || text.parse::<IpAddr>().ok();
    let in_brackets = || text.strip_prefix('[')?.split(']').next()?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    is_bare().or_else(with_port).or_else(in_brackets)
}
