//! Reloading: everything is built and judged first, then swapped in one step. What is broken changes nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::clock::Timestamp;
use crate::config::fault::{any_stops, joined};
use crate::config::{Fault, Loaded, Severity};
use crate::keys::Remote;
use crate::keys::known::Known;
use crate::keys::refresh::Install;
use crate::server::Service;
use crate::telemetry::metrics::Reloaded;

use super::online::ask;
use super::plan::{Fixed, Plan, plan_with};
use super::run::{network, with_known};
use super::watch::{Snapshot, Watch};

/// Reads the configuration, file and environment, as at the start.
pub type ConfigSource = Arc<dyn Fn() -> Loaded + Send + Sync>;

/// Reloads when it is asked to, and when a file has changed.
pub(super) struct Reloader {
    source: ConfigSource,
    service: Arc<Service>,
    install: Install,
    fixed: Fixed,
    files: BTreeSet<PathBuf>,
    /// What the files held when they were read last, whatever came of it.
    seen: Snapshot,
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
        let files = files_of(&source());
        Self {
            source,
            service,
            install,
            fixed,
            seen: Snapshot::of(&files),
            files,
        }
    }

    /// Reloads for ever: whenever `asked`, and whenever a file has changed.
    pub(super) async fn run(mut self, mut asked: mpsc::Receiver<()>) {
        let mut watch = Watch::over(&self.files);
        loop {
            let is_asked = tokio::select! {
                asked = asked.recv() => match asked {
                    Some(()) => true,
                    None => return,
                },
                () = watch.changed() => false,
            };
            let before = self.files.clone();
            self.reload(is_asked).await;
            if self.files != before {
                watch = Watch::over(&self.files);
            }
        }
    }

    async fn reload(&mut self, is_asked: bool) {
        let Some(judged) = self.judge(is_asked).await else {
            return;
        };
        self.seen = judged.seen;
        // The files of a broken configuration are watched beside those that are in use: mending either mends it.
        let plan = judged.plan.filter(|_| !any_stops(&judged.faults));
        if plan.is_some() {
            self.files = judged.files;
        } else {
            self.files.extend(judged.files);
        }
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
        let source = Arc::clone(&self.source);
        let metrics = self.service.metrics.clone();
        let (files, seen) = (self.files.clone(), self.seen.clone());
        let judging = tokio::task::spawn_blocking(move || {
            if !is_asked && Snapshot::of(&files) == seen {
                return None;
            }
            Some(judge(&source, &metrics))
        });
        let Ok(judged) = judging.await else {
            // A panic: a bug, and told by the panic hook.
            self.service.metrics.reloaded(Reloaded::Refused);
            return None;
        };
        judged
    }

    async fn swap(&self, plan: Plan) {
        let keyring = &self.service.keyring;
        // Issuers that are new are asked first, so that nobody is refused for want of their keys in between.
        let known = keyring.known();
        let new = plan
            .remotes
            .iter()
            .filter(|(_, remote)| !known.iter().any(|(other, _)| is_same(other, remote)))
            .cloned()
            .collect();
        let mut fresh: Vec<(Remote, Known)> = ask(new, None)
            .await
            .into_iter()
            .filter(|asked| !asked.known.holdings.is_empty())
            .map(|asked| (asked.remote, asked.known))
            .collect();
        fresh.extend(keyring.stop());
        let (live, planned) = with_known(plan.live, plan.remotes, &fresh);
        self.service.live.store(Arc::new(live));
        keyring.start(planned, network, &self.install);
    }
}

fn is_same(one: &Remote, other: &Remote) -> bool {
    one.name == other.name && one.origin == other.origin
}

/// Reads until what was read is what is there: a file may change in the middle.
fn judge(source: &ConfigSource, metrics: &crate::telemetry::Metrics) -> Judged {
    let mut readings = 0;
    loop {
        readings += 1;
        let files = files_of(&source());
        let seen = Snapshot::of(&files);
        let loaded = source();
        let (plan, found) = plan_with(&loaded.config, Timestamp::now(), metrics.clone());
        let is_whole = files_of(&loaded) == files && Snapshot::of(&files) == seen;
        if is_whole || readings == MAX_READINGS {
            let faults = joined(loaded.faults, found, loaded.file.as_deref());
            return Judged {
                plan,
                faults,
                files,
                seen,
            };
        }
    }
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
