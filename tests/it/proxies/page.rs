//! `docs/reference/proxies.md`, made of the table.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::harness::proxies::Kind;

use super::rows::SECTIONS;
use super::table::{Outcome, Row, Section, rows};

const PAGE: &str = "docs/reference/proxies.md";
/// Set to write the page instead of comparing it, as for the other pages of the reference.
const REFRESH: &str = "JWTGATE_REFRESH";

const HEAD: &str = "<!-- Generated from tests/it/proxies. Do not edit: JWTGATE_REFRESH=1 cargo test --test it reference -->\n\n\
# Proxies\n\n\
What becomes of a request behind each proxy, with the configuration that is shipped for it in [config/](../../config). Every cell is a test\n\
that runs this proxy between a client, jwtgate and an application. *Passes* means that the application gets the request, with the identity\n\
headers that jwtgate gave and none of the client's; a number is the status that the client gets, and the application hears nothing of it.\n\n\
Apache can also ask about tokens alone, without Lua: [introspection.conf](../../config/apache/introspection.conf), which tests of its own run.\n\n";

/// What the page says of a proxy itself.
struct About {
    name: &'static str,
    full: &'static [&'static str],
    minimal: &'static [&'static str],
    asks: &'static str,
    waits: &'static str,
    version: &'static str,
}

#[expect(clippy::too_many_lines, reason = "a table, one entry for each proxy")]
fn about(kind: Kind) -> About {
    match kind {
        Kind::Nginx => About {
            name: "nginx",
            full: &["nginx/nginx.conf"],
            minimal: &["nginx/minimal.conf"],
            asks: "`/verify`, `/sign-in`",
            waits: "2 s",
            version: "1.22.1",
        },
        Kind::Traefik => About {
            name: "Traefik",
            full: &["traefik/traefik.yml", "traefik/dynamic.yml"],
            minimal: &["traefik/traefik.yml", "traefik/minimal.yml"],
            asks: "`/forward-auth`",
            waits: "30 s",
            version: "3.7.15",
        },
        Kind::Caddy => About {
            name: "Caddy",
            full: &["caddy/Caddyfile"],
            minimal: &["caddy/minimal.Caddyfile"],
            asks: "`/forward-auth`",
            waits: "2 s",
            version: "2.11.7",
        },
        Kind::Haproxy => About {
            name: "HAProxy, Lua",
            full: &["haproxy/haproxy.cfg", "haproxy/jwtgate.lua"],
            minimal: &["haproxy/minimal.cfg", "haproxy/jwtgate.lua"],
            asks: "`/forward-auth`",
            waits: "2 s (4 × 0.5 s); 3 s where nobody listens",
            version: "2.6.12",
        },
        Kind::HaproxySpoe => About {
            name: "HAProxy, SPOE",
            full: &["haproxy/spoe.cfg", "haproxy/spoe-agent.conf"],
            minimal: &[],
            asks: "its agent protocol",
            waits: "2 s",
            version: "2.6.12",
        },
        Kind::EnvoyHttp => About {
            name: "Envoy, HTTP",
            full: &["envoy/http.yaml"],
            minimal: &["envoy/minimal.yaml"],
            asks: "`/ext-authz/…`",
            waits: "2 s",
            version: "1.40.0",
        },
        Kind::EnvoyGrpc => About {
            name: "Envoy, gRPC",
            full: &["envoy/grpc.yaml"],
            minimal: &[],
            asks: "`Authorization/Check`",
            waits: "2 s",
            version: "1.40.0",
        },
        Kind::Apache => About {
            name: "Apache, Lua",
            full: &["apache/forward-auth.conf", "apache/jwtgate.lua"],
            minimal: &[],
            asks: "`/forward-auth`",
            waits: "2 s",
            version: "2.4.71",
        },
        Kind::Introspection => unreachable!("it has no column"),
        Kind::Itself => About {
            name: "jwtgate itself",
            full: &["sidecar.toml"],
            minimal: &[],
            asks: "itself (`[upstream]`)",
            waits: "—",
            version: "this version",
        },
    }
}

fn links(files: &[&str]) -> String {
    let link = |file: &&str| {
        let name = file.rsplit('/').next().unwrap_or(file);
        format!("[{name}](../../config/{file})")
    };
    files.iter().map(link).collect::<Vec<_>>().join(", ")
}

