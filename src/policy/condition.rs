//! What a person or a token must be or have.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

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
        let scopes = scopes(&at("scopes"), table.scopes.as_ref(), faults);
        // In the order of the configuration, in which `explain` tells them.
        let listed_scopes = scopes
            .and(table.scopes.as_ref())
            .map_or(&[][..], OneOrMany::items);
        parts.extend(
            listed_scopes
                .iter()
                .map(|scope| Self::Scope(Texts::from_iter([scope.as_str().into()]))),
        );
        let tests = listed(&at("claims"), table.claims.as_deref(), faults);
        for (index, test) in tests.iter().enumerate() {
            let path = at(&format!("claims[{index}]"));
            let test = ClaimTest::compile(&path, test, faults);
            parts.extend(test.map(|test| Self::Claim(Test(test))));
        }
        let mut list = |key: &str, tables: Option<&[ConditionTable]>| -> Vec<Self> {
            let tables = listed(&at(key), tables, faults);
            let path = |index| at(&format!("{key}[{index}]"));
            let numbered = tables.iter().enumerate();
            numbered
                .map(|(index, table)| Self::within(&path(index), table, faults))
                .collect()
        };
        parts.extend(list("all", table.all.as_deref()));
        if table.any.is_some() {
            parts.push(Self::Any(list("any", table.any.as_deref())));
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

    /// Its parts, all of which must hold.
    #[must_use]
    pub fn parts(&self) -> &[Self] {
        match self {
            Self::All(parts) => parts,
            other => std::slice::from_ref(other),
        }
    }

    /// Whether it may ask for groups.
    #[must_use]
    pub fn asks_for_groups(&self) -> bool {
        match self {
            Self::Group(_) => true,
            Self::Claim(Test(test)) => test.asks_for_groups(),
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::asks_for_groups),
            Self::Not(part) => part.asks_for_groups(),
            Self::User(_) | Self::Domain(_) | Self::Scope(_) => false,
        }
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
            Self::Claim(Test(test)) => test.holds(subject.claims),
            Self::All(parts) => every(parts.iter().map(|part| part.holds(subject))),
            Self::Any(parts) => {
                every(parts.iter().map(|part| negated(part.holds(subject)))).map(|none| !none)
            }
            Self::Not(part) => negated(part.holds(subject)),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |names: &Texts| {
            let mut names: Vec<_> = names.iter().collect();
            names.sort_unstable();
            match names.as_slice() {
                [only] => format!("{only:?}"),
                names => format!("one of {names:?}"),
            }
        };
        let list = |parts: &[Self]| {
            let parts: Vec<_> = parts.iter().map(Self::to_string).collect();
            parts.join("; ")
        };
        match self {
            Self::User(users) => write!(formatter, "the username is {}", names(users)),
            Self::Group(groups) => write!(formatter, "a group is {}", names(groups)),
            Self::Domain(domains) => write!(formatter, "the domain is {}", names(domains)),
            Self::Scope(scopes) => write!(formatter, "a scope is {}", names(scopes)),
            Self::Claim(Test(test)) => test.fmt(formatter),
            Self::All(parts) => write!(formatter, "all of ({})", list(parts)),
            Self::Any(parts) => write!(formatter, "any of ({})", list(parts)),
            Self::Not(part) => write!(formatter, "not ({part})"),
        }
    }
}

/// The tables of a key; a list that is given and empty is a fault.
fn listed<'t, T>(path: &str, tables: Option<&'t [T]>, faults: &mut Vec<Fault>) -> &'t [T] {
    if tables.is_some_and(<[T]>::is_empty) {
        faults.push(Fault::new(
            path,
            "an empty list",
            "at least one entry",
            "remove the key if it shall not count",
        ));
    }
    tables.unwrap_or_default()
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

/// The same for scopes, which have no blanks (RFC 6749 §3.3).
pub(super) fn scopes(
    path: &str,
    list: Option<&OneOrMany>,
    faults: &mut Vec<Fault>,
) -> Option<Texts> {
    let names = texts(path, list, faults)?;
    if let Some(name) = names.iter().find(|name| name.contains(' ')) {
        let each: Vec<_> = name.split(' ').map(|one| format!("\"{one}\"")).collect();
        faults.push(Fault::new(
            path,
            format!("`{name}`, with a blank in it"),
            "scopes, each for itself",
            format!("write a list: [{}]", each.join(", ")),
        ));
    }
    Some(names)
}

/// The same for domains, in the form that addresses are brought into.
pub(super) fn domains(
    path: &str,
    list: Option<&OneOrMany>,
    faults: &mut Vec<Fault>,
) -> Option<Texts> {
    let names = texts(path, list, faults)?;
    let mut domains = Texts::default();
    for name in names {
        match domain(&name) {
            Some(domain) => {
                domains.insert(domain.into());
            }
            None => faults.push(Fault::new(
                path,
                format!("`{name}`"),
                "a domain such as `example.com`",
                "what stands behind the `@`, without the `@`, and each domain for itself: `*` is no part of it",
            )),
        }
    }
    Some(domains)
}

/// A domain in the form of DNS (small ASCII letters, without a final dot); `None` for anything else.
pub(super) fn domain(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    // What must not stand in a domain is refused before it is folded into one that may.
    let has_odd = |name: &str| {
        let is_odd = |one: char| one.is_whitespace() || one.is_control() || one == '%';
        name.chars().any(is_odd)
    };
    let url::Host::Domain(name) = url::Host::parse(name).ok().filter(|_| !has_odd(name))? else {
        return None;
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_plain);
    name.split('.').all(is_label).then_some(name)
}
