//! Metrics, in the Prometheus text format. Labels come from closed sets only: no user, path or `kid` is ever one.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Registry, Unit};

use crate::config::TokenSource;
use crate::reason::Reason;

use super::histogram::Histogram;
use super::key_metrics::{KeyFacts, encode_keys};
use super::rule_metrics::RuleMetrics;

/// The labels of a decision.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decision {
    result: &'static str,
    reason: &'static str,
    issuer: String,
    source: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NotAnswered {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reload {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// The state of the cache of verified tokens at a scrape.
#[derive(Clone, Copy, Debug, Default)]
pub struct CacheFacts {
    /// Entries.
    pub entries: u64,
    /// Bytes, about.
    pub bytes: u64,
    /// Entries that were pushed out for want of room.
    pub evictions: u64,
}

/// What came of a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// The new configuration is in use.
    Applied,
    /// It has faults, and the old one is in use.
    Refused,
}

/// Asks the running service for what is counted elsewhere.
pub trait Facts: std::fmt::Debug + Send + Sync + 'static {
    /// The cache.
    fn cache(&self) -> CacheFacts;
    /// The keys of each issuer.
    fn keys(&self) -> Vec<KeyFacts>;
    /// How many requests wait for a key.
    fn waiting(&self) -> usize;
    /// Log lines that were dropped.
    fn dropped_log_lines(&self) -> u64;
}

/// Every metric of the service. Recording takes no lock on the path of a request that passes. A clone counts for the same service.
#[derive(Clone, Debug)]
pub struct Metrics {
    decisions: Family<Decision, Counter>,
    anonymous: Counter,
    /// Decisions by rules.
    pub rules: RuleMetrics,
    duration: Arc<Histogram>,
    cache_hits: Arc<AtomicU64>,
    cache_misses: Arc<AtomicU64>,
    not_answered: Family<NotAnswered, Counter>,
    panics: Counter,
    together: Counter,
    reloads: Family<Reload, Counter>,
    reload_failed: Gauge,
    registry: Arc<Mutex<Registry>>,
}

/// The counters of requests that pass, resolved once so that counting is one atomic addition.
#[derive(Clone, Debug)]
pub struct AllowCounters([(TokenSource, Counter); 3]);

/// How a decision ended, for the `result` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The request may pass.
    Allow,
    /// It may not.
    Deny,
    /// The person is sent to sign in.
    SignIn,
    /// It cannot be decided now.
    Unavailable,
}

impl Ending {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::SignIn => "sign_in",
            Self::Unavailable => "unavailable",
        }
    }
}

const SOURCES: [TokenSource; 3] = [TokenSource::Header, TokenSource::Cookie, TokenSource::Query];
const NONE: &str = "none";

const fn source_label(source: TokenSource) -> &'static str {
    match source {
        TokenSource::Header => "header",
        TokenSource::Cookie => "cookie",
        TokenSource::Query => "query",
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("jwtgate");
        let decisions = Family::<Decision, Counter>::default();
        registry.register(
            "decisions",
            "Decisions, by result, reason, issuer and where the token stood",
            decisions.clone(),
        );
        let anonymous = decisions.get_or_create_owned(&Decision {
            result: Ending::Allow.label(),
            reason: NONE,
            issuer: NONE.to_owned(),
            source: NONE,
        });
        let rules = RuleMetrics::register(&mut registry);
        let duration = Arc::new(Histogram::default());
        registry.register_with_unit(
            "decision_duration",
            "How long decisions took, from the parsed request to the answer",
            Unit::Seconds,
            SharedHistogram(Arc::clone(&duration)),
        );
        let not_answered = Family::<NotAnswered, Counter>::default();
        registry.register(
            "upstream_failures",
            "Requests that passed and that the application of [upstream] did not answer, by reason",
            not_answered.clone(),
        );
        let mut counter = |name, help| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let panics = counter("panics", "Requests that failed inside; each is a bug");
        let together = counter(
            "signatures_checked_together",
            "RSA signatures that were judged with others of the same turn: from five of a key on, eight at once",
        );
        let reloads = reloads(&mut registry);
        let reload_failed = Gauge::default();
        registry.register(
            "config_reload_failed",
            "1 while the configuration on disk has faults and an older one is in use",
            reload_failed.clone(),
        );
        registry.register("build_info", "The running version", build());
        Self {
            decisions,
            anonymous,
            rules,
            duration,
            cache_hits: Arc::default(),
            cache_misses: Arc::default(),
            not_answered,
            panics,
            together,
            reloads,
            reload_failed,
            registry: Arc::new(Mutex::new(registry)),
        }
    }
}

fn build() -> Family<Build, Gauge> {
    let build = Family::<Build, Gauge>::default();
    let version = env!("CARGO_PKG_VERSION");
    build.get_or_create(&Build { version }).set(1);
    build
}

fn reloads(registry: &mut Registry) -> Family<Reload, Counter> {
    let reloads = Family::<Reload, Counter>::default();
    registry.register(
        "config_reloads",
        "Reloads of the configuration, by result",
        reloads.clone(),
    );
    for result in ["applied", "refused"] {
        let _ = reloads.get_or_create_owned(&Reload { result });
    }
    reloads
}

