//! nginx.

use super::shipped::Shipped;
use super::{Extent, Places, Setup};

/// Relative to the folder of the test.
pub(super) const ACCESS_LOG: &str = "access.log";

pub(super) fn setup(extent: Extent, places: &Places<'_>) -> Setup {
    let listen = format!("listen 127.0.0.1:{};", places.listen);
    let mut config = match extent {
        Extent::Full => Shipped::read(places.config, "nginx/nginx.conf")
            .with("server 127.0.0.1:8080;", &server(places.gate))
            .with("server 127.0.0.1:3000;", &server(places.app))
            .with("/var/log/nginx/access.log", ACCESS_LOG),
        Extent::Minimal => Shipped::read(places.config, "nginx/minimal.conf")
            .with(
                "//127.0.0.1:8080/",
                &format!("//127.0.0.1:{}/", places.gate),
            )
            .with("//127.0.0.1:3000;", &format!("//127.0.0.1:{};", places.app))
            .with("http {", &format!("http {{ access_log {ACCESS_LOG};")),
    }
    .with("listen 8000;", &listen);
    stay_in_folder(&mut config);
    let missing = missing_directives(config.text());
    let arguments = ["-e", "stderr", "-g", &missing, "-c"]
        .iter()
        .map(Into::into)
        .chain([places.folder.join(config.name()).into()])
        .chain(["-p".into(), places.folder.into()])
        .collect();
    Setup {
        files: vec![config],
        arguments,
    }
}

fn server(port: u16) -> String {
    format!("server 127.0.0.1:{port};")
}

/// Keeps temporary files in the test's own folder (`-p`): the usual places belong to the installed nginx.
fn stay_in_folder(config: &mut Shipped) {
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .fold("http {".to_owned(), |text, name| {
            text + " " + name + "_temp_path tmp_" + name + ";"
        });
    config.replace("http {", &paths);
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
