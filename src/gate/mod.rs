//! THE HOT PATH: may this request pass, and who is it?
//!
//! ```text
//! RequestView ─► extract ─► Credential ─► verify ─► Admitted ─► authorize ─► Permit
//!                                          │  ▲
//!                                          ▼  │ cache: seen this exact token before?
//! ```
//!
//! [`decide`] is a plain function over one [`State`]: no async, no lock held, no I/O, no framework type. `extract` finds the token in one
//! of the `places`, `verify` judges it with `claim_rules`, `identity` makes the headers out of `field`s, `cache` and `recent` remember, and
//! `authorize` asks the rules of `policy`. Whatever goes wrong is a [`Refusal`]
//! with one [`Reason`](crate::reason); what the outside hears of it is decided in `server/respond.rs`. A key
//! that is not here and may be had is a [`Halt::KeyMissing`]: the server waits for it and asks again.
#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    clippy::unwrap_used
)]

pub mod authorize;
pub mod cache;
pub mod claim_rules;
pub mod extract;
mod field;
mod filter;
mod header_name;
mod header_value;
pub mod headers;
pub mod identity;
pub mod issuers;
pub mod places;
mod recent;
pub mod refusal;
mod required_claims;
pub mod signatures;
pub mod signed_identity;
pub mod state;
pub mod story;
mod template;
mod transform;
mod username;
pub mod verify;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

use crate::clock::Timestamp;
use crate::config::TokenSource;
use crate::keys::MissingKey;
use crate::reason::Reason;
use crate::request::{HeaderLines, RequestView};

use authorize::{Proof, Verdict};
use cache::TokenDigest;
use refusal::{DigestPrefix, TokenFacts};

pub use authorize::Difference;
pub use extract::Credential;
pub use issuers::Issuer;
pub use refusal::{Halt, Refusal};
pub use signatures::{Judged, Signatures, Unjudged};
pub use state::State;
use verify::NotVerified;
pub use verify::Verified;

/// Proof that a request may pass: only [`decide`] makes one.
#[derive(Debug)]
pub struct Permit {
    /// Whose token it is; `None`: nobody's, and none is needed.
    known: Option<Admitted>,
    /// The place of the rule that let it pass; `None`: there are no rules.
    rule: Option<usize>,
    /// Who it is, signed, where that is wanted.
    signed: Option<Bytes>,
}

/// Proof that a token is good: only [`admit`] makes one.
#[derive(Debug)]
pub struct Admitted {
    verified: Arc<Verified>,
    source: TokenSource,
    lookup: Lookup,
}

/// What came of a request, and what the shadow rules would have done otherwise.
#[derive(Debug)]
pub struct Decision {
    /// It may pass, or not, or not yet.
    pub outcome: Result<Permit, Halt>,
    /// What the shadow rules would have done otherwise.
    pub difference: Option<Difference>,
    /// How the cache answered.
    pub lookup: Lookup,
    /// A key that is missing for the token of a request that passes without it.
    pub missing: Option<MissingKey>,
}

/// How the cache of verified tokens answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It knew the token.
    Hit,
    /// It did not; the token was verified and is remembered now.
    Miss,
    /// It is off.
    Off,
}

impl Permit {
    /// Whose token it is; `None`: nobody's, and none is needed.
    #[must_use]
    pub const fn known(&self) -> Option<&Admitted> {
        self.known.as_ref()
    }

    /// Who it is, signed, where that is wanted and somebody is known.
    #[must_use]
    pub const fn signed(&self) -> Option<&Bytes> {
        self.signed.as_ref()
    }

    /// The place of the rule that let it pass; `None`: there are no rules.
    #[must_use]
    pub const fn rule(&self) -> Option<usize> {
        self.rule
    }
}

impl Permit {
    /// The same with the signed identity, where that is wanted: a header that is promised is never left out. Where nobody needs to be
    /// known, one that cannot be signed passes as nobody.
    fn with_signature(
        self,
        state: &State,
        credential: Option<Credential<'_>>,
        now: Timestamp,
    ) -> Result<Self, Halt> {
        let (Some(signer), Some(known)) = (&state.signer, &self.known) else {
            return Ok(self);
        };
        let audience = state.policy.audience_of(self.rule);
        match signer.sign(&known.verified, audience, now) {
            Ok(token) => Ok(Self {
                signed: Some(token),
                ..self
            }),
            Err(_) if state.policy.is_public(self.rule) => Ok(Self {
                known: None,
                ..self
            }),
            Err(reason) => {
                let detail = format!("the header `{}`", signer.header());
                let refusal = Refusal::of_known(reason, known.facts(credential));
                Err(refusal.with_detail(detail).into())
            }
        }
    }
}

