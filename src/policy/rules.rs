//! All rules, in their order: the first that fits decides.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::Arc;

use regex::{RegexSet, RegexSetBuilder, SetMatches};

use crate::config::rules::Action;
use crate::config::{Config, Fault, OneOrMany, RuleTable};

use super::condition::Condition;
use super::expression::{Expression, Failed, Known};
use super::requirements::{Gathering, Requirements};
use super::route::{Fit, Patterns, Reading};
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
    /// The audiences that rules name for signed identities, each once.
    pub audiences: Vec<OneOrMany>,
    asks_for_source: bool,
    asks_for_groups: bool,
    has_expressions: bool,
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
    /// The path is unclear, and this rule might be for it: denied.
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
        let requirements = requirements.finish();
        let mut audiences: Vec<OneOrMany> = Vec::new();
        for audience in config
            .rules
            .iter()
            .filter_map(|rule| rule.audience.as_ref())
        {
            if !audiences.contains(audience) {
                audiences.push(audience.clone());
            }
        }
        let all = || rules.iter().chain(&shadow).flat_map(Rules::all);
        let has_expressions = all().any(|rule| rule.expression.is_some());
        // Of the rules that decide alone: those that only count must not refuse anybody.
        let asks_for_groups = rules.iter().flat_map(Rules::all).any(|rule| {
            let expression = rule.expression.as_ref();
            let mut conditions = rule.wanted().filter_map(|place| requirements.get(place));
            expression.is_some_and(Expression::asks_for_groups)
                || conditions.any(Condition::asks_for_groups)
        });
        let policy = Self {
            asks_for_source: has_expressions || all().any(|rule| rule.route.asks_for_source()),
            asks_for_groups,
            has_expressions,
            rules,
            shadow,
            requirements,
            audiences,
        };
        (policy, faults)
    }

    /// The place of the audience of the rule at a place: 0 where it names none, else one more than its place among `audiences`.
    #[must_use]
    pub fn audience_of(&self, rule: Option<usize>) -> usize {
        let rule = self.rules.as_ref().zip(rule);
        let audience = rule.and_then(|(rules, place)| rules.rules.get(place)?.audience());
        audience.map_or(0, |audience| {
            let place = self.audiences.iter().position(|own| own == audience);
            place.map_or(0, |place| place + 1)
        })
    }

    /// Whether the rule at a place needs nobody to be known.
    #[must_use]
    pub fn is_public(&self, rule: Option<usize>) -> bool {
        let rule = self.rules.as_ref().zip(rule);
        let rule = rule.and_then(|(rules, place)| rules.rules.get(place));
        rule.is_some_and(|rule| rule.action() == Action::Public)
    }

    /// Whether any rule asks for the client's address, as every expression may.
    #[must_use]
    pub const fn asks_for_source(&self) -> bool {
        self.asks_for_source
    }

    /// Whether any rule that decides asks for groups, as an expression over claims may.
    #[must_use]
    pub const fn asks_for_groups(&self) -> bool {
        self.asks_for_groups
    }

    /// Whether any rule asks anything of tokens.
    #[must_use]
    pub const fn asks_of_tokens(&self) -> bool {
        self.has_expressions || !self.requirements.is_empty()
    }

    /// Whether any rule has an expression.
    #[must_use]
    pub const fn has_expressions(&self) -> bool {
        self.has_expressions
    }
}

impl<'p> Ruling<'p> {
    /// The ruling of two readings of a path: one that both lead to, or none.
    fn agreed(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nobody, Self::Nobody) => Self::Nobody,
            (Self::By(one, rule), Self::By(two, _)) if one == two => Self::By(one, rule),
            (one, two) => match one.rule().or(two.rule()) {
                Some((place, rule)) => Self::Ambiguous(place, rule),
                None => Self::Nobody,
            },
        }
    }

    const fn rule(self) -> Option<(usize, &'p Arc<Rule>)> {
        match self {
            Self::By(place, rule) | Self::Ambiguous(place, rule) | Self::Failed(place, rule) => {
                Some((place, rule))
            }
            Self::Nobody => None,
        }
    }
}

/// The longest path that is compared with patterns, in bytes; a longer one counts as ambiguous.
const MAX_PATH: usize = 4 * 1024;

