//! The allow list of hosts that people may be sent back to (`return_hosts`): whole hosts and whole labels, never parts of a text.

use url::{Host, Url};

use crate::request::Scheme;

/// A host, or all below a domain, with its scheme and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AllowedHost {
    scheme: Scheme,
    name: HostName,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostName {
    Exact(String),
    /// One or more whole labels in front of this: `.example.org`.
    Below(String),
}

impl AllowedHost {
    /// Reads an entry: `app.example.com`, `*.example.org`, `http://localhost:8080`.
    pub(super) fn parse(entry: &str) -> Option<Self> {
        let (scheme, rest) = match entry.split_once("://") {
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(_) => return None,
            None => (Scheme::Https, entry),
        };
        let (is_below, host) = match rest.strip_prefix("*.") {
            Some(domain) => (true, domain),
            None => (false, rest),
        };
        let is_plain = !host.is_empty()
            && host
                .chars()
                .all(|character| character.is_alphanumeric() || "-._:[]".contains(character));
        if !is_plain {
            return None;
        }
        let url = Url::parse(&format!("{}://{host}/", scheme.as_str())).ok()?;
        let name = match (url.host()?, is_below) {
            (Host::Domain(domain), true) => HostName::Below(format!(".{domain}")),
            (_, true) => return None,
            (_, false) => HostName::Exact(url.host_str()?.to_owned()),
        };
        Some(Self {
            scheme,
            name,
            port: url.port_or_known_default()?,
        })
    }

    /// Whether this URL lies there.
    pub(super) fn allows(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else {
            return false;
        };
        let is_named = match &self.name {
            HostName::Exact(name) => host == name,
            HostName::Below(domain) => host
                .strip_suffix(domain.as_str())
                .is_some_and(|labels| labels.split('.').all(|label| !label.is_empty())),
        };
        is_named
            && url.scheme() == self.scheme.as_str()
            && url.port_or_known_default() == Some(self.port)
    }
}
