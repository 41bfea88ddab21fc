//! From a configuration to a plan of the whole service, judged but not yet started.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::fault::any_stops;
use crate::config::{Config, Fault, Span};
use crate::keys::{IssuerId, Remote};
use crate::server::Live;
use crate::server::listen::Address;
use crate::server::serve::Limits;
use crate::telemetry::Metrics;

use super::compile::{Compiled, compile};

/// A configuration that has been judged: everything that the service needs, parsed.
pub struct Plan {
    pub(super) live: Live,
    pub(super) remotes: Vec<(IssuerId, Remote)>,
    pub(super) metrics: Metrics,
    pub(super) listeners: Listeners,
    pub(super) limits: Limits,
    pub(super) drain_delay: Duration,
    pub(super) request_spans: bool,
    pub(super) fixed: Fixed,
    pub(super) overlap: Duration,
}

pub(super) struct Listeners {
    pub(super) main: Vec<Address>,
    pub(super) admin: Vec<Address>,
}

/// What a running service cannot change: keys of the configuration with what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fixed(Vec<(&'static str, String)>);

impl Fixed {
    fn of(config: &Config) -> Self {
        let (server, log) = (&config.server, &config.log);
        Self(vec![
            ("server.listen", format!("{:?}", server.listen)),
            ("server.workers", format!("{:?}", server.workers)),
            ("server.max_connections", server.max_connections.to_string()),
            ("server.header_timeout", server.header_timeout.to_string()),
            ("server.drain_delay", server.drain_delay.to_string()),
            ("server.drain_timeout", server.drain_timeout.to_string()),
            ("admin.listen", format!("{:?}", config.admin.listen)),
            ("log", format!("{log:?}")),
        ])
    }

    /// The keys that say something else in `other`.
    pub(super) fn changed_in(&self, other: &Self) -> Vec<&'static str> {
        self.0
            .iter()
            .zip(&other.0)
            .filter(|(own, other)| own != other)
            .map(|((key, _), _)| *key)
            .collect()
    }
}

/// Compiles a configuration. The plan is `None` when a fault stops the start; warnings come beside a plan.
#[must_use]
pub fn plan(config: &Config, now: Timestamp) -> (Option<Plan>, Vec<Fault>) {
    plan_with(config, now, Metrics::default())
}

/// The same, for a service that counts already.
pub(super) fn plan_with(
    config: &Config,
    now: Timestamp,
    metrics: Metrics,
) -> (Option<Plan>, Vec<Fault>) {
    let (compiled, returns, mut faults) = compile(config, now);
    let listeners = judge_listeners(config, &mut faults);
    judge_times(config, &mut faults);
    let Some(Compiled { gate, remotes }) = compiled else {
        // Without keys there is no gate; what else is wrong is told all the same.
        let (_, found) = crate::server::trust::Trust::compile(&config.server);
        faults.extend(found);
        return (None, faults);
    };
    let (live, found) = Live::compile(config, gate, returns, &metrics);
    faults.extend(found);
    let plan = live.filter(|_| !any_stops(&faults)).map(|live| Plan {
        live,
        remotes,
        metrics,
        listeners,
        limits: limits(config),
        drain_delay: config.server.drain_delay.0,
        request_spans: config.log.request_spans,
        fixed: Fixed::of(config),
        overlap: config.keys.overlap.0,
    });
    (plan, faults)
}

fn judge_listeners(config: &Config, faults: &mut Vec<Fault>) -> Listeners {
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
    Listeners { main, admin }
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
