//! Step 3: may it pass? The rules of the operator, asked of a request and of what its token proved.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::config::rules::Action;
use crate::policy::rule::Lack;
use crate::policy::target::Path;
use crate::policy::{Known, Policy, Question, Rule, Rules, Ruling, Target};
use crate::reason::Reason;
use crate::request::{HeaderLines, RequestView};

use super::refusal::DigestPrefix;
use super::verify::Verified;
use super::{Admitted, Halt};

/// What the rules say of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict<'p> {
    /// It may pass; with the identity of its token only where `is_known`.
    Pass {
        place: Option<usize>,
        is_known: bool,
    },
    /// A token is needed, and what is wrong with it, or that there is none, is the answer.
    NeedsToken(Option<(usize, &'p Arc<Rule>)>),
    /// It may not pass.
    Refuse(Reason, Option<(usize, &'p Arc<Rule>)>),
}

/// What a request came with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Proof<'v> {
    /// A token that was verified.
    Token(&'v Verified),
    /// Nothing.
    Nothing,
    /// Something that proves nothing.
    Bad,
}

impl<'v> Proof<'v> {
    /// What a token, or the lack of one, proves.
    pub(super) fn of(admitted: &'v Result<Admitted, Halt>) -> Self {
        match admitted {
            Ok(known) => Self::Token(known.verified()),
            Err(halt) if halt.reason() == Reason::TokenMissing => Self::Nothing,
            Err(_) => Self::Bad,
        }
    }

    /// What expressions may ask of it.
    pub(super) fn known(self) -> Option<&'v Known> {
        match self {
            Self::Token(verified) => verified.known(),
            Self::Nothing | Self::Bad => None,
        }
    }
}

/// The question that a request puts to the rules.
pub(super) fn question<'r, H: HeaderLines>(
    request: &RequestView<'r, H>,
    proof: Proof<'_>,
    now: Timestamp,
) -> Question<'r> {
    let original = &request.original;
    let has = |name| request.headers.lines(name).any(|line| !line.is_empty());
    Question {
        target: Target::of(original),
        method: original.states_method.then_some(original.method),
        // The Fetch standard's definition of a preflight.
        is_preflight: original.states_method
            && original.method == "OPTIONS"
            && has("origin")
            && has("access-control-request-method"),
        source: request.source,
        issuer: match proof {
            Proof::Token(verified) => Some(verified.place()),
            Proof::Nothing | Proof::Bad => None,
        },
        now,
    }
}

/// Asks rules. Without any, every good token passes and nothing else.
pub(super) fn ask<'p>(
    rules: Option<&'p Rules>,
    question: &Question<'_>,
    proof: Proof<'_>,
) -> Verdict<'p> {
    let Some(rules) = rules else {
        return match proof {
            Proof::Token(_) => Verdict::Pass {
                place: None,
                is_known: true,
            },
            Proof::Nothing | Proof::Bad => Verdict::NeedsToken(None),
        };
    };
    let (place, rule) = match rules.ruling(question, proof.known()) {
        Ruling::By(place, rule) => (place, rule),
        Ruling::Ambiguous(place, rule) => {
            let reason = match question.target.path {
                Path::Unknown => Reason::PolicyUnknownPath,
                Path::Plain(_) | Path::Several(_) | Path::Ambiguous => Reason::PolicyAmbiguousPath,
            };
            return Verdict::Refuse(reason, Some((place, rule)));
        }
        Ruling::Failed(place, rule) => {
            return Verdict::Refuse(Reason::PolicyExpression, Some((place, rule)));
        }
        Ruling::Nobody => return Verdict::Refuse(Reason::PolicyNoRule, None),
    };
    let pass = |is_known| Verdict::Pass {
        place: Some(place),
        is_known,
    };
    match (rule.action(), proof) {
        (Action::Deny, _) => Verdict::Refuse(Reason::PolicyDenied, Some((place, rule))),
        // A preflight is the browser's own question: it never says who somebody is.
        (Action::Public, Proof::Token(_)) => pass(!rule.is_for_preflights()),
        (Action::Public, _) | (Action::Optional, Proof::Nothing) => pass(false),
        (Action::Optional, Proof::Bad) | (Action::Require, Proof::Nothing | Proof::Bad) => {
            Verdict::NeedsToken(Some((place, rule)))
        }
        (Action::Optional | Action::Require, Proof::Token(verified)) => {
            match rule.accepts(verified.met(), verified.signed_in(), question.now) {
                Ok(()) => pass(true),
                Err(lack) => Verdict::Refuse(reason_of(lack), Some((place, rule))),
            }
        }
    }
}

const fn reason_of(lack: Lack) -> Reason {
    match lack {
        Lack::Condition => Reason::PolicyRequirement,
        Lack::Scope => Reason::PolicyScope,
        Lack::Authentication => Reason::PolicyAuthentication,
    }
}

/// What the shadow rules would have done otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Whether the request would have passed.
    pub would_pass: bool,
    /// Why it would not, by its own reason.
    pub reason: Option<Reason>,
    /// The name of the shadow rule that would have decided.
    pub rule: Option<Arc<str>>,
    /// The beginning of the token's digest, where there was one.
    pub digest: Option<DigestPrefix>,
}

/// What the shadow rules would have done; `None` where they would have done the same.
pub(super) fn shadow(
    policy: &Policy,
    question: &Question<'_>,
    proof: Proof<'_>,
    real: Verdict<'_>,
) -> Option<Difference> {
    let rules = policy.shadow.as_ref()?;
    let verdict = ask(Some(rules), question, proof);
    if kind(verdict) == kind(real) {
        return None;
    }
    let (reason, place) = match verdict {
        Verdict::Pass { place, .. } => (None, place),
        Verdict::NeedsToken(rule) => (None, rule.map(|(place, _)| place)),
        Verdict::Refuse(reason, rule) => (Some(reason), rule.map(|(place, _)| place)),
    };
    Some(Difference {
        would_pass: matches!(verdict, Verdict::Pass { .. }),
        reason,
        rule: place.and_then(|place| Some(Arc::clone(rules.all().get(place)?.name()))),
        digest: None,
    })
}

/// What the client sees of a verdict: with an identity, without one, asked to sign in, refused.
const fn kind(verdict: Verdict<'_>) -> (bool, bool, bool) {
    match verdict {
        Verdict::Pass { is_known, .. } => (true, is_known, false),
        Verdict::NeedsToken(_) => (false, false, true),
        Verdict::Refuse(..) => (false, false, false),
    }
}
