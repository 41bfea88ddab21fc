//! The username: which claim it is, what is changed on it, and what it must look like.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::config::{Fault, FieldTable, IssuerSettings};
use crate::jose::Claims;
use crate::policy::FullMatch;
use crate::reason::Reason;

use super::field::{Field, Value};
use super::identity::NoIdentity;

/// How an issuer's claims become a username.
#[derive(Clone, Debug)]
pub(super) struct Username {
    field: Field,
    pattern: Option<FullMatch>,
    map: BTreeMap<String, String>,
}

/// The name of the field that says what is changed on a username.
pub(super) const USERNAME: &str = "username";

impl Username {
    /// Compiles the rules. `path` names the table of the field in faults.
    pub(super) fn compile(
        settings: &IssuerSettings,
        path: &str,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let identity = &settings.identity;
        let own = identity.fields.get(USERNAME).cloned().unwrap_or_default();
        let claim_key = settings.path("username_claim");
        judge_keys(path, settings, faults);
        if settings.username_claim.items().is_empty() && own.template.is_none() {
            faults.push(Fault::new(
                claim_key,
                "nothing",
                "the claim that holds the username",
                "`sub`, `preferred_username` and `email` are usual",
            ));
            return None;
        }
        let from_claim = own.template.is_none();
        let table = FieldTable {
            claim: from_claim.then(|| settings.username_claim.clone()),
            until_at: Some(own.until_at == Some(true) || settings.extract_username),
            ..own
        };
        let mut found = Vec::new();
        let field = Field::compile(path, &table, &mut found);
        // The claims have a key of their own.
        let moved = format!("{path}.claim");
        for fault in &mut found {
            if fault.path == moved {
                fault.path.clone_from(&claim_key);
            }
        }
        faults.append(&mut found);
        let pattern = identity.username_pattern.as_ref();
        let pattern = pattern.map(|(path, text)| FullMatch::compile(path, text));
        let pattern = pattern.transpose().unwrap_or_else(|fault| {
            faults.push(fault);
            None
        });
        Some(Self {
            field: field?,
            pattern,
            map: identity.username_map.clone(),
        })
    }

    /// The username: the first claim of the list that the token has. A claim that is there and no good name is a refusal, not a
    /// reason to take the next.
    pub(super) fn of<'c>(&'c self, claims: &'c Claims<'_>) -> Result<Cow<'c, str>, NoIdentity> {
        let Ok(Value::Text(name)) = self.field.value(claims) else {
            return Err(Reason::IdentityUsername.into());
        };
        let name = match self.map.get(name.as_ref()) {
            Some(other) => Cow::Borrowed(other.as_str()),
            None => name,
        };
        match &self.pattern {
            Some(pattern) if !pattern.is_match(&name) => Err(NoIdentity {
                reason: Reason::IdentityUsername,
                detail: Some("`username_pattern` does not match".into()),
            }),
            _ => Ok(name),
        }
    }
}

/// Keys that say nothing about a username.
fn judge_keys(path: &str, settings: &IssuerSettings, faults: &mut Vec<Fault>) {
    let identity = &settings.identity;
    let own = identity.fields.get(USERNAME).cloned().unwrap_or_default();
    let claim_key = settings.path("username_claim");
    if own.claim.is_some() {
        faults.push(Fault::new(
            format!("{path}.claim"),
            "a claim for the username",
            "the key that says it",
            format!("write `{claim_key}`: the table here says what is changed on it"),
        ));
    }
    if own.merge.is_some() || own.only.is_some() || own.format.is_some() || own.split.is_some() {
        faults.push(Fault::new(
            path,
            "a key for lists",
            "keys for a single text",
            "a username is one text: `merge`, `split`, `only` and `format` say nothing about it",
        ));
    }
    if let Some((name, _)) = identity.username_map.iter().find(|(_, to)| to.is_empty()) {
        faults.push(Fault::new(
            "identity.username_map",
            format!("`{name}` with an empty name for it"),
            "another name",
            "to keep somebody out, name them in `access.blocked_users`",
        ));
    }
}
