//! Which addresses may be asked.
//!
//! What the operator configured may lie anywhere. What a provider's *document* names may lie on the provider's own host or on the
//! public internet, but not in the operator's network: a document must not make jwtgate ask the machine next door (SSRF, the class of
//! CVE-2026-41413).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Why an address is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Neither `https` nor an allowed `http`.
    #[error("it is not https")]
    Scheme,
    /// A user, a password or a fragment.
    #[error("it has a user, a password or a fragment")]
    Parts,
    /// A private address in a document of somebody else.
    #[error("it lies in a private network")]
    Private,
}

/// Judges an address that is to be fetched: `https`, or `http` on this very machine, or anywhere with `danger_allow_http`.
///
/// # Errors
/// See [`Unfit`].
pub fn judge(url: &Url, danger_allow_http: bool) -> Result<(), Unfit> {
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(Unfit::Parts);
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if danger_allow_http || is_loopback(url) => Ok(()),
        _ => Err(Unfit::Scheme),
    }
}

/// Whether the address is one of this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Whether an address that is written as numbers is a public one; a name is judged when it is resolved.
#[must_use]
pub fn is_public_or_named(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(_)) => !is_loopback(url),
        Some(Host::Ipv4(ip)) => is_public(ip.into()),
        Some(Host::Ipv6(ip)) => is_public(ip.into()),
        None => false,
    }
}

/// Whether an address is reachable from everywhere (the registries of RFC 6890).
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let is_shared = a == 100 && (64..128).contains(&b);
    let is_benchmark = a == 198 && (b == 18 || b == 19);
    let is_protocol = (a, b, c) == (192, 0, 0);
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || is_shared
        || is_benchmark
        || is_protocol)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(inner) = ip.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let [first, second, third, .., high, low] = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (first, second) {
        // An IPv4 address behind a translator (RFC 6052) or a relay (RFC 3056).
        (0x64, 0xff9b) => is_public_v4(v4(high, low)),
        (0x2002, _) => is_public_v4(v4(second, third)),
        // Teredo, documentation.
        (0x2001, 0 | 0xdb8) => false,
        // Only 2000::/3 is given out.
        _ => first & 0xe000 == 0x2000,
    }
}

/// Whether a name leads to an address in a private network, as far as it leads anywhere.
pub async fn leads_into_private(url: &Url) -> bool {
    let Some(Host::Domain(name)) = url.host() else {
        return !is_public_or_named(url);
    };
    let found = tokio::net::lookup_host((name, 0)).await;
    found.is_ok_and(|mut found| found.any(|address| !is_public(address.ip())))
}

/// Resolves names to public addresses only.
#[derive(Debug)]
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<_> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(Unfit::Private.into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn s14_1_only_https_is_asked_unless_it_is_this_machine() {
        for (text, danger, expected) in [
            ("https://idp.example.com/keys", false, Ok(())),
            ("http://127.0.0.1:9/keys", false, Ok(())),
            ("http://[::1]/keys", false, Ok(())),
            ("http://localhost/keys", false, Ok(())),
            ("http://idp.example.com/keys", false, Err(Unfit::Scheme)),
            ("http://localhost.example.com/", false, Err(Unfit::Scheme)),
            ("http://idp.example.com/keys", true, Ok(())),
            ("file:///etc/passwd", true, Err(Unfit::Scheme)),
            ("ftp://idp.example.com/keys", true, Err(Unfit::Scheme)),
            ("https://me@idp.example.com/", false, Err(Unfit::Parts)),
            ("https://idp.example.com/#a", false, Err(Unfit::Parts)),
        ] {
            assert_eq!(judge(&url(text), danger), expected, "{text}");
        }
    }

    #[test]
    fn s14_2_private_addresses_are_known_in_every_spelling() {
        for text in [
            "https://127.0.0.1/",
            "https://10.1.2.3/",
            "https://172.16.0.1/",
            "https://192.168.1.1/",
            "https://169.254.169.254/latest/meta-data/",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[fd00::1]/",
            "https://[fe80::1]/",
            "https://[64:ff9b::a00:1]/",
            "https://[2002:a00:1::]/",
            "https://localhost/",
        ] {
            assert!(!is_public_or_named(&url(text)), "{text}");
        }
        for text in [
            "https://1.1.1.1/",
            "https://[2606:4700::1111]/",
            "https://idp.example.com/",
        ] {
            assert!(is_public_or_named(&url(text)), "{text}");
        }
    }
}
