//! What a person or a token must be or have.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::config::rules::ConditionTable;
use crate::config::{Fault, OneOrMany};

use super::claim_test::ClaimTest;
use super::subject::Subject;

/// A condition on what a verified token says.
#[derive(Clone, Debug)]
pub enum Condition {
    /// The username is one of these.
    User(Texts),
    /// The person is in one of these groups.
    Group(Texts),
    /// The e-mail address is in one of these domains.
    Domain(Texts),
    /// The token has one of these scopes.
    Scope(Texts),
    /// A claim is as a test wants it.
    Claim(Test),
    /// Every one holds.
    All(Vec<Condition>),
    /// At least one holds.
    Any(Vec<Condition>),
    /// It is known not to hold.
    Not(Box<Condition>),
}

/// A set of texts, compared byte for byte.
pub type Texts = HashSet<Box<str>, ahash::RandomState>;

/// A test of a claim.
#[derive(Clone, Debug)]
pub struct Test(ClaimTest);

impl Condition {
    /// Compiles the keys of a table, all of which must hold. `path` names the table in faults.
    #[must_use]
    pub fn compile(path: &str, table: &ConditionTable, faults: &mut Vec<Fault>) -> Self {
        let mut parts = Vec::new();
        let at = |key: &str| format!("{path}.{key}");
        parts.extend(texts(&at("users"), table.users.as_ref(), faults).map(Self::User));
        parts.extend(texts(&at("groups"), table.groups.as_ref(), faults).map(Self::Group));
        parts.extend(domains(&at("domains"), table.domains.as_ref(), faults).map(Self::Domain));
        let scopes = texts(&at("scopes"), table.scopes.as_ref(), faults);
        parts.extend(
            scopes
                .into_iter()
                .flatten()
                .map(|scope| Self::Scope([scope].into_iter().collect())),
        );
        for (index, test) in table.claims.iter().enumerate() {
            let path = at(&format!("claims[{index}]"));
            parts.extend(
                ClaimTest::compile(&path, test, faults).map(|test| Self::Claim(Test(test))),
            );
        }
        let mut list = |key: &str, tables: &[ConditionTable]| -> Vec<Self> {
            let path = |index| at(&format!("{key}[{index}]"));
            let numbered = tables.iter().enumerate();
            numbered
                .map(|(index, table)| Self::within(&path(index), table, faults))
                .collect()
        };
        parts.extend(list("all", &table.all));
        let any = list("any", &table.any);
        if !any.is_empty() {
            parts.push(Self::Any(any));
        }
        if let Some(table) = &table.not {
            parts.push(Self::Not(Box::new(Self::within(&at("not"), table, faults))));
        }
        match <[Self; 1]>::try_from(parts) {
            Ok([only]) => only,
            Err(parts) => Self::All(parts),
        }
    }

    /// The same for a table within another one, which must say something: an empty one would hold for everybody.
    fn within(path: &str, table: &ConditionTable, faults: &mut Vec<Fault>) -> Self {
        if *table == ConditionTable::default() {
            faults.push(
                Fault::new(
                    path,
                    "an empty condition, which holds for everybody",
                    "at least one key",
                    "remove it, or say what is wanted: for example `groups = [\"staff\"]`",
                )
                .absent(),
            );
        }
        Self::compile(path, table, faults)
    }

    /// Whether it holds; `None` where that cannot be told, which is no yes and no no.
    #[must_use]
    pub fn holds(&self, subject: &Subject<'_>) -> Option<bool> {
        match self {
            Self::User(names) => Some(names.contains(subject.username)),
            Self::Group(names) => subject.groups.map(|groups| holds_one(groups, names)),
            Self::Scope(names) => subject.scopes.map(|scopes| holds_one(scopes, names)),
            // Without a good address the domain is unknown: nobody is outside a domain for lack of one.
            Self::Domain(names) => subject
                .domain()
                .map(|domain| names.contains(domain.as_str())),
            Self::Claim(Test(test)) => Some(test.holds(subject.claims)),
            Self::All(parts) => every(parts.iter().map(|part| part.holds(subject))),
            Self::Any(parts) => {
                every(parts.iter().map(|part| negated(part.holds(subject)))).map(|none| !none)
            }
            Self::Not(part) => negated(part.holds(subject)),
        }
    }
}

/// One known failure fails the whole, whatever is not known (Kleene's logic).
fn every(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            Some(true) => {}
            None => all = None,
        }
    }
    all
}

fn negated(holds: Option<bool>) -> Option<bool> {
    holds.map(|holds| !holds)
}

fn holds_one(found: &[Cow<'_, str>], names: &Texts) -> bool {
    found.iter().any(|name| names.contains(name.as_ref()))
}

/// A set of the names of a key; `None` where the key is not there. A list without names fits nobody, and nobody means that.
pub(super) fn texts(
    path: &str,
    list: Option<&OneOrMany>,
    faults: &mut Vec<Fault>,
) -> Option<Texts> {
    let items = list?.items();
    if items.is_empty() || items.iter().any(String::is_empty) {
        faults.push(Fault::new(
            path,
            if items.is_empty() {
                "nothing"
            } else {
                "an empty name"
            },
            "at least one name, none of them empty",
            "remove the key if it shall not count",
        ));
        return None;
    }
    Some(items.iter().map(|item| item.as_str().into()).collect())
}

/// The same for domains, which are compared in small letters.
pub(super) fn domains(
    path: &str,
    list: Option<&OneOrMany>,
    faults: &mut Vec<Fault>,
) -> Option<Texts> {
    let names = texts(path, list, faults)?;
    let mut domains = Texts::default();
    for name in names {
        let is_domain = |name: &str| {
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
                && !name.starts_with('.')
        };
        // As it stands in a certificate and in DNS, so it stands in an address.
        let ascii = url::Host::parse(&name).map(|host| host.to_string());
        match ascii {
            Ok(domain) if is_domain(&domain) => {
                domains.insert(domain.into());
            }
            _ => faults.push(Fault::new(
                path,
                format!("`{name}`"),
                "a domain such as `example.com`",
                "what stands behind the `@`, without the `@`, and each domain for itself: `*` is no part of it",
            )),
        }
    }
    Some(domains)
}
