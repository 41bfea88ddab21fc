//! A rule: which requests it is for, and what it wants of them.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::config::rules::{Action, ClaimTestTable, ConditionTable, Scalar};
use crate::config::{Fault, OneOrMany, RuleTable};

use super::condition::texts;
use super::expression::Expression;
use super::requirements::{Gathering, Met, Place};
use super::route::{self, Patterns, Route};

/// A compiled rule.
#[derive(Clone, Debug)]
pub struct Rule {
    name: Arc<str>,
    action: Action,
    pub(super) route: Route,
    condition: Option<Place>,
    scopes: Option<Place>,
    authentication: Option<Authentication>,
    pub(super) expression: Option<Expression>,
    audience: Option<OneOrMany>,
}

/// How, and how long ago, a person must have signed in (RFC 9470).
#[derive(Clone, Debug)]
pub struct Authentication {
    is_strong: Option<Place>,
    acr_values: Option<Arc<str>>,
    max_age: Option<Duration>,
}

/// When a person signed in (`auth_time`, OpenID Connect Core §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// As the token says it.
    pub at: Timestamp,
    /// How far clocks may differ.
    pub leeway: Duration,
}

/// What a token lacks for a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// A condition is not met.
    Condition,
    /// A scope is missing.
    Scope,
    /// The person has not signed in in the right way, or not recently.
    Authentication,
}

impl Rule {
    /// Its name, for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What it does.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// Whether it is for CORS preflights only.
    #[must_use]
    pub const fn is_for_preflights(&self) -> bool {
        self.route.is_for_preflights()
    }

    /// Whom the signed identity is for, where it says so.
    pub(super) const fn audience(&self) -> Option<&OneOrMany> {
        self.audience.as_ref()
    }

    /// How a person must have signed in.
    #[must_use]
    pub const fn authentication(&self) -> Option<&Authentication> {
        self.authentication.as_ref()
    }

    #[cfg(test)]
    pub(super) const fn condition(&self) -> Option<Place> {
        self.condition
    }

    /// The places of what it wants of a token.
    pub fn wanted(&self) -> impl Iterator<Item = Place> {
        self.condition.into_iter().chain(self.scopes)
    }

    /// What a token lacks for it: `met` are the conditions that it meets, `signed_in` is when the person signed in.
    ///
    /// # Errors
    /// The first thing that is lacking.
    pub fn accepts(
        &self,
        met: &Met,
        signed_in: Option<SignIn>,
        now: Timestamp,
    ) -> Result<(), Lack> {
        let holds = |place: Option<Place>| place.is_none_or(|place| met.holds(place));
        if !holds(self.condition) {
            return Err(Lack::Condition);
        }
        if !holds(self.scopes) {
            return Err(Lack::Scope);
        }
        match &self.authentication {
            Some(wanted) if !holds(wanted.is_strong) || !wanted.is_recent(signed_in, now) => {
                Err(Lack::Authentication)
            }
            _ => Ok(()),
        }
    }
}

impl Authentication {
    fn is_recent(&self, signed_in: Option<SignIn>, now: Timestamp) -> bool {
        self.max_age.is_none_or(|max_age| {
            signed_in.is_some_and(|SignIn { at, leeway }| {
                // A moment that has not come is none.
                at <= now.plus(leeway) && now < at.plus(max_age).plus(leeway)
            })
        })
    }

    /// What it wants, in parts, each with whether it holds.
    #[must_use]
    pub fn parts(
        &self,
        met: &Met,
        signed_in: Option<SignIn>,
        now: Timestamp,
    ) -> Vec<(String, bool)> {
        let strong = self.is_strong.zip(self.acr_values.as_ref());
        let strong =
            strong.map(|(place, values)| (format!("`acr` is one of `{values}`"), met.holds(place)));
        let recent = self.max_age.map(|age| {
            let text = format!("signed in (`auth_time`) within {} seconds", age.as_secs());
            (text, self.is_recent(signed_in, now))
        });
        strong.into_iter().chain(recent).collect()
    }

    /// The values of `acr` that are good, separated by blanks, in the order of preference.
    #[must_use]
    pub fn acr_values(&self) -> Option<&str> {
        self.acr_values.as_deref()
    }

    /// How many seconds ago the person may have signed in.
    #[must_use]
    pub fn max_age(&self) -> Option<u64> {
        self.max_age.map(|age| age.as_secs())
    }
}

/// Compiles a rule. `at` is its place in the configuration, such as `rules[0]`.
pub(super) fn compile(
    at: &str,
    table: &RuleTable,
    issuers: &[&str],
    gathered: (&mut Patterns, &mut Gathering),
    faults: &mut Vec<Fault>,
) -> Option<Rule> {
    let (patterns, requirements) = gathered;
    let route = route::compile(at, table, issuers, patterns, faults);
    let Some(action) = table.action else {
        faults.push(
            Fault::new(
                format!("{at}.action"),
                "nothing",
                "one of `public`, `optional`, `require`, `deny`",
                "say what the rule does: `action = \"require\"` lets good tokens pass",
            )
            .absent(),
        );
        return None;
    };
    let _ = texts(&format!("{at}.audience"), table.audience.as_ref(), faults);
    if table.audience.is_some() && !at.starts_with("rules") {
        faults.push(Fault::new(
            format!("{at}.audience"),
            "an audience in a rule that only counts",
            "keys that decide whether a request passes",
            "nothing is signed for a shadow rule: give the audience to the rule that decides",
        ));
    }
    judge_keys(at, table, action, faults);
    if table.when.is_none() && at.starts_with("rules") {
        judge_reach(at, action, &route, faults);
    }
    // Scopes apart, since RFC 6750 §3.1 has an error of its own for them.
    let scopes = ConditionTable {
        scopes: table.require.scopes.clone(),
        ..ConditionTable::default()
    };
    let others = ConditionTable {
        scopes: None,
        ..table.require.clone()
    };
    let path = format!("{at}.require");
    Some(Rule {
        name: table.name.as_deref().unwrap_or(at).into(),
        action,
        route,
        condition: requirements.place(&path, &others, faults),
        scopes: requirements.place(&path, &scopes, faults),
        authentication: authentication(at, table, requirements, faults),
        expression: expression(at, table, faults),
        audience: table.audience.clone(),
    })
}

