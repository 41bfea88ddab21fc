//! The real proxies, each with a configuration that the product ships: `config/nginx` and its neighbours.

mod apache;
mod caddy;
mod envoy;
mod haproxy;
mod nginx;
mod shipped;
mod traefik;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::http::{Address, Request};
use super::process::Gate;
use super::settings::Settings;
use super::{need, ports, wait};
use shipped::Shipped;

/// A proxy, and the way it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `auth_request`, which asks `/verify`.
    Nginx,
    /// ForwardAuth, which asks `/forward-auth`.
    Traefik,
    /// `forward_auth`, which asks `/forward-auth`.
    Caddy,
    /// Lua of our own, which asks `/forward-auth`.
    Haproxy,
    /// The agent protocol, which asks a listener of its own.
    HaproxySpoe,
    /// `ext_authz` over HTTP, which asks `/ext-authz/…`.
    EnvoyHttp,
    /// `ext_authz` over gRPC, which asks a listener of its own.
    EnvoyGrpc,
    /// Lua of our own, which asks `/forward-auth`.
    Apache,
    /// jwtgate's own `[upstream]`, which asks itself.
    Itself,
    /// `mod_auth_openidc`, which asks `/introspect` about the token alone, so that the questions to all are none for it.
    Introspection,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Nginx,
        Self::Traefik,
        Self::Caddy,
        Self::Haproxy,
        Self::HaproxySpoe,
        Self::EnvoyHttp,
        Self::EnvoyGrpc,
        Self::Apache,
        Self::Itself,
    ];

    /// Where the gate listens for it.
    pub(crate) fn door(self, gate: &Gate) -> &Address {
        match self {
            Self::Nginx | Self::Traefik | Self::Caddy | Self::Haproxy | Self::EnvoyHttp => {
                gate.main()
            }
            Self::Apache | Self::Introspection => gate.main(),
            Self::HaproxySpoe => gate.listener("spoe"),
            Self::Itself => gate.listener("upstream"),
            Self::EnvoyGrpc => gate.listener("ext_authz"),
        }
    }

    /// A gate that listens for it, on this port or, with 0, on any, with this application behind.
    pub(crate) fn asks_on(self, settings: Settings, port: u16, app: u16) -> Settings {
        let listen = format!("[\"127.0.0.1:{port}\"]");
        match self {
            Self::Nginx | Self::Traefik | Self::Caddy | Self::Haproxy | Self::EnvoyHttp => {
                settings.listen(&listen)
            }
            Self::Apache => settings.listen(&listen),
            Self::Introspection => settings.listen(&format!("[\"tls:127.0.0.1:{port}\"]")),
            Self::HaproxySpoe => settings.table(&format!("[spoe]\nlisten = {listen}")),
            // The clients of the tests are on loopback, and nobody's proxies.
            Self::Itself => settings.server("trusted_proxies = []").table(&format!(
                "[upstream]\nlisten = {listen}\nurl = \"http://127.0.0.1:{app}\""
            )),
            Self::EnvoyGrpc => settings.table(&format!("[ext_authz]\nlisten = {listen}")),
        }
    }

    pub(crate) fn is_envoy(self) -> bool {
        matches!(self, Self::EnvoyHttp | Self::EnvoyGrpc)
    }

    fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Traefik => "traefik",
            Self::Caddy => "caddy",
            Self::Haproxy | Self::HaproxySpoe => "haproxy",
            Self::Apache | Self::Introspection => "apache2",
            Self::Itself => unreachable!("it is started as the gate"),
            Self::EnvoyHttp | Self::EnvoyGrpc => "envoy",
        }
    }
}

/// How much of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All that one wants in production.
    Full,
    /// The least that is safe.
    Minimal,
}

/// Pairs of what is shipped and what stands there instead, as people write it.
pub(crate) type Edits<'e> = &'e [(&'e str, &'e str)];

/// The places of one chain, which take those of the shipped files.
struct Places<'p> {
    listen: u16,
    gate: u16,
    app: u16,
    folder: &'p Path,
    /// Where the files are that it is started with.
    config: &'p Path,
}

/// What a proxy is started with.
struct Setup {
    files: Vec<Shipped>,
    arguments: Vec<OsString>,
}

impl Setup {
    fn of(kind: Kind, extent: Extent, places: &Places<'_>) -> Self {
        match kind {
            Kind::Nginx => nginx::setup(extent, places),
            Kind::Traefik => traefik::setup(extent, places),
            Kind::Caddy => caddy::setup(extent, places),
            Kind::Haproxy => haproxy::with_lua(extent, places),
            Kind::HaproxySpoe => haproxy::with_agent(places),
            Kind::EnvoyHttp => envoy::over_http(extent, places),
            Kind::EnvoyGrpc => envoy::over_grpc(places),
            Kind::Apache => apache::setup(places),
            Kind::Introspection => apache::by_introspection(places),
            Kind::Itself => unreachable!("it is started as the gate"),
        }
    }
}

