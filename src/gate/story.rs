//! Why a request passes or not, told step by step: what `explain` shows. The same code decides; this only looks over its shoulder.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::config::rules::Action;
use crate::jose::Claims;
use crate::policy::target::Path;
use crate::policy::{Question, Rule};
use crate::reason::{Reason, Step};
use crate::request::{HeaderLines, RawToken, RequestView};

use super::authorize::{Proof, Verdict, ask, question};
use super::identity::NoIdentity;
use super::issuers::Issuer;
use super::verify::{payload_of_verified, supposed};
use super::{Credential, Decision, Difference, Permit, Refusal, State, decide_on, worth};

/// The steps that a request goes through, with what each means.
pub const STEPS: [(Step, &str, &str); 9] = [
    (
        Step::Extract,
        "token",
        "one token, where the configuration looks for it",
    ),
    (Step::Shape, "shape", "a compact JWS of allowed length"),
    (
        Step::Header,
        "header",
        "an algorithm and a type that are allowed",
    ),
    (Step::Key, "key", "a key that may judge it"),
    (Step::Signature, "signature", "signed by that key"),
    (
        Step::Claims,
        "claims",
        "issuer, audience and time as wanted",
    ),
    (
        Step::Identity,
        "identity",
        "a username and headers that are fit",
    ),
    (Step::Access, "access", "somebody who may come in at all"),
    (Step::Rules, "rules", "a rule that lets it pass"),
];

/// What was decided on a request, and what led there.
#[derive(Debug)]
pub struct Story {
    /// What was decided.
    pub outcome: Result<Permit, Refusal>,
    /// What the token is worth by itself: why it is not good, where a rule lets the request pass all the same.
    pub token: Option<Reason>,
    /// What the rules were asked.
    pub asked: Asked,
    /// Every rule up to the one that decided.
    pub rules: Vec<Considered>,
    /// What the rule that decided wants of a good token, in parts.
    pub wanted: Vec<Wanted>,
    /// What the shadow rules would have done otherwise.
    pub difference: Option<Difference>,
}

/// What the rules were asked.
#[derive(Debug)]
pub struct Asked {
    /// The method.
    pub method: Option<String>,
    /// The host in one form.
    pub host: Option<String>,
    /// The path in one form, or in all its readings; none where it is ambiguous or unknown.
    pub paths: Vec<String>,
    /// The client's address.
    pub source: Option<String>,
}

/// A rule that was considered.
#[derive(Debug)]
pub struct Considered {
    /// Its name.
    pub name: String,
    /// What it does.
    pub action: Action,
    /// The key that does not fit; `None`: it decides.
    pub misfit: Option<&'static str>,
}

/// A part of what a rule wants of a token.
#[derive(Debug)]
pub struct Wanted {
    /// What it is.
    pub text: String,
    /// Whether it holds; `None` where that cannot be told.
    pub holds: Option<bool>,
}

/// Decides a request at the moment `now`, and tells what led there. `presented` is its token.
#[must_use]
pub fn tell<H: HeaderLines>(
    state: &State,
    request: &RequestView<'_, H>,
    presented: Result<Credential<'_>, Reason>,
    now: Timestamp,
) -> Story {
    let admitted = worth(state, presented, now);
    let proof = Proof::of(&admitted);
    let question = question(request, proof, now);
    let considered = state.policy.rules.as_ref();
    let considered = considered.map(|rules| rules.considered(&question, proof.known()));
    let considered = considered.unwrap_or_default();
    let decided = considered.iter().find(|(_, misfit)| misfit.is_none());
    let wanted = match (decided, proof, presented) {
        (Some((rule, _)), Proof::Token(verified), Ok(credential)) => {
            let issuer = state.issuers.all().get(verified.place());
            let payload = payload_of_verified(credential.token()).unwrap_or_default();
            let claims = Claims::parse(&payload).ok();
            let parts = issuer.zip(claims.as_ref()).and_then(|(issuer, claims)| {
                issuer
                    .identity
                    .with_subject(claims, |subject| wanted(state, rule, subject))
            });
            let mut parts = parts.unwrap_or_default();
            let way = rule.authentication().into_iter();
            let way = way.flat_map(|way| way.parts(verified.met(), verified.signed_in(), now));
            parts.extend(way.map(|(text, holds)| Wanted {
                text,
                holds: Some(holds),
            }));
            parts
        }
        _ => Vec::new(),
    };
    let rules = considered.iter().map(|(rule, misfit)| Considered {
        name: rule.name().to_string(),
        action: rule.action(),
        misfit: *misfit,
    });
    let Decision {
        outcome,
        difference,
        ..
    } = decide_on(state, request, presented, now);
    Story {
        outcome: outcome.map_err(super::Halt::settled),
        token: admitted.as_ref().err().map(super::Halt::reason),
        asked: Asked::of(&question),
        rules: rules.collect(),
        wanted,
        difference,
    }
}

