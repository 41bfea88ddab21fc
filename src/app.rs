//! From a configuration to a running service: every room's settings compiled and their faults joined, then sockets, workers, signals.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::clock::Timestamp;
use crate::config::fault::any_stops;
use crate::config::{Config, Fault, Span};
use crate::gate::cache::TokenCache;
use crate::gate::claim_rules::ClaimRules;
use crate::gate::identity::IdentityRules;
use crate::gate::places::ExtractRules;
use crate::gate::state::KnownHeaders;
use crate::gate::{Issuer, State};
use crate::keys;
use crate::login::ReturnPolicy;
use crate::server::listen::{Address, Socket, SocketFile};
use crate::server::serve::{self, Limits};
use crate::server::{Live, Service, routes};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{CacheFacts, Facts};

/// The name of the issuer that the top level of the configuration describes.
pub const DEFAULT_ISSUER: &str = "default";

/// A configuration that has been judged: everything that the service needs, parsed.
pub struct Plan {
    live: Live,
    metrics: Metrics,
    listeners: Listeners,
    limits: Limits,
    drain_delay: Duration,
    request_spans: bool,
}

struct Listeners {
    main: Vec<Address>,
    admin: Vec<Address>,
}

/// Compiles a configuration. The plan is `None` when a fault stops the start; warnings come beside a plan.
#[must_use]
pub fn plan(config: &Config, now: Timestamp) -> (Option<Plan>, Vec<Fault>) {
    let (gate, returns, mut faults) = compile_gate(config, now);
    let (main, found) = Address::parse_all(&config.server.listen, "server.listen");
    faults.extend(found);
    if config.server.listen.items().is_empty() {
        faults.push(
            Fault::new(
                "server.listen",
                "no address",
                "at least one address",
                "for example `listen = [\"127.0.0.1:8080\"]`",
            )
            .absent(),
        );
    }
    let (admin, found) = Address::parse_all(&config.admin.listen, "admin.listen");
    faults.extend(found);
    if let Some(shared) = admin
        .iter()
        .find(|address| address.is_fixed() && main.contains(address))
    {
        faults.push(Fault::new(
            "admin.listen",
            format!("`{shared}`, which `server.listen` has too"),
            "an address of its own",
            "the admin listener must never be the public one; 127.0.0.1:8081 is its default",
        ));
    }
    if let Some(open) = admin.iter().find(|address| !address.is_local()) {
        faults.push(Fault::warning(
            "admin.listen",
            format!("`{open}`, which other machines may reach"),
            "a loopback address or a Unix socket",
            "the metrics tell issuers and volumes: let nobody but your monitoring reach it",
        ));
    }
    judge_times(config, &mut faults);
    let metrics = Metrics::default();
    let Some(gate) = gate else {
        // Without keys there is no gate; what else is wrong is told all the same.
        let (_, found) = crate::server::trust::Trust::compile(&config.server);
        faults.extend(found);
        return (None, faults);
    };
    let (live, found) = Live::compile(config, gate, returns, &metrics);
    faults.extend(found);
    let plan = live.filter(|_| !any_stops(&faults)).map(|live| Plan {
        live,
        metrics,
        listeners: Listeners { main, admin },
        limits: limits(config),
        drain_delay: config.server.drain_delay.0,
        request_spans: config.log.request_spans,
    });
    (plan, faults)
}

fn judge_times(config: &Config, faults: &mut Vec<Fault>) {
    const LEAST: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_hours(1);
    let server = &config.server;
    let times = [
        ("server.header_timeout", server.header_timeout, LEAST),
        ("server.drain_timeout", server.drain_timeout, LEAST),
        ("server.drain_delay", server.drain_delay, Duration::ZERO),
    ];
    for (key, time, least) in times {
        if !(least..=MOST).contains(&time.0) {
            faults.push(Fault::new(
                key,
                format!("`{time}`"),
                format!("from {} to 1 hour", Span(least)),
                "these limits cannot be switched off: they protect the service from clients that hold connections, and its end from waiting for ever",
            ));
        }
    }
}

/// Compiles what the gate decides by, and where people are sent.
#[must_use]
pub fn compile_gate(config: &Config, now: Timestamp) -> (Option<State>, ReturnPolicy, Vec<Fault>) {
    let (keys, mut faults) = keys::load(config, now);
    let (claims, found) = ClaimRules::compile(config);
    faults.extend(found);
    let (extract, found) = ExtractRules::compile(config);
    faults.extend(found);
    let (identity, found) = IdentityRules::compile(config);
    faults.extend(found);
    let (returns, found) = ReturnPolicy::compile(config, extract.query_parameter());
    faults.extend(found);
    let gate = keys.filter(|_| !any_stops(&faults)).map(|keys| State {
        issuer: Issuer {
            name: DEFAULT_ISSUER.into(),
            keys,
            claims,
        },
        extract,
        identity,
        max_token_bytes: usize::try_from(config.server.max_token_bytes).unwrap_or(usize::MAX),
        cache: (config.cache.max_bytes > 0).then(|| TokenCache::new(config.cache.max_bytes)),
        known_headers: KnownHeaders::default(),
    });
    (gate, returns, faults)
}

