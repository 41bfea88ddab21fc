//! `jwtgate bench`: what this machine does, on one core: the raw signature check beside a whole decision.

use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use crate::app;
use crate::clock::Timestamp;
use crate::config::{Config, Secret, TokenSource};
use crate::gate::{self, Credential, State, verify};
use crate::jose::signing_key::{PrivateKey, SigningKey};
use crate::jose::{Algorithm, Compact, Family, HmacSecret, base64url, jwk};
use crate::request::RawToken;

use super::{Exit, print};

/// Measure this machine: raw cryptography and decisions a second, on one core.
///
/// Beside the raw signature check stand a decision on a token that was never seen, with everything but the cache, and one on a token
/// that the cache knows.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate bench\n  jwtgate bench --algorithm RS256 --algorithm ES256 --seconds 1 --json\n\nFigures are decisions a second. A busy machine gives lower ones; run it twice.\n\nExit codes: 0 measured, 2 not."
)]
pub(super) struct Arguments {
    /// The algorithms to measure. Without it: all.
    #[arg(long, short, value_name = "ALG", value_parser = super::mint::algorithm)]
    algorithm: Vec<Algorithm>,
    /// How long each measurement takes.
    #[arg(long, default_value_t = 0.3, value_name = "SECONDS", value_parser = seconds)]
    seconds: f64,
    /// Print a JSON list.
    #[arg(long)]
    json: bool,
}

struct Row {
    algorithm: Algorithm,
    raw: f64,
    first: f64,
    again: f64,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let algorithms = if arguments.algorithm.is_empty() {
        Algorithm::all().collect()
    } else {
        arguments.algorithm.clone()
    };
    let span = Duration::from_secs_f64(arguments.seconds);
    if !arguments.json {
        print::data(format_args!(
            "{:<8} {:>14} {:>16} {:>14} {:>10}",
            "", "raw check/s", "first time/s", "seen before/s", "first/raw"
        ));
    }
    let mut rows = Vec::new();
    for algorithm in algorithms {
        let row = measure(algorithm, span)?;
        if !arguments.json {
            print::data(format_args!(
                "{:<8} {:>14.0} {:>16.0} {:>14.0} {:>10.2}",
                algorithm.name(),
                row.raw,
                row.first,
                row.again,
                row.raw / row.first
            ));
        }
        rows.push(row);
    }
    if arguments.json {
        let list: Vec<_> = rows
            .iter()
            .map(|row| {
                json!({
                    "algorithm": row.algorithm.name(),
                    "raw_checks_per_second": row.raw,
                    "first_time_decisions_per_second": row.first,
                    "seen_before_decisions_per_second": row.again,
                })
            })
            .collect();
        print::data(serde_json::Value::from(list));
    }
    Ok(Exit::Fine)
}

fn measure(algorithm: Algorithm, span: Duration) -> anyhow::Result<Row> {
    let (state, token) = subject(algorithm)?;
    let now = Timestamp::now();
    let raw_token = RawToken::new(token.as_bytes());
    let parts = Compact::split(token.as_bytes()).ok_or_else(|| anyhow::anyhow!("a bad token"))?;
    let signature = base64url::decode(parts.signature)?;
    let key = state
        .issuers
        .all()
        .first()
        .and_then(|issuer| issuer.keys.keys().first())
        .ok_or_else(|| anyhow::anyhow!("no key"))?;
    let credential = Credential::new(raw_token, TokenSource::Header);
    Ok(Row {
        algorithm,
        raw: rate(span, || {
            key.verifies(algorithm, parts.signing_input, &signature)
        }),
        first: rate(span, || verify::verify(&state, raw_token, now).is_ok()),
        again: rate(span, || gate::admit(&state, credential, now).is_ok()),
    })
}

fn seconds(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|seconds| (0.01..=60.0).contains(seconds))
        .ok_or("a number from 0.01 to 60")
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

/// A gate with one fresh key, and a token of usual size for it.
fn subject(algorithm: Algorithm) -> anyhow::Result<(State, String)> {
    let (signing, set) = if algorithm.family() == Family::Hmac {
        let mut bytes = vec![0; 64];
        aws_lc_rs::rand::fill(&mut bytes)?;
        let secret = HmacSecret::new(bytes).ok_or_else(|| anyhow::anyhow!("an empty secret"))?;
        let set = jwk::secret_to_json(&secret, "bench", algorithm);
        (SigningKey::from_secret(&secret, Some(algorithm))?, set)
    } else {
        let private = PrivateKey::generate(algorithm.family(), 2048)?;
        let set = jwk::to_json(private.public(), "bench", algorithm);
        (SigningKey::from_private(&private, Some(algorithm))?, set)
    };
    let now = Timestamp::now().seconds();
    let groups: Vec<_> = (0..20)
        .map(|index| format!("department-{index:02}-of-the-company"))
        .collect();
    let claims = json!({
        "iss": "https://idp.example.com/realms/main", "aud": "https://app.example.com/",
        "sub": "00u1a2b3c4d5e6f7g8h9", "username": "alice", "email": "alice@example.com",
        "iat": now, "exp": now + 3600, "groups": groups,
    });
    let config = Config {
        jwks: Some(Secret::from(json!({ "keys": [set] }).to_string().as_str())),
        expected_audience: "https://app.example.com/".into(),
        expected_issuer: "https://idp.example.com/realms/main".into(),
        ..Config::default()
    };
    let (state, _, faults) = app::compile_gate(&config, Timestamp::now());
    let Some(state) = state else {
        anyhow::bail!("{faults:?}");
    };
    Ok((state, signing.sign(Some("bench"), "JWT", &claims)?))
}
