//! All rules, in their order: the first that fits decides.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::Arc;

use regex::bytes::{RegexSet, RegexSetBuilder, SetMatches};

use crate::config::{Config, Fault, RuleTable};

use super::expression::{Failed, Known};
use super::pattern::MAX_COMPILED;
use super::requirements::{Gathering, Requirements};
use super::route::{Fit, Patterns};
use super::rule::{self, Rule};
use super::target::{Path, Question};

/// Every rule of a configuration, and what they want of tokens.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The rules that decide; `None`: every good token passes.
    pub rules: Option<Rules>,
    /// The rules that only count.
    pub shadow: Option<Rules>,
    /// What all of them want of tokens.
    pub requirements: Requirements,
}

/// Compiled rules in their order.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Box<[Arc<Rule>]>,
    /// The globs and expressions of all paths, which are matched in one go.
    patterns: RegexSet,
}

/// Which rule decides.
#[derive(Clone, Copy, Debug)]
pub enum Ruling<'p> {
    /// This one, at this place.
    By(usize, &'p Arc<Rule>),
    /// The path can be read differently, and by one reading this rule might be for it: denied.
    Ambiguous(usize, &'p Arc<Rule>),
    /// The expression of this rule failed: denied.
    Failed(usize, &'p Arc<Rule>),
    /// None is for this request: denied.
    Nobody,
}

impl Policy {
    /// Compiles the rules. `issuers` are the names of the issuers in their order.
    #[must_use]
    pub fn compile(config: &Config, issuers: &[&str]) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut requirements = Gathering::default();
        let mut compiled = |key, tables: &[RuleTable]| {
            compile(key, tables, issuers, &mut requirements, &mut faults)
        };
        let rules = compiled("rules", &config.rules);
        let shadow = compiled("shadow_rules", &config.shadow_rules);
        let policy = Self {
            rules,
            shadow,
            requirements: requirements.finish(),
        };
        (policy, faults)
    }

    /// Whether any rule asks for the client's address, as every expression may.
    #[must_use]
    pub fn asks_for_source(&self) -> bool {
        self.has_expressions() || self.all().any(|rule| rule.route.asks_for_source())
    }

    /// Whether any rule asks anything of tokens.
    #[must_use]
    pub fn asks_of_tokens(&self) -> bool {
        !self.requirements.is_empty() || self.has_expressions()
    }

    /// Whether any rule has an expression.
    #[must_use]
    pub fn has_expressions(&self) -> bool {
        self.all().any(|rule| rule.expression.is_some())
    }

    fn all(&self) -> impl Iterator<Item = &Rule> {
        let all = self.rules.iter().chain(&self.shadow);
        all.flat_map(Rules::all).map(|rule| &**rule)
    }
}

impl Rules {
    /// Which rule decides on a request. `known` is what its token says, where it was verified.
    #[must_use]
    pub fn ruling(&self, question: &Question<'_>, known: Option<&Known>) -> Ruling<'_> {
        let matches: OnceCell<Option<SetMatches>> = OnceCell::new();
        let matches_pattern = |place| {
            let found = matches.get_or_init(|| match &question.target.path {
                Path::Plain(path) => Some(self.patterns.matches(path.as_bytes())),
                Path::Ambiguous => None,
            });
            found.as_ref().is_some_and(|found| found.matched(place))
        };
        for (place, rule) in self.rules.iter().enumerate() {
            match rule.route.fit(question, matches_pattern) {
                Fit::No => {}
                Fit::Yes => match rule
                    .expression
                    .as_ref()
                    .map(|when| when.holds(question, known))
                {
                    None | Some(Ok(true)) => return Ruling::By(place, rule),
                    Some(Ok(false)) => {}
                    Some(Err(Failed)) => return Ruling::Failed(place, rule),
                },
                Fit::Unclear => return Ruling::Ambiguous(place, rule),
            }
        }
        Ruling::Nobody
    }

    /// Every rule.
    #[must_use]
    pub fn all(&self) -> &[Arc<Rule>] {
        &self.rules
    }
}

/// Compiles rules; `None` where there are none. `key` is `rules` or `shadow_rules`, `issuers` are the names of the issuers in their order.
fn compile(
    key: &str,
    tables: &[RuleTable],
    issuers: &[&str],
    requirements: &mut Gathering,
    faults: &mut Vec<Fault>,
) -> Option<Rules> {
    if tables.is_empty() {
        return None;
    }
    let mut patterns = Patterns::default();
    let mut rules = Vec::new();
    for (index, table) in tables.iter().enumerate() {
        let at = format!("{key}[{index}]");
        let rule = rule::compile(&at, table, issuers, (&mut patterns, requirements), faults);
        rules.extend(rule.map(Arc::new));
    }
    judge_names(key, tables, faults);
    judge_order(key, &rules, tables.len(), faults);
    let size = MAX_COMPILED.saturating_mul(patterns.0.len().max(1));
    let patterns = match RegexSetBuilder::new(&patterns.0).size_limit(size).build() {
        Ok(patterns) => patterns,
        Err(error) => {
            faults.push(super::pattern::not_an_expression(
                key,
                "all patterns of paths together",
                &error,
            ));
            RegexSet::empty()
        }
    };
    Some(Rules {
        rules: rules.into(),
        patterns,
    })
}

fn judge_names(key: &str, tables: &[RuleTable], faults: &mut Vec<Fault>) {
    let mut seen = HashSet::new();
    for (index, table) in tables.iter().enumerate() {
        let Some(name) = &table.name else { continue };
        let is_plain =
            (1..=64).contains(&name.len()) && name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let found = match (is_plain, seen.insert(name)) {
            (true, true) => continue,
            (false, _) => "a name that is empty, long or not plain ASCII".to_owned(),
            (true, false) => format!("`{name}`, which an earlier rule has too"),
        };
        faults.push(Fault::new(
            format!("{key}[{index}].name"),
            found,
            "a name of its own, of 1 to 64 plain characters",
            "it stands in logs and metrics, where it tells the rule",
        ));
    }
}

/// A rule behind one that fits everything is never asked.
fn judge_order(key: &str, rules: &[Arc<Rule>], count: usize, faults: &mut Vec<Fault>) {
    let Some(last) = rules
        .iter()
        .position(|rule| rule.route.is_for_all() && rule.expression.is_none())
    else {
        return;
    };
    // Only where every rule could be compiled are these the places in the file.
    if rules.len() == count && last + 1 < count {
        faults.push(Fault::warning(
            format!("{key}[{}]", last + 1),
            format!("a rule behind `{key}[{last}]`, which fits every request"),
            "a rule that can be reached",
            "the first rule that fits decides: move the one for everything to the end",
        ));
    }
}
