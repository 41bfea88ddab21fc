//! Every operator, condition and part of a route, with values that somebody made to get past them.
//!
//! The tables stand in `tests/`, one file for each subject; here is what they share, and what needs a token from the gate.

mod access;
mod claims;
mod conditions;
mod faults;
mod faults_of_conditions;
mod paths;
mod readings;
mod requirements;
mod routes;
mod warnings;

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::condition::Condition;
use super::*;
use crate::clock::Timestamp;
use crate::config::{Config, Fault};
use crate::gate::headers::Headers;
use crate::gate::identity::IdentityRules;
use crate::jose::Claims;
use crate::request::Original;

/// A table of the configuration.
#[track_caller]
fn read<T: DeserializeOwned>(table: &Value) -> T {
    T::deserialize(table).unwrap_or_else(|why| panic!("{table}: {why}"))
}

#[track_caller]
fn condition(table: &Value) -> Condition {
    let mut faults = Vec::new();
    let condition = Condition::compile("require", &read(table), &mut faults);
    assert_eq!(faults, [], "{table}");
    condition
}

/// Rules with the issuers `okta` and `google`, and what is wrong with them.
fn compiled(rules: &Value) -> (Policy, Vec<Fault>) {
    let config = Config {
        rules: read(rules),
        ..Config::default()
    };
    Policy::compile(&config, &["okta", "google"])
}

/// Rules without a fault; warnings do not count.
#[track_caller]
fn policy(rules: &Value) -> Policy {
    let (policy, faults) = compiled(rules);
    assert!(!crate::config::fault::any_stops(&faults), "{faults:?}");
    policy
}

/// What a token says.
#[derive(Clone, Copy)]
struct Person<'p> {
    username: &'p str,
    email: Option<&'p str>,
    groups: Option<&'p [&'p str]>,
    scopes: Option<&'p [&'p str]>,
    /// All claims, as JSON.
    claims: &'p str,
}

const ALICE: Person<'static> = Person {
    username: "alice",
    email: None,
    groups: Some(&[]),
    scopes: Some(&[]),
    claims: "{}",
};

/// Somebody of whom nothing but the name is known.
const STRANGER: Person<'static> = Person {
    groups: None,
    scopes: None,
    ..ALICE
};

fn list<'n>(names: &[&'n str]) -> Vec<Cow<'n, str>> {
    names.iter().map(|&name| Cow::Borrowed(name)).collect()
}

impl Person<'_> {
    fn asked<T>(&self, ask: impl FnOnce(&Subject<'_>) -> T) -> T {
        let groups = self.groups.map(list);
        let scopes = self.scopes.map(list);
        let claims = Claims::parse(self.claims.as_bytes())
            .unwrap_or_else(|why| panic!("{}: {why}", self.claims));
        ask(&Subject {
            username: self.username,
            email: self.email,
            groups: groups.as_deref(),
            scopes: scopes.as_deref(),
            claims: &claims,
        })
    }

    /// Whether a condition holds for this person; `None` where that cannot be told.
    fn meets(&self, condition: &Condition) -> Option<bool> {
        self.asked(|subject| condition.holds(subject))
    }
}

fn told(policy: &Policy, question: &Question<'_>) -> String {
    match policy.rules.as_ref().unwrap().ruling(question, None) {
        Ruling::By(place, _) => place.to_string(),
        Ruling::Ambiguous(place, _) => format!("ambiguous {place}"),
        Ruling::Failed(place, _) => format!("failed {place}"),
        Ruling::Nobody => "nobody".to_owned(),
    }
}

/// A request that rules are asked about.
#[derive(Clone, Copy)]
struct Ask<'r> {
    method: &'r str,
    host: Option<&'r str>,
    /// As it stands in the request line.
    path: &'r str,
    source: Option<&'r str>,
    issuer: Option<usize>,
    is_preflight: bool,
}

const GET: Ask<'static> = Ask {
    method: "GET",
    host: Some("app.example"),
    path: "/",
    source: None,
    issuer: None,
    is_preflight: false,
};

