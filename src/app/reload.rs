//! Reloading: everything is built and judged first, then swapped in one step. What is broken changes nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::clock::Timestamp;
use crate::config::fault::{any_stops, joined};
use crate::config::{Fault, Loaded, Severity};
use crate::keys::Remote;
use crate::keys::known::Known;
use crate::keys::refresh::Install;
use crate::server::Service;
use crate::telemetry::metrics::Reloaded;

use super::online::ask;
use super::overlap::Retired;
use super::plan::{Fixed, Plan, plan_with};
use super::run::{network, with_known};
use super::watch::{Snapshot, Watch};

/// Reads a configuration, file and environment.
type Read = Arc<dyn Fn() -> Loaded + Send + Sync>;

/// Where a reload reads the configuration from, and what stood there when the service read it.
#[derive(Clone)]
pub struct ConfigSource {
    read: Read,
    files: BTreeSet<PathBuf>,
    /// What the files held when they were read last, whatever came of it.
    seen: Snapshot,
}

impl ConfigSource {
    /// Reads the configuration for the start. `named` is what an earlier reading gave: its files are looked at before they are read again,
    /// so that no change in between is missed. What can be read only once, such as a pipe, is not read again.
    #[must_use]
    pub fn open(
        named: Loaded,
        read: impl Fn() -> Loaded + Send + Sync + 'static,
    ) -> (Self, Loaded) {
        let files = files_of(&named);
        let seen = Snapshot::of(&files);
        let is_file = |file: &PathBuf| std::fs::metadata(file).is_ok_and(|facts| facts.is_file());
        let loaded = if named.file.as_ref().is_none_or(is_file) {
            read()
        } else {
            named
        };
        let source = Self {
            read: Arc::new(read),
            files,
            seen,
        };
        (source, loaded)
    }
}

/// Reloads when it is asked to, and when a file has changed.
pub(super) struct Reloader {
    source: ConfigSource,
    service: Arc<Service>,
    install: Install,
    fixed: Fixed,
    retired: Retired,
}

/// A configuration that was read and judged.
struct Judged {
    plan: Option<Plan>,
    faults: Vec<Fault>,
    files: BTreeSet<PathBuf>,
    seen: Snapshot,
}

/// How often files are read again that change while they are read.
const MAX_READINGS: usize = 5;

impl Reloader {
    pub(super) fn new(
        source: ConfigSource,
        service: Arc<Service>,
        install: Install,
        fixed: Fixed,
    ) -> Self {
        Self {
            source,
            service,
            install,
            fixed,
            retired: Retired::default(),
        }
    }

