//! Step 3: may it pass? The rules of the operator, asked of a request and of what its token proved.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::config::rules::Action;
use crate::policy::rule::Lack;
use crate::policy::{Policy, Question, Rule, Rules, Ruling, Target};
use crate::reason::Reason;
use crate::request::{HeaderLines, RequestView};

use super::verify::Verified;

/// What the rules say of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict<'p> {
    /// It may pass; with the identity of its token only where `is_known`.
    Pass {
        place: Option<usize>,
        is_known: bool,
    },
    /// A token is needed, and what is wrong with it, or that there is none, is the answer.
    NeedsToken(usize, &'p Arc<Rule>),
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

/// The question that a request puts to the rules.
pub(super) fn question<'r, H: HeaderLines>(
    request: &RequestView<'r, H>,
    proof: Proof<'_>,
    now: Timestamp,
) -> Question<'r> {
    let original = &request.original;
    let has = |name| request.headers.lines(name).next().is_some();
    Question {
        target: Target::of(original),
        method: original.method,
        // The Fetch standard's definition of a preflight.
        is_preflight: original.method == "OPTIONS"
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
pub(super) fn ask<'p>(rules: &'p Rules, question: &Question<'_>, proof: Proof<'_>) -> Verdict<'p> {
    let known = match proof {
        Proof::Token(verified) => verified.known(),
        Proof::Nothing | Proof::Bad => None,
    };
    let (place, rule) = match rules.ruling(question, known) {
        Ruling::By(place, rule) => (place, rule),
        Ruling::Ambiguous(place, rule) => {
            return Verdict::Refuse(Reason::PolicyAmbiguousPath, Some((place, rule)));
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
            Verdict::NeedsToken(place, rule)
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
}

/// What the shadow rules would have done; `None` where they would have done the same.
pub(super) fn shadow(
    policy: &Policy,
    question: &Question<'_>,
    proof: Proof<'_>,
    real: Verdict<'_>,
) -> Option<Difference> {
    let rules = policy.shadow.as_ref()?;
    let verdict = ask(rules, question, proof);
    let passes = |verdict| matches!(verdict, Verdict::Pass { .. });
    let knows = |verdict| matches!(verdict, Verdict::Pass { is_known: true, .. });
    if passes(verdict) == passes(real) && knows(verdict) == knows(real) {
        return None;
    }
    let (reason, place) = match verdict {
        Verdict::Pass { place, .. } => (None, place),
        Verdict::NeedsToken(place, _) => (None, Some(place)),
        Verdict::Refuse(reason, rule) => (Some(reason), rule.map(|(place, _)| place)),
    };
    Some(Difference {
        would_pass: passes(verdict),
        reason,
        rule: place.and_then(|place| Some(Arc::clone(rules.all().get(place)?.name()))),
    })
}
