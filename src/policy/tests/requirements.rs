//! Conditions of all rules, gathered, and which of them a token meets.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ALICE, Person, STRANGER, policy, read};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::policy::rule::{Lack, SignIn};
use crate::policy::{Met, Policy, Rule};

const NOW: Timestamp = Timestamp::from_seconds(1_780_000_000);

fn rules(policy: &Policy) -> &[std::sync::Arc<Rule>] {
    policy.rules.as_ref().unwrap().all()
}

fn met(policy: &Policy, person: &Person<'_>) -> Met {
    person.asked(|subject| policy.requirements.met_by(subject))
}

/// This many rules, each for one user.
fn for_users(count: usize) -> Policy {
    let rule =
        |index| json!({ "action": "require", "require": { "users": format!("user-{index}") } });
    let rules: Vec<Value> = (0..count).map(rule).collect();
    policy(&json!(rules))
}

#[test]
fn every_condition_keeps_its_own_bit_however_many_there_are() {
    // Up to a word of 64 bits, beyond it, and beyond a second one.
    for (count, bytes) in [(1, 0), (64, 0), (65, 8), (128, 8), (129, 16), (200, 24)] {
        let policy = for_users(count);
        for user in [0, 1, 31, 62, 63, 64, 65, 126, 127, 128, 129, count - 1] {
            let username = format!("user-{user}");
            let met = met(
                &policy,
                &Person {
                    username: &username,
                    ..ALICE
                },
            );
            let holds = |rule: &&std::sync::Arc<Rule>| met.holds(rule.condition().unwrap());
            let names = rules(&policy).iter().filter(holds);
            let found: Vec<&str> = names.map(|rule| &**rule.name()).collect();
            let expected = (user < count).then(|| format!("rules[{user}]"));
            assert_eq!(found, expected.as_slice(), "{user} of {count}");
            assert_eq!(met.size(), bytes, "{count}");
        }
    }
}

#[test]
fn a_token_that_was_judged_by_nothing_meets_nothing() {
    let policy = for_users(130);
    for rule in rules(&policy) {
        assert!(!Met::default().holds(rule.condition().unwrap()));
        let refused = rule.accepts(&Met::default(), None, NOW);
        assert_eq!(refused, Err(Lack::Condition));
    }
    // What fewer conditions were judged for says nothing of the others.
    let fewer = met(
        &for_users(3),
        &Person {
            username: "user-2",
            ..ALICE
        },
    );
    let held: Vec<bool> = rules(&policy)
        .iter()
        .map(|rule| fewer.holds(rule.condition().unwrap()))
        .collect();
    assert_eq!(held.iter().filter(|held| **held).count(), 1);
    assert!(held[2]);
}

#[test]
fn equal_tables_are_compiled_once_and_different_ones_apart() {
    let staff = json!({ "groups": ["staff"], "claims": [{ "claim": "a", "equals": 1 }] });
    let with_scope =
        json!({ "groups": ["staff"], "claims": [{ "claim": "a", "equals": 1 }], "scopes": "read" });
    let config = Config {
        rules: read(&json!([
            { "action": "require", "require": staff },
            { "action": "optional", "path": "/x", "require": staff },
            { "action": "require", "require": with_scope },
            { "action": "require", "require": { "groups": ["staff"], "claims": [{ "claim": "a", "equals": "1" }] } },
            { "action": "require", "require": { "groups": ["Staff"] } },
            { "action": "require" },
            { "action": "require", "require": { "scopes": "read" } },
        ])),
        shadow_rules: read(&json!([{ "action": "require", "require": staff }])),
        ..Config::default()
    };
    let (policy, _) = Policy::compile(&config, &[]);
    let place = |index: usize| rules(&policy)[index].condition();
    assert!(place(0).is_some());
    assert_eq!(place(1), place(0));
    // Scopes have a place of their own, since their lack is told apart.
    assert_eq!(place(2), place(0));
    assert_ne!(place(3), place(0), "the text `1` is another condition");
    assert_ne!(place(4), place(0));
    assert_ne!(place(4), place(3));
    assert_eq!(place(5), None, "nothing is wanted");
    assert_eq!(place(6), None);
    let shadow = policy.shadow.as_ref().unwrap().all();
    assert_eq!(shadow[0].condition(), place(0));
    // A hundred rules of one table take one bit.
    let same = json!({ "action": "require", "require": staff });
    let many = super::policy(&json!(vec![same; 100]));
    assert_eq!(met(&many, &ALICE).size(), 0);
}