impl Admitted {
    /// What was verified.
    #[must_use]
    pub fn verified(&self) -> &Verified {
        &self.verified
    }

    /// Where the token stood.
    #[must_use]
    pub const fn source(&self) -> TokenSource {
        self.source
    }

    /// How the cache answered.
    #[must_use]
    pub const fn lookup(&self) -> Lookup {
        self.lookup
    }

    /// What the log may say of the token.
    fn facts(&self, credential: Option<Credential<'_>>) -> TokenFacts {
        let digest = credential.map(|credential| DigestPrefix::of(credential.token()));
        TokenFacts {
            source: self.source,
            issuer: Some(self.verified.shared_issuer()),
            algorithm: self.verified.algorithm(),
            kid: None,
            digest: digest.unwrap_or_default(),
        }
    }
}

/// Tells at the moment `now` whose token a request carries, whatever the rules say of the request: for those who want to know who it is.
#[must_use]
pub fn recognize<H: HeaderLines>(
    state: &State,
    request: &RequestView<'_, H>,
    now: Timestamp,
) -> Decision {
    let presented = extract::extract(&state.extract, request);
    Decision::by_token(state, worth(state, presented, now), presented.ok(), now)
}

/// Tells at the moment `now` whose token this is, whatever request it may stand in.
#[must_use]
pub fn recognize_token(state: &State, credential: Credential<'_>, now: Timestamp) -> Decision {
    let admitted = admit(state, credential, now);
    Decision::by_token(state, admitted, Some(credential), now)
}

/// What a presented token is worth.
fn worth(
    state: &State,
    presented: Result<Credential<'_>, Reason>,
    now: Timestamp,
) -> Result<Admitted, Halt> {
    match presented {
        Ok(credential) => admit(state, credential, now),
        Err(reason) => Err(Refusal::without_token(reason).into()),
    }
}

/// Decides one request at the moment `now`.
#[must_use]
pub fn decide<H: HeaderLines>(
    state: &State,
    request: &RequestView<'_, H>,
    now: Timestamp,
) -> Decision {
    decide_with(state, request, now, Signatures::AtOnce)
}

/// The same, with a word on when the signature is checked.
#[must_use]
pub fn decide_with<'r, H: HeaderLines>(
    state: &State,
    request: &RequestView<'r, H>,
    now: Timestamp,
    signatures: Signatures<'r>,
) -> Decision {
    let presented = extract::extract(&state.extract, request);
    let presented = presented.map(|credential| credential.with_signatures(signatures));
    decide_on(state, request, presented, now)
}

/// Decides one request with the token that was found in it, or with one that stands for it.
#[must_use]
pub fn decide_on<H: HeaderLines>(
    state: &State,
    request: &RequestView<'_, H>,
    presented: Result<Credential<'_>, Reason>,
    now: Timestamp,
) -> Decision {
    let admitted = match worth(state, presented, now) {
        // No rule is asked before it is known whether there is somebody.
        Err(halt @ Halt::Unjudged(..)) => return Decision::not_yet(halt),
        admitted => admitted,
    };
    let policy = &*state.policy;
    if policy.rules.is_none() && policy.shadow.is_none() {
        return Decision::by_token(state, admitted, presented.ok(), now);
    }
    let proof = Proof::of(&admitted);
    let question = authorize::question(request, proof, now);
    let verdict = authorize::ask(policy.rules.as_ref(), &question, proof);
    let difference = authorize::shadow(policy, &question, proof, verdict).map(|difference| {
        // To find the request again.
        let token = presented.ok().map(Credential::token);
        Difference {
            digest: token.map(DigestPrefix::of),
            ..difference
        }
    });
    let missing = match (&verdict, &admitted) {
        (Verdict::Pass { .. }, Err(Halt::KeyMissing(missing, _))) => Some(missing.clone()),
        _ => None,
    };
    let lookup = lookup(state, &admitted);
    Decision {
        outcome: outcome(verdict, admitted, presented.ok())
            .and_then(|permit| permit.with_signature(state, presented.ok(), now)),
        difference,
        lookup,
        missing,
    }
}

