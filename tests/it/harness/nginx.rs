//! A real nginx with the config that the product ships.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::http::Address;
use super::{need, ports, wait};

/// nginx in front of a gate and an application. It is killed when it goes out of scope.
pub(crate) struct Nginx {
    child: Child,
    folder: TempDir,
    address: Address,
    read_timeout: Duration,
}

impl Nginx {
    /// Starts `config/nginx.conf` with its three addresses replaced. `None` when nginx is not installed.
    pub(crate) fn start(gate: &Address, app: u16) -> Option<Self> {
        Self::start_with(gate, app, &[])
    }

    /// The same with other words in the config, as people write them: pairs of what is shipped and what stands there instead.
    pub(crate) fn start_with(gate: &Address, app: u16, edits: &[(&str, &str)]) -> Option<Self> {
        let program = need::program("nginx")?;
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/nginx.conf");
        let mut config = fs::read_to_string(&shipped).expect("config/nginx.conf is shipped");
        let port = ports::free();
        replace(
            &mut config,
            "server 127.0.0.1:8080;",
            &format!("server 127.0.0.1:{};", gate.port()),
        );
        replace(
            &mut config,
            "server 127.0.0.1:3000;",
            &format!("server 127.0.0.1:{app};"),
        );
        replace(
            &mut config,
            "listen 8000;",
            &format!("listen 127.0.0.1:{port};"),
        );
        for (shipped, tested) in edits {
            replace(&mut config, shipped, tested);
        }
        stay_in_folder(&mut config);
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        // Started as root, nginx works as `nobody`, who must be able to reach its temporary files.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))
            .expect("the folder is ours");
        let file = folder.path().join("nginx.conf");
        fs::write(&file, &config).expect("the temporary folder is writable");
        let child = Command::new(program)
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&file)
            .args(["-e", "stderr", "-g", &missing_directives(&config)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(
                fs::File::create(folder.path().join("stderr"))
                    .expect("the temporary folder is writable"),
            )
            .spawn()
            .expect("nginx can be started");
        let address = Address::local(port);
        let mut nginx = Self {
            child,
            folder,
            address,
            read_timeout: shortest_read_timeout(&config),
        };
        nginx.wait_for_port(port);
        Some(nginx)
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// How long the check may take before nginx gives up on it.
    pub(crate) fn read_timeout(&self) -> Duration {
        self.read_timeout
    }

    fn wait_for_port(&mut self, port: u16) {
        let up = wait::until(Duration::from_secs(10), || {
            let ended = self
                .child
                .try_wait()
                .expect("a child can be waited for")
                .is_some();
            match TcpStream::connect(("127.0.0.1", port)) {
                _ if ended => Some(false),
                Ok(_) => Some(true),
                Err(_) => None,
            }
        });
        if up != Some(true) {
            let said = fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default();
            panic!("nginx did not start with config/nginx.conf:\n{said}");
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // In the foreground and without a master process there is nothing else to end.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn replace(config: &mut String, shipped: &str, tested: &str) {
    assert!(
        config.contains(shipped),
        "config/nginx.conf no longer has the line `{shipped}`"
    );
    *config = config.replace(shipped, tested);
}

/// Keeps logs and temporary files in the test's own folder (`-p`): the shipped places belong to the installed nginx.
fn stay_in_folder(config: &mut String) {
    *config = config.replace("/var/log/nginx/", "");
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .fold("http {".to_owned(), |text, name| {
            text + " " + name + "_temp_path tmp_" + name + ";"
        });
    replace(config, "http {", &paths);
}

/// What a test needs and a shipped config leaves to the system.
fn missing_directives(config: &str) -> String {
    let says = |name: &str| {
        config
            .lines()
            .any(|line| line.trim_start().starts_with(name))
    };
    [
        ("daemon", "off"),
        ("master_process", "off"),
        ("pid", "nginx.pid"),
    ]
    .iter()
    .filter(|(name, _)| !says(name))
    .fold(String::new(), |text, (name, value)| {
        text + name + " " + value + "; "
    })
}

fn shortest_read_timeout(config: &str) -> Duration {
    let seconds = config
        .lines()
        .filter_map(|line| line.split("proxy_read_timeout").nth(1))
        .filter_map(|rest| {
            rest.split(';')
                .next()?
                .trim()
                .strip_suffix('s')?
                .parse()
                .ok()
        })
        .min();
    Duration::from_secs(seconds.expect("config/nginx.conf sets proxy_read_timeout in seconds"))
}
