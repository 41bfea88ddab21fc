//! What a worker holds: the service's parts that outlive a request, and the one value that each request loads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::header::{HeaderName, HeaderValue};
use arc_swap::ArcSwap;

use crate::config::{Config, Fault, OriginalRequestHeader};
use crate::gate::State;
use crate::login::ReturnPolicy;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::AllowCounters;

use super::trust::Trust;

/// Everything that a request is judged and answered by. It is replaced as a whole: settings, keys and cache together.
#[derive(Debug)]
pub struct Live {
    /// What the gate decides by.
    pub gate: State,
    /// Where people are sent.
    pub returns: ReturnPolicy,
    /// Who is believed.
    pub trust: Trust,
    /// Which of nginx's headers names the original URL.
    pub original_request: Option<OriginalRequestHeader>,
    /// The largest header block, in bytes.
    pub max_header_bytes: usize,
    /// The names of the identity headers, in the order of the gate's values.
    pub identity_headers: Vec<HeaderName>,
    /// `WWW-Authenticate` in its three forms.
    pub challenges: Challenges,
    /// Counters of requests that pass.
    pub allow_counters: AllowCounters,
}

/// The challenges of RFC 6750 §3, ready to send.
#[derive(Clone, Debug)]
pub struct Challenges {
    /// No token was sent: no error code.
    pub no_token: HeaderValue,
    /// The token is not good.
    pub invalid_token: HeaderValue,
    /// The credentials are ambiguous.
    pub invalid_request: HeaderValue,
}

impl Challenges {
    /// Builds the challenges for a realm.
    ///
    /// # Errors
    /// The realm holds what no header may.
    pub fn new(realm: &str) -> Result<Self, Fault> {
        // RFC 9110 §5.6.4: a quoted string escapes these two.
        let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
        let challenge = |error: &str| {
            let text = format!("Bearer realm=\"{quoted}\"{error}");
            HeaderValue::from_str(&text).map_err(|_| {
                Fault::new(
                    "server.realm",
                    format!("{realm:?}"),
                    "text without control characters",
                    "a name for what is protected, such as `jwtgate` or `intranet`",
                )
            })
        };
        Ok(Self {
            no_token: challenge("")?,
            invalid_token: challenge(", error=\"invalid_token\"")?,
            invalid_request: challenge(", error=\"invalid_request\"")?,
        })
    }
}

impl Live {
    /// Puts together what a request needs.
    #[must_use]
    pub fn compile(
        config: &Config,
        gate: State,
        returns: ReturnPolicy,
        metrics: &Metrics,
    ) -> (Option<Self>, Vec<Fault>) {
        let (trust, mut faults) = Trust::compile(&config.server);
        let names = gate.identity.header_names().map(|name| {
            HeaderName::try_from(name).map_err(|_| {
                let path = format!("identity.headers.\"{name}\"");
                Fault::new(
                    path,
                    "no header name",
                    "a header name",
                    "for example `X-Auth-User`",
                )
            })
        });
        let parts = names
            .collect::<Result<Vec<_>, _>>()
            .and_then(|names| Ok((names, Challenges::new(&config.server.realm)?)));
        let (identity_headers, challenges) = match parts {
            Ok(parts) => parts,
            Err(fault) => {
                faults.push(fault);
                return (None, faults);
            }
        };
        let allow_counters = metrics.allow_counters(&gate.issuer.name);
        let live = Self {
            gate,
            returns,
            trust,
            original_request: config.server.original_request,
            max_header_bytes: usize::try_from(config.server.max_header_bytes).unwrap_or(usize::MAX),
            identity_headers,
            challenges,
            allow_counters,
        };
        (Some(live), faults)
    }
}

/// What every worker shares.
#[derive(Debug)]
pub struct Service {
    /// What requests are judged and answered by.
    pub live: ArcSwap<Live>,
    /// What is counted.
    pub metrics: Metrics,
    is_draining: AtomicBool,
}

impl Service {
    /// A service that serves.
    #[must_use]
    pub fn new(live: Arc<Live>, metrics: Metrics) -> Self {
        Self {
            live: ArcSwap::new(live),
            metrics,
            is_draining: AtomicBool::new(false),
        }
    }

    /// Turns `/readyz`: the service is about to stop.
    pub fn start_draining(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether the service is about to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// What is lacking for the service to be ready, by name.
    #[must_use]
    pub fn lacking(&self) -> Vec<String> {
        let mut lacking = Vec::new();
        if self.is_draining() {
            lacking.push("draining".to_owned());
        }
        let live = self.live.load();
        if live.gate.issuer.keys.keys().is_empty() {
            lacking.push(format!("issuer.{}", live.gate.issuer.name));
        }
        if crate::clock::Timestamp::now() < crate::clock::Timestamp::YEAR_2020 {
            lacking.push("clock".to_owned());
        }
        lacking
    }
}
