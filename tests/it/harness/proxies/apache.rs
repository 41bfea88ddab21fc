//! Apache httpd with our Lua.

use std::path::Path;

use super::shipped::Shipped;
use super::{Places, Setup};

/// Where Debian keeps its modules.
const MODULES: &str = "/usr/lib/apache2/modules/";

pub(super) fn setup(places: &Places<'_>) -> Setup {
    let lua = Shipped::read(places.config, "apache/jwtgate.lua")
        .with("127.0.0.1:8080/", &format!("127.0.0.1:{}/", places.gate));
    let config = Shipped::read(places.config, "apache/forward-auth.conf")
        .with("127.0.0.1:3000/", &format!("127.0.0.1:{}/", places.app))
        .with("/etc/apache2/", &format!("{}/", places.folder.display()));
    Setup {
        arguments: arguments(places.folder, config.name()),
        files: vec![in_folder(config, places), lua],
    }
}

pub(super) fn by_introspection(places: &Places<'_>) -> Setup {
    let config = Shipped::read(places.config, "apache/introspection.conf")
        .with("localhost:8443", &format!("localhost:{}", places.gate))
        .with("127.0.0.1:3000/", &format!("127.0.0.1:{}/", places.app));
    Setup {
        arguments: arguments(places.folder, config.name()),
        files: vec![in_folder(config, places)],
    }
}

/// Keeps logs, locks and the port in the test's own folder.
fn in_folder(config: Shipped, places: &Places<'_>) -> Shipped {
    let folder = places.folder.display();
    config
        .with("modules/", MODULES)
        .with("/var/log/apache2/", &format!("{folder}/"))
        .with(
            "Listen     8000",
            &format!(
                "Listen 127.0.0.1:{}\nPidFile {folder}/pid\nMutex file:{folder} default",
                places.listen
            ),
        )
}

/// As one process, so that there is nothing else to end.
fn arguments(folder: &Path, config: &str) -> Vec<std::ffi::OsString> {
    let config = folder.join(config);
    vec!["-X".into(), "-f".into(), config.into()]
}
