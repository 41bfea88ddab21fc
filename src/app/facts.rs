//! What is counted elsewhere, for the metrics.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::keys::Keyring;
use crate::keys::known::Known;
use crate::server::Live;
use crate::telemetry::key_metrics::KeyFacts;
use crate::telemetry::metrics::{CacheFacts, Facts};

/// The running service, as the metrics ask it.
pub(super) struct RunningFacts {
    pub(super) live: Arc<ArcSwap<Live>>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) dropped_log_lines: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl std::fmt::Debug for RunningFacts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RunningFacts")
            .finish_non_exhaustive()
    }
}

impl Facts for RunningFacts {
    fn cache(&self) -> CacheFacts {
        let live = self.live.load();
        let cache = live.gate.cache.as_ref();
        cache.map_or_else(CacheFacts::default, |cache| CacheFacts {
            entries: cache.entries(),
            bytes: cache.bytes(),
            evictions: cache.evictions(),
        })
    }

    fn keys(&self) -> Vec<KeyFacts> {
        let live = self.live.load();
        let issuers = live.gate.issuers.all().iter();
        issuers
            .map(|issuer| {
                let known = self.keyring.shared(issuer.id).map(|shared| shared.known());
                let record = known.as_ref().map(|known| &known.record);
                KeyFacts {
                    issuer: issuer.name.to_string(),
                    keys: issuer.keys.keys().len(),
                    ifma_keys: issuer.keys.with_ifma(),
                    fetches: record.map(|record| (record.succeeded, record.failed)),
                    age: known.as_ref().and_then(Known::age),
                }
            })
            .collect()
    }

    fn waiting(&self) -> usize {
        self.keyring.waiting()
    }

    fn dropped_log_lines(&self) -> u64 {
        (self.dropped_log_lines)()
    }
}
