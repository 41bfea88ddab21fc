//! The shipped configurations: the very files of `config/`, which the tests run behind the real proxies.

use crate::config::Config;

use super::Proxy;

/// A shipped configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shipped {
    pub(super) asks: Asks,
    pub(super) files: &'static [File],
}

/// One of its files.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

/// Which listener of jwtgate it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// The main one.
    Http,
    /// `[ext_authz]`.
    Grpc,
    /// `[spoe]`.
    Spoe,
}

macro_rules! file {
    ($folder:literal, $name:literal) => {
        File {
            name: $name,
            text: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/config/",
                $folder,
                "/",
                $name
            )),
        }
    };
}

impl Shipped {
    /// The one for a proxy.
    pub(super) fn of(proxy: Proxy, config: &Config) -> Self {
        let has_grpc = !config.ext_authz.listen.items().is_empty();
        let (asks, files): (Asks, &'static [File]) = match proxy {
            Proxy::Nginx => (Asks::Http, &[file!("nginx", "nginx.conf")]),
            Proxy::Traefik => (
                Asks::Http,
                &[
                    file!("traefik", "traefik.yml"),
                    file!("traefik", "dynamic.yml"),
                ],
            ),
            Proxy::Caddy => (Asks::Http, &[file!("caddy", "Caddyfile")]),
            Proxy::Haproxy => (
                Asks::Http,
                &[
                    file!("haproxy", "haproxy.cfg"),
                    file!("haproxy", "jwtgate.lua"),
                ],
            ),
            Proxy::HaproxySpoe => (
                Asks::Spoe,
                &[
                    file!("haproxy", "spoe.cfg"),
                    file!("haproxy", "spoe-agent.conf"),
                ],
            ),
            Proxy::Envoy if has_grpc => (Asks::Grpc, &[file!("envoy", "grpc.yaml")]),
            Proxy::EnvoyGrpc => (Asks::Grpc, &[file!("envoy", "grpc.yaml")]),
            Proxy::Envoy | Proxy::EnvoyHttp => (Asks::Http, &[file!("envoy", "http.yaml")]),
            Proxy::Apache => (
                Asks::Http,
                &[
                    file!("apache", "forward-auth.conf"),
                    file!("apache", "jwtgate.lua"),
                ],
            ),
        };
        Self { asks, files }
    }
}
