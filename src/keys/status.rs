//! How it stands with the keys of an issuer, for people and scripts.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::jose::VerifyingKey;

use super::known::Known;
use super::refresh::shown;
use super::remote::{Origin, Remote};
use super::set::KeySet;

/// How it stands with the keys of an issuer.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Status {
    /// The issuer's name in the configuration.
    pub issuer: String,
    /// In a word.
    pub state: StateWord,
    /// What kind of source it is.
    pub source: String,
    /// Where keys are fetched from, as far as that is known.
    pub urls: Vec<String>,
    /// The usable keys.
    pub keys: Vec<KeyStatus>,
    /// What was left out of the documents or is odd in them, and why.
    pub notes: Vec<String>,
    /// What went wrong in the last fetch.
    pub errors: Vec<String>,
    /// How many seconds ago the keys were known to be current.
    pub age_seconds: Option<u64>,
    /// In how many seconds they are asked for again.
    pub next_fetch_in_seconds: Option<u64>,
    /// In how many seconds they are too old to be used, if nothing newer comes.
    pub unusable_in_seconds: Option<u64>,
    /// Fetches that succeeded.
    pub fetches_succeeded: Option<u64>,
    /// Fetches that failed.
    pub fetches_failed: Option<u64>,
}

/// How it stands, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StateWord {
    /// The keys stand in the configuration or in a file.
    Local,
    /// They were fetched, and the last fetch was good.
    Current,
    /// They were fetched, and the last fetch was not good: older ones serve.
    Stale,
    /// There are none.
    Lacking,
    /// Each is fetched when a token names it; none has been so far.
    Waiting,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct KeyStatus {
    /// Its name.
    pub kid: Option<String>,
    /// Its type.
    pub kind: String,
    /// What it may check.
    pub algorithms: Vec<String>,
    /// Its RFC 7638 thumbprint.
    pub thumbprint: String,
    /// What checks its signatures: `aws-lc`, or `avx512-ifma` for RSA keys where the machine has the instructions.
    #[serde(default)]
    pub checked_by: String,
}

impl KeyStatus {
    fn of(key: &VerifyingKey) -> Self {
        let is_secret = key.family() == crate::jose::Family::Hmac;
        Self {
            kid: key.kid().map(str::to_owned),
            kind: key.family().name().to_owned(),
            algorithms: key
                .algorithms()
                .map(|algorithm| algorithm.name().to_owned())
                .collect(),
            checked_by: if key.has_ifma() {
                "avx512-ifma"
            } else {
                "aws-lc"
            }
            .to_owned(),
            // That of a secret would let anybody try guesses against it.
            thumbprint: if is_secret {
                String::new()
            } else {
                key.thumbprint().to_owned()
            },
        }
    }
}

impl Status {
    /// Of an issuer whose keys are here.
    #[must_use]
    pub fn local(issuer: &str, keys: &KeySet) -> Self {
        Self {
            issuer: issuer.to_owned(),
            state: StateWord::Local,
            source: "configuration".to_owned(),
            urls: Vec::new(),
            keys: keys.keys().iter().map(|key| KeyStatus::of(key)).collect(),
            notes: Vec::new(),
            errors: Vec::new(),
            age_seconds: None,
            next_fetch_in_seconds: None,
            unusable_in_seconds: None,
            fetches_succeeded: None,
            fetches_failed: None,
        }
    }

    /// Of an issuer whose keys are fetched, while a reload is replacing who does that.
    #[must_use]
    pub fn reloading(issuer: &str, keys: &KeySet) -> Self {
        let state = if keys.keys().is_empty() {
            StateWord::Lacking
        } else {
            StateWord::Current
        };
        Self {
            state,
            source: "a reload is under way".to_owned(),
            ..Self::local(issuer, keys)
        }
    }

    /// Of an issuer whose keys are fetched.
    #[must_use]
    pub fn fetched(remote: &Remote, known: &Known) -> Self {
        let record = &known.record;
        let keys = known.key_set();
        let (source, urls) = match &remote.origin {
            Origin::Metadata { places, .. } => {
                let jwks_uri = known
                    .metadata
                    .as_ref()
                    .map(|(metadata, _)| &metadata.jwks_uri);
                let asked: Vec<_> = match jwks_uri {
                    Some(jwks_uri) => vec![shown(jwks_uri)],
                    // Keys that a file kept say where they came from.
                    None if !known.holdings.is_empty() => {
                        known.holdings.iter().map(|held| shown(&held.url)).collect()
                    }
                    None => places.iter().map(shown).collect(),
                };
                ("metadata", asked)
            }
            Origin::Sets(urls) => ("key sets", urls.iter().map(shown).collect()),
            Origin::ByKid(template) => {
                let (address, _) = template.split_once('?').unwrap_or((template, ""));
                ("keys by name", vec![address.to_owned()])
            }
        };
        let has_keys = !keys.keys().is_empty();
        let state = match (has_keys, record.errors.is_empty() && record.succeeded > 0) {
            (true, true) => StateWord::Current,
            (true, false) => StateWord::Stale,
            (false, _) if matches!(remote.origin, Origin::ByKid(_)) && record.errors.is_empty() => {
                StateWord::Waiting
            }
            (false, _) => StateWord::Lacking,
        };
        let seconds = |span: Duration| span.as_secs();
        let until = |moment: Instant| seconds(moment.saturating_duration_since(Instant::now()));
        Self {
            state,
            source: source.to_owned(),
            urls,
            notes: known
                .holdings
                .iter()
                .flat_map(|holding| holding.judged.notes.iter().cloned())
                .collect(),
            errors: record.errors.clone(),
            age_seconds: known.age().map(seconds),
            next_fetch_in_seconds: record.next.map(until),
            unusable_in_seconds: known.stale_at().map(until),
            fetches_succeeded: Some(record.succeeded),
            fetches_failed: Some(record.failed),
            ..Self::local(&remote.name, &keys)
        }
    }
}