/// What would become of a recorded request.
#[derive(Debug)]
pub struct Supposed {
    /// Why it would not pass; `None`: it would.
    pub reason: Option<Reason>,
    /// More: a key of the configuration, a header.
    pub detail: Option<Box<str>>,
    /// The rule that would decide.
    pub rule: Option<String>,
    /// The identity headers, with their values; empty where nobody is known.
    pub headers: Vec<(String, String)>,
}

/// What would become of a request at the moment `now` whose token, of the issuer with this name, was found good once and had these claims;
/// `None`: it had none. Recorded tokens are long expired, so neither signature nor time is asked for.
#[must_use]
pub fn suppose<H: HeaderLines>(
    state: &State,
    request: &RequestView<'_, H>,
    claims: Option<(Option<&str>, &Claims<'_>)>,
    now: Timestamp,
) -> Supposed {
    let verified = claims.map(|(name, claims)| {
        let issuer = issuer_of(state, name, claims).ok_or(NoIdentity::from(Reason::TokenIssuer))?;
        supposed(state, issuer, claims)
    });
    let proof = match &verified {
        None => Proof::Nothing,
        Some(Ok(verified)) => Proof::Token(verified),
        Some(Err(_)) => Proof::Bad,
    };
    let question = question(request, proof, now);
    let rules = state.policy.rules.as_ref();
    let name_of = |rule: Option<(usize, &std::sync::Arc<Rule>)>| Some(rule?.1.name().to_string());
    let mut passed = None;
    let (reason, rule) = match ask(rules, &question, proof) {
        Verdict::Pass { place, .. } => {
            passed = place;
            let rule = rules
                .zip(place)
                .and_then(|(rules, place)| rules.all().get(place));
            (None, rule.map(|rule| rule.name().to_string()))
        }
        Verdict::NeedsToken(rule) => {
            let bad = verified
                .as_ref()
                .and_then(|verified| verified.as_ref().err());
            (
                Some(bad.map_or(Reason::TokenMissing, |why| why.reason)),
                name_of(rule),
            )
        }
        Verdict::Refuse(reason, rule) => (Some(reason), name_of(rule)),
    };
    // What cannot be signed does not pass.
    let signing = match (&state.signer, &verified) {
        (Some(signer), Some(Ok(verified))) if reason.is_none() => {
            let audience = state.policy.audience_of(passed);
            signer.sign(verified, audience, now).err()
        }
        _ => None,
    };
    let reason = reason.or(signing);
    let identity = match &verified {
        Some(Ok(verified)) if reason.is_none() => verified.identity().values(),
        _ => &[],
    };
    let text = |value: &bytes::Bytes| String::from_utf8_lossy(value).into_owned();
    let headers = state.headers.names().zip(identity);
    let why = verified
        .as_ref()
        .and_then(|verified| verified.as_ref().err());
    Supposed {
        reason,
        detail: why.and_then(|why| why.detail.clone()),
        rule,
        headers: headers
            .map(|(name, value)| (name.to_owned(), text(value)))
            .collect(),
    }
}

/// The issuer with this name, or the one that the claims name.
fn issuer_of<'s>(
    state: &'s State,
    name: Option<&str>,
    claims: &Claims<'_>,
) -> Option<(usize, &'s Issuer)> {
    let all = state.issuers.all().iter().enumerate();
    let mut all = all.map(|(place, issuer)| (place, &**issuer));
    if let Some(name) = name {
        return all.find(|(_, issuer)| *issuer.name == *name);
    }
    if let Some((place, issuer)) = state.issuers.the_only() {
        return Some((place, issuer));
    }
    let iss = claims.text("iss").ok()??;
    let (place, issuer) = state.issuers.of(iss)?;
    Some((place, issuer))
}