fn line(first: &str, cell: impl Fn(Kind) -> String) -> String {
    let cells = Kind::ALL.map(cell);
    format!("| {first} | {} |\n", cells.join(" | "))
}

fn header() -> String {
    line("", |kind| about(kind).name.to_owned()) + &"|---".repeat(Kind::ALL.len() + 1) + "|\n"
}

fn overview() -> String {
    header()
        + &line("configuration", |kind| links(about(kind).full))
        + &line("the least that is safe", |kind| links(about(kind).minimal))
        + &line("asks", |kind| about(kind).asks.to_owned())
        + &line("waits for jwtgate", |kind| about(kind).waits.to_owned())
        + &line("tried with", |kind| about(kind).version.to_owned())
}

fn told(outcome: Outcome) -> String {
    match outcome {
        Outcome::Passes => "passes".to_owned(),
        Outcome::PassesAs(target) => format!("passes as `{target}`"),
        Outcome::Refused(status) => status.to_string(),
        Outcome::Nobody => "no answer".to_owned(),
        Outcome::NotTried => "—".to_owned(),
    }
}

fn of_section(section: &Section) -> String {
    // Each reason once, in the order in which they come.
    let mut reasons: Vec<&str> = Vec::new();
    let mut text = format!("\n## {}\n\n", section.title);
    text += &header();
    for row in section.rows {
        let all = Kind::ALL.iter().filter_map(|kind| row.outcome_of(*kind).1);
        for reason in all {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        text += &line(&row.what(), |kind| cell(row, kind, &reasons));
    }
    for (index, reason) in reasons.iter().enumerate() {
        let gap = if index == 0 { "\n" } else { "" };
        let _ = writeln!(text, "{gap}{}. {reason}", index + 1);
    }
    text
}

fn cell(row: &Row, kind: Kind, reasons: &[&str]) -> String {
    let (outcome, reason) = row.outcome_of(kind);
    let number = reason.and_then(|reason| reasons.iter().position(|one| *one == reason));
    match number {
        Some(number) => format!("{} ({})", told(outcome), number + 1),
        None => told(outcome),
    }
}

#[test]
fn the_page_of_the_reference_is_fresh() {
    let sections: Vec<_> = SECTIONS.iter().map(of_section).collect();
    let content = format!("{HEAD}{}{}", overview(), sections.concat());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    if std::env::var_os(REFRESH).is_some() {
        fs::write(&path, &content).expect("a writable file");
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == content,
        "{PAGE} is out of date.\n  hint: {REFRESH}=1 cargo test --test it reference"
    );
}

#[test]
fn the_page_names_the_versions_that_are_installed_and_every_shipped_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = fs::read_to_string(root.join("tests/run.sh")).expect("the script");
    for kind in [Kind::Traefik, Kind::Caddy, Kind::EnvoyHttp] {
        let pin = format!("=={}", about(kind).version);
        assert!(script.contains(&pin), "tests/run.sh installs no {pin}");
    }
    let page = fs::read_to_string(root.join(PAGE)).expect("the page");
    for folder in ["nginx", "traefik", "caddy", "haproxy", "envoy", "apache"] {
        let entries = fs::read_dir(root.join("config").join(folder)).expect("a folder");
        for entry in entries {
            let name = entry.expect("a file").file_name();
            let link = format!("config/{folder}/{})", name.display());
            assert!(page.contains(&link), "{PAGE} has no link to {link}");
        }
    }
}

#[test]
fn every_row_of_the_table_is_asserted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/proxies");
    let is_test = |name: &str| !["table.rs", "rows.rs", "page.rs"].contains(&name);
    let mut tests = String::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("a file");
        if is_test(&entry.file_name().to_string_lossy()) {
            tests += &fs::read_to_string(entry.path()).expect("a readable file");
        }
    }
    for row in rows() {
        let name = format!("Cell::{:?}", row.cell());
        let name = name.split('(').next().unwrap_or_default();
        let is_used = [",", ")"]
            .iter()
            .any(|end| tests.contains(&format!("{name}{end}")));
        assert!(is_used || name == "Cell::Target", "no test asserts {name}");
    }
}
