//! For each point and each proxy the directive that closes it, in the words of the configurations in `config/`.

mod apache;
mod caddy;
mod envoy;
mod haproxy;
mod nginx;
mod traefik;
mod upstream;

use super::finding::Id;

/// A proxy that jwtgate works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// nginx, and what is made of it.
    Nginx,
    /// Traefik.
    Traefik,
    /// Caddy.
    Caddy,
    /// HAProxy, with Lua or over its agent protocol.
    Haproxy,
    /// Envoy, over HTTP or gRPC, and Istio.
    Envoy,
    /// Apache httpd.
    Apache,
    /// jwtgate itself, by `[upstream]`.
    Upstream,
}

impl Proxy {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Nginx,
        Self::Traefik,
        Self::Caddy,
        Self::Haproxy,
        Self::Envoy,
        Self::Apache,
        Self::Upstream,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Traefik => "traefik",
            Self::Caddy => "caddy",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Apache => "apache",
            Self::Upstream => "upstream",
        }
    }

    /// The proxy of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|proxy| proxy.name() == name)
    }

    /// The proxy that calls itself like this in `Server`. Traefik and HAProxy do not.
    #[must_use]
    pub fn from_server(server: &str) -> Option<Self> {
        let server = server.to_ascii_lowercase();
        let starts = |names: &[&str]| names.iter().any(|name| server.starts_with(name));
        if starts(&["nginx", "openresty", "tengine"]) {
            Some(Self::Nginx)
        } else if starts(&["caddy"]) {
            Some(Self::Caddy)
        } else if starts(&["envoy", "istio-envoy"]) {
            Some(Self::Envoy)
        } else if starts(&["apache"]) {
            Some(Self::Apache)
        } else {
            None
        }
    }

    /// The directive that closes a point.
    #[must_use]
    pub const fn directive(self, id: Id) -> &'static str {
        match self {
            Self::Nginx => nginx::directive(id),
            Self::Traefik => traefik::directive(id),
            Self::Caddy => caddy::directive(id),
            Self::Haproxy => haproxy::directive(id),
            Self::Envoy => envoy::directive(id),
            Self::Apache => apache::directive(id),
            Self::Upstream => upstream::directive(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_known_by_its_name_and_by_what_it_calls_itself() {
        for proxy in Proxy::ALL {
            assert_eq!(Proxy::from_name(proxy.name()), Some(proxy));
        }
        assert_eq!(Proxy::from_name("Nginx"), None);
        for (server, proxy) in [
            ("nginx/1.22.1", Some(Proxy::Nginx)),
            ("Caddy", Some(Proxy::Caddy)),
            ("istio-envoy", Some(Proxy::Envoy)),
            ("Apache/2.4.66 (Debian)", Some(Proxy::Apache)),
            ("gunicorn", None),
        ] {
            assert_eq!(Proxy::from_server(server), proxy, "{server}");
        }
    }

    #[test]
    fn every_point_has_a_short_directive_for_every_proxy() {
        for id in Id::ALL {
            for proxy in Proxy::ALL {
                let text = proxy.directive(id);
                assert!(
                    (10..400).contains(&text.len()),
                    "{} {id}: {text}",
                    proxy.name()
                );
                assert!(!text.contains('\n') && !text.contains("  "), "{text}");
                assert!(text.matches('`').count() % 2 == 0, "{text}");
            }
        }
    }

    /// What stands in a directive as configuration, without what a reader fills in.
    fn quoted(text: &'static str) -> impl Iterator<Item = &'static str> {
        text.split('`')
            .skip(1)
            .step_by(2)
            .filter(|part| !part.contains('…'))
    }

    #[test]
    fn the_words_of_a_directive_are_those_of_the_shipped_configurations() {
        for (proxy, files) in [
            (Proxy::Nginx, &["nginx/nginx.conf"][..]),
            (
                Proxy::Traefik,
                &["traefik/traefik.yml", "traefik/dynamic.yml"],
            ),
            (Proxy::Caddy, &["caddy/Caddyfile"]),
            (
                Proxy::Haproxy,
                &[
                    "haproxy/haproxy.cfg",
                    "haproxy/jwtgate.lua",
                    "haproxy/spoe.cfg",
                    "haproxy/spoe-agent.conf",
                ],
            ),
            (Proxy::Envoy, &["envoy/http.yaml", "envoy/grpc.yaml"]),
            (
                Proxy::Apache,
                &["apache/forward-auth.conf", "apache/jwtgate.lua"],
            ),
        ] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
            let shipped: String = files
                .iter()
                .map(|file| std::fs::read_to_string(folder.join(file)).expect("it is shipped"))
                .collect();
            let blank_free = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            let shipped = blank_free(&shipped);
            for id in Id::ALL {
                for part in quoted(proxy.directive(id)) {
                    assert!(
                        shipped.contains(&blank_free(part)),
                        "{} {id}: `{part}`",
                        proxy.name()
                    );
                }
            }
        }
    }
}
