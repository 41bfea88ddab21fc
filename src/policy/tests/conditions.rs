//! Conditions on people: near misses, and what becomes of what cannot be told.

use serde_json::{Value, json};

use super::{ALICE, Person, STRANGER, condition};

/// What is not `admins`, however much it looks like it.
const NEARLY_ADMINS: &[&str] = &[
    "",
    "admin",
    "adminss",
    "admins2",
    "xadmins",
    "Admins",
    "ADMINS",
    " admins",
    "admins ",
    "admins\n",
    "admins\0",
    "admins,users",
    "users admins",
    "[\"admins\"]",
    "\"admins\"",
    "'admins'",
    "*",
    ".*",
    "admi%6es",
    "/admins",
    "admins/",
    "adm\u{131}ns",
    "\u{430}dmins",
    "\u{ff41}\u{ff44}\u{ff4d}\u{ff49}\u{ff4e}\u{ff53}",
    "admin\u{17f}",
    "admins\u{200b}",
    "\u{202e}admins",
];

#[test]
fn users_groups_and_scopes_are_compared_by_equality() {
    let user = condition(&json!({ "users": ["root", "admins"] }));
    let group = condition(&json!({ "groups": ["root", "admins"] }));
    let scope = condition(&json!({ "scopes": "admins" }));
    for name in NEARLY_ADMINS.iter().copied().chain(["admins"]) {
        let expected = Some(name == "admins");
        let lists: &[&str] = &["users", name, "x"];
        let person = Person {
            username: name,
            groups: Some(lists),
            scopes: Some(lists),
            ..ALICE
        };
        assert_eq!(person.meets(&user), expected, "user {name:?}");
        assert_eq!(person.meets(&group), expected, "group {name:?}");
        assert_eq!(person.meets(&scope), expected, "scope {name:?}");
    }
}

#[test]
fn no_name_in_a_condition_is_a_pattern() {
    for name in ["*", ".*", "a*", "?????", "[a-z]*", "alic", "lice", "alice,"] {
        let person = Person {
            email: Some("alice@alice"),
            groups: Some(&["alice"]),
            scopes: Some(&["alice"]),
            ..ALICE
        };
        for key in ["users", "groups", "scopes"] {
            let found = person.meets(&condition(&json!({ key: name })));
            assert_eq!(found, Some(false), "{key} {name}");
        }
    }
}

#[test]
fn one_group_is_enough_and_every_scope_is_needed() {
    let groups = condition(&json!({ "groups": ["a", "b"] }));
    let scopes = condition(&json!({ "scopes": ["a", "b"] }));
    for (names, has_one, has_all) in [
        (&["a"][..], true, false),
        (&["b"], true, false),
        (&["c", "b", "a"], true, true),
        (&["a", "a"], true, false),
        (&["c"], false, false),
        (&["a b"], false, false),
        (&["ab"], false, false),
        (&[], false, false),
    ] {
        let person = Person {
            groups: Some(names),
            scopes: Some(names),
            ..ALICE
        };
        assert_eq!(person.meets(&groups), Some(has_one), "{names:?}");
        assert_eq!(person.meets(&scopes), Some(has_all), "{names:?}");
    }
    let unknown = Person {
        groups: None,
        scopes: None,
        ..ALICE
    };
    assert_eq!(unknown.meets(&groups), None);
    assert_eq!(unknown.meets(&scopes), None);
}

/// Addresses, and whether they are in `example.com`; `None`: no good address.
const ADDRESSES: &[(&str, Option<bool>)] = &[
    ("a@example.com", Some(true)),
    ("A@Example.COM", Some(true)),
    ("a+tag.x@example.com", Some(true)),
    ("\"a b\"@example.com", Some(true)),
    ("a@sub.example.com", Some(false)),
    ("a@example.com.evil.org", Some(false)),
    ("a@evilexample.com", Some(false)),
    ("a@evil-example.com", Some(false)),
    ("a@example.co", Some(false)),
    ("a@example.comm", Some(false)),
    ("a@exampleXcom", Some(false)),
    ("a@com", Some(false)),
    ("example.com@evil.org", Some(false)),
    ("a%example.com@evil.org", Some(false)),
    ("@example.com", None),
    ("a@", None),
    ("@", None),
    ("", None),
    ("a", None),
    ("example.com", None),
    ("a@@example.com", None),
    ("a@evil.org@example.com", None),
    ("a@example.com@evil.org", None),
    ("\"a@b\"@example.com", None),
    ("a@example.com,b@evil.org", None),
    ("<a@example.com> b@evil.org", None),
];

