//! Metrics of keys: how many there are, how old they are, what came of fetches.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Unit;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfIssuer {
    issuer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FetchResult {
    issuer: String,
    result: &'static str,
}

/// The keys of an issuer at a scrape.
#[derive(Clone, Debug)]
pub struct KeyFacts {
    /// The issuer's name in the configuration.
    pub issuer: String,
    /// Its usable keys.
    pub keys: usize,
    /// How many of them check RSA signatures with AVX-512 IFMA.
    pub ifma_keys: usize,
    /// How long ago they were known to be current, where they are fetched.
    pub age: Option<Duration>,
    /// Fetches that succeeded and that failed, where they are fetched.
    pub fetches: Option<(u64, u64)>,
}

/// Writes them for each issuer.
pub(super) fn encode_keys(
    all: &[KeyFacts],
    encoder: &mut DescriptorEncoder,
) -> Result<(), std::fmt::Error> {
    let keys = Family::<OfIssuer, Gauge>::default();
    let with_ifma = Family::<OfIssuer, Gauge>::default();
    let ages = Family::<OfIssuer, Gauge<f64, AtomicU64>>::default();
    let fetches = Family::<FetchResult, Counter>::default();
    for facts in all {
        let issuer = || facts.issuer.clone();
        keys.get_or_create(&OfIssuer { issuer: issuer() })
            .set(i64::try_from(facts.keys).unwrap_or(i64::MAX));
        with_ifma
            .get_or_create(&OfIssuer { issuer: issuer() })
            .set(i64::try_from(facts.ifma_keys).unwrap_or(i64::MAX));
        if let Some(age) = facts.age {
            ages.get_or_create(&OfIssuer { issuer: issuer() })
                .set(age.as_secs_f64());
        }
        if let Some((succeeded, failed)) = facts.fetches {
            for (result, count) in [("ok", succeeded), ("failed", failed)] {
                let labels = FetchResult {
                    issuer: issuer(),
                    result,
                };
                fetches.get_or_create(&labels).inc_by(count);
            }
        }
    }
    keys.encode(encoder.encode_descriptor(
        "keys",
        "Usable keys, by issuer",
        None,
        keys.metric_type(),
    )?)?;
    with_ifma.encode(encoder.encode_descriptor(
        "keys_with_avx512_ifma",
        "Those of the usable keys whose RSA signatures are checked with AVX-512 IFMA, and not by the crypto library; by issuer",
        None,
        with_ifma.metric_type(),
    )?)?;
    ages.encode(encoder.encode_descriptor(
        "keys_age",
        "How long ago fetched keys were known to be current, by issuer: an alarm belongs here",
        Some(&Unit::Seconds),
        ages.metric_type(),
    )?)?;
    fetches.encode(encoder.encode_descriptor(
        "key_fetches",
        "Fetches of keys, by issuer and result",
        None,
        fetches.metric_type(),
    )?)
}
