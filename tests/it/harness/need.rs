//! Foreign programs that some tests need.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;

/// The path of `name`, or `None` after a loud note that the test is left out.
///
/// # Panics
///
/// With `JWTGATE_TEST_REQUIRE=all` in the environment an absent program is a failure, not an omission.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file());
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
