//! Who may come in at all: lists of users, domains, groups and scopes, whatever the rules say.

use crate::config::access::Access;
use crate::config::{Fault, OneOrMany};
use crate::reason::Reason;

use super::condition::{Condition, Texts, domains, scopes, texts};
use super::subject::Subject;

/// Compiled lists.
#[derive(Clone, Debug, Default)]
pub struct AccessRules {
    lists: Vec<List>,
    admins: Option<Condition>,
}

#[derive(Clone, Debug)]
struct List {
    /// The key of the configuration.
    key: String,
    reason: Reason,
    /// It must hold, and be known to.
    condition: Condition,
}

impl AccessRules {
    /// Compiles the lists of several tables, each with its path in the configuration. All of them count.
    #[must_use]
    pub fn compile(tables: &[(&str, &Access)], faults: &mut Vec<Fault>) -> Self {
        let mut rules = Self::default();
        let mut admins = Vec::new();
        for (path, table) in tables {
            rules.add(path, table, faults);
            let at = |key: &str| format!("{path}.{key}");
            admins.extend(
                texts(&at("admin_users"), table.admin_users.as_ref(), faults).map(Condition::User),
            );
            admins.extend(
                texts(&at("admin_groups"), table.admin_groups.as_ref(), faults)
                    .map(Condition::Group),
            );
        }
        rules.admins = (!admins.is_empty()).then_some(Condition::Any(admins));
        rules
    }

    fn add(&mut self, path: &str, table: &Access, faults: &mut Vec<Fault>) {
        let users = (&table.allowed_users, &table.blocked_users);
        self.pair(path, "users", users, texts, Condition::User, faults);
        let listed = (&table.allowed_domains, &table.blocked_domains);
        self.pair(path, "domains", listed, domains, Condition::Domain, faults);
        let groups = (&table.allowed_groups, &table.blocked_groups);
        self.pair(path, "groups", groups, texts, Condition::Group, faults);
        // Of scopes, all that are allowed are needed, and one that is blocked is too many.
        let blocked = (&None, &table.blocked_scopes);
        self.pair(path, "scopes", blocked, scopes, Condition::Scope, faults);
        let key = format!("{path}.allowed_scopes");
        if let Some(scopes) = scopes(&key, table.allowed_scopes.as_ref(), faults) {
            let each = scopes.into_iter().map(|scope| Texts::from_iter([scope]));
            self.lists.push(List {
                key,
                reason: Reason::AccessNotAllowed,
                condition: Condition::All(each.map(Condition::Scope).collect()),
            });
        }
    }

    /// Adds the list of those who may come in, and the list of those who may not.
    fn pair(
        &mut self,
        path: &str,
        kind: &str,
        (allowed, blocked): (&Option<OneOrMany>, &Option<OneOrMany>),
        read: impl Fn(&str, Option<&OneOrMany>, &mut Vec<Fault>) -> Option<Texts>,
        condition: impl Fn(Texts) -> Condition,
        faults: &mut Vec<Fault>,
    ) {
        let key = format!("{path}.blocked_{kind}");
        if let Some(names) = read(&key, blocked.as_ref(), faults) {
            self.lists.push(List {
                key,
                reason: Reason::AccessBlocked,
                condition: Condition::Not(Box::new(condition(names))),
            });
        }
        let key = format!("{path}.allowed_{kind}");
        if let Some(names) = read(&key, allowed.as_ref(), faults) {
            self.lists.push(List {
                key,
                reason: Reason::AccessNotAllowed,
                condition: condition(names),
            });
        }
    }

    /// The first list that keeps somebody out, by its key in the configuration; `None`: they may come in.
    #[must_use]
    pub fn keeps_out(&self, subject: &Subject<'_>) -> Option<(Reason, &str)> {
        let list = self
            .lists
            .iter()
            .find(|list| list.condition.holds(subject) != Some(true))?;
        Some((list.reason, &list.key))
    }

    /// Whether the person is an admin.
    #[must_use]
    pub fn is_admin(&self, subject: &Subject<'_>) -> bool {
        self.admins
            .as_ref()
            .is_some_and(|admins| admins.holds(subject) == Some(true))
    }

    /// Whether anything asks for groups.
    #[must_use]
    pub fn ask_for_groups(&self) -> bool {
        let lists = self.lists.iter().map(|list| &list.condition);
        lists.chain(&self.admins).any(Condition::asks_for_groups)
    }

    /// Whether there is anything to ask.
    #[must_use]
    pub const fn ask_anything(&self) -> bool {
        !self.lists.is_empty() || self.admins.is_some()
    }
}