fn expression(at: &str, table: &RuleTable, faults: &mut Vec<Fault>) -> Option<Expression> {
    let compiled = Expression::compile(&format!("{at}.when"), table.when.as_deref()?);
    compiled.map_err(|fault| faults.push(fault)).ok()
}

fn authentication(
    at: &str,
    table: &RuleTable,
    requirements: &mut Gathering,
    faults: &mut Vec<Fault>,
) -> Option<Authentication> {
    let path = format!("{at}.acr");
    let values = table.acr.as_ref().map_or(&[][..], |acr| acr.items());
    let _ = texts(&path, table.acr.as_ref(), faults);
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if !values.iter().all(|value| value.bytes().all(is_plain)) {
        faults.push(Fault::new(
            &path,
            "a value with a blank, a quote, a backslash or a letter outside ASCII",
            "values of `acr`, each for itself",
            "OpenID Connect separates them by blanks: write a list",
        ));
    }
    let test = ClaimTestTable {
        claim: "acr".to_owned(),
        one_of: Some(values.iter().cloned().map(Scalar::Text).collect()),
        ..ClaimTestTable::default()
    };
    let is_strong = ConditionTable {
        claims: Some(vec![test]),
        ..ConditionTable::default()
    };
    let has_values = !values.is_empty();
    if table
        .max_age
        .is_some_and(|age| age.0 < Duration::from_secs(1))
    {
        faults.push(Fault::new(
            format!("{at}.max_age"),
            "less than a second",
            "at least one second",
            "nobody could ever have signed in that recently",
        ));
    }
    let authentication = Authentication {
        is_strong: has_values
            .then(|| requirements.place(&path, &is_strong, faults))
            .flatten(),
        acr_values: has_values.then(|| values.join(" ").into()),
        max_age: table.max_age.map(|age| age.0),
    };
    (has_values || table.max_age.is_some()).then_some(authentication)
}

/// Keys that say nothing beside others, or contradict them.
fn judge_keys(at: &str, table: &RuleTable, action: Action, faults: &mut Vec<Fault>) {
    let mut contradiction = |key: &str, found: &str, hint: &str| {
        faults.push(Fault::new(
            format!("{at}.{key}"),
            found,
            "keys that fit together",
            hint,
        ));
    };
    let asks_nothing = matches!(action, Action::Public | Action::Deny);
    let word = if action == Action::Public {
        "public"
    } else {
        "deny"
    };
    if asks_nothing && table.require != ConditionTable::default() {
        contradiction(
            "require",
            &format!("conditions in a rule whose action is `{word}`"),
            "they would never be asked: `action = \"require\"` asks them",
        );
    }
    if asks_nothing && (table.acr.is_some() || table.max_age.is_some()) {
        contradiction(
            if table.acr.is_some() {
                "acr"
            } else {
                "max_age"
            },
            &format!("a way to sign in, in a rule whose action is `{word}`"),
            "it would never be asked: `action = \"require\"` asks it",
        );
    }
    if action == Action::Public && table.issuer.is_some() {
        contradiction(
            "issuer",
            "an issuer in a rule that needs no token",
            "`action = \"require\"` with `issuer` lets that issuer's people pass",
        );
    }
    if table.preflight && !asks_nothing {
        contradiction(
            "preflight",
            "preflights in a rule that asks for a token",
            "a preflight never carries one: `action = \"public\"` lets it pass",
        );
    }
    judge_paths(at, table, action, faults);
}

/// The same for keys that concern paths and preflights.
fn judge_paths(at: &str, table: &RuleTable, action: Action, faults: &mut Vec<Fault>) {
    let mut contradiction = |key: &str, found: &str, hint: &str| {
        faults.push(Fault::new(
            format!("{at}.{key}"),
            found,
            "keys that fit together",
            hint,
        ));
    };
    if table.ambiguous_paths && (action == Action::Deny || has_paths(table)) {
        contradiction(
            "ambiguous_paths",
            "ambiguous paths in a rule that looks at paths, or denies",
            "it may stand only where the rule passes whatever the path: nobody knows which path such a one is",
        );
    }
    if table.ignore_case && (!has_paths(table) || table.path_regex.is_some()) {
        contradiction(
            "ignore_case",
            "it, with no path to compare, or with an expression",
            "an expression says it itself: `(?i)` at its beginning",
        );
    }
    if table.preflight && table.method.is_some() {
        contradiction(
            "method",
            "a method beside `preflight`",
            "a preflight is always `OPTIONS`: remove `method`",
        );
    }
}

fn has_paths(table: &RuleTable) -> bool {
    table.path.is_some()
        || table.path_prefix.is_some()
        || table.path_glob.is_some()
        || table.path_regex.is_some()
}

fn judge_reach(at: &str, action: Action, route: &Route, faults: &mut Vec<Fault>) {
    if action == Action::Public && route.is_for_every_place() && !route.is_for_preflights() {
        faults.push(Fault::warning(
            at,
            "a public rule for every host and path",
            "the hosts and paths that shall be open",
            "without a token, everybody passes everywhere by this rule",
        ));
    }
}