impl Metrics {
    /// Adds what is counted elsewhere. Call it once, before the service starts.
    pub fn register_facts(&self, facts: Arc<dyn Facts>) {
        let collector = FactsCollector {
            facts,
            hits: Arc::clone(&self.cache_hits),
            misses: Arc::clone(&self.cache_misses),
        };
        self.registry().register_collector(Box::new(collector));
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters of requests that pass with a token of this issuer.
    #[must_use]
    pub fn allow_counters(&self, issuer: &str) -> AllowCounters {
        AllowCounters(SOURCES.map(|source| {
            let counter = self.decisions.get_or_create_owned(&Decision {
                result: Ending::Allow.label(),
                reason: NONE,
                issuer: issuer.to_owned(),
                source: source_label(source),
            });
            (source, counter)
        }))
    }

    /// Records a request that may pass.
    pub fn allowed(&self, counters: &AllowCounters, source: TokenSource, took: Duration) {
        if let Some((_, counter)) = counters.0.iter().find(|(own, _)| *own == source) {
            counter.inc();
        }
        self.duration.observe(took);
    }

    /// Records a request that may pass without a token.
    pub fn allowed_anonymous(&self, took: Duration) {
        self.anonymous.inc();
        self.duration.observe(took);
    }

    /// Records a request that may not pass.
    pub fn refused(
        &self,
        ending: Ending,
        reason: Reason,
        issuer: Option<&str>,
        source: Option<TokenSource>,
        took: Duration,
    ) {
        self.decisions
            .get_or_create(&Decision {
                result: ending.label(),
                reason: reason.code(),
                issuer: issuer.unwrap_or(NONE).to_owned(),
                source: source.map_or(NONE, source_label),
            })
            .inc();
        self.duration.observe(took);
    }

    /// Records a request that passed and that the application did not answer.
    pub fn not_answered(&self, reason: Reason) {
        let reason = reason.code();
        self.not_answered
            .get_or_create_owned(&NotAnswered { reason })
            .inc();
    }

    /// Records how the cache answered.
    pub fn looked_up(&self, is_hit: bool) {
        let counter = if is_hit {
            &self.cache_hits
        } else {
            &self.cache_misses
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Records a reload.
    pub fn reloaded(&self, result: Reloaded) {
        let (label, failed) = match result {
            Reloaded::Applied => ("applied", 0),
            Reloaded::Refused => ("refused", 1),
        };
        self.reloads
            .get_or_create_owned(&Reload { result: label })
            .inc();
        self.reload_failed.set(failed);
    }

    /// Records that so many signatures were checked together.
    pub fn checked_together(&self, count: usize) {
        self.together
            .inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Records a panic that was caught.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// All metrics in the Prometheus text format, version 0.0.4.
    ///
    /// # Errors
    /// Formatting failed, which is a bug.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry())?;
        Ok(as_prometheus_text(&text))
    }
}

/// The library writes OpenMetrics, where a counter's family has no `_total` and units stand on lines of their own. Scrapers and
/// linters of the older text format want the family named as the sample.
fn as_prometheus_text(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len() + 256);
    let counters: Vec<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        let is_comment = words.next() == Some("#");
        match (is_comment, words.next(), words.next(), words.next()) {
            (true, Some("EOF" | "UNIT"), _, _) => {}
            (true, Some(kind), Some(name), Some(rest)) if counters.contains(&name) => {
                let _ = writeln!(text, "# {kind} {name}_total {rest}");
            }
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[derive(Debug)]
struct SharedHistogram(Arc<Histogram>);

impl prometheus_client::encoding::EncodeMetric for SharedHistogram {
    fn encode(
        &self,
        encoder: prometheus_client::encoding::MetricEncoder,
    ) -> Result<(), std::fmt::Error> {
        self.0.encode(encoder)
    }

    fn metric_type(&self) -> prometheus_client::metrics::MetricType {
        self.0.metric_type()
    }
}

#[derive(Debug)]
struct FactsCollector {
    facts: Arc<dyn Facts>,
    hits: Arc<AtomicU64>,
    misses: Arc<AtomicU64>,
}

impl Collector for FactsCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let cache = self.facts.cache();
        let counters = [
            (
                "cache_hits",
                "Tokens that the cache knew",
                self.hits.load(Ordering::Relaxed),
            ),
            (
                "cache_misses",
                "Tokens that the cache did not know",
                self.misses.load(Ordering::Relaxed),
            ),
            (
                "cache_evictions",
                "Tokens that the cache pushed out for want of room",
                cache.evictions,
            ),
            (
                "log_lines_dropped",
                "Log lines that could not be written",
                self.facts.dropped_log_lines(),
            ),
        ];
        for (name, help, value) in counters {
            let metric = ConstCounter::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        let gauges = [
            ("cache_entries", "Tokens in the cache", None, cache.entries),
            (
                "cache_size",
                "Memory of the tokens in the cache, about",
                Some(&Unit::Bytes),
                cache.bytes,
            ),
            (
                "key_waiters",
                "Requests that wait for a key to be fetched",
                None,
                u64::try_from(self.facts.waiting()).unwrap_or(u64::MAX),
            ),
        ];
        for (name, help, unit, value) in gauges {
            let metric = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            metric.encode(encoder.encode_descriptor(name, help, unit, metric.metric_type())?)?;
        }
        encode_keys(&self.facts.keys(), &mut encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_as_their_samples() {
        let metrics = Metrics::default();
        let counters = metrics.allow_counters("default");
        metrics.allowed(&counters, TokenSource::Header, Duration::from_micros(3));
        metrics.refused(
            Ending::Deny,
            Reason::TokenExpired,
            None,
            Some(TokenSource::Cookie),
            Duration::from_secs(5),
        );
        let text = metrics.render().unwrap();
        for line in [
            "# TYPE jwtgate_decisions_total counter",
            r#"jwtgate_decisions_total{result="allow",reason="none",issuer="default",source="header"} 1"#,
            r#"jwtgate_decisions_total{result="deny",reason="token.expired",issuer="none",source="cookie"} 1"#,
            r#"jwtgate_decision_duration_seconds_bucket{le="0.000005"} 1"#,
            r#"jwtgate_decision_duration_seconds_bucket{le="+Inf"} 2"#,
            "jwtgate_decision_duration_seconds_count 2",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("EOF"));
    }
}
