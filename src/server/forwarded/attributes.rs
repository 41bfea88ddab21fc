//! The original request as Envoy's attributes name it (gRPC). Headers of any dialect mean nothing here: a client's own pass through
//! Envoy untouched.

use std::net::{IpAddr, SocketAddr};

use envoy_types::ext_authz::v3::pb::Address;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer};

use crate::reason::Reason;
use crate::request::{HeaderLines, Original};

use super::super::asked::{Lines, SEPARATORS};
use super::text::{MAX_TARGET_BYTES, checked_host, checked_method, scheme, split_path};

/// The header lines of the attributes. Envoy joins lines of one name by a comma, unless it is told to send them raw
/// (`encode_raw_headers`).
#[derive(Clone, Copy, Debug)]
pub struct AttributeLines<'r>(pub &'r HttpRequest);

impl<'r> AttributeLines<'r> {
    /// Names and values of all lines.
    pub fn all(self) -> impl Iterator<Item = (&'r str, &'r [u8])> {
        let joined = self.0.headers.iter();
        let joined = joined.map(|(name, value)| (name.as_str(), value.as_bytes()));
        let raw = self.0.header_map.iter().flat_map(|map| &map.headers);
        let raw = raw.map(|line| {
            let value = if line.raw_value.is_empty() {
                line.value.as_bytes()
            } else {
                &line.raw_value
            };
            (line.key.as_str(), value)
        });
        joined.chain(raw)
    }
}

impl HeaderLines for AttributeLines<'_> {
    fn lines<'h>(&'h self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        let joined = self.0.headers.get(name).map(String::as_bytes);
        let raw = self.0.header_map.iter().flat_map(|map| &map.headers);
        let raw = raw.filter(move |line| line.key.eq_ignore_ascii_case(name));
        let raw = raw.map(|line| {
            if line.raw_value.is_empty() {
                line.value.as_bytes()
            } else {
                &line.raw_value
            }
        });
        // The name is borrowed for this call only.
        joined.into_iter().chain(raw.collect::<Vec<_>>())
    }
}

impl Lines for AttributeLines<'_> {
    fn bytes(&self) -> usize {
        let lines = self.all();
        lines
            .map(|(name, value)| name.len() + value.len() + SEPARATORS)
            .sum()
    }
}

/// Reads the original request.
///
/// # Errors
/// [`Reason::RequestMalformed`], [`Reason::RequestAmbiguous`] or [`Reason::RequestTooLarge`].
pub fn of_attributes(http: &HttpRequest, max_header_bytes: usize) -> Result<Original<'_>, Reason> {
    if http.path.len() > MAX_TARGET_BYTES || AttributeLines(http).bytes() > max_header_bytes {
        return Err(Reason::RequestTooLarge);
    }
    if !http.fragment.is_empty() {
        return Err(Reason::RequestMalformed);
    }
    let (path, query) = split_path(&http.path)?;
    // Envoy leaves `query` empty and the query in `path`; others may do as the names say.
    let query = match (query, http.query.as_str()) {
        (query, "") => query,
        (None, stated) => Some(stated),
        (Some(query), stated) if query == stated => Some(query),
        (Some(_), _) => return Err(Reason::RequestAmbiguous),
    };
    let scheme = match http.scheme.as_str() {
        "" => None,
        text => Some(scheme(text).ok_or(Reason::RequestMalformed)?),
    };
    let host = match http.host.as_str() {
        "" => None,
        text => Some(checked_host(text)?),
    };
    Ok(Original {
        method: checked_method(&http.method)?,
        scheme,
        host,
        path,
        query,
        states_method: true,
        states_path: true,
    })
}

/// Who sent the original request to Envoy; `None` where that was no socket with an address.
#[must_use]
pub fn address_of(peer: &Peer) -> Option<SocketAddr> {
    let Address::SocketAddress(socket) = peer.address.as_ref()?.address.as_ref()? else {
        return None;
    };
    let address: IpAddr = socket.address.parse().ok()?;
    Some((address, 0).into())
}
