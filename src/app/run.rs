//! From a plan to a running service: sockets, workers, keys, signals, and the end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use arc_swap::ArcSwap;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::clock::Timestamp;
use crate::keys::keyring::Planned;
use crate::keys::known::Known;
use crate::keys::network::Network;
use crate::keys::refresh::{Fetch, Install};
use crate::keys::{IssuerId, Keyring, Remote, store};
use crate::server::listen::{Address, Socket, SocketFile};
use crate::server::live::install;
use crate::server::serve::{self, Limits};
use crate::server::{Live, Service, routes};

use super::beside::{Besides, Running};
use super::facts::RunningFacts;
use super::plan::{Fixed, Plan};
use super::reload::{ConfigSource, Reloader};

/// Why the service cannot run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket cannot be opened.
    #[error("cannot listen on `{address}`: {error}\n  hint: {hint}", hint = hint_for(error))]
    Bind {
        /// Where.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// The system refuses something else.
    #[error(transparent)]
    System(#[from] io::Error),
}

fn hint_for(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process has it: stop that one, or choose another port (0 takes a free one)"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 and protected folders need a permission: choose another address"
        }
        io::ErrorKind::NotFound => "the folder of a Unix socket must exist",
        _ => "check the address: it must belong to this machine",
    }
}

/// Sockets that are open and a service that is not yet running: what `demo` needs to tell its addresses.
pub struct Bound {
    service: Arc<Service>,
    planned: Vec<Planned>,
    main: Vec<Socket>,
    admin: Vec<Socket>,
    beside: Besides,
    limits: Limits,
    drain_delay: Duration,
    request_spans: bool,
    fixed: Fixed,
}

impl Plan {
    /// Opens every socket. `dropped_log_lines` is asked at each scrape of the metrics.
    ///
    /// # Errors
    /// A socket cannot be opened.
    pub fn bind(
        self,
        dropped_log_lines: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Result<Bound, StartError> {
        let main = bind_all(&self.listeners.main)?;
        let admin = bind_all(&self.listeners.admin)?;
        let beside = Besides::bind(&self)?;
        let (live, planned) = with_known(self.live, self.remotes, &[]);
        let live = Arc::new(ArcSwap::from_pointee(live));
        let keyring = Arc::<Keyring>::default();
        let metrics = self.metrics;
        metrics.register_facts(Arc::new(RunningFacts {
            live: Arc::clone(&live),
            keyring: Arc::clone(&keyring),
            dropped_log_lines: Box::new(dropped_log_lines),
        }));
        Ok(Bound {
            service: Arc::new(Service::new(live, keyring, metrics, self.tls)),
            planned,
            main,
            admin,
            beside,
            limits: self.limits,
            drain_delay: self.drain_delay,
            request_spans: self.request_spans,
            fixed: self.fixed,
        })
    }
}

pub(super) fn bind_all(addresses: &[Address]) -> Result<Vec<Socket>, StartError> {
    let mut sockets = Vec::new();
    for address in addresses {
        let bound = address.bind().map_err(|error| StartError::Bind {
            address: address.to_string(),
            error,
        })?;
        sockets.extend(bound);
    }
    Ok(sockets)
}

impl Bound {
    /// The addresses of the main listener, as they were bound.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.main.iter().map(ToString::to_string).collect()
    }

    /// Serves until a signal ends it, and everything in flight is answered. `source` is where a reload reads the configuration from.
    ///
    /// # Errors
    /// The system refuses sockets, signals or threads.
    pub fn run(self, source: Option<ConfigSource>) -> Result<(), StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(self.beside.threads())
            .thread_name("jwtgate-main")
            .enable_all()
            .build()?;
        let served = runtime.block_on(self.serve(source));
        // A name that nobody resolves, or a disk that hangs, must not keep the process.
        runtime.shutdown_timeout(Duration::from_secs(1));
        served
    }

    async fn serve(self, source: Option<ConfigSource>) -> Result<(), StartError> {
        let mut signals = Signals::listen()?;
        let install = installer(&self.service);
        let keyring = &self.service.keyring;
        keyring.start(self.planned, network, &install);
        let files: Vec<SocketFile> = self
            .main
            .iter()
            .chain(&self.admin)
            .chain(self.beside.sockets())
            .filter_map(Socket::file)
            .collect();
        announce("main", &self.main);
        announce("admin", &self.admin);
        self.beside.announce();
        let beside = self.beside.start(&self.service)?;
        let (main, admin) = Http {
            service: &self.service,
            limits: self.limits,
            request_spans: self.request_spans,
        }
        .start(self.main, self.admin)?;
        let (main_handle, admin_handle) = (main.handle(), admin.as_ref().map(Server::handle));
        let (main_task, admin_task) = (tokio::spawn(main), admin.map(tokio::spawn));
        // It ends with the runtime.
        tokio::spawn(rotate_keys(Arc::clone(&self.service.live)));
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");
        let reload =
            source.map(|source| start_reloading(source, &self.service, install, self.fixed));

        let name = signals
            .until_stopped(reload.as_ref().map(|(ask, _)| ask))
            .await;
        if let Some((_, task)) = reload {
            task.abort();
        }
        tracing::info!(signal = name, "draining");
        self.service.start_draining();
        let stopping = Stopping {
            main: &main_handle,
            beside: &beside,
            delay: self.drain_delay,
        };
        stopping.drain(&mut signals).await;
        if let (Some(handle), Some(task)) = (admin_handle, admin_task) {
            handle.stop(false).await;
            let _ = task.await;
        }
        // The task ends with its server.
        let _ = main_task.await;
        files.iter().for_each(SocketFile::remove);
        tracing::info!("stopped");
        Ok(())
    }
}