#[test]
fn an_address_that_readers_read_differently_is_in_no_domain_and_outside_of_none() {
    let inside = condition(&json!({ "domains": "example.com" }));
    let outside = condition(&json!({ "not": { "domains": "example.com" } }));
    for &(email, expected) in ADDRESSES {
        let person = Person {
            email: Some(email),
            ..ALICE
        };
        assert_eq!(person.meets(&inside), expected, "{email}");
        assert_eq!(person.meets(&outside), expected.map(|is| !is), "{email}");
    }
    assert_eq!(ALICE.meets(&inside), None);
    assert_eq!(ALICE.meets(&outside), None);
}

#[test]
fn an_address_that_is_not_surely_verified_is_in_no_domain_and_outside_of_none() {
    let inside = condition(&json!({ "domains": "example.com" }));
    let outside = condition(&json!({ "not": { "domains": "evil.org" } }));
    let asked = |claims: &str| {
        let person = Person {
            email: Some("a@example.com"),
            claims,
            ..ALICE
        };
        (person.meets(&inside), person.meets(&outside))
    };
    // An issuer that says nothing is trusted as far as it goes.
    for good in ["null", "true", "\"true\"", "\"TRUE\"", "\"True\""] {
        let claims = format!(r#"{{"email_verified":{good}}}"#);
        assert_eq!(asked(&claims), (Some(true), Some(true)), "{good}");
    }
    for claims in ["{}", r#"{"email_Verified":false}"#] {
        assert_eq!(asked(claims), (Some(true), Some(true)), "{claims}");
    }
    for bad in [
        "false",
        "\"false\"",
        "\"False\"",
        "\"\"",
        "\"yes\"",
        "\"1\"",
        "\" true\"",
        "\"true \"",
        "\"true\\u0000\"",
        "\"tru\u{ff45}\"",
        "0",
        "1",
        "1.0",
        "-1",
        "[]",
        "[true]",
        "{}",
        r#"{"true":true}"#,
    ] {
        let claims = format!(r#"{{"email_verified":{bad}}}"#);
        assert_eq!(asked(&claims), (None, None), "{bad}");
    }
}

#[test]
fn domains_of_a_configuration_are_brought_into_the_form_of_addresses() {
    for (domain, email) in [
        ("EXAMPLE.com", "a@example.com"),
        ("m\u{fc}nchen.example", "a@xn--mnchen-3ya.example"),
        ("M\u{dc}NCHEN.example", "a@XN--MNCHEN-3YA.example"),
        ("xn--mnchen-3ya.example", "a@xn--mnchen-3ya.example"),
        ("corp", "a@CORP"),
        ("a_b.example", "a@a_b.example"),
    ] {
        let person = Person {
            email: Some(email),
            ..ALICE
        };
        let found = person.meets(&condition(&json!({ "domains": ["x.org", domain] })));
        assert_eq!(found, Some(true), "{domain} {email}");
    }
}

/// A domain of the configuration, and addresses in it, or of which nobody can tell.
const SPELLINGS: &[(&str, &str)] = &[
    ("m\u{fc}nchen.example", "a@m\u{fc}nchen.example"),
    ("m\u{fc}nchen.example", "a@M\u{dc}NCHEN.example"),
    ("example.com", "a@\u{ff45}xample.com"),
    ("example.com", "a@example\u{3002}com"),
    ("kelvin.example", "a@\u{212a}elvin.example"),
    ("example.com", "a@example.com."),
    ("example.com.", "a@example.com"),
    ("example.com", "a@example.com "),
    ("example.com", "a@ example.com"),
    ("example.com", "a@example.com\n"),
    ("example.com", "a@example.com>"),
    ("example.com", "a@(x)example.com"),
];

#[test]
fn a_domain_in_another_spelling_is_not_known_to_be_another() {
    for &(blocked, email) in SPELLINGS {
        let person = Person {
            email: Some(email),
            ..ALICE
        };
        let is_outside = condition(&json!({ "not": { "domains": blocked } }));
        assert_ne!(person.meets(&is_outside), Some(true), "{blocked} {email}");
    }
}

#[test]
fn what_is_no_plain_domain_is_in_no_domain_and_outside_of_none() {
    let inside = condition(&json!({ "domains": "example.com" }));
    let outside = condition(&json!({ "not": { "domains": "evil.org" } }));
    for domain in [
        "example.com ",
        " example.com",
        "example.com\n",
        "example.com>",
        "(x)example.com",
        "example..com",
        ".example.com",
        "example.com..",
        "[127.0.0.1]",
        "127.0.0.1",
        "*.example.com",
    ] {
        let email = format!("a@{domain}");
        let person = Person {
            email: Some(&email),
            ..ALICE
        };
        assert_eq!(person.meets(&inside), None, "{domain:?}");
        assert_eq!(person.meets(&outside), None, "{domain:?}");
    }
}

#[test]
fn an_encoded_domain_is_in_no_domain_and_outside_of_none() {
    let inside = condition(&json!({ "domains": "example.com" }));
    for email in ["a@example%2ecom", "a@%65xample.com"] {
        let person = Person {
            email: Some(email),
            ..ALICE
        };
        assert_eq!(person.meets(&inside), None, "{email}");
    }
}

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);
const UNKNOWN: Option<bool> = None;

/// Two parts, and what all and any of them are.
const TRUTHS: &[[Option<bool>; 4]] = &[
    [YES, YES, YES, YES],
    [YES, NO, NO, YES],
    [YES, UNKNOWN, UNKNOWN, YES],
    [NO, YES, NO, YES],
    [NO, NO, NO, NO],
    [NO, UNKNOWN, NO, UNKNOWN],
    [UNKNOWN, YES, UNKNOWN, YES],
    [UNKNOWN, NO, NO, UNKNOWN],
    [UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN],
];

/// A condition that the stranger meets, does not meet, or of which that cannot be told.
fn part(holds: Option<bool>) -> Value {
    match holds {
        Some(true) => json!({ "users": "alice" }),
        Some(false) => json!({ "users": "bob" }),
        None => json!({ "groups": "staff" }),
    }
}

#[track_caller]
fn is(table: &Value, expected: Option<bool>) {
    assert_eq!(STRANGER.meets(&condition(table)), expected, "{table}");
}

#[test]
fn what_cannot_be_told_is_neither_yes_nor_no() {
    for &[one, other, all, any] in TRUTHS {
        let both = json!([part(one), part(other)]);
        let not = |holds: Option<bool>| holds.map(|holds| !holds);
        is(&json!({ "all": both }), all);
        is(&json!({ "any": both }), any);
        is(&json!({ "not": { "all": both } }), not(all));
        is(&json!({ "not": { "any": both } }), not(any));
        // De Morgan's laws hold of the unknown, too.
        let negated = json!([{ "not": part(one) }, { "not": part(other) }]);
        is(&json!({ "any": negated }), not(all));
        is(&json!({ "all": negated }), not(any));
        is(&json!({ "all": [{ "all": both }, { "any": both }] }), all);
        is(&json!({ "any": [{ "all": both }, { "any": both }] }), any);
        is(&json!({ "all": [part(one)], "any": [part(other)] }), all);
        is(
            &json!({ "all": [part(one)], "not": { "not": part(other) } }),
            all,
        );
    }
    for holds in [YES, NO, UNKNOWN] {
        is(&part(holds), holds);
        is(&json!({ "not": part(holds) }), holds.map(|holds| !holds));
        is(&json!({ "not": { "not": part(holds) } }), holds);
        is(&json!({ "any": [part(holds)] }), holds);
    }
}

/// Somebody who lacks nothing that [`every_key_of_one_table_counts`] asks for.
const GOOD: Person<'static> = Person {
    username: "alice",
    email: Some("alice@example.com"),
    groups: Some(&["staff"]),
    scopes: Some(&["read", "write"]),
    claims: r#"{"level":3,"a":1,"b":1}"#,
};

