//! What the gate decides by: every room's settings compiled, and their faults joined.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::config::fault::any_stops;
use crate::config::{Config, Fault, IssuerSettings};
use crate::gate::cache::TokenCache;
use crate::gate::claim_rules::ClaimRules;
use crate::gate::headers::Headers;
use crate::gate::identity::IdentityRules;
use crate::gate::issuers::{Generation, Issuers, KnownHeaders, Supply};
use crate::gate::places::ExtractRules;
use crate::gate::signed_identity::IdentitySigner;
use crate::gate::{Issuer, State};
use crate::keys::remote::{Origin, judge_settings};
use crate::keys::{self, IssuerId, KeySet, Remote, Source};
use crate::login::ReturnPolicy;
use crate::policy::Policy;

/// A gate that has been compiled, and the issuers whose keys are still to be fetched.
#[derive(Debug)]
pub struct Compiled {
    /// The gate. Issuers whose keys are fetched have none yet.
    pub gate: State,
    /// Whose keys are fetched, and from where.
    pub remotes: Vec<(IssuerId, Remote)>,
}

/// Compiles what the gate decides by, and where people are sent. No gate when a fault stops the start. Issuers whose keys are fetched
/// have none yet; for a gate that judges their tokens see [`compile`].
#[must_use]
pub fn compile_gate(config: &Config, now: Timestamp) -> (Option<State>, ReturnPolicy, Vec<Fault>) {
    let (compiled, returns, faults) = compile(config, now);
    (compiled.map(|compiled| compiled.gate), returns, faults)
}

/// The same, with where the keys that are fetched come from.
#[must_use]
pub fn compile(config: &Config, now: Timestamp) -> (Option<Compiled>, ReturnPolicy, Vec<Fault>) {
    let (settings, mut faults) = config.issuers();
    faults.extend(judge_settings(config));
    let (headers, found) = Headers::compile(config);
    faults.extend(found);
    if settings.len() > 1 && config.access.admin_users.is_some() {
        faults.push(Fault::warning(
            "access.admin_users",
            "admins by name for the tokens of several issuers",
            "`[issuers.NAME.access] admin_users`",
            "whoever has that name at any of the issuers is an admin: name them for the one issuer that you mean",
        ));
    }
    let names: Vec<_> = settings
        .iter()
        .map(|settings| settings.name.as_str())
        .collect();
    let (policy, found) = Policy::compile(config, &names);
    faults.extend(found);
    let (signer, found) = IdentitySigner::compile(config, &policy.audiences);
    faults.extend(found);
    let mut issuers = Vec::new();
    let mut remotes = Vec::new();
    for settings in &settings {
        let (issuer, found) = issuer(settings, config, now, &headers, &mut remotes);
        faults.extend(found);
        issuers.extend(issuer);
    }
    let (extract, found) = ExtractRules::compile(config, &settings);
    faults.extend(found);
    let (returns, found) = ReturnPolicy::compile(config, extract.query_parameter());
    faults.extend(found);
    // What stands in a table for every issuer is found again with each of them.
    let mut told = Vec::new();
    faults.retain(|fault| {
        let is_new = !told.contains(fault);
        told.extend(is_new.then(|| fault.clone()));
        is_new
    });
    if any_stops(&faults) {
        return (None, returns, faults);
    }
    // The top level alone describes an issuer to whom every token belongs; with names beside it, `iss` chooses.
    let issuers = if config.issuers.is_empty() {
        issuers.pop().map(Issuers::sole)
    } else {
        Some(Issuers::named(issuers))
    };
    let compiled = issuers.map(|issuers| Compiled {
        gate: State {
            issuers,
            extract: Arc::new(extract),
            policy: Arc::new(policy),
            headers,
            signer: signer.map(Arc::new),
            max_token_bytes: usize::try_from(config.server.max_token_bytes).unwrap_or(usize::MAX),
            together: config.keys.rsa_together,
            cache: (config.cache.max_bytes > 0)
                .then(|| Arc::new(TokenCache::new(config.cache.max_bytes))),
        },
        remotes,
    });
    (compiled, returns, faults)
}

fn issuer(
    settings: &IssuerSettings,
    config: &Config,
    now: Timestamp,
    headers: &Headers,
    remotes: &mut Vec<(IssuerId, Remote)>,
) -> (Option<Issuer>, Vec<Fault>) {
    let (source, mut faults) = keys::load(settings, config, now);
    let (claims, found) = ClaimRules::compile(settings);
    faults.extend(found);
    let (identity, found) = IdentityRules::compile(config, settings, headers);
    faults.extend(found);
    let id = IssuerId::unique();
    let issuer = source.zip(identity).map(|(source, identity)| {
        let (keys, supply) = match source {
            Source::Local(keys) => (keys, Supply::Local),
            Source::Remote(remote) => {
                let supply = match remote.origin {
                    Origin::ByKid(_) => Supply::ByKid,
                    Origin::Sets(_) | Origin::Metadata { .. } => Supply::Set,
                };
                remotes.push((id, *remote));
                (KeySet::default(), supply)
            }
        };
        Issuer {
            id,
            name: settings.name.as_str().into(),
            spellings: settings.spellings().into(),
            known_headers: KnownHeaders::of(&keys),
            keys,
            generation: Generation::next(),
            supply,
            claims: Arc::new(claims),
            identity: Arc::new(identity),
            is_padded: settings.is_padded,
        }
    });
    (issuer, faults)
}
