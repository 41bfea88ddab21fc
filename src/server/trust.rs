//! Which peers may say what the original request was.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::config::{Fault, Server};

/// Trusted peers, compiled from `server.trusted_proxies`.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    networks: Vec<IpNet>,
    unix_sockets: bool,
}

impl Trust {
    /// Compiles the list.
    #[must_use]
    pub fn compile(server: &Server) -> (Self, Vec<Fault>) {
        let mut trust = Self::default();
        let mut faults = Vec::new();
        for (index, entry) in server.trusted_proxies.iter().enumerate() {
            let path = format!("server.trusted_proxies[{index}]");
            if entry == "unix" {
                trust.unix_sockets = true;
                continue;
            }
            let network = entry
                .parse::<IpNet>()
                .ok()
                .or_else(|| entry.parse::<IpAddr>().ok().map(IpNet::from));
            match network {
                Some(network) => {
                    let is_broad = match network {
                        IpNet::V4(network) => network.prefix_len() < 8,
                        IpNet::V6(network) => network.prefix_len() < 16,
                    };
                    if is_broad {
                        faults.push(Fault::warning(
                            path,
                            format!("`{entry}`, which is everybody, or nearly"),
                            "the addresses of your proxies",
                            "whoever can reach jwtgate can then claim any original request: name the proxies' network (CVE-2026-40575)",
                        ));
                    }
                    trust.networks.push(network.trunc());
                }
                None => faults.push(Fault::new(
                    path,
                    format!("`{entry}`"),
                    "a network such as `10.0.0.0/8`, an address, or `unix`",
                    "names are not looked up: write addresses",
                )),
            }
        }
        (trust, faults)
    }

    /// Whether this peer is believed. `None` is a Unix socket.
    #[must_use]
    pub fn covers(&self, peer: Option<SocketAddr>) -> bool {
        let Some(peer) = peer else {
            return self.unix_sockets;
        };
        // A socket that listens on `::` sees IPv4 peers as `::ffff:10.0.0.1`.
        let address = peer.ip().to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(entries: &[&str]) -> (Trust, Vec<Fault>) {
        Trust::compile(&Server {
            trusted_proxies: entries.iter().map(|entry| (*entry).to_owned()).collect(),
            ..Server::default()
        })
    }

    fn is_covered(trust: &Trust, address: &str) -> bool {
        trust.covers(Some(SocketAddr::new(address.parse().unwrap(), 1)))
    }

    #[test]
    fn s10_1_only_listed_peers_are_believed() {
        let (default, faults) = Trust::compile(&Server::default());
        assert_eq!(faults, []);
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(is_covered(&default, address), "{address}");
        }
        for address in ["10.0.0.1", "192.168.0.1", "::2", "::ffff:10.0.0.1"] {
            assert!(!is_covered(&default, address), "{address}");
        }
        assert!(default.covers(None));
        let (none, _) = trust(&[]);
        assert!(!none.covers(None) && !is_covered(&none, "127.0.0.1"));
        let (one, _) = trust(&["10.1.2.3/8", "192.0.2.1"]);
        assert!(is_covered(&one, "10.9.9.9") && is_covered(&one, "192.0.2.1"));
        assert!(!is_covered(&one, "192.0.2.2") && !one.covers(None));
    }

    #[test]
    fn everybody_is_a_warning_and_names_are_faults() {
        assert_eq!(
            trust(&["0.0.0.0/0", "::/0", "128.0.0.0/1", "10.0.0.0/8"])
                .1
                .len(),
            3
        );
        assert!(trust(&["proxy.local"]).1[0].hint.contains("addresses"));
    }
}
