//! Decisions on this thread, without HTTP.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::gate::{Refusal, State, decide};
use crate::jose::{Algorithm, Compact, base64url};

use super::subject::Subject;

/// How many decisions a second.
pub(super) struct Decisions {
    /// On a token that was never seen.
    pub(super) first: f64,
    /// On one that the cache knows.
    pub(super) again: f64,
}

/// The same for a fresh key of an algorithm, beside the raw signature check.
pub(super) struct Row {
    pub(super) algorithm: Algorithm,
    pub(super) raw: f64,
    pub(super) decisions: Decisions,
}

impl Row {
    pub(super) fn measure(algorithm: Algorithm, span: Duration) -> anyhow::Result<Self> {
        let subject = Subject::plain(algorithm)?;
        let parts =
            Compact::split(subject.token.as_bytes()).ok_or_else(|| anyhow!("a bad token"))?;
        let signature = base64url::decode(parts.signature)?;
        let keys = subject.gate.issuers.all().first();
        let key = keys.and_then(|issuer| issuer.keys.keys().first());
        let key = key.ok_or_else(|| anyhow!("no key"))?;
        let raw = rate(span, || {
            key.verifies(algorithm, parts.signing_input, &signature)
        });
        Ok(Self {
            algorithm,
            raw,
            decisions: Decisions::measure(&subject, span)?,
        })
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "algorithm": self.algorithm.name(),
            "raw_checks_per_second": self.raw,
            "decisions_per_second": self.decisions.json(),
        })
    }
}

impl Decisions {
    pub(super) fn measure(subject: &Subject, span: Duration) -> anyhow::Result<Self> {
        let given = subject.asked();
        let request = given.view()?;
        let now = Timestamp::now();
        // A token that was never seen costs all that it costs where nothing is kept.
        let keeping_nothing = State {
            cache: None,
            ..subject.gate.clone()
        };
        if let Err(halt) = decide(&subject.gate, &request, now).outcome {
            bail!("{}", refused(halt.refusal()));
        }
        let passes = |state| decide(state, black_box(&request), now).outcome.is_ok();
        Ok(Self {
            first: rate(span, || passes(&keeping_nothing)),
            again: rate(span, || passes(&subject.gate)),
        })
    }

    pub(super) fn json(&self) -> Value {
        json!({"first_time": self.first, "seen_before": self.again})
    }
}

/// Only what passes is measured.
fn refused(refusal: &Refusal) -> String {
    let reason = refusal.reason();
    format!(
        "the request is refused, so there is nothing to measure: {} ({})\n  hint: name a URL that may be asked for with --url, and give a token that passes with --token-file; `jwtgate explain` tells more",
        reason.code(),
        reason.hint()
    )
}

/// How often in a second `work` can be done. Every run must succeed, or the figure is that of a failure.
#[expect(clippy::cast_precision_loss, reason = "a rate is shown rounded")]
fn rate(span: Duration, mut work: impl FnMut() -> bool) -> f64 {
    const BATCH: u64 = 16;
    let began = Instant::now();
    let mut done = 0_u64;
    loop {
        for _ in 0..BATCH {
            if !black_box(work()) {
                return 0.0;
            }
        }
        done += BATCH;
        let took = began.elapsed();
        if took >= span {
            return done as f64 / took.as_secs_f64();
        }
    }
}