/// How the listeners that speak HTTP are started.
struct Http<'s> {
    service: &'s Arc<Service>,
    limits: Limits,
    request_spans: bool,
}

impl Http<'_> {
    /// Starts the main listener, and the admin listener where there is one.
    fn start(self, main: Vec<Socket>, admin: Vec<Socket>) -> io::Result<(Server, Option<Server>)> {
        let tls = self.service.tls.as_ref();
        let start = |sockets, routes, limits, spans| {
            serve::start(self.service, sockets, tls, routes, limits, spans)
        };
        let one_worker = Limits {
            workers: 1,
            ..self.limits
        };
        let main = start(main, routes::MAIN, self.limits, self.request_spans)?;
        let admin = (!admin.is_empty())
            .then(|| start(admin, routes::ADMIN, one_worker, false))
            .transpose()?;
        Ok((main, admin))
    }
}

/// Replaces the keys that sign identities when it is time.
async fn rotate_keys(live: Arc<ArcSwap<Live>>) {
    const LOOK: Duration = Duration::from_secs(30);
    loop {
        tokio::time::sleep(LOOK).await;
        let signer = live.load().gate.signer.clone();
        match signer.map(|signer| signer.rotate()) {
            Some(Ok(true)) => tracing::info!("a new key signs identities"),
            Some(Err(error)) => {
                tracing::error!(%error, "the key that signs identities cannot be replaced");
            }
            Some(Ok(false)) | None => {}
        }
    }
}

/// What is stopped, and when.
struct Stopping<'s> {
    main: &'s ServerHandle,
    beside: &'s Running,
    delay: Duration,
}

impl Stopping<'_> {
    /// Goes on serving for the drain delay, then lets what is in flight finish. A second signal ends it at once.
    async fn drain(&self, signals: &mut Signals) {
        let gently = async {
            tokio::time::sleep(self.delay).await;
            tokio::join!(self.main.stop(true), self.beside.stop());
        };
        tokio::select! {
            () = gently => {}
            name = signals.until_stopped(None) => {
                tracing::warn!(signal = name, "stopping at once");
                self.main.stop(false).await;
            }
        }
    }
}

pub(super) fn announce(listener: &str, sockets: &[Socket]) {
    for socket in sockets {
        tracing::info!(listener, address = %socket, "listening");
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// What the next signal asks for. A hang-up does not end the service: it reloads.
    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Asked::Stop("SIGINT"),
            _ = self.hangup.recv() => Asked::Reload,
        }
    }

    /// The next signal that ends the service. Reloads are passed on until then.
    async fn until_stopped(&mut self, reload: Option<&mpsc::Sender<()>>) -> &'static str {
        loop {
            match (self.next().await, reload) {
                (Asked::Stop(name), _) => return name,
                // One that waits already will see everything that has changed until it begins.
                (Asked::Reload, Some(reload)) => drop(reload.try_send(())),
                (Asked::Reload, None) => {
                    tracing::warn!("SIGHUP is ignored: there is no configuration to read again");
                }
            }
        }
    }
}

/// What a signal asks for.
enum Asked {
    Stop(&'static str),
    Reload,
}

/// Reloads from now on, whenever the sender says so and whenever a file has changed.
fn start_reloading(
    source: ConfigSource,
    service: &Arc<Service>,
    install: Install,
    fixed: Fixed,
) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let reloader = Reloader::new(source, Arc::clone(service), install, fixed);
    let (ask, asked) = mpsc::channel(1);
    (ask, tokio::spawn(reloader.run(asked)))
}

/// Puts fetched keys into the running service.
fn installer(service: &Arc<Service>) -> Install {
    let live = Arc::clone(&service.live);
    Arc::new(move |id, keys| install(&live, id, &keys))
}

/// The way to an issuer's keys.
pub(super) fn network(remote: &Remote) -> Arc<dyn Fetch> {
    Arc::new(Network::to(remote))
}

/// Puts what is known of fetched keys into a state that is about to serve: `known` from the running service, else what a file kept.
pub(super) fn with_known(
    mut live: Live,
    remotes: Vec<(IssuerId, Remote)>,
    known: &[(Remote, Known)],
) -> (Live, Vec<Planned>) {
    let mut planned = Vec::new();
    for (id, remote) in remotes {
        let of_same = known
            .iter()
            .find(|(other, _)| other.name == remote.name && other.origin == remote.origin)
            .map(|(before, known)| known.clone().judged_for(before, &remote));
        let known = of_same.unwrap_or_else(|| stored(&remote));
        if let Some(with_keys) = live.with_keys(id, &known.key_set()) {
            live = with_keys;
        }
        planned.push(Planned { id, remote, known });
    }
    (live, planned)
}

fn stored(remote: &Remote) -> Known {
    let Some(file) = &remote.store else {
        return Known::default();
    };
    let read = store::read(file).and_then(|stored| {
        stored.map_or_else(
            || Ok(Known::default()),
            |stored| Known::from_stored(stored, remote, Timestamp::now()),
        )
    });
    match read {
        Ok(known) => known,
        Err(error) => {
            tracing::warn!(
                issuer.name = %remote.name,
                file = %file.display(),
                error,
                "keys that were kept on disk are not used"
            );
            Known::default()
        }
    }
}
