//! The same spellings behind the other proxies, which bring paths into forms of their own: what counts is how the application can read
//! what arrives.

use crate::harness::Settings;
use crate::harness::fetched::metric;
use crate::harness::proxies::Kind;

use super::chain::{Chain, DENIED, REST, SHIPPED, exchange, get};
use super::known::known;
use super::reader::readings;
use super::{ALL, is_admin};

#[track_caller]
fn only_known_arrive(kind: Kind) {
    let settings = Settings::hmac().table(&[DENIED, REST].concat());
    let Some(chain) = Chain::behind(kind, settings, SHIPPED) else {
        return;
    };
    let known = known();
    let mut found = Vec::new();
    for spelling in ALL.iter() {
        let shown = spelling.target.escape_ascii().to_string();
        let before = chain.app.served();
        let answer = exchange(chain.proxy.address(), &get(&spelling.target, true));
        if chain.app.served() == before {
            continue;
        }
        let answer = answer.unwrap_or_else(|| panic!("{shown} arrives and is not answered"));
        let echo = answer.json();
        let arrived = echo["target"].as_str().unwrap_or_default();
        let is_denied = readings(arrived.as_bytes())
            .iter()
            .any(|path| is_admin(path));
        if is_denied && !known.contains(&shown) {
            found.push(format!("{shown} as {arrived}"));
        }
    }
    assert!(found.is_empty(), "behind {kind:?}: {found:#?}");
    let decisions = metric(&chain.gate, "jwtgate_decisions_total", &[]);
    assert!(decisions >= 300, "{decisions} spellings reached the gate");
    chain.gate.assert_no_panic();
}

#[test]
fn s10_3_no_spelling_of_a_denied_prefix_passes_behind_the_shipped_traefik() {
    only_known_arrive(Kind::Traefik);
}

#[test]
fn s10_3_no_spelling_of_a_denied_prefix_passes_behind_the_shipped_caddy() {
    only_known_arrive(Kind::Caddy);
}

#[test]
fn s10_3_no_spelling_of_a_denied_prefix_passes_behind_the_shipped_haproxy() {
    only_known_arrive(Kind::Haproxy);
}

#[test]
fn s10_3_no_spelling_of_a_denied_prefix_passes_behind_the_shipped_haproxy_with_its_agent_protocol()
{
    only_known_arrive(Kind::HaproxySpoe);
}

#[test]
fn s10_3_no_spelling_of_a_denied_prefix_passes_behind_the_shipped_envoy() {
    only_known_arrive(Kind::EnvoyHttp);
}

#[test]
fn s10_3_no_spelling_of_a_denied_prefix_passes_behind_the_shipped_envoy_over_grpc() {
    only_known_arrive(Kind::EnvoyGrpc);
}

#[test]
fn s10_3_no_spelling_of_a_denied_prefix_passes_behind_the_shipped_apache() {
    only_known_arrive(Kind::Apache);
}

#[test]
fn s10_3_no_spelling_of_a_denied_prefix_passes_behind_jwtgate_itself() {
    only_known_arrive(Kind::Itself);
}
