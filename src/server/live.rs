//! What a worker holds: the service's parts that outlive a request, and the one value that each request loads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::header::{HeaderName, HeaderValue};
use arc_swap::ArcSwap;
use bytes::Bytes;

use crate::config::{Config, Fault, OriginalRequestHeader};
use crate::gate::State;
use crate::gate::issuers::Supply;
use crate::keys::{IssuerId, KeySet, Keyring};
use crate::login::ReturnPolicy;
use crate::policy::Rules;
use crate::reason::Reason;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::AllowCounters;
use crate::telemetry::rule_metrics::RuleCounter;

#[cfg(feature = "ext-authz")]
use super::ext_authz::metadata::MetadataRules;
use super::introspection::Introspection;
use super::tls::Tls;
use super::trust::Trust;
use super::upstream::UpstreamRules;

/// Everything that a request is judged and answered by. It is replaced as a whole: settings, keys and cache together. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Live {
    /// What the gate decides by.
    pub gate: State,
    /// Where people are sent.
    pub returns: Arc<ReturnPolicy>,
    /// Who is believed.
    pub trust: Arc<Trust>,
    /// Which of nginx's headers names the original URL.
    pub original_request: Option<OriginalRequestHeader>,
    /// The largest header block, in bytes.
    pub max_header_bytes: usize,
    /// The names of the identity headers, in the order of the gate's values.
    pub identity_headers: Arc<[HeaderName]>,
    /// The header that carries the signed identity, where there is one.
    pub signed_header: Option<HeaderName>,
    /// What Envoy gets beside a request that passes.
    #[cfg(feature = "ext-authz")]
    pub metadata: MetadataRules,
    /// What of a client's request is not passed on to the application.
    pub upstream: UpstreamRules,
    /// Who may ask about tokens.
    pub introspection: Introspection,
    /// `WWW-Authenticate` in its forms.
    pub challenges: Challenges,
    /// Counters of requests that pass, in the order of the gate's issuers.
    pub allow_counters: Arc<[AllowCounters]>,
    /// Counters of requests that pass by a rule, in the order of the rules.
    pub rule_counters: Arc<[RuleCounter]>,
}

/// The challenges of RFC 6750 §3, ready to send.
#[derive(Clone, Debug)]
pub struct Challenges {
    /// No token was sent: no error code.
    pub no_token: Bytes,
    /// The token is not good.
    pub invalid_token: Bytes,
    /// The credentials are ambiguous.
    pub invalid_request: Bytes,
    /// The token lacks a scope.
    pub insufficient_scope: Bytes,
    /// A client must say who it is (RFC 7617).
    pub basic: Bytes,
    /// The person must sign in again (RFC 9470 §3), without how.
    pub insufficient_authentication: Bytes,
}