    /// Reloads for ever: whenever `asked`, and whenever a file has changed.
    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<()>) {
        let mut watch = Watch::over(&self.source.files);
        // Something may have changed before anybody watched.
        let mut is_new = true;
        loop {
            let end = self.retired.next_end();
            let changed = async {
                if is_new {
                    watch.rested().await;
                } else {
                    watch.changed().await;
                }
            };
            let is_asked = tokio::select! {
                () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => {
                    self.end_overlap();
                    // What was seen meanwhile has been forgotten.
                    is_new = true;
                    continue;
                }
                asked = asked.recv() => match asked {
                    Some(()) => true,
                    None => return,
                },
                () = changed => {
                    is_new = false;
                    false
                }
            };
            let watched = self.source.files.clone();
            self.reload(is_asked).await;
            if self.source.files != watched {
                watch = Watch::over(&self.source.files);
                is_new = true;
            }
        }
    }

    async fn reload(&mut self, is_asked: bool) {
        let Some(judged) = self.judge(is_asked).await else {
            return;
        };
        // The files of a broken configuration are watched beside those that are in use: mending either mends it.
        let plan = judged.plan.filter(|_| !any_stops(&judged.faults));
        if plan.is_some() {
            self.source.files = judged.files;
        } else {
            self.source.files.extend(judged.files);
        }
        // What has changed since it was judged shall be judged again.
        let files = self.source.files.clone();
        let now = tokio::task::spawn_blocking(move || Snapshot::of(&files)).await;
        self.source.seen = match now {
            Ok(now) if now.agrees_with(&judged.seen) => now,
            _ => judged.seen,
        };
        judged.faults.iter().for_each(tell);
        let Some(plan) = plan else {
            self.service.metrics.reloaded(Reloaded::Refused);
            tracing::error!(
                "the configuration was not reloaded: the old one serves on until the errors above are mended"
            );
            return;
        };
        let unchangeable = self.fixed.changed_in(&plan.fixed);
        if !unchangeable.is_empty() {
            tracing::warn!(
                keys = unchangeable.join(", "),
                "these settings need a restart: the old ones stay until then"
            );
        }
        self.swap(plan).await;
        self.service.metrics.reloaded(Reloaded::Applied);
        tracing::info!("the configuration was reloaded");
    }

    /// Reads and judges; `None` when nothing has changed.
    async fn judge(&self, is_asked: bool) -> Option<Judged> {
        let source = self.source.clone();
        let metrics = self.service.metrics.clone();
        let judging = tokio::task::spawn_blocking(move || {
            if !is_asked && Snapshot::of(&source.files) == source.seen {
                return None;
            }
            Some(judge(&source.read, &metrics, source.files))
        });
        let Ok(judged) = judging.await else {
            // A panic: a bug, and told by the panic hook.
            self.service.metrics.reloaded(Reloaded::Refused);
            return None;
        };
        judged
    }

    fn end_overlap(&mut self) {
        let live = self.service.live.load();
        for (id, keys) in self.retired.end(&live.gate) {
            let mut issuers = live.gate.issuers.all().iter();
            let name = issuers.find(|issuer| issuer.id == id).map(|one| &*one.name);
            tracing::info!(
                issuer.name = name,
                "a replaced key has ended with its overlap"
            );
            (self.install)(id, keys);
        }
    }

    async fn swap(&mut self, plan: Plan) {
        let keyring = &self.service.keyring;
        // Issuers that are new are asked first, so that nobody is refused for want of their keys in between.
        let known = keyring.known();
        let new = plan
            .remotes
            .iter()
            .filter(|(_, remote)| !known.iter().any(|(other, _)| is_same(other, remote)))
            .cloned()
            .collect();
        let mut fresh: Vec<(Remote, Known)> = Vec::new();
        for asked in ask(new, None).await {
            for error in &asked.known.record.errors {
                tracing::error!(
                    issuer.name = %asked.remote.name,
                    error = %error.escape_debug(),
                    "the keys of an issuer that the reload brings cannot be fetched"
                );
            }
            if !asked.known.holdings.is_empty() {
                fresh.push((asked.remote, asked.known));
            }
        }
        fresh.extend(keyring.stop());
        let (mut live, planned) = with_known(plan.live, plan.remotes, &fresh);
        let before = self.service.live.load_full();
        for (id, keys) in self.retired.replace(&before.gate, &live.gate, plan.overlap) {
            live = live.with_keys(id, &keys).unwrap_or(live);
        }
        if let (Some(signer), Some(before)) = (&live.gate.signer, &before.gate.signer) {
            signer.keep_keys_of(before);
        }
        self.service.live.store(Arc::new(live));
        if let (Some(tls), Some(new)) = (&self.service.tls, &plan.tls) {
            tls.replace(new);
        }
        keyring.start(planned, network, &self.install);
    }
}

fn is_same(one: &Remote, other: &Remote) -> bool {
    one.name == other.name && one.origin == other.origin && one.access == other.access
}

/// Reads until what was read is what is there: a file may change in the middle. `files` are those that were named last.
fn judge(read: &Read, metrics: &crate::telemetry::Metrics, mut files: BTreeSet<PathBuf>) -> Judged {
    let mut readings = 0;
    loop {
        readings += 1;
        let seen = Snapshot::of(&files);
        let loaded = read();
        let (plan, found) = plan_with(&loaded.config, Timestamp::now(), metrics.clone());
        let named = files_of(&loaded);
        let is_whole = named == files && Snapshot::of(&files) == seen;
        files = named;
        if is_whole || readings == MAX_READINGS {
            let mut faults = joined(loaded.faults, found, loaded.file.as_deref());
            let file = loaded
                .file
                .map_or_else(String::new, |file| file.display().to_string());
            if !is_whole {
                faults.push(unfit(&file, "files that change while they are read"));
            }
            // An environment that names the keys makes a whole configuration of nothing, without the rules that stood in the file.
            if loaded.is_empty {
                faults.push(unfit(&file, "an empty file"));
            }
            return Judged {
                plan,
                faults,
                files,
                seen,
            };
        }
    }
}

fn unfit(file: &str, found: &str) -> Fault {
    Fault::new(
        file,
        found,
        "a whole configuration",
        "write to another file and rename it into place; a service without any rule of its file has to be started so",
    )
}

fn files_of(loaded: &Loaded) -> BTreeSet<PathBuf> {
    let named = loaded.config.files().into_iter().map(PathBuf::from);
    loaded.file.clone().into_iter().chain(named).collect()
}

fn tell(fault: &Fault) {
    match fault.severity {
        Severity::Fault => tracing::error!(
            config.path = fault.path,
            config.found = fault.found,
            config.expected = fault.expected,
            hint = fault.hint,
            "broken configuration"
        ),
        Severity::Warning => tracing::warn!(
            config.path = fault.path,
            config.found = fault.found,
            config.expected = fault.expected,
            hint = fault.hint,
            "weak configuration"
        ),
    }
}
