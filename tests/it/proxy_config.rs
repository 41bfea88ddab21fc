//! `jwtgate proxy-config`: what is shipped, with the settings at hand in it.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::harness::process::{Ran, run};
use crate::harness::proxies::{Extent, Kind, Proxy};
use crate::harness::upstream::{Upstream, echoed_headers};
use crate::harness::{Request, Settings, tokens};

/// Kinds, the word for each, and its files.
const FILES: [(Kind, &str, &[&str]); 8] = [
    (Kind::Nginx, "nginx", &["nginx/nginx.conf"]),
    (
        Kind::Traefik,
        "traefik",
        &["traefik/traefik.yml", "traefik/dynamic.yml"],
    ),
    (Kind::Caddy, "caddy", &["caddy/Caddyfile"]),
    (
        Kind::Haproxy,
        "haproxy",
        &["haproxy/haproxy.cfg", "haproxy/jwtgate.lua"],
    ),
    (
        Kind::HaproxySpoe,
        "haproxy-spoe",
        &["haproxy/spoe.cfg", "haproxy/spoe-agent.conf"],
    ),
    (Kind::EnvoyHttp, "envoy-http", &["envoy/http.yaml"]),
    (Kind::EnvoyGrpc, "envoy-grpc", &["envoy/grpc.yaml"]),
    (
        Kind::Apache,
        "apache",
        &["apache/forward-auth.conf", "apache/jwtgate.lua"],
    ),
];

fn shipped(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("config")
        .join(path);
    fs::read_to_string(file).expect("it is shipped")
}

/// Runs the command with a configuration.
fn printed(config: &str, arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("jwtgate.toml");
    fs::write(&file, config).expect("the folder is ours");
    let file = file.display().to_string();
    run(
        &[&["proxy-config"], arguments, &["--config", &file]].concat(),
        "",
    )
}

const PLAIN: &str = "secret = \"0123456789abcdef0123456789abcdef\"\n\
                     [ext_authz]\nlisten = \"127.0.0.1:9001\"\n[spoe]\nlisten = \"127.0.0.1:9002\"\n";