impl Ask<'_> {
    /// Which rule decides: its place, `ambiguous` or `failed` and its place, or `nobody`.
    fn decided_by(&self, policy: &Policy) -> String {
        told(policy, &self.question())
    }

    /// What rules are asked.
    fn question(&self) -> Question<'_> {
        let original = Original {
            method: self.method,
            scheme: None,
            host: self.host,
            path: self.path,
            query: None,
            states_method: true,
            states_path: true,
        };
        Question {
            target: Target::of(&original),
            method: Some(self.method),
            is_preflight: self.is_preflight,
            source: self.source.map(|source| source.parse().unwrap()),
            issuer: self.issuer,
            now: Timestamp::from_seconds(1_780_000_000),
        }
    }

    /// Whether a rule with this action and these keys fits.
    #[track_caller]
    fn fits(&self, action: &str, keys: &Value) -> bool {
        let mut rule = keys.clone();
        rule["action"] = json!(action);
        self.decided_by(&policy(&json!([rule]))) == "0"
    }
}

/// Asks of a token's claims by the way that the gate takes.
#[track_caller]
fn known_of(fields: &Value, claims: &str, condition: &Condition) -> Option<bool> {
    asked_of(fields, claims, condition).expect("a username")
}

/// The same, where the token may name nobody.
#[track_caller]
fn asked_of(
    fields: &Value,
    claims: &str,
    condition: &Condition,
) -> Result<Option<bool>, &'static str> {
    let mut config = Config::default();
    config.identity.fields = read(fields);
    let (headers, faults) = Headers::compile(&config);
    assert_eq!(faults, []);
    let (rules, faults) = IdentityRules::compile(&config, &config.default_issuer(), &headers);
    assert_eq!(faults, []);
    let claims = Claims::parse(claims.as_bytes()).unwrap();
    rules
        .unwrap()
        .with_subject(&claims, |subject| condition.holds(subject))
        .ok_or("nobody")
}