fn limits(config: &Config) -> Limits {
    let server = &config.server;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = server
        .workers
        .and_then(|workers| usize::try_from(workers).ok())
        .unwrap_or(cores);
    let connections = usize::try_from(server.max_connections).unwrap_or(usize::MAX);
    let drain = server.drain_timeout.0;
    Limits {
        workers,
        connections_per_worker: connections.div_ceil(workers),
        header_timeout: server.header_timeout.0,
        drain_seconds: drain.as_secs() + u64::from(drain.subsec_nanos() > 0),
    }
}

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
    main: Vec<Socket>,
    admin: Vec<Socket>,
    limits: Limits,
    drain_delay: Duration,
    request_spans: bool,
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
        let live = Arc::new(self.live);
        let mut metrics = self.metrics;
        metrics.register_facts(Arc::new(LiveFacts {
            live: Arc::clone(&live),
            dropped_log_lines: Box::new(dropped_log_lines),
        }));
        Ok(Bound {
            service: Arc::new(Service::new(live, metrics)),
            main,
            admin,
            limits: self.limits,
            drain_delay: self.drain_delay,
            request_spans: self.request_spans,
        })
    }
}

fn bind_all(addresses: &[Address]) -> Result<Vec<Socket>, StartError> {
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

    /// Serves until a signal ends it, and everything in flight is answered.
    ///
    /// # Errors
    /// The system refuses sockets, signals or threads.
    pub fn run(self) -> Result<(), StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("jwtgate-main")
            .enable_all()
            .build()?;
        runtime.block_on(self.serve())
    }

    async fn serve(self) -> Result<(), StartError> {
        let mut signals = Signals::listen()?;
        let limits = self.limits;
        let files: Vec<SocketFile> = self
            .main
            .iter()
            .chain(&self.admin)
            .filter_map(Socket::file)
            .collect();
        announce("main", &self.main);
        announce("admin", &self.admin);
        let main = serve::start(
            &self.service,
            self.main,
            routes::main,
            limits,
            self.request_spans,
        )?;
        let one_worker = Limits {
            workers: 1,
            ..limits
        };
        let admin = if self.admin.is_empty() {
            None
        } else {
            Some(serve::start(
                &self.service,
                self.admin,
                routes::admin,
                one_worker,
                false,
            )?)
        };
        let (main_handle, admin_handle) = (main.handle(), admin.as_ref().map(Server::handle));
        let (main_task, admin_task) = (tokio::spawn(main), admin.map(tokio::spawn));
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");

        let name = signals.next().await;
        tracing::info!(signal = name, "draining");
        self.service.start_draining();
        drain(&main_handle, &mut signals, self.drain_delay).await;
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

/// Goes on serving for the drain delay, then lets what is in flight finish. A second signal ends it at once.
async fn drain(handle: &ServerHandle, signals: &mut Signals, delay: Duration) {
    let gently = async {
        tokio::time::sleep(delay).await;
        handle.stop(true).await;
    };
    tokio::select! {
        () = gently => {}
        name = signals.next() => {
            tracing::warn!(signal = name, "stopping at once");
            handle.stop(false).await;
        }
    }
}

fn announce(listener: &str, sockets: &[Socket]) {
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

    /// The next signal that ends the service. A hang-up does not: a closed terminal is no reason to let nobody pass.
    async fn next(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv() => {
                    tracing::warn!("SIGHUP is ignored: there is no reloading, restart the service instead");
                }
            }
        }
    }
}

struct LiveFacts {
    live: Arc<Live>,
    dropped_log_lines: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl std::fmt::Debug for LiveFacts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LiveFacts").finish_non_exhaustive()
    }
}

impl Facts for LiveFacts {
    fn cache(&self) -> CacheFacts {
        self.live
            .gate
            .cache
            .as_ref()
            .map_or_else(CacheFacts::default, |cache| CacheFacts {
                entries: cache.entries(),
                bytes: cache.bytes(),
                evictions: cache.evictions(),
            })
    }

    fn dropped_log_lines(&self) -> u64 {
        (self.dropped_log_lines)()
    }
}
