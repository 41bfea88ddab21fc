//! None of the shipped configurations has a hole.

use jwtgate::doctor::finding::Id;

use super::copies::{On, usual_notes};
use super::scenes::{PATIENCE, bench, introspection, live, outage};
use crate::harness::proxies::{Extent, Kind};

fn no_hole_behind_a_running_gate(kind: Kind) {
    let Some(found) = live(kind, Extent::Full, &[]) else {
        return;
    };
    found.shows(&format!("{kind:?}"), &[], usual_notes(kind, On::Live));
    // What cannot be told there is said, and nothing else is left out.
    let unknown = [
        "refusal.cookie",
        "identity.absent",
        "identity.large",
        "path.judged",
        "check.body",
        "closed.down",
        "closed.hanging",
        "closed.silent",
        "closed.garbage",
        "closed.error",
        "closed.redirect",
        "closed.patience",
    ];
    assert_eq!(found.ids("unknown"), unknown, "{kind:?}");
    let closed = Id::ALL.len() - unknown.len() - found.ids("note").len();
    assert_eq!(found.ids("closed").len(), closed, "{kind:?}");
    let requests = found.json["requests"].as_u64().expect("a number");
    assert!(requests < 100, "{requests}");
}

fn no_hole_on_the_bench(kind: Kind) {
    let Some(found) = bench(kind, Extent::Full, &[]) else {
        return;
    };
    found.shows(&format!("{kind:?}"), &[], usual_notes(kind, On::Bench));
    // Traefik waits for longer than doctor does here.
    let unknown: &[&str] = if kind == Kind::Traefik {
        &["closed.hanging"]
    } else {
        &[]
    };
    assert_eq!(found.ids("unknown"), unknown, "{kind:?}:\n{}", found.told());
    let patience = found.of("closed.patience")["found"].as_str();
    let waited = patience.expect("a text").trim_end_matches(" s").parse();
    let limit = PATIENCE.as_secs_f32();
    let is_bounded = waited.is_ok_and(|waited: f32| waited < limit && waited > 1.5);
    assert!(
        is_bounded || kind == Kind::Traefik,
        "{kind:?}: {patience:?}"
    );
}

/// What a minimal configuration does not promise: names of other gates, and what clients claim.
fn only_what_is_not_promised(kind: Kind, others: &[&str], notes: &[&str]) {
    let Some(found) = live(kind, Extent::Minimal, &[]) else {
        return;
    };
    let context = format!("the minimal configuration of {kind:?}");
    found.shows(&context, others, notes);
}

macro_rules! shipped {
    ($function:ident: $($name:ident $kind:ident),+) => {
        mod $function {
            use super::Kind;
            $(
                #[test]
                fn $name() {
                    super::$function(Kind::$kind);
                }
            )+
        }
    };
}

shipped!(no_hole_behind_a_running_gate: nginx Nginx, traefik Traefik, caddy Caddy, haproxy Haproxy, haproxy_spoe HaproxySpoe,
    envoy_http EnvoyHttp, envoy_grpc EnvoyGrpc, apache Apache, itself Itself);
shipped!(no_hole_on_the_bench: nginx Nginx, traefik Traefik, caddy Caddy, haproxy Haproxy, envoy_http EnvoyHttp, apache Apache);

const CLAIMS: [&str; 5] = [
    "identity.other-gates",
    "claims.address",
    "claims.place",
    "claims.url",
    "claims.method",
];

#[test]
fn nginx_minimal() {
    let mut holes = vec!["refusal.page-load"];
    holes.extend(CLAIMS);
    holes.push("size.cookie");
    only_what_is_not_promised(Kind::Nginx, &holes, &[]);
}

#[test]
fn traefik_minimal() {
    let holes: Vec<_> = CLAIMS
        .into_iter()
        .filter(|id| *id != "claims.place")
        .collect();
    only_what_is_not_promised(Kind::Traefik, &holes, &["size.lines"]);
}

#[test]
fn caddy_minimal() {
    let mut holes = CLAIMS.to_vec();
    holes.push("size.cookie");
    only_what_is_not_promised(Kind::Caddy, &holes, &["size.lines"]);
}

#[test]
fn haproxy_minimal() {
    let mut holes = CLAIMS.to_vec();
    holes.push("size.cookie");
    only_what_is_not_promised(Kind::Haproxy, &holes, &["size.lines"]);
}

#[test]
fn envoy_minimal() {
    only_what_is_not_promised(Kind::EnvoyHttp, &CLAIMS, &["size.lines"]);
}

#[test]
fn a_running_gate_is_stopped_and_started_again() {
    for kind in [Kind::Nginx, Kind::HaproxySpoe, Kind::EnvoyGrpc] {
        let Some(found) = outage(kind, &[]) else {
            return;
        };
        assert_eq!(found.of("closed.down")["verdict"], "closed", "{kind:?}");
        assert_eq!(found.ids("hole"), [""; 0], "{kind:?}");
    }
}

#[test]
fn apache_by_introspection() {
    let Some(found) = introspection(&[]) else {
        return;
    };
    found.shows("Apache by introspection", &[], &[]);
}