impl Decision {
    /// Nothing is known so far.
    const fn not_yet(halt: Halt) -> Self {
        Self {
            outcome: Err(halt),
            difference: None,
            lookup: Lookup::Off,
            missing: None,
        }
    }

    /// Without rules, every good token passes and nothing else.
    fn by_token(
        state: &State,
        admitted: Result<Admitted, Halt>,
        credential: Option<Credential<'_>>,
        now: Timestamp,
    ) -> Self {
        let lookup = lookup(state, &admitted);
        Self {
            outcome: admitted.and_then(|known| {
                let permit = Permit {
                    known: Some(known),
                    rule: None,
                    signed: None,
                };
                permit.with_signature(state, credential, now)
            }),
            difference: None,
            lookup,
            missing: None,
        }
    }
}

/// What a verdict means for a request that came with this.
fn outcome(
    verdict: Verdict<'_>,
    admitted: Result<Admitted, Halt>,
    credential: Option<Credential<'_>>,
) -> Result<Permit, Halt> {
    match (verdict, admitted) {
        (Verdict::Pass { place, is_known }, admitted) => Ok(Permit {
            known: admitted.ok().filter(|_| is_known),
            rule: place,
            signed: None,
        }),
        (Verdict::NeedsToken(Some((_, rule))), Err(halt)) => Err(halt.by(rule)),
        (Verdict::NeedsToken(None), Err(halt)) => Err(halt),
        // A good token is never asked for again.
        (Verdict::NeedsToken(_), Ok(_)) => Err(Refusal::without_token(Reason::Internal).into()),
        (Verdict::Refuse(reason, rule), admitted) => {
            let refusal = match &admitted {
                Ok(known) => Refusal::of_known(reason, known.facts(credential)),
                Err(halt) => halt.refusal().clone().because(reason),
            };
            Err(match rule {
                Some((_, rule)) => refusal.by(rule),
                None => refusal,
            }
            .into())
        }
    }
}

fn lookup(state: &State, admitted: &Result<Admitted, Halt>) -> Lookup {
    match admitted {
        Ok(known) => known.lookup,
        // A refused token was not in the cache, which holds good ones only.
        Err(halt)
            if state.cache.is_some()
                && halt.refusal().token().is_some()
                && halt.reason() != Reason::TokenTooLarge =>
        {
            Lookup::Miss
        }
        Err(_) => Lookup::Off,
    }
}

/// Judges a token that has been found, without asking whether it may pass.
///
/// # Errors
/// The token is not good, gives no identity, or its key is missing, and why.
pub fn admit(state: &State, credential: Credential<'_>, now: Timestamp) -> Result<Admitted, Halt> {
    let (token, source) = (credential.token(), credential.source());
    let admitted = |verified, lookup| Admitted {
        verified,
        source,
        lookup,
    };
    let signatures = credential.signatures();
    let verify = |digest: Option<TokenDigest>| {
        verify::verify_with(state, token, now, signatures).map_err(|why| match why {
            NotVerified::Refused(refused) => {
                let prefix = digest.as_ref().map(TokenDigest::prefix);
                refused.from(source, prefix.unwrap_or_else(|| DigestPrefix::of(token)))
            }
            NotVerified::Unjudged(mut unjudged) => {
                unjudged.keep(digest);
                Halt::Unjudged(unjudged, Refusal::without_token(Reason::Internal))
            }
        })
    };
    let Some(cache) = state.cache.as_ref() else {
        return Ok(admitted(Arc::new(verify(None)?), Lookup::Off));
    };
    // Length is checked before anything is computed over the token.
    if token.bytes().len() > state.max_token_bytes {
        return Err(verify::too_large().from(source, DigestPrefix::of(token)));
    }
    let asked_for = match signatures {
        Signatures::Judged(judged) => judged.digest_of(token),
        Signatures::AtOnce | Signatures::Together { .. } => None,
    };
    let digest = match asked_for {
        Some(digest) => digest,
        None => match cache.get(token, now, |known| known.is_current(&state.issuers)) {
            Ok(verified) => return Ok(admitted(verified, Lookup::Hit)),
            Err(digest) => digest,
        },
    };
    let verified = Arc::new(verify(Some(digest))?);
    cache.insert(digest, Arc::clone(&verified), now);
    Ok(admitted(verified, Lookup::Miss))
}
