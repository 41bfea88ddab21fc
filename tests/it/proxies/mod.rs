//! The same questions to every proxy, each in front of a gate and an application and run with the configuration that is shipped for it.
//!
//! `rows` has what each of them answers, and why they differ where they do; `docs/reference/proxies.md` is made from it. What holds for
//! all alike stands in the tests alone. A new proxy is a variant of `Kind`, a line in `behind_every_proxy`, and a red test for each
//! row that it answers in its own way.

mod bodies;
mod chain;
mod claims;
mod decisions;
mod failures;
mod identity;
mod impostor;
mod introspection;
mod logs;
mod minimal;
mod page;
mod paths;
mod rows;
mod sign_in;
mod sizes;
mod spoofed;
mod table;
mod websocket;

/// Makes a test of a function for each proxy: `decisions::forged_tokens_are_refused::traefik`.
macro_rules! behind_every_proxy {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::harness::proxies::Kind;

            #[test]
            fn nginx() {
                super::$name(Kind::Nginx);
            }

            #[test]
            fn traefik() {
                super::$name(Kind::Traefik);
            }

            #[test]
            fn caddy() {
                super::$name(Kind::Caddy);
            }

            #[test]
            fn haproxy() {
                super::$name(Kind::Haproxy);
            }

            #[test]
            fn haproxy_spoe() {
                super::$name(Kind::HaproxySpoe);
            }

            #[test]
            fn envoy_http() {
                super::$name(Kind::EnvoyHttp);
            }

            #[test]
            fn envoy_grpc() {
                super::$name(Kind::EnvoyGrpc);
            }

            #[test]
            fn apache() {
                super::$name(Kind::Apache);
            }

            #[test]
            fn itself() {
                super::$name(Kind::Itself);
            }
        }
    )+};
}
use behind_every_proxy;