#[test]
fn a_place_leads_to_its_condition() {
    let policy = for_users(70);
    for index in [0, 63, 64, 69] {
        let place = rules(&policy)[index].condition().unwrap();
        let condition = policy.requirements.get(place).unwrap();
        let username = format!("user-{index}");
        let owner = Person {
            username: &username,
            ..ALICE
        };
        assert_eq!(owner.meets(condition), Some(true));
        assert_eq!(ALICE.meets(condition), Some(false));
    }
    assert!(
        super::policy(&json!([{ "action": "require" }]))
            .requirements
            .is_empty()
    );
    assert!(!policy.requirements.is_empty());
}

/// Groups, scopes, claims, how many seconds ago the person signed in, and what is lacking.
type Lacking = (
    Option<&'static [&'static str]>,
    Option<&'static [&'static str]>,
    &'static str,
    Option<i64>,
    Result<(), Lack>,
);

const STAFF: Option<&[&str]> = Some(&["staff"]);
const BOTH: Option<&[&str]> = Some(&["read", "write"]);
const HIGH: &str = r#"{"acr":"high"}"#;
const NOT_STRONG: Result<(), Lack> = Err(Lack::Authentication);

const LACKING: &[Lacking] = &[
    (STAFF, BOTH, HIGH, Some(0), Ok(())),
    (STAFF, BOTH, r#"{"acr":"higher"}"#, Some(599), Ok(())),
    (STAFF, BOTH, HIGH, Some(-60), NOT_STRONG),
    (STAFF, BOTH, HIGH, Some(600), NOT_STRONG),
    (STAFF, BOTH, HIGH, None, NOT_STRONG),
    (STAFF, BOTH, "{}", Some(0), NOT_STRONG),
    (STAFF, BOTH, r#"{"acr":"high higher"}"#, Some(0), NOT_STRONG),
    (STAFF, BOTH, r#"{"acr":"HIGH"}"#, Some(0), NOT_STRONG),
    (STAFF, BOTH, r#"{"acr":["high"]}"#, Some(0), NOT_STRONG),
    (STAFF, BOTH, r#"{"acr":1}"#, Some(0), NOT_STRONG),
    (STAFF, Some(&["write"]), "{}", None, Err(Lack::Scope)),
    (STAFF, None, HIGH, Some(0), Err(Lack::Scope)),
    (Some(&[]), Some(&[]), "{}", None, Err(Lack::Condition)),
    (None, BOTH, HIGH, Some(0), Err(Lack::Condition)),
];

#[test]
fn the_first_lack_is_told_conditions_before_scopes_before_the_way_to_sign_in() {
    let policy = policy(&json!([{
        "action": "require",
        "require": { "groups": "staff", "scopes": ["read", "write"] },
        "acr": ["high", "higher"],
        "max_age": "10m",
    }]));
    let rule = &rules(&policy)[0];
    for case @ &(groups, scopes, claims, ago, expected) in LACKING {
        let person = Person {
            groups,
            scopes,
            claims,
            ..ALICE
        };
        let signed_in = ago.map(|ago| SignIn {
            at: Timestamp::from_seconds(NOW.seconds() - ago),
            leeway: Duration::ZERO,
        });
        let found = rule.accepts(&met(&policy, &person), signed_in, NOW);
        assert_eq!(found, expected, "{case:?}");
    }
    let wanted = rule.authentication().unwrap();
    assert_eq!(wanted.acr_values(), Some("high higher"));
    assert_eq!(wanted.max_age(), Some(600));
}

#[test]
fn clocks_may_differ_by_the_leeway_and_a_moment_that_has_not_come_is_none() {
    let policy = policy(&json!([{ "action": "require", "max_age": "10m" }]));
    let rule = &rules(&policy)[0];
    let leeway = Duration::from_secs(30);
    for (ago, is_fine) in [
        (0, true),
        (629, true),
        (630, false),
        (-30, true),
        (-31, false),
        (i64::from(i32::MIN), false),
        (i64::from(i32::MAX), false),
    ] {
        let at = Timestamp::from_seconds(NOW.seconds() - ago);
        let found = rule.accepts(&Met::default(), Some(SignIn { at, leeway }), NOW);
        assert_eq!(found.is_ok(), is_fine, "{ago}");
    }
}

#[test]
fn what_the_rules_want_of_a_token_that_says_nothing_is_refused() {
    let policy = policy(&json!([
        { "action": "require", "require": { "not": { "groups": "guests" } } },
        { "action": "require", "require": { "any": [{ "groups": "a" }, { "scopes": "b" }] } },
        { "action": "require", "require": { "not": { "domains": "evil.org" } } },
        { "action": "require" },
    ]));
    let met = met(&policy, &STRANGER);
    let found: Vec<_> = rules(&policy)
        .iter()
        .map(|rule| rule.accepts(&met, None, NOW))
        .collect();
    let refused = Err(Lack::Condition);
    assert_eq!(found, [refused, refused, refused, Ok(())]);
}
