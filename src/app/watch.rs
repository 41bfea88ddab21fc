//! Seeing that a file has changed: the configuration, and every file that it names.
//!
//! The folders are watched and not the files: a file that is replaced by renaming another over it, or by swapping a symbolic link (as
//! Kubernetes does with `..data`), is another file, and a watch on the old one would see nothing. What counts in the end is the bytes, so
//! an event too many costs a reading, and one too few is made good by looking again every half minute.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

/// How long files must rest before they are read: an editor or a tool may still be writing.
const REST: Duration = Duration::from_millis(200);
/// How long a folder may be busy with other files before these are read all the same.
const MOST_REST: Duration = Duration::from_secs(2);
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
        let places = places(files);
        let ours: HashSet<PathBuf> = places
            .iter()
            .map(|(folder, name)| folder.join(name))
            .collect();
        let told = move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            let is_close = event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write));
            // Reading a file is an event too.
            if event.kind.is_access() && !is_close {
                return;
            }
            let is_write = matches!(event.kind, EventKind::Modify(ModifyKind::Data(_)));
            // What is written into a neighbour, such as a log, is nobody's concern; what is put there may be a link that leads to ours.
            if (is_write || is_close) && !event.paths.iter().any(|path| ours.contains(path)) {
                return;
            }
            let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
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
            let folders: BTreeSet<_> = places.into_iter().map(|(folder, _)| folder).collect();
            for folder in folders {
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
        let latest = Instant::now() + MOST_REST;
        loop {
            // A file that is held open and not written to for so long is read as it is.
            let until = if self.is_written() {
                Instant::now() + LOOK
            } else {
                latest.min(Instant::now() + REST)
            };
            if timeout_at(until, self.events.recv()).await.is_err() {
                return;
            }
        }
    }

    fn is_written(&self) -> bool {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        !writing.is_empty()
    }
}

/// Where a change of these files shows, as folder and name: their own places, and those of what symbolic links lead to.
fn places(files: &BTreeSet<PathBuf>) -> BTreeSet<(PathBuf, OsString)> {
    let real = files
        .iter()
        .filter_map(|file| std::fs::canonicalize(file).ok());
    let place = |path: PathBuf| {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new(".")).to_path_buf();
        Some((folder, path.file_name()?.to_owned()))
    };
    files
        .iter()
        .cloned()
        .chain(real)
        .filter_map(place)
        .collect()
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
    use tokio::time::timeout;

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
