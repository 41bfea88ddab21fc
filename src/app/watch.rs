//! Seeing that a file has changed: the configuration, and every file that it names.
//!
//! The folders are watched and not the files: a file that is replaced by renaming another over it, or by swapping a symbolic link (as
//! Kubernetes does with `..data`), is another file, and a watch on the old one would see nothing. What counts in the end is the bytes, so
//! an event too many costs a reading, and one too few is made good by looking again every half minute.

use std::collections::{BTreeSet, HashSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// How long files must rest before they are read: an editor or a tool may still be writing.
const REST: Duration = Duration::from_millis(200);
/// How often files are looked at without an event: network file systems tell nothing.
const LOOK: Duration = Duration::from_secs(30);

/// Watches the folders of some files.
pub(super) struct Watch {
    /// Kept for its thread; `None` where the system lets nobody watch.
    _watcher: Option<RecommendedWatcher>,
    events: mpsc::Receiver<()>,
    /// Files that somebody is writing: they are not read before they are closed, since half a configuration may be a valid one.
    writing: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Watch {
    /// Begins to watch.
    pub(super) fn over(files: &BTreeSet<PathBuf>) -> Self {
        let (tell, events) = mpsc::channel(1);
        let writing = Arc::<Mutex<HashSet<PathBuf>>>::default();
        let written = Arc::clone(&writing);
        let told = move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            let is_close = event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write));
            // Reading a file is an event too.
            if event.kind.is_access() && !is_close {
                return;
            }
            let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
            let is_write = matches!(event.kind, EventKind::Modify(ModifyKind::Data(_)));
            for path in event.paths {
                if is_write {
                    written.insert(path);
                } else {
                    // Closed, renamed or removed.
                    written.remove(&path);
                }
            }
            // Whoever waits is told once.
            let _ = tell.try_send(());
        };
        let watcher = notify::recommended_watcher(told).map(|mut watcher| {
            for folder in folders(files) {
                if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
                    tracing::warn!(folder = %folder.display(), %error, "a folder cannot be watched: it is looked at every 30 seconds");
                }
            }
            watcher
        });
        Self {
            _watcher: watcher
                .inspect_err(|error| {
                    tracing::warn!(%error, "files cannot be watched: they are looked at every 30 seconds");
                })
                .ok(),
            events,
            writing,
        }
    }

    /// Waits until something may have changed, rests again, and is being written by nobody.
    pub(super) async fn changed(&mut self) {
        tokio::select! {
            Some(()) = self.events.recv() => {}
            () = sleep(LOOK) => {}
        }
        self.rested().await;
    }

    /// Waits until everything rests and is being written by nobody.
    pub(super) async fn rested(&mut self) {
        loop {
            let patience = if self.is_written() { LOOK } else { REST };
            // A file that is held open and not written to for so long is read as it is.
            if timeout(patience, self.events.recv()).await.is_err() {
                return;
            }
        }
    }

    fn is_written(&self) -> bool {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        !writing.is_empty()
    }
}

/// The folders in which a change of these files shows: their own, and those of what symbolic links lead to.
fn folders(files: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    for file in files {
        let real = std::fs::canonicalize(file).ok();
        for path in [Some(file.as_path()), real.as_deref()]
            .into_iter()
            .flatten()
        {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            folders.insert(folder.unwrap_or_else(|| Path::new(".")).to_path_buf());
        }
    }
    folders
}

/// The part of a file that is looked at for changes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The digest of each file's bytes; `None` for one that cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot(Vec<(PathBuf, Option<Vec<u8>>)>);

impl Snapshot {
    /// Reads the files.
    pub(super) fn of(files: &BTreeSet<PathBuf>) -> Self {
        let digest = |file: &PathBuf| {
            // A pipe can be read once, and not here.
            if !std::fs::metadata(file).ok()?.is_file() {
                return None;
            }
            let mut bytes = zeroize::Zeroizing::new(Vec::new());
            let opened = std::fs::File::open(file).ok()?;
            opened.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
            Some(digest::digest(&digest::SHA256, &bytes).as_ref().to_vec())
        };
        Self(
            files
                .iter()
                .map(|file| (file.clone(), digest(file)))
                .collect(),
        )
    }

    /// Whether every file that both know holds the same in both.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        self.0.iter().all(|(file, digest)| {
            let in_other = other.0.iter().find(|(name, _)| name == file);
            in_other.is_none_or(|(_, other)| other == digest)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn set(files: &[&Path]) -> BTreeSet<PathBuf> {
        files.iter().map(|file| file.to_path_buf()).collect()
    }

    #[tokio::test]
    async fn s18_4_a_rewrite_a_rename_and_a_swapped_link_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["v1", "v2"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("file"), version).unwrap();
        }
        symlink("v1", at("..data")).unwrap();
        symlink("..data/file", at("file")).unwrap();
        fs::write(at("plain"), "1").unwrap();
        let files = set(&[&at("file"), &at("plain")]);
        let mut watch = Watch::over(&files);
        let mut before = Snapshot::of(&files);
        let changes: [&dyn Fn(); 3] = [
            &|| fs::write(at("plain"), "2").unwrap(),
            &|| {
                fs::write(at("other"), "3").unwrap();
                fs::rename(at("other"), at("plain")).unwrap();
            },
            &|| {
                symlink("v2", at("..data_tmp")).unwrap();
                fs::rename(at("..data_tmp"), at("..data")).unwrap();
            },
        ];
        for (index, change) in changes.into_iter().enumerate() {
            change();
            let seen = timeout(Duration::from_secs(10), watch.changed()).await;
            assert!(seen.is_ok(), "change {index} was not seen");
            let after = Snapshot::of(&files);
            assert_ne!(before, after, "change {index}");
            before = after;
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_a_state_like_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        let files = set(&[&file]);
        let without = Snapshot::of(&files);
        fs::write(&file, "").unwrap();
        assert_ne!(without, Snapshot::of(&files));
    }
}
