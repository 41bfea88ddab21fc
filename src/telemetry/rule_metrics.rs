//! What is counted of rules. Their names come from the configuration, so the labels are a closed set.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::metrics::Ending;

/// The labels of a decision by a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decision {
    rule: String,
    result: &'static str,
}

/// The labels of a request that the shadow rules would have treated otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Difference {
    rule: String,
    would: &'static str,
}

/// What is counted of rules. A clone counts for the same service.
#[derive(Clone, Debug, Default)]
pub struct RuleMetrics {
    decisions: Family<Decision, Counter>,
    differences: Family<Difference, Counter>,
}

/// The counter of requests that a rule lets pass, resolved once so that counting is one atomic addition.
#[derive(Clone, Debug)]
pub struct RuleCounter(Counter);

impl RuleMetrics {
    /// Registers them.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "rule_decisions",
            "Decisions by rules, by rule and result",
            metrics.decisions.clone(),
        );
        registry.register(
            "shadow_differences",
            "Requests that the shadow rules would have treated otherwise, by the shadow rule that would have decided",
            metrics.differences.clone(),
        );
        metrics
    }

    /// The counter of requests that a rule lets pass.
    #[must_use]
    pub fn counter(&self, rule: &str) -> RuleCounter {
        RuleCounter(self.decision(rule, Ending::Allow))
    }

    /// Records a request that does not pass by a rule.
    pub fn refused(&self, rule: &str, ending: Ending) {
        self.decision(rule, ending).inc();
    }

    fn decision(&self, rule: &str, ending: Ending) -> Counter {
        self.decisions.get_or_create_owned(&Decision {
            rule: rule.to_owned(),
            result: ending.label(),
        })
    }

    /// Records a request that the shadow rules would have treated otherwise.
    pub fn differed(&self, rule: &str, would_pass: bool) {
        let would = if would_pass {
            Ending::Allow
        } else {
            Ending::Deny
        };
        self.differences
            .get_or_create_owned(&Difference {
                rule: rule.to_owned(),
                would: would.label(),
            })
            .inc();
    }
}

impl RuleCounter {
    /// Records a request that the rule lets pass.
    pub fn allowed(&self) {
        self.0.inc();
    }
}