#[test]
fn with_the_settings_they_were_written_for_the_shipped_files_come_out_as_they_are() {
    for (_, word, files) in FILES {
        let ran = printed(PLAIN, &[word]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{word}");
        let expected: Vec<String> = files
            .iter()
            .map(|file| {
                let text = shipped(file);
                let name = file.rsplit('/').next().unwrap_or(file);
                let mark = if name.ends_with("lua") { "--" } else { "#" };
                let heading = format!("{mark} ===== {name} =====\n");
                let heading = if files.len() > 1 { &heading } else { "" };
                format!("{heading}{}\n", text.trim_end())
            })
            .collect();
        assert_eq!(ran.stdout, expected.concat(), "{word}");
    }
    // Envoy is asked over gRPC where jwtgate listens for it.
    assert_eq!(
        printed(PLAIN, &["envoy"]).stdout,
        printed(PLAIN, &["envoy-grpc"]).stdout
    );
    let without = "secret = \"0123456789abcdef0123456789abcdef\"";
    assert_eq!(
        printed(without, &["envoy"]).stdout,
        printed(PLAIN, &["envoy-http"]).stdout
    );
}

/// Another preset, another header besides, another header for the token.
const TOP: &str = "header_name = \"X-Token\"\nheader_scheme = \"\"";
const IDENTITY: &str =
    "[identity]\npreset = \"authelia\"\n[identity.headers]\nX-Webauth-Team = \"team\"\n";

#[test]
fn the_names_of_the_settings_reach_every_proxy() {
    for (kind, word, files) in FILES {
        let settings = Settings::hmac().top(TOP).table(IDENTITY);
        let app = Upstream::start();
        let gate = kind.asks_on(settings, 0, app.port()).start();
        let written = tempfile::tempdir().expect("a folder");
        let folder = files[0].split('/').next().unwrap_or_default();
        let out = written.path().join(folder).display().to_string();
        let ran = printed(&format!("{TOP}\n{PLAIN}{IDENTITY}"), &[word, "--out", &out]);
        assert_eq!(ran.code, Some(0), "{word}: {}", ran.all());
        let door = kind.door(&gate);
        let proxy = Proxy::start_from(written.path(), kind, Extent::Full, door, app.port(), &[]);
        let Some(proxy) = proxy else { continue };
        let token = tokens::with(&json!({"name": "Alice A.", "team": "blue", "groups": null}));
        let answer = Request::get("/app")
            .header("X-Token", &token)
            .header("Remote-User", "root")
            .header("Remote-Groups", "root")
            .header("X-Webauth-Team", "root")
            .header("X_Webauth_Team", "root")
            .header("X-Auth-User", "root")
            .send(proxy.address());
        assert_eq!(answer.status, 200, "{word}: {answer:?}");
        let echo = answer.json();
        assert_eq!(echoed_headers(&echo, "Remote-User"), ["alice"], "{word}");
        assert_eq!(
            echoed_headers(&echo, "Remote-Email"),
            ["alice@example.com"],
            "{word}"
        );
        assert_eq!(echoed_headers(&echo, "X-Webauth-Team"), ["blue"], "{word}");
        assert!(!echo.to_string().contains("root"), "{word}: {echo}");
        let refused = Request::get("/app").bearer(&token).send(proxy.address());
        assert_eq!(refused.status, 401, "{word}");
    }
}

#[test]
fn the_addresses_of_the_settings_stand_in_every_file() {
    let config = "secret = \"0123456789abcdef0123456789abcdef\"\npublic_url = \"https://intranet.example.org\"\n\
                  [server]\nlisten = [\"unix:/run/jwtgate.sock\", \"10.0.0.5:8088\"]\n\
                  [ext_authz]\nlisten = \"10.0.0.5:9099\"\n[spoe]\nlisten = \"10.0.0.5:9088\"\n";
    for (kind, word, _) in FILES {
        let ran = printed(config, &[word, "--app", "10.0.0.7:3333", "--listen", "81"]);
        assert_eq!(ran.code, Some(0), "{word}: {}", ran.stderr);
        for shipped in [
            "127.0.0.1:8080",
            "127.0.0.1:9001",
            "127.0.0.1:9002",
            "127.0.0.1:3000",
            "port_value: 3000",
            "8000",
            "app.example.com",
        ] {
            assert!(!ran.stdout.contains(shipped), "{word} has {shipped}");
        }
        let gate = match kind {
            Kind::EnvoyHttp => "address: 10.0.0.5, port_value: 8088",
            Kind::EnvoyGrpc => "address: 10.0.0.5, port_value: 9099",
            Kind::HaproxySpoe => "10.0.0.5:9088",
            _ => "10.0.0.5:8088",
        };
        assert!(ran.stdout.contains(gate), "{word} has no {gate}");
        let app = ["10.0.0.7:3333", "address: 10.0.0.7, port_value: 3333"];
        assert!(app.iter().any(|app| ran.stdout.contains(app)), "{word}");
    }
}

#[test]
fn s8_2_what_is_put_in_is_not_taken_for_what_was_shipped() {
    // Each address is the shipped one of the other.
    let config = format!("{PLAIN}[server]\nlisten = \"127.0.0.1:3000\"\n");
    let nginx = printed(&config, &["nginx", "--app", "127.0.0.1:8080"]).stdout;
    assert!(
        nginx.contains("upstream jwtgate { server 127.0.0.1:3000;"),
        "{nginx}"
    );
    assert!(
        nginx.contains("upstream app     { server 127.0.0.1:8080;"),
        "{nginx}"
    );
    let config = format!("{PLAIN}[server]\nlisten = \"127.0.0.1:30001\"\n");
    let caddy = printed(&config, &["caddy", "--app", "10.0.0.7:3333"]).stdout;
    assert!(caddy.contains("forward_auth 127.0.0.1:30001 {"), "{caddy}");
    // A name in small letters that begins as a shipped one, and a header for tokens that ends as one.
    let config = format!(
        "header_name = \"X-Authorization\"\n{PLAIN}[identity.headers]\nx-auth-username = \"username\"\nX-Auth-Identity-Id = \"sub\"\n[signed_identity]\nheader = \"X-Auth-Signed\"\n"
    );
    let nginx = printed(&config, &["nginx"]).stdout;
    for line in [
        "auth_request_set $auth_header_x_auth_username $upstream_http_x_auth_username;",
        "proxy_set_header x-auth-username $auth_header_x_auth_username;",
        "auth_request_set $auth_header_x_auth_identity_id $upstream_http_x_auth_identity_id;",
        "proxy_set_header X-Auth-Identity-Id $auth_header_x_auth_identity_id;",
        "auth_request_set $auth_header_x_auth_signed $upstream_http_x_auth_signed;",
        "proxy_set_header X-Auth-Signed $auth_header_x_auth_signed;",
        "proxy_set_header X-Authorization $http_x_authorization;",
    ] {
        let is_there = nginx.lines().any(|found| {
            let found = found.split('#').next().unwrap_or_default();
            found.split_whitespace().eq(line.split_whitespace())
        });
        assert!(is_there, "{line}\n{nginx}");
    }
}

#[test]
fn nginx_passes_the_signed_identity_on() {
    let settings = Settings::hmac()
        .top("public_url = \"https://app.example.com\"")
        .table("[signed_identity]\nheader = \"X-Auth-Identity\"");
    let app = Upstream::start();
    let gate = Kind::Nginx.asks_on(settings, 0, app.port()).start();
    let written = tempfile::tempdir().expect("a folder");
    let out = written.path().join("nginx").display().to_string();
    let config = format!("{PLAIN}[signed_identity]\nheader = \"X-Auth-Identity\"\n");
    let ran = printed(&config, &["nginx", "--out", &out]);
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let door = Kind::Nginx.door(&gate);
    let kind = Kind::Nginx;
    let Some(proxy) = Proxy::start_from(written.path(), kind, Extent::Full, door, app.port(), &[])
    else {
        return;
    };
    let answer = Request::get("/app")
        .bearer(tokens::good())
        .header("X-Auth-Identity", "root")
        .send(proxy.address());
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = echoed_headers(&answer.json(), "X-Auth-Identity");
    let parts = told.first().map(|token| token.split('.').count());
    assert_eq!((told.len(), parts), (1, Some(3)), "{told:?}");
}

#[test]
fn envoy_looks_names_up() {
    for word in ["envoy-http", "envoy-grpc"] {
        let text =
            |app: &str| printed(PLAIN, &[word, "--gate", "jwtgate:8080", "--app", app]).stdout;
        let named = text("app.internal:3000");
        assert_eq!(
            named.matches("      type: STRICT_DNS").count(),
            2,
            "{named}"
        );
        assert!(
            named.contains("address: jwtgate, port_value: 8080"),
            "{named}"
        );
        let six = text("[fd00::7]:3000");
        assert_eq!(six.matches("      type: STATIC").count(), 1, "{six}");
        assert!(
            six.contains("address: \"fd00::7\", port_value: 3000"),
            "{six}"
        );
    }
}

#[test]
fn nothing_is_printed_for_other_settings_than_those_that_are_meant() {
    for (config, told) in [
        ("secret = \"0123\nexpected", "valid TOML"),
        (
            "secret = \"0123456789abcdef0123456789abcdef\"\n[identity.headers]\n\"a b\" = \"sub\"",
            "identity.headers",
        ),
    ] {
        let ran = printed(config, &["nginx"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{config}");
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
}

#[test]
fn what_cannot_be_asked_is_told() {
    let tls = "secret = \"0123456789abcdef0123456789abcdef\"\n[server]\nlisten = \"unix:/run/jwtgate.sock\"\n";
    let ran = printed(tls, &["nginx"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("--gate HOST:PORT"), "{}", ran.stderr);
    let off = "secret = \"0123456789abcdef0123456789abcdef\"";
    let ran = printed(off, &["envoy-grpc"]);
    assert!(
        ran.stderr.contains("`ext_authz.listen` is off"),
        "{}",
        ran.stderr
    );
    let everywhere =
        "secret = \"0123456789abcdef0123456789abcdef\"\n[server]\nlisten = \"0.0.0.0:8088\"\n";
    let ran = printed(everywhere, &["caddy"]);
    assert!(
        ran.stdout.contains("forward_auth 127.0.0.1:8088 {"),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains("--gate for another"), "{}", ran.stderr);
    let ran = printed(off, &["nginx", "--app", "nonsense"]);
    assert_eq!(ran.code, Some(2));
    // Nothing is overwritten.
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().display().to_string();
    assert_eq!(printed(off, &["nginx", "--out", &out]).code, Some(0));
    assert_eq!(printed(off, &["nginx", "--out", &out]).code, Some(2));
}

#[test]
fn s8_2_two_identity_headers_never_share_a_variable() {
    let config = format!(
        "{PLAIN}[identity.headers]\nX-Auth-User = \"username\"\nX-User = \"sub\"\nUser = \"email\"\n"
    );
    let nginx = printed(&config, &["nginx"]).stdout;
    let variables = nginx
        .lines()
        .filter_map(|line| line.trim().strip_prefix("auth_request_set $auth_"));
    let mut names: Vec<_> = variables
        .filter_map(|rest| rest.split_whitespace().next())
        .collect();
    assert_eq!(names.len(), 3, "{nginx}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 3, "{nginx}");
    let lua = printed(&config, &["haproxy"]).stdout;
    let mut names: Vec<_> = lua
        .split("\"txn.")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    names.retain(|name| *name != "jwtgate_passes");
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), all), (4, 4), "{lua}");
}