#[test]
fn groups_that_cannot_be_told_meet_no_condition_and_no_negation_of_one() {
    let staff = condition(&json!({ "groups": "staff" }));
    let not_staff = condition(&json!({ "not": { "groups": "staff" } }));
    for claims in [
        r#""groups":7"#,
        r#""groups":0"#,
        r#""groups":true"#,
        r#""groups":false"#,
        r#""groups":{}"#,
        r#""groups":{"staff":true}"#,
        r#""groups":["staff",7]"#,
        r#""groups":["staff",null]"#,
        r#""groups":[["staff"]]"#,
        r#""groups":[{"name":"staff"}]"#,
        r#""_claim_names":{"groups":"src1"}"#,
        r#""_claim_names":{"groups":null}"#,
        r#""groups":null,"_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{}}"#,
        r#""hasgroups":true"#,
        r#""hasgroups":true,"groups":null"#,
        r#""hasgroups":true,"groups":["staff"]"#,
        r#""groups":["staff"],"_claim_names":{"groups":"src1"}"#,
        r#""hasgroups":"false""#,
        r#""hasgroups":0"#,
    ] {
        let claims = format!(r#"{{"username":"a",{claims}}}"#);
        assert_eq!(known_of(&json!({}), &claims, &staff), None, "{claims}");
        assert_eq!(known_of(&json!({}), &claims, &not_staff), None, "{claims}");
    }
    for (claims, is_staff) in [
        (r#"{"username":"a"}"#, false),
        (r#"{"username":"a","groups":null}"#, false),
        (r#"{"username":"a","groups":[]}"#, false),
        (r#"{"username":"a","groups":""}"#, false),
        (r#"{"username":"a","groups":"staff"}"#, true),
        (r#"{"username":"a","groups":"staff,admins"}"#, false),
        (r#"{"username":"a","groups":["x","staff"]}"#, true),
        (r#"{"username":"a","hasgroups":false}"#, false),
        (r#"{"username":"a","_claim_names":{"roles":"s"}}"#, false),
        (r#"{"username":"a","hasgroups":null}"#, false),
    ] {
        let told = |condition| known_of(&json!({}), claims, condition);
        assert_eq!(told(&staff), Some(is_staff), "{claims}");
        assert_eq!(told(&not_staff), Some(!is_staff), "{claims}");
    }
}

#[test]
fn claim_names_that_are_no_table_may_name_any_claim_so_that_nobody_is_named() {
    let anybody = condition(&json!({ "not": { "users": "b" } }));
    for names in [r#""groups""#, r#"["groups"]"#, "[]", "7", "false"] {
        let claims = format!(r#"{{"username":"a","_claim_names":{names}}}"#);
        let found = asked_of(&json!({}), &claims, &anybody);
        assert_eq!(found, Err("nobody"), "{claims}");
    }
}

#[test]
fn groups_that_stand_elsewhere_are_not_replaced_by_the_next_claim() {
    let fields = json!({ "groups": { "claim": ["groups", "roles"] } });
    let not_suspended = condition(&json!({ "not": { "groups": "suspended" } }));
    for elsewhere in [
        r#""_claim_names":{"groups":"src1"}"#,
        r#""_claim_names":{"roles":"src1"}"#,
        r#""hasgroups":true"#,
    ] {
        let claims = format!(r#"{{"username":"a","roles":["user"],{elsewhere}}}"#);
        assert_eq!(known_of(&fields, &claims, &not_suspended), None, "{claims}");
    }
}

#[test]
fn a_template_whose_claim_stands_elsewhere_is_unknown() {
    let fields = json!({ "groups": { "template": "team-{department}" } });
    let not_suspended = condition(&json!({ "not": { "groups": "team-suspended" } }));
    let claims = r#"{"username":"a","_claim_names":{"department":"src1"}}"#;
    assert_eq!(known_of(&fields, claims, &not_suspended), None);
}

#[test]
fn a_test_of_a_claim_that_stands_elsewhere_is_unknown() {
    for (claim, elsewhere) in [
        ("groups", r#""_claim_names":{"groups":"src1"}"#),
        ("groups", r#""hasgroups":true"#),
        ("org.role", r#""_claim_names":{"org":"src1"}"#),
    ] {
        let claims = format!(r#"{{"username":"a",{elsewhere}}}"#);
        for table in [
            json!({ "not": { "claims": [{ "claim": claim, "contains": ["guests"] }] } }),
            json!({ "claims": [{ "claim": claim, "exists": false }] }),
        ] {
            let found = known_of(&json!({}), &claims, &condition(&table));
            assert_eq!(found, None, "{table} {claims}");
        }
    }
}

#[test]
fn groups_that_cannot_be_told_leave_open_only_what_hangs_on_them() {
    let unknown = r#"{"username":"a","hasgroups":true}"#;
    let (yes, no) = (json!({ "users": "a" }), json!({ "users": "b" }));
    let groups = json!({ "groups": "staff" });
    for (table, expected) in [
        (json!({ "any": [groups, yes] }), Some(true)),
        (json!({ "any": [groups, no] }), None),
        (json!({ "all": [groups, yes] }), None),
        (json!({ "all": [groups, no] }), Some(false)),
        (json!({ "not": { "any": [groups, yes] } }), Some(false)),
        (json!({ "not": { "all": [groups, no] } }), Some(true)),
        (json!({ "not": { "not": groups } }), None),
        (json!({ "groups": "staff", "users": "b" }), Some(false)),
        (json!({ "groups": "staff", "users": "a" }), None),
    ] {
        let found = known_of(&json!({}), unknown, &condition(&table));
        assert_eq!(found, expected, "{table}");
    }
}

#[test]
fn scopes_are_texts_with_blanks_or_lists_and_nothing_else() {
    let both = condition(&json!({ "scopes": ["read", "write"] }));
    for (claims, expected) in [
        (r#""scope":"read write""#, Some(true)),
        (r#""scope":"  write   openid read ""#, Some(true)),
        (r#""scp":["read","write"]"#, Some(true)),
        (r#""scp":"write read""#, Some(true)),
        // One item is one scope, whatever stands in it.
        (r#""scp":["read write"]"#, Some(false)),
        (r#""scope":"read,write""#, Some(false)),
        (r#""scope":"read+write""#, Some(false)),
        (r#""scope":"read\u00a0write""#, Some(false)),
        (r#""scope":"readwrite""#, Some(false)),
        (r#""scope":"read""#, Some(false)),
        (r#""scope":"""#, Some(false)),
        // The first that is there counts, and `scope` comes first.
        (r#""scope":"read","scp":["write"]"#, Some(false)),
        (r#""scope":null,"scp":["read","write"]"#, Some(true)),
        (r#""scope":7,"scp":["read","write"]"#, None),
        (r#""scope":{"read":1,"write":1}"#, None),
        (r#""scope":["read","write",1]"#, None),
        (r#""_claim_names":{"scope":"s"}"#, None),
    ] {
        let claims = format!(r#"{{"username":"a",{claims}}}"#);
        assert_eq!(known_of(&json!({}), &claims, &both), expected, "{claims}");
    }
}
