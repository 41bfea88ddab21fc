//! From a configuration to a plan of the whole service, judged but not yet started.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::fault::any_stops;
use crate::config::{Config, ExtAuthz, Fault, Span};
use crate::keys::{IssuerId, Remote};
use crate::server::Live;
use crate::server::listen::Address;
use crate::server::serve::Limits;
use crate::server::tls::Tls;
use crate::server::upstream::{Target, Times};
use crate::telemetry::Metrics;

use super::compile::{Compiled, compile};
use super::listeners::{Listeners, judge_application};

/// A configuration that has been judged: everything that the service needs, parsed.
pub struct Plan {
    pub(super) live: Live,
    pub(super) remotes: Vec<(IssuerId, Remote)>,
    pub(super) metrics: Metrics,
    pub(super) listeners: Listeners,
    pub(super) limits: Limits,
    pub(super) tls: Option<Tls>,
    pub(super) ext_authz: ExtAuthz,
    pub(super) application: Option<(Target, Times)>,
    pub(super) drain_delay: Duration,
    pub(super) request_spans: bool,
    pub(super) fixed: Fixed,
    pub(super) overlap: Duration,
}

/// What a running service cannot change: keys of the configuration with what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fixed(Vec<(&'static str, String)>);

impl Fixed {
    fn of(config: &Config) -> Self {
        let (server, log) = (&config.server, &config.log);
        let (ext_authz, upstream) = (&config.ext_authz, &config.upstream);
        Self(vec![
            ("server.listen", format!("{:?}", server.listen)),
            ("server.workers", format!("{:?}", server.workers)),
            ("server.max_connections", server.max_connections.to_string()),
            ("server.header_timeout", server.header_timeout.to_string()),
            ("server.drain_delay", server.drain_delay.to_string()),
            ("server.drain_timeout", server.drain_timeout.to_string()),
            ("admin.listen", format!("{:?}", config.admin.listen)),
            ("ext_authz.listen", format!("{:?}", ext_authz.listen)),
            (
                "ext_authz.max_concurrent_streams",
                ext_authz.max_concurrent_streams.to_string(),
            ),
            ("ext_authz.keep_alive", ext_authz.keep_alive.to_string()),
            ("spoe.listen", format!("{:?}", config.spoe.listen)),
            ("upstream.listen", format!("{:?}", upstream.listen)),
            ("upstream.url", format!("{:?}", upstream.url)),
            (
                "upstream.connect_timeout",
                upstream.connect_timeout.to_string(),
            ),
            (
                "upstream.response_timeout",
                upstream.response_timeout.to_string(),
            ),
            ("upstream.idle_timeout", upstream.idle_timeout.to_string()),
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
    let listeners = Listeners::judge(config, &mut faults);
    judge_times(config, &mut faults);
    let application = judge_application(config, &listeners, &mut faults);
    let is_tls = listeners.all().any(Address::is_tls);
    let (tls, found) = Tls::load(&config.server, is_tls);
    faults.extend(found);
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
        tls,
        ext_authz: config.ext_authz.clone(),
        application,
        drain_delay: config.server.drain_delay.0,
        request_spans: config.log.request_spans,
        fixed: Fixed::of(config),
        overlap: config.keys.overlap.0,
    });
    (plan, faults)
}

fn judge_times(config: &Config, faults: &mut Vec<Fault>) {
    const LEAST: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_hours(1);
    let (server, upstream) = (&config.server, &config.upstream);
    let times = [
        ("server.header_timeout", server.header_timeout, LEAST),
        ("server.drain_timeout", server.drain_timeout, LEAST),
        ("server.drain_delay", server.drain_delay, Duration::ZERO),
        ("ext_authz.keep_alive", config.ext_authz.keep_alive, LEAST),
        ("upstream.connect_timeout", upstream.connect_timeout, LEAST),
        (
            "upstream.response_timeout",
            upstream.response_timeout,
            LEAST,
        ),
        ("upstream.idle_timeout", upstream.idle_timeout, LEAST),
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