/// A proxy in front of a gate and an application. It is killed when it goes out of scope.
pub(crate) struct Proxy {
    kind: Kind,
    /// None where the gate itself is the proxy.
    child: Option<Child>,
    folder: TempDir,
    address: Address,
}

impl Proxy {
    /// Starts a proxy with its complete configuration. `None` when it is not installed.
    pub(crate) fn start(kind: Kind, gate: &Address, app: u16) -> Option<Self> {
        Self::start_with(kind, Extent::Full, gate, app, &[])
    }

    /// The same with less of a configuration, or with other words in it.
    pub(crate) fn start_with(
        kind: Kind,
        extent: Extent,
        gate: &Address,
        app: u16,
        edits: Edits<'_>,
    ) -> Option<Self> {
        let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        Self::start_from(&config, kind, extent, gate, app, edits)
    }

    /// The same with files that are not those of the project, but lie in folders like theirs.
    pub(crate) fn start_from(
        config: &Path,
        kind: Kind,
        extent: Extent,
        gate: &Address,
        app: u16,
        edits: Edits<'_>,
    ) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        if kind == Kind::Itself {
            return Some(Self {
                kind,
                child: None,
                folder,
                address: gate.clone(),
            });
        }
        let program = need::program(kind.program())?;
        // Started as root, nginx works as `nobody`, who must be able to reach its temporary files.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))
            .expect("the folder is ours");
        let places = Places {
            listen: ports::free(),
            gate: gate.port(),
            app,
            folder: folder.path(),
            config,
        };
        let mut setup = Setup::of(kind, extent, &places);
        for (shipped, tested) in edits {
            let mut files = setup.files.iter_mut();
            let file = files.find(|file| file.has(shipped));
            file.unwrap_or_else(|| panic!("nothing shipped for {kind:?} has `{shipped}`"))
                .replace(shipped, tested);
        }
        for file in &setup.files {
            file.write_to(folder.path());
        }
        let printed =
            fs::File::create(folder.path().join(PRINTED)).expect("the temporary folder is ours");
        let child = Command::new(program)
            .args(&setup.arguments)
            .current_dir(folder.path())
            // Caddy keeps its state below these.
            .env("HOME", folder.path())
            .env("XDG_CONFIG_HOME", folder.path())
            .env("XDG_DATA_HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(printed.try_clone().expect("a file can be shared"))
            .stderr(printed)
            .spawn()
            .expect("the proxy can be started");
        let address = Address::local(places.listen);
        let mut proxy = Self {
            kind,
            child: Some(child),
            folder,
            address,
        };
        proxy.wait_for_route();
        Some(proxy)
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Ends the proxy as an operator would, and gives all that it printed and logged.
    pub(crate) fn stop(mut self) -> String {
        let Some(child) = &mut self.child else {
            return String::new();
        };
        let status = Command::new("sh")
            .args(["-c", &format!("kill -TERM {}", child.id())])
            .status()
            .expect("a shell is there");
        assert!(status.success(), "SIGTERM could not be sent");
        let ended = wait::until(Duration::from_secs(10), || {
            child.try_wait().expect("a child can be waited for")
        });
        assert!(ended.is_some(), "SIGTERM did not end {:?}", self.kind);
        self.said()
    }

    fn said(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.folder.path().join(name));
        [PRINTED, nginx::ACCESS_LOG]
            .into_iter()
            .filter_map(|name| read(name).ok())
            .collect()
    }

    /// An open port is not enough: Traefik answers 404 until it has read its routes.
    fn wait_for_route(&mut self) {
        let ask = Request::get("/").timeout(Duration::from_secs(5));
        let up = wait::until(Duration::from_secs(20), || {
            let ended = self.child.as_mut().map(Child::try_wait).transpose();
            if ended
                .expect("a child can be waited for")
                .flatten()
                .is_some()
            {
                return Some(false);
            }
            let answer = ask.try_send(&self.address).ok()?;
            (answer.text() != "404 page not found\n").then_some(true)
        });
        assert!(
            up == Some(true),
            "{:?} did not start with what is shipped for it:\n{}",
            self.kind,
            self.said()
        );
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // All of them run in the foreground and as one process, so there is nothing else to end.
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// What a proxy writes to stdout and stderr.
const PRINTED: &str = "printed";
