//! A proxy with its real counterparts, and doctor in front of it.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::harness::process::{BINARY, Ran, run};
use crate::harness::proxies::{Edits, Extent, Kind, Proxy};
use crate::harness::upstream::Upstream;
use crate::harness::{Address, Gate, Settings, ports, tokens};

/// The page that is asked for. Doctor connects to the proxy, whatever its name.
pub(super) const PAGE: &str = "http://app.example.com/app";

/// A gate that denies one path, and sends people to sign in.
pub(super) fn settings() -> Settings {
    Settings::hmac()
        .top(
            "cookie_name = \"auth_token\"\n\
             auth_url = \"https://auth.example.com/login\"\n\
             public_url = \"http://app.example.com\"\n\
             return_hosts = [\"http://app.example.com\"]",
        )
        .table(
            "[[rules]]\naction = \"deny\"\npath_prefix = \"/admin\"\n\
             [[rules]]\naction = \"require\"\npath_prefix = \"/\"\n",
        )
}

/// What doctor found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) ran: Ran,
    pub(super) json: Value,
}

impl Found {
    /// The ids of all points with this verdict.
    pub(super) fn ids(&self, verdict: &str) -> Vec<&str> {
        let findings = self.json["findings"].as_array().expect("findings");
        findings
            .iter()
            .filter(|finding| finding["verdict"] == verdict)
            .map(|finding| finding["id"].as_str().expect("an id"))
            .collect()
    }

    /// What is open and what is noted, and nothing else.
    #[track_caller]
    pub(super) fn shows(&self, context: &str, holes: &[&str], notes: &[&str]) {
        let found = (self.ids("hole"), self.ids("note"));
        assert_eq!(
            found,
            (holes.to_vec(), notes.to_vec()),
            "{context}:\n{}",
            self.told()
        );
        let code = i32::from(!holes.is_empty());
        assert_eq!(
            self.ran.code,
            Some(code),
            "{context}: {:?}",
            self.ran.stderr
        );
        assert_eq!(self.json["holes"], holes.len(), "{context}");
    }

    /// All points that are not closed.
    pub(super) fn told(&self) -> String {
        let findings = self.json["findings"].as_array().expect("findings");
        let open = findings.iter().filter(|one| one["verdict"] != "closed");
        let lines: Vec<_> = open
            .map(|one| format!("{} {}: {}", one["verdict"], one["id"], one["found"]))
            .collect();
        lines.join("\n")
    }

    /// All that is said of a point.
    pub(super) fn of(&self, id: &str) -> &Value {
        let findings = self.json["findings"].as_array().expect("findings");
        findings
            .iter()
            .find(|finding| finding["id"] == id)
            .unwrap_or_else(|| panic!("nothing about {id}: {self:?}"))
    }
}

/// Runs doctor with `--json`.
pub(super) fn doctor(address: &Address, arguments: &[&str]) -> Found {
    let connect = format!("127.0.0.1:{}", address.port());
    let mut all = vec!["doctor", PAGE, "--connect", &connect, "--json"];
    all.extend(arguments);
    let ran = run(&all, "");
    let json = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    Found { ran, json }
}

/// A proxy; `{app}` in an edit is where the application is.
fn start(kind: Kind, extent: Extent, gate: &Address, app: u16, edits: Edits<'_>) -> Option<Proxy> {
    let place = format!("127.0.0.1:{app}");
    let filled: Vec<_> = edits
        .iter()
        .map(|(shipped, tested)| (*shipped, tested.replace("{app}", &place)))
        .collect();
    let edits: Vec<_> = filled
        .iter()
        .map(|(shipped, tested)| (*shipped, tested.as_str()))
        .collect();
    Proxy::start_with(kind, extent, gate, app, &edits)
}

/// Behind a running gate, with an application that shows its headers.
pub(super) fn live(kind: Kind, extent: Extent, edits: Edits<'_>) -> Option<Found> {
    let app = Upstream::start();
    let gate = kind.asks_on(settings(), 0, app.port()).start();
    let proxy = start(kind, extent, kind.door(&gate), app.port(), edits)?;
    let config = config(&gate);
    Some(doctor(
        proxy.address(),
        &["--config", &config, "--denied", "/admin"],
    ))
}

