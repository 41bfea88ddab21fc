//! Lists of who may come in at all.

use serde_json::{Value, json};

use super::{ALICE, Person, STRANGER, read};
use crate::config::Access;
use crate::policy::AccessRules;
use crate::reason::Reason;

#[track_caller]
fn kept_out(tables: &[(&str, Value)], person: &Person<'_>) -> Option<(Reason, String)> {
    let read: Vec<(&str, Access)> = tables.iter().map(|(at, it)| (*at, read(it))).collect();
    let borrowed: Vec<_> = read.iter().map(|(path, table)| (*path, table)).collect();
    let mut faults = Vec::new();
    let rules = AccessRules::compile(&borrowed, &mut faults);
    assert_eq!(faults, [], "{tables:?}");
    person.asked(|subject| {
        let found = rules.keeps_out(subject);
        found.map(|(reason, key)| (reason, key.to_owned()))
    })
}

#[test]
fn a_list_of_access_keeps_out_whoever_cannot_be_told_to_be_fine() {
    use Reason::{AccessBlocked, AccessNotAllowed};
    for (key, reason) in [
        ("allowed_groups", AccessNotAllowed),
        ("blocked_groups", AccessBlocked),
        ("allowed_scopes", AccessNotAllowed),
        ("blocked_scopes", AccessBlocked),
        ("allowed_users", AccessNotAllowed),
        ("allowed_domains", AccessNotAllowed),
        ("blocked_domains", AccessBlocked),
    ] {
        let tables = [("access", json!({ key: "x" }))];
        let expected = Some((reason, format!("access.{key}")));
        assert_eq!(kept_out(&tables, &STRANGER), expected, "{key}");
    }
    let blocked = [(
        "access",
        json!({ "blocked_users": ["Alice", "alic", "alice "] }),
    )];
    assert_eq!(kept_out(&blocked, &STRANGER), None);
    // Of two tables both count, and neither takes back what the other says.
    let tables = [
        ("access", json!({ "allowed_users": "alice" })),
        ("issuers.a.access", json!({ "blocked_users": "alice" })),
    ];
    let expected = (AccessBlocked, "issuers.a.access.blocked_users".to_owned());
    assert_eq!(kept_out(&tables, &ALICE), Some(expected));
    let bob = Person {
        username: "bob",
        ..ALICE
    };
    let expected = (AccessNotAllowed, "access.allowed_users".to_owned());
    assert_eq!(kept_out(&tables, &bob), Some(expected));
}

#[test]
fn nobody_is_an_admin_by_what_cannot_be_told() {
    let table: Access = read(&json!({ "admin_users": "root", "admin_groups": ["admins"] }));
    let mut faults = Vec::new();
    let rules = AccessRules::compile(&[("access", &table)], &mut faults);
    assert_eq!(faults, []);
    let is_admin = |person: &Person<'_>| person.asked(|subject| rules.is_admin(subject));
    for (username, groups, expected) in [
        ("root", Some(&[][..]), true),
        ("root", None, true),
        ("a", Some(&["x", "admins"]), true),
        ("a", Some(&["Admins"]), false),
        ("Root", Some(&["root"]), false),
        ("admins", None, false),
    ] {
        let person = Person {
            username,
            groups,
            ..ALICE
        };
        assert_eq!(is_admin(&person), expected, "{username} {groups:?}");
    }
}

#[test]
fn lists_of_access_are_judged_like_those_of_rules() {
    let mut faults = Vec::new();
    let table: Access = read(&json!({
        "allowed_users": [], "blocked_users": [""], "allowed_domains": "@a.example",
        "blocked_domains": "*.a.example", "allowed_groups": "", "blocked_groups": ["a", ""],
        "allowed_scopes": [], "blocked_scopes": [""], "admin_users": [], "admin_groups": [""],
    }));
    let _ = AccessRules::compile(&[("issuers.okta.access", &table)], &mut faults);
    let mut paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
    paths.sort_unstable();
    let keys = [
        "admin_groups",
        "admin_users",
        "allowed_domains",
        "allowed_groups",
        "allowed_scopes",
        "allowed_users",
        "blocked_domains",
        "blocked_groups",
        "blocked_scopes",
        "blocked_users",
    ];
    assert_eq!(paths, keys.map(|key| format!("issuers.okta.access.{key}")));
}