impl Challenges {
    /// Builds the challenges for a realm.
    ///
    /// # Errors
    /// The realm holds what no header may.
    pub fn new(realm: &str) -> Result<Self, Fault> {
        // RFC 9110 §5.6.4: a quoted string escapes these two.
        let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
        let challenge_by = |scheme: &str, error: &str| {
            let text = format!("{scheme} realm=\"{quoted}\"{error}");
            let is_fit = HeaderValue::from_str(&text).is_ok();
            is_fit.then(|| Bytes::from(text)).ok_or_else(|| {
                Fault::new(
                    "server.realm",
                    format!("{realm:?}"),
                    "text without control characters",
                    "a name for what is protected, such as `jwtgate` or `intranet`",
                )
            })
        };
        let challenge = |error: &str| challenge_by("Bearer", error);
        Ok(Self {
            basic: challenge_by("Basic", "")?,
            no_token: challenge("")?,
            invalid_token: challenge(", error=\"invalid_token\"")?,
            invalid_request: challenge(", error=\"invalid_request\"")?,
            insufficient_scope: challenge(", error=\"insufficient_scope\"")?,
            insufficient_authentication: challenge(", error=\"insufficient_user_authentication\"")?,
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
        #[cfg(feature = "ext-authz")]
        let metadata = {
            let (metadata, found) = MetadataRules::compile(&config.ext_authz);
            faults.extend(found);
            metadata
        };
        let (upstream, found) = UpstreamRules::compile(config);
        faults.extend(found);
        let (introspection, found) = Introspection::compile(config);
        faults.extend(found);
        let names = gate.headers.names().map(|name| {
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
        let issuers = gate.issuers.all().iter();
        let allow_counters = issuers
            .map(|issuer| metrics.allow_counters(&issuer.name))
            .collect();
        // A name that is none has been told by the gate.
        let signed_header = gate.signer.as_ref().map(|signer| signer.header());
        let signed_header = signed_header.and_then(|name| HeaderName::try_from(name).ok());
        let rules = gate.policy.rules.iter().flat_map(Rules::all);
        let rule_counters = rules
            .map(|rule| metrics.rules.counter(rule.name()))
            .collect();
        let live = Self {
            gate,
            returns: Arc::new(returns),
            trust: Arc::new(trust),
            original_request: config.server.original_request,
            max_header_bytes: usize::try_from(config.server.max_header_bytes).unwrap_or(usize::MAX),
            identity_headers: identity_headers.into(),
            signed_header,
            #[cfg(feature = "ext-authz")]
            metadata,
            upstream,
            introspection,
            challenges,
            allow_counters,
            rule_counters,
        };
        (Some(live), faults)
    }

    /// The same with other keys for one issuer; `None` when it is not among its issuers.
    #[must_use]
    pub fn with_keys(&self, id: IssuerId, keys: &KeySet) -> Option<Self> {
        Some(Self {
            gate: self.gate.with_keys(id, keys)?,
            ..self.clone()
        })
    }
}

/// What every worker shares.
#[derive(Debug)]
pub struct Service {
    /// What requests are judged and answered by.
    pub live: Arc<ArcSwap<Live>>,
    /// What keeps the keys of issuers current, and those who wait for one.
    pub keyring: Arc<Keyring>,
    /// What is counted.
    pub metrics: Metrics,
    /// The certificate of `tls:` addresses, where there are any.
    pub tls: Option<Tls>,
    is_draining: AtomicBool,
}

impl Service {
    /// A service that serves.
    #[must_use]
    pub fn new(
        live: Arc<ArcSwap<Live>>,
        keyring: Arc<Keyring>,
        metrics: Metrics,
        tls: Option<Tls>,
    ) -> Self {
        Self {
            live,
            keyring,
            metrics,
            tls,
            is_draining: AtomicBool::new(false),
        }
    }

    /// Whether somebody may ask on a listener for proxies alone. Who may not is told in the log, once for each connection.
    #[must_use]
    pub fn admits(&self, peer: Option<SocketAddr>, listener: &str) -> bool {
        let is_trusted = self.live.load().trust.covers(peer);
        if !is_trusted {
            let peer = peer.map_or_else(|| "unix".to_owned(), |peer| peer.ip().to_string());
            tracing::info!(
                reason.code = Reason::ProxyUntrusted.code(),
                listener,
                hint = format!("add `{peer}` to `server.trusted_proxies` if this is your proxy"),
                "refused"
            );
        }
        is_trusted
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
        // Keys that are fetched by their name come with the first token.
        let without_keys = live
            .gate
            .issuers
            .all()
            .iter()
            .filter(|issuer| issuer.supply != Supply::ByKid && issuer.keys.keys().is_empty());
        lacking.extend(without_keys.map(|issuer| format!("issuer.{}", issuer.name)));
        if crate::clock::Timestamp::now() < crate::clock::Timestamp::YEAR_2020 {
            lacking.push("clock".to_owned());
        }
        lacking
    }
}

/// Gives an issuer other keys. Requests in flight are answered by the old ones.
pub fn install(live: &ArcSwap<Live>, id: IssuerId, keys: &KeySet) {
    // A reload that came first has other issuers: then there is nothing to do.
    live.rcu(|live| {
        live.with_keys(id, keys)
            .map_or_else(|| Arc::clone(live), Arc::new)
    });
}
