//! Foreign programs that some tests need.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Where `tests/run.sh` puts what only the tests use.
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/test-tools");

/// The path of `name`, or `None` after a loud note that the test is left out.
///
/// # Panics
///
/// With `JWTGATE_TEST_REQUIRE=all` in the environment an absent program is a failure, not an omission.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    // First what `tests/run.sh` installed, because it does so where the system's own is absent or too old.
    let found = std::iter::once(Path::new(TOOLS).join("bin"))
        .chain(std::env::split_paths(&path))
        .chain(["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file());
    noted(name, found)
}

/// The path of something in `target/test-tools`, or `None` as for [`program`].
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = Path::new(TOOLS).join(name);
    let found = path.exists().then_some(path);
    noted(&format!("target/test-tools/{name}"), found)
}

fn noted(name: &str, found: Option<PathBuf>) -> Option<PathBuf> {
    if found.is_none() {
        let required = variable("JWTGATE_TEST_REQUIRE").is_some_and(|value| value == "all");
        assert!(
            !required,
            "`{name}` is not installed, and JWTGATE_TEST_REQUIRE=all wants every test"
        );
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        // Straight to stderr: the test runner swallows what a passing test prints.
        writeln!(
            std::io::stderr(),
            "SKIPPED: {test} needs `{name}`, which is not installed"
        )
        .ok();
    }
    found
}

fn variable(name: &str) -> Option<OsString> {
    std::env::vars_os()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}
