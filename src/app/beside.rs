//! The listeners beside the check endpoints: bound with the others, and ended with them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::config::ExtAuthz;
use crate::server::Service;
use crate::server::beside::Beside;
use crate::server::listen::Socket;
use crate::server::serve::Limits;
use crate::server::tls::Tls;
use crate::server::upstream::{self, Target, Times};

use super::plan::Plan;
use super::run::{StartError, announce, bind_all};

/// Listeners that are bound and not yet served.
pub(super) struct Besides {
    ext_authz: Vec<Socket>,
    settings: ExtAuthz,
    spoe: Vec<Socket>,
    upstream: Vec<Socket>,
    application: Option<(Target, Times)>,
    limits: Limits,
    tls: Option<Tls>,
}

impl Besides {
    pub(super) fn bind(plan: &Plan) -> Result<Self, StartError> {
        Ok(Self {
            ext_authz: bind_all(&plan.listeners.ext_authz)?,
            settings: plan.ext_authz.clone(),
            spoe: bind_all(&plan.listeners.spoe)?,
            upstream: bind_all(&plan.listeners.upstream)?,
            application: plan.application.clone(),
            limits: plan.limits,
            tls: plan.tls.clone(),
        })
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = &Socket> {
        self.ext_authz
            .iter()
            .chain(&self.spoe)
            .chain(&self.upstream)
    }

    pub(super) fn announce(&self) {
        announce("ext_authz", &self.ext_authz);
        announce("spoe", &self.spoe);
        announce("upstream", &self.upstream);
    }

    /// Threads of the runtime that serves them. Without them it has little to do.
    pub(super) fn threads(&self) -> usize {
        if self.sockets().next().is_some() {
            self.limits.workers
        } else {
            1
        }
    }

    /// Starts those that have an address.
    pub(super) fn start(self, service: &Arc<Service>) -> io::Result<Running> {
        let end = CancellationToken::new();
        let connections = self.limits.workers * self.limits.connections_per_worker;
        let beside = |sockets| Beside {
            sockets,
            connections,
            tls: self.tls.clone(),
            end: end.clone(),
        };
        let mut tasks = Vec::new();
        if !self.ext_authz.is_empty() {
            tasks.push(start_ext_authz(
                service,
                &self.settings,
                beside(self.ext_authz),
            )?);
        }
        if !self.spoe.is_empty() {
            tasks.push(start_spoe(service, beside(self.spoe))?);
        }
        if let Some((target, times)) = self.application {
            let beside = beside(self.upstream);
            tasks.push(upstream::start(service, target, times, beside)?);
        }
        Ok(Running {
            tasks,
            patience: Duration::from_secs(self.limits.drain_seconds),
            end,
        })
    }
}

#[cfg(feature = "ext-authz")]
fn start_ext_authz(
    service: &Arc<Service>,
    settings: &ExtAuthz,
    beside: Beside,
) -> io::Result<JoinHandle<()>> {
    use crate::server::ext_authz;

    let streams = settings.max_concurrent_streams;
    let limits = ext_authz::Limits {
        concurrent_streams: u32::try_from(streams).unwrap_or(u32::MAX),
        keep_alive: settings.keep_alive.0,
    };
    ext_authz::start(service, limits, beside)
}

/// An address for it has been a fault.
#[cfg(not(feature = "ext-authz"))]
fn start_ext_authz(_: &Arc<Service>, _: &ExtAuthz, _: Beside) -> io::Result<JoinHandle<()>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(feature = "spoe")]
fn start_spoe(service: &Arc<Service>, beside: Beside) -> io::Result<JoinHandle<()>> {
    crate::server::spoe::start(service, beside)
}

/// An address for it has been a fault.
#[cfg(not(feature = "spoe"))]
fn start_spoe(_: &Arc<Service>, _: Beside) -> io::Result<JoinHandle<()>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Listeners that serve.
pub(super) struct Running {
    end: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    patience: Duration,
}

impl Running {
    /// Lets what is in flight finish, within the limit.
    pub(super) async fn stop(&self) {
        self.end.cancel();
        let last = Instant::now() + self.patience;
        for task in &self.tasks {
            let ended = async {
                while !task.is_finished() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            if timeout_at(last, ended).await.is_err() {
                tracing::warn!("a listener was still answering and is cut off");
            }
        }
    }
}