/// The file that a gate was started with.
pub(super) fn config(gate: &Gate) -> String {
    gate.folder().join("jwtgate.toml").display().to_string()
}

/// With doctor in both roles behind the proxy.
pub(super) fn bench(kind: Kind, extent: Extent, edits: Edits<'_>) -> Option<Found> {
    let (gate, app) = (ports::free(), ports::free());
    let proxy = start(kind, extent, &Address::local(gate), app, edits)?;
    let (gate, app) = (format!("127.0.0.1:{gate}"), format!("127.0.0.1:{app}"));
    let patience = humantime::format_duration(PATIENCE).to_string();
    Some(doctor(
        proxy.address(),
        &["--gate", &gate, "--app", &app, "--patience", &patience],
    ))
}

/// Longer than any shipped configuration waits, but for Traefik's.
pub(super) const PATIENCE: Duration = Duration::from_millis(4500);

/// Behind a running gate that doctor stops and starts again.
pub(super) fn outage(kind: Kind, edits: Edits<'_>) -> Option<Found> {
    let app = Upstream::start();
    let gate = kind.asks_on(settings(), ports::free(), app.port()).start();
    let proxy = start(kind, Extent::Full, kind.door(&gate), app.port(), edits)?;
    let config = config(&gate);
    let pid = gate.folder().join("second.pid");
    let stop = format!("kill -KILL {}", gate.id());
    let start = format!(
        "{BINARY} serve --config '{config}' > /dev/null 2>&1 & echo $! > '{}'",
        pid.display()
    );
    let arguments = ["--config", &config, "--stop", &stop, "--start", &start];
    let found = doctor(proxy.address(), &arguments);
    let second = std::fs::read_to_string(&pid).expect("the gate was started again");
    let killed = Command::new("kill").args(["-KILL", second.trim()]).status();
    assert!(
        killed.expect("a shell is there").success(),
        "the second gate does not run: {found:?}"
    );
    Some(found)
}

/// jwtgate in front of the application by itself, with more lines in its tables.
pub(super) fn itself(server: &str, upstream: &str) -> Found {
    let gate = sidecar(server, upstream);
    let arguments = ["--config", &config(&gate), "--denied", "/admin"];
    doctor(gate.listener("upstream"), &arguments)
}

/// The same without doctor.
pub(super) fn sidecar(server: &str, upstream: &str) -> Gate {
    let app = Upstream::start();
    let table = format!(
        "[upstream]\nlisten = \"127.0.0.1:0\"\nurl = \"http://127.0.0.1:{}\"\n{upstream}",
        app.port()
    );
    settings().server(server).table(&table).start()
}

/// Behind Apache with `mod_auth_openidc`, which asks about the token alone.
pub(super) fn introspection(edits: Edits<'_>) -> Option<Found> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let made = made.expect("a certificate can be made");
    let settings = Settings::hmac()
        .server("tls_certificate = \"{dir}/tls.crt\"\ntls_key = \"{dir}/tls.key\"")
        .file("tls.crt", made.cert.pem())
        .file("tls.key", made.signing_key.serialize_pem())
        .file("token", tokens::good())
        .table("[introspection.clients.apache]\nsecret = \"change-me-to-what-jwtgate-knows\"");
    let app = Upstream::start();
    let kind = Kind::Introspection;
    let gate = kind.asks_on(settings, 0, app.port()).start();
    let file = |name: &str| gate.folder().join(name).display().to_string();
    let certificate = file("tls.crt");
    let mut all = vec![("/etc/apache2/jwtgate-ca.crt", certificate.as_str())];
    all.extend(edits);
    let proxy = start(kind, Extent::Full, gate.main(), app.port(), &all)?;
    let token = file("token");
    let mut arguments = vec!["--token-file", &token];
    for name in ["X-Auth-username", "X-Auth-email", "X-Auth-groups"] {
        arguments.extend(["--identity", name]);
    }
    Some(doctor(proxy.address(), &arguments))
}
