//! Each hole, in a copy of a shipped configuration that was broken on purpose.

use jwtgate::doctor::finding::Id;

use super::copies::{
    APACHE, CADDY, Copy, ENVOY_GRPC, ENVOY_HTTP, HAPROXY, NGINX, On, SPOE, TRAEFIK, usual_notes,
};
use super::scenes::{bench, introspection, itself, live, outage};
use crate::harness::proxies::{Extent, Kind};

/// Every copy of a kind shows the holes that were made, and no others.
fn holes_are_found(kind: Kind, on: On, copies: &[Copy]) {
    let copies: Vec<_> = copies.iter().filter(|copy| copy.on == on).collect();
    assert!(!copies.is_empty(), "no copy of {kind:?} is tried {on:?}");
    // Those on the bench mostly wait for something that never comes, so they wait together.
    let at_once = if on == On::Bench { copies.len() } else { 1 };
    for some in copies.chunks(at_once) {
        std::thread::scope(|scope| {
            for copy in some {
                scope.spawn(|| hole_is_found(kind, copy));
            }
        });
    }
}

fn hole_is_found(kind: Kind, copy: &Copy) {
    let found = match copy.on {
        On::Live => live(kind, Extent::Full, copy.edits),
        On::Bench => bench(kind, Extent::Full, copy.edits),
        On::Outage => outage(kind, copy.edits),
    };
    let Some(found) = found else { return };
    let notes = copy.notes.unwrap_or(usual_notes(kind, copy.on));
    found.shows(&format!("{kind:?}: {}", copy.what), copy.holes, notes);
}

macro_rules! copies {
    ($($name:ident: $kind:ident, $on:ident, $copies:ident;)+) => {$(
        #[test]
        fn $name() {
            holes_are_found(Kind::$kind, On::$on, $copies);
        }
    )+};
}

copies! {
    nginx_live: Nginx, Live, NGINX;
    nginx_bench: Nginx, Bench, NGINX;
    traefik_live: Traefik, Live, TRAEFIK;
    traefik_bench: Traefik, Bench, TRAEFIK;
    caddy_live: Caddy, Live, CADDY;
    caddy_bench: Caddy, Bench, CADDY;
    haproxy_live: Haproxy, Live, HAPROXY;
    haproxy_bench: Haproxy, Bench, HAPROXY;
    haproxy_spoe_live: HaproxySpoe, Live, SPOE;
    haproxy_spoe_outage: HaproxySpoe, Outage, SPOE;
    envoy_http_live: EnvoyHttp, Live, ENVOY_HTTP;
    envoy_http_bench: EnvoyHttp, Bench, ENVOY_HTTP;
    envoy_grpc_live: EnvoyGrpc, Live, ENVOY_GRPC;
    envoy_grpc_outage: EnvoyGrpc, Outage, ENVOY_GRPC;
    apache_live: Apache, Live, APACHE;
    apache_bench: Apache, Bench, APACHE;
}

#[test]
fn jwtgate_itself_live() {
    let forwarded = ["claims.return-address", "claims.address", "claims.place"];
    let names = ["identity.other-gates", "claims.url", "claims.method"];
    for (server, upstream, holes) in [
        ("trusted_proxies = [\"127.0.0.0/8\"]", "", forwarded),
        (
            "trusted_proxies = []",
            "strip_headers = [\"X-Auth-*\"]",
            names,
        ),
    ] {
        itself(server, upstream).shows(&format!("{server} {upstream}"), &holes, &[]);
    }
}

#[test]
fn what_only_other_spellings_open_is_closed_by_what_closes_those() {
    let edits = [("underscores_in_headers off;", "underscores_in_headers on;")];
    let Some(found) = live(Kind::Nginx, Extent::Full, &edits) else {
        return;
    };
    let holes = found.ids("hole");
    assert!(holes.len() > 5, "{holes:?}");
    for id in holes {
        let directives = &found.of(id)["directives"];
        let both = "`underscores_in_headers off;` and `ignore_invalid_headers on;`";
        let expected = serde_json::json!({"nginx": both});
        assert_eq!(directives, &expected, "{id}");
    }
}

#[test]
fn apache_by_introspection_live() {
    let names = [
        "identity.other-gates",
        "claims.address",
        "claims.place",
        "claims.url",
        "claims.method",
    ];
    for (edit, holes) in [
        (("Require not method OPTIONS", ""), &["access.method"][..]),
        (("Require not env odd_name", ""), &names),
        (
            ("RequestHeader unset Connection", ""),
            &["identity.connection"],
        ),
    ] {
        let Some(found) = introspection(&[edit]) else {
            return;
        };
        found.shows(edit.0, holes, &[]);
    }
}

#[test]
fn every_point_is_open_in_some_copy() {
    let all = [
        NGINX, TRAEFIK, CADDY, HAPROXY, SPOE, ENVOY_HTTP, ENVOY_GRPC, APACHE,
    ];
    let found: Vec<_> = all
        .into_iter()
        .flatten()
        .flat_map(|copy| copy.holes.iter().chain(copy.notes.unwrap_or_default()))
        .collect();
    for id in Id::ALL {
        assert!(found.contains(&&id.code()), "{id} is broken nowhere");
    }
}

/// The holes by which somebody comes through, is somebody else, or is judged as something else.
const GRAVE: [&str; 17] = [
    "access.no-token",
    "access.method",
    "access.user-agent",
    "access.websocket",
    "access.forged-identity",
    "access.upgrade",
    "identity.arrives",
    "identity.plain",
    "identity.underscore",
    "identity.separator",
    "identity.other-gates",
    "identity.connection",
    "claims.address",
    "claims.place",
    "claims.url",
    "claims.method",
    "closed.down",
];

#[test]
fn every_configuration_is_broken_in_each_grave_way() {
    // What no line of theirs could open: Traefik and Envoy take out what Connection names before they add anything, and upgrade to
    // nothing but what is named; Caddy drops X_Auth_User by itself; HAProxy's own HTTP client says 503 where nobody listens.
    for (copies, never) in [
        (NGINX, &[][..]),
        (TRAEFIK, &["access.upgrade", "identity.connection"]),
        (CADDY, &["identity.underscore"]),
        (HAPROXY, &["closed.down"]),
        (SPOE, &[]),
        (ENVOY_HTTP, &["access.upgrade", "identity.connection"]),
        (ENVOY_GRPC, &["access.upgrade", "identity.connection"]),
        (APACHE, &[]),
    ] {
        let open: Vec<_> = copies.iter().flat_map(|copy| copy.holes).collect();
        for id in GRAVE {
            let is_broken = open.contains(&&id);
            let what = copies[0].what;
            assert_ne!(is_broken, never.contains(&id), "{id}, beside \"{what}\"");
        }
    }
}