const fn by_groups(groups: Option<&'static [&'static str]>) -> Person<'static> {
    Person { groups, ..GOOD }
}

const fn by_scopes(scopes: Option<&'static [&'static str]>) -> Person<'static> {
    Person { scopes, ..GOOD }
}

const fn by_email(email: Option<&'static str>) -> Person<'static> {
    Person { email, ..GOOD }
}

const fn by_claims(claims: &'static str) -> Person<'static> {
    Person { claims, ..GOOD }
}

#[test]
fn every_key_of_one_table_counts() {
    let all = condition(&json!({
        "users": "alice",
        "groups": "staff",
        "domains": "example.com",
        "scopes": ["read", "write"],
        "claims": [{ "claim": "level", "equals": 3 }],
        "all": [{ "claims": [{ "claim": "a", "exists": true }] }],
        "any": [{ "users": "bob" }, { "claims": [{ "claim": "b", "exists": true }] }],
        "not": { "groups": "guests" },
    }));
    let other_name = Person {
        username: "bob",
        ..GOOD
    };
    let nothing_fits = Person {
        groups: None,
        ..by_claims(r#"{"a":1,"b":1}"#)
    };
    for (index, (person, expected)) in [
        (GOOD, YES),
        (other_name, NO),
        (by_email(Some("alice@evil.org")), NO),
        (by_email(None), UNKNOWN),
        (by_groups(Some(&[])), NO),
        (by_groups(Some(&["staff", "guests"])), NO),
        (by_groups(None), UNKNOWN),
        (by_scopes(Some(&["read"])), NO),
        (by_scopes(None), UNKNOWN),
        (by_claims(r#"{"level":"3","a":1,"b":1}"#), UNKNOWN),
        (by_claims(r#"{"level":4,"a":1,"b":1}"#), NO),
        (by_claims(r#"{"level":3,"b":1}"#), NO),
        (by_claims(r#"{"level":3,"a":1}"#), NO),
        (nothing_fits, NO),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(person.meets(&all), expected, "case {index}");
    }
}