fn wanted(state: &State, rule: &Rule, subject: &crate::policy::Subject<'_>) -> Vec<Wanted> {
    let places = rule.wanted();
    let conditions = places.filter_map(|place| state.policy.requirements.get(place));
    let parts = conditions.flat_map(crate::policy::condition::Condition::parts);
    parts
        .map(|part| Wanted {
            text: part.to_string(),
            holds: part.holds(subject),
        })
        .collect()
}

impl Asked {
    fn of(question: &Question<'_>) -> Self {
        Self {
            method: question.method.map(str::to_owned),
            host: question.target.host.as_deref().map(str::to_owned),
            paths: match &question.target.path {
                Path::Plain(path) => vec![path.clone().into_owned()],
                Path::Several(readings) => readings.clone(),
                Path::Ambiguous | Path::Unknown => Vec::new(),
            },
            source: question.source.map(|source| source.to_string()),
        }
    }
}

impl Considered {
    /// What it does, as the configuration says it.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        match self.action {
            Action::Public => "public",
            Action::Optional => "optional",
            Action::Require => "require",
            Action::Deny => "deny",
        }
    }
}

impl Story {
    /// The identity headers of a request that passes, in their order.
    #[must_use]
    pub fn headers(&self, state: &State) -> Vec<(String, String)> {
        let Ok(permit) = &self.outcome else {
            return Vec::new();
        };
        let known = permit.known().map(|known| known.verified().identity());
        let mut values = known
            .into_iter()
            .flat_map(super::identity::Identity::values);
        let value = |value: &bytes::Bytes| String::from_utf8_lossy(value).into_owned();
        state
            .headers
            .names()
            .map(|name| {
                (
                    name.to_owned(),
                    values.next().map(value).unwrap_or_default(),
                )
            })
            .collect()
    }

    /// What was signed: the header, for whom it is, and until when; without the token itself.
    #[must_use]
    pub fn signed(&self, state: &State) -> Option<Value> {
        let token = self.outcome.as_ref().ok()?.signed()?;
        let payload = payload_of_verified(RawToken::new(token))?;
        let claims: Value = serde_json::from_slice(&payload).ok()?;
        Some(json!({
            "header": state.signer.as_ref()?.header(),
            "aud": claims.get("aud"),
            "exp": claims.get("exp"),
        }))
    }

    /// The story as JSON. Nothing of the token stands in it but what the log of a refusal may hold, and the identity headers.
    #[must_use]
    pub fn json(&self, state: &State) -> Value {
        let rules: Vec<_> = self
            .rules
            .iter()
            .map(|rule| {
                json!({ "name": rule.name, "action": rule.action(), "does_not_fit": rule.misfit })
            })
            .collect();
        let wanted: Vec<_> = self
            .wanted
            .iter()
            .map(|part| json!({ "condition": part.text, "holds": part.holds }))
            .collect();
        let mut told = match &self.outcome {
            Ok(_) => {
                let headers: serde_json::Map<String, Value> = self
                    .headers(state)
                    .into_iter()
                    .map(|(name, value)| (name, value.into()))
                    .collect();
                json!({ "result": "allowed", "headers": headers, "signed": self.signed(state) })
            }
            Err(refusal) => {
                let reason = refusal.reason();
                let token = refusal.token();
                json!({
                    "result": "denied",
                    "reason": reason.code(),
                    "step": step_name(reason),
                    "meaning": reason.meaning(),
                    "hint": reason.hint(),
                    "detail": refusal.detail(),
                    "issuer": token.and_then(|token| token.issuer.as_deref()),
                    "alg": token.and_then(|token| token.algorithm).map(crate::jose::Algorithm::name),
                    "kid": token.and_then(|token| token.kid.as_deref()),
                    "digest": token.map(|token| token.digest.to_string()),
                })
            }
        };
        let more = json!({
            "token": self.token.map(Reason::code),
            "asked": {
                "method": self.asked.method,
                "host": self.asked.host,
                "paths": self.asked.paths,
                "source": self.asked.source,
            },
            "rules": rules,
            "conditions": wanted,
            "shadow": self.difference.as_ref().map(|difference| json!({
                "would_pass": difference.would_pass,
                "reason": difference.reason.map(Reason::code),
                "rule": difference.rule.as_deref(),
            })),
        });
        if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
            told.extend(more);
        }
        told
    }
}

/// The name of the step at which a reason refuses.
#[must_use]
pub fn step_name(reason: Reason) -> &'static str {
    STEPS
        .iter()
        .find(|(step, ..)| *step == reason.step())
        .map_or("request", |(_, name, _)| name)
}