impl Rules {
    /// Which rule decides on a request. `known` is what its token says, where it was verified.
    #[must_use]
    pub fn ruling(&self, question: &Question<'_>, known: Option<&Known>) -> Ruling<'_> {
        let first = |reading| self.first(question, reading, known);
        match &question.target.path {
            // One of the patterns could take long to match.
            Path::Plain(path) if self.is_too_long(path) => first(Reading::Ambiguous),
            Path::Several(readings) if readings.iter().any(|path| self.is_too_long(path)) => {
                first(Reading::Ambiguous)
            }
            Path::Plain(path) => first(Reading::Path(path)),
            Path::Several(readings) => {
                let rulings = readings.iter().map(|path| first(Reading::Path(path)));
                rulings.reduce(Ruling::agreed).unwrap_or(Ruling::Nobody)
            }
            Path::Ambiguous => first(Reading::Ambiguous),
            Path::Unknown => first(Reading::Unknown),
        }
    }

    fn is_too_long(&self, path: &str) -> bool {
        path.len() > MAX_PATH && !self.patterns.is_empty()
    }

    /// The first rule that fits a reading of the path.
    fn first(
        &self,
        question: &Question<'_>,
        reading: Reading<'_>,
        known: Option<&Known>,
    ) -> Ruling<'_> {
        let matches: OnceCell<Option<SetMatches>> = OnceCell::new();
        let matches_pattern = |place| {
            let found = matches.get_or_init(|| match reading {
                Reading::Path(path) => Some(self.patterns.matches(path)),
                Reading::Ambiguous | Reading::Unknown => None,
            });
            found.as_ref().is_some_and(|found| found.matched(place))
        };
        for (place, rule) in self.rules.iter().enumerate() {
            match rule.route.fit(question, reading, matches_pattern) {
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

    /// Every rule up to the one that decides, with the key that does not fit, as the usual reading of the path has it.
    #[must_use]
    pub fn considered(
        &self,
        question: &Question<'_>,
        known: Option<&Known>,
    ) -> Vec<(&Arc<Rule>, Option<&'static str>)> {
        let decided = match self.ruling(question, known) {
            Ruling::By(place, _) | Ruling::Ambiguous(place, _) | Ruling::Failed(place, _) => place,
            Ruling::Nobody => self.rules.len(),
        };
        let numbered = self.rules.iter().enumerate();
        numbered
            .take(decided.saturating_add(1))
            .map(|(place, rule)| {
                let misfit = (place != decided).then(|| self.misfit(rule, question));
                (rule, misfit)
            })
            .collect()
    }

    /// The key of a rule that does not fit.
    fn misfit(&self, rule: &Rule, question: &Question<'_>) -> &'static str {
        if let Some(key) = rule.route.misfit(question) {
            return key;
        }
        let fits = |path: &str| {
            let matches = self.patterns.matches(path);
            let reading = Reading::Path(path);
            rule.route
                .fit(question, reading, |place| matches.matched(place))
                == Fit::Yes
        };
        match &question.target.path {
            Path::Plain(path) if !fits(path) => "path",
            Path::Several(readings) if !readings.iter().any(|path| fits(path)) => "path",
            Path::Several(readings) if !readings.iter().all(|path| fits(path)) => {
                "path (in one of its readings)"
            }
            _ => "when",
        }
    }

    /// Every rule.
    #[must_use]
    pub fn all(&self) -> &[Arc<Rule>] {
        &self.rules
    }
}

/// The most memory that all patterns of paths may take once compiled, which bounds what matching one path costs.
const MAX_TOGETHER: usize = 16 * 1024 * 1024;

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
    let patterns = match RegexSetBuilder::new(&patterns.0)
        .size_limit(MAX_TOGETHER)
        .build()
    {
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
        let is_place = ["rules[", "shadow_rules["]
            .iter()
            .any(|at| name.starts_with(at));
        let is_plain = !is_place
            && (1..=64).contains(&name.len())
            && name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let found = match (is_plain, seen.insert(name)) {
            (true, true) => continue,
            (false, _) => format!("`{}`", name.escape_default()),
            (true, false) => format!("`{name}`, which an earlier rule has too"),
        };
        faults.push(Fault::new(
            format!("{key}[{index}].name"),
            found,
            format!(
                "a name of its own, of 1 to 64 plain characters, that does not begin with `{key}[`"
            ),
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
