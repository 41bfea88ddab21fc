//! What was fetched, on disk: a restart while the issuer cannot be asked serves on.
//!
//! A file is written beside its place and renamed, so that none is ever half there. On reading it is believed only as far as the
//! network would be: the documents are judged again, for this issuer, from these addresses, within `max_stale`. Whoever can write to the
//! folder can let anybody in, so a folder that others may write to is refused.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};

use crate::config::Fault;
use crate::jose::base64url;

/// What one file holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// Where the documents come from, as the configuration said it.
    pub origin: String,
    /// The documents.
    pub documents: Vec<StoredDocument>,
}

/// One document that was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StoredDocument {
    /// From where.
    pub url: String,
    /// The name of its one key, where it is one.
    pub kid: Option<String>,
    /// Its tag.
    pub etag: Option<String>,
    /// When it was last known to be current, in seconds since 1970.
    pub checked_at: i64,
    /// Its text.
    pub text: String,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    version: u32,
    /// SHA-256 of `content`: a file that a failing disk has changed is not used.
    sha256: String,
    content: String,
}

const VERSION: u32 = 1;
/// The largest file that is read.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The file of an issuer.
#[must_use]
pub fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.keys.json"))
}

/// Writes what was fetched.
///
/// # Errors
/// The disk refuses.
pub fn write(file: &Path, stored: &Stored) -> io::Result<()> {
    let content = serde_json::to_string(stored)?;
    let envelope = Envelope {
        version: VERSION,
        sha256: sha256(&content),
        content,
    };
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    // Its mode is 0600 from the start.
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut temporary, &envelope)?;
    temporary.write_all(b"\n")?;
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    fs::File::open(folder)?.sync_all()
}

/// Removes what was kept.
///
/// # Errors
/// The disk refuses.
pub fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Reads what was fetched before; `None` when there is no such file.
///
/// # Errors
/// It is there and cannot be used, and why.
pub fn read(file: &Path) -> Result<Option<Stored>, String> {
    let facts = match fs::symlink_metadata(file) {
        Ok(facts) => facts,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if !facts.is_file() {
        return Err("it is no ordinary file".to_owned());
    }
    if facts.permissions().mode() & 0o022 != 0 || is_foreign(&facts) {
        return Err("others may write to it".to_owned());
    }
    let mut text = String::new();
    fs::File::open(file)
        .and_then(|opened| opened.take(MAX_BYTES).read_to_string(&mut text))
        .map_err(|error| error.to_string())?;
    let unusable = |_| "it is not what was written".to_owned();
    let envelope: Envelope = serde_json::from_str(&text).map_err(unusable)?;
    if envelope.version != VERSION {
        return Err("another version wrote it".to_owned());
    }
    if envelope.sha256 != sha256(&envelope.content) {
        return Err("its checksum does not fit".to_owned());
    }
    serde_json::from_str(&envelope.content)
        .map(Some)
        .map_err(unusable)
}

/// Why a folder cannot keep keys.
#[must_use]
pub fn judge_folder(folder: &str) -> Option<Fault> {
    let fault = |found: String, hint: &str| {
        Some(Fault::new(
            "keys.state_dir",
            found,
            "a folder that only this service may write to",
            hint,
        ))
    };
    let facts = match fs::metadata(folder) {
        Ok(facts) => facts,
        Err(error) => {
            return fault(
                format!("`{folder}`: {error}"),
                "make it, for example by `install -d -m 0700 -o jwtgate /var/lib/jwtgate`",
            );
        }
    };
    if !facts.is_dir() {
        return fault(format!("`{folder}`, which is no folder"), "name a folder");
    }
    if is_foreign(&facts) {
        return fault(
            format!("`{folder}`, which belongs to another user"),
            "its owner can let anybody in: chown it to the user that runs the service",
        );
    }
    if facts.mode() & 0o022 != 0 {
        return fault(
            format!("`{folder}`, to which others may write"),
            "whoever writes there can let anybody in: chmod 0700",
        );
    }
    None
}

/// Whether it belongs to somebody who is neither this process's user nor root.
fn is_foreign(facts: &fs::Metadata) -> bool {
    // The entry of a process belongs to the user it works as.
    let own = fs::metadata("/proc/self").map(|process| process.uid());
    facts.uid() != 0 && own.is_ok_and(|own| facts.uid() != own)
}

fn sha256(text: &str) -> String {
    base64url::encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Stored {
        Stored {
            origin: "sets at https://idp.example/keys".to_owned(),
            documents: vec![StoredDocument {
                url: "https://idp.example/keys".to_owned(),
                kid: None,
                etag: Some("\"1\"".to_owned()),
                checked_at: 1_780_000_000,
                text: "{\"keys\":[]}".to_owned(),
            }],
        }
    }

    #[test]
    fn what_was_written_is_read_and_what_was_changed_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path(), "okta");
        assert_eq!(read(&file), Ok(None));
        write(&file, &stored()).unwrap();
        write(&file, &stored()).unwrap();
        assert_eq!(read(&file), Ok(Some(stored())));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);

        let whole = fs::read_to_string(&file).unwrap();
        let changed = [
            String::new(),
            whole[..whole.len() / 2].to_owned(),
            whole.replace("idp.example", "evil.example"),
            whole.replace("\"version\":1", "\"version\":2"),
        ];
        for text in changed {
            fs::write(&file, &text).unwrap();
            assert!(read(&file).is_err(), "{text}");
        }
        fs::write(&file, &whole).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(read(&file), Err("others may write to it".to_owned()));
        fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &file).unwrap();
        assert_eq!(read(&file), Err("it is no ordinary file".to_owned()));
    }

    #[test]
    fn a_folder_that_others_may_write_to_keeps_no_keys() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display().to_string();
        assert_eq!(judge_folder(&path), None);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(judge_folder(&path).is_some());
        assert!(judge_folder("/nowhere/at/all").is_some());
        assert!(judge_folder("/etc/hostname").is_some());
    }
}
