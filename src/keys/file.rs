//! Reading the files that a configuration names.

use zeroize::Zeroizing;

use crate::config::Fault;

use super::secret::without_final_line_break;

/// The text of a file; a fault when it cannot be read or is no text. `path` names the key in the fault.
#[must_use]
pub fn read(file: &str, path: &str, faults: &mut Vec<Fault>) -> Option<Zeroizing<String>> {
    let (found, expected, hint) = match std::fs::read(file).map(String::from_utf8) {
        Ok(Ok(text)) => return Some(Zeroizing::new(text)),
        Ok(Err(_)) => (
            format!("`{file}`, which is no text"),
            "a text file",
            "a DER certificate is converted by `openssl x509 -inform der -in FILE -out FILE.pem`; a binary secret is written as hex with `secret_encoding = \"hex\"`",
        ),
        Err(error) => (
            format!("`{file}`: {error}"),
            "a file that can be read",
            "check the path (relative paths start where jwtgate was started) and its permissions",
        ),
    };
    faults.push(Fault::new(path, found, expected, hint));
    None
}

/// The text of a file that holds a secret and nothing else, without its final line break. Warns when others may read it.
#[must_use]
pub fn read_secret(file: &str, path: &str, faults: &mut Vec<Fault>) -> Option<Zeroizing<String>> {
    warn_when_world_readable(file, path, faults);
    let text = read(file, path, faults)?;
    Some(Zeroizing::new(without_final_line_break(&text).to_owned()))
}

/// Warns about a secret that every user of the machine can read.
pub fn warn_when_world_readable(file: &str, path: &str, faults: &mut Vec<Fault>) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(file).map(|facts| facts.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o007 != 0) {
        faults.push(Fault::warning(
            path,
            format!("`{file}`, which every user of this machine can read"),
            "a file that only the service can read",
            format!("chmod 0600 {file}"),
        ));
    }
}
