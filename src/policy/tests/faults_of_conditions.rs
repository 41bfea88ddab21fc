//! What is wrong with conditions is told: where, what stands there, and what to do.

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::compiled;
use super::faults::{at_fault, only_fault};
use crate::config::rules::ClaimTestTable;

#[track_caller]
fn claim_at_fault(test: &Value, key: &str, found: &str, hint: &str) {
    let rule = json!({ "action": "require", "require": { "claims": [{ "claim": "ok", "exists": true }, test] } });
    at_fault(&rule, &format!("require.claims[1]{key}"), found, hint);
}

#[test]
fn a_test_of_a_claim_has_exactly_one_operator() {
    claim_at_fault(
        &json!({ "claim": "a" }),
        "",
        "no test",
        "two entries of `claims`",
    );
    claim_at_fault(
        &json!({ "claim": "a", "equals": null }),
        "",
        "no test",
        "two entries",
    );
    let operators = [
        ("equals", json!("a")),
        ("one_of", json!(["a"])),
        ("contains", json!(["a"])),
        ("matches", json!("a")),
        ("exists", json!(false)),
    ];
    for (index, (one, wanted)) in operators.iter().enumerate() {
        for (other, too) in &operators[index + 1..] {
            let test = json!({ "claim": "a", *one: wanted, *other: too });
            claim_at_fault(&test, "", "several tests", "two entries of `claims`");
        }
    }
}

#[test]
fn tests_of_claims_that_nothing_can_meet_are_told() {
    for claim in ["", "/a~2", "/~", "/a/b~"] {
        let test = json!({ "claim": claim, "exists": true });
        claim_at_fault(&test, ".claim", &format!("`{claim}`"), "for example");
    }
    claim_at_fault(&json!({ "exists": true }), ".claim", "empty", "for example");
    for key in ["one_of", "contains"] {
        let test = json!({ "claim": "a", key: [] });
        claim_at_fault(
            &test,
            &format!(".{key}"),
            "an empty list",
            "`exists = false`",
        );
    }
    for pattern in ["(", "a)|(.*", "(?=a)", r"(a)\1", "a{1000}{1000}"] {
        let test = json!({ "claim": "a", "matches": pattern });
        claim_at_fault(&test, ".matches", &format!("`{pattern}`"), "whole text");
    }
    // Values of other types are not read at all: none of them would ever be equal to anything.
    for value in [json!([]), json!(["a"]), json!({})] {
        let table = json!({ "claim": "a", "equals": value });
        assert!(ClaimTestTable::deserialize(&table).is_err(), "{table}");
        let table = json!({ "claim": "a", "one_of": ["a", value] });
        assert!(ClaimTestTable::deserialize(&table).is_err(), "{table}");
    }
}

#[test]
fn an_empty_condition_within_another_is_told() {
    for (table, key) in [
        (json!({ "all": [{}] }), "all[0]"),
        (json!({ "any": [{ "users": "a" }, {}] }), "any[1]"),
        (json!({ "not": {} }), "not"),
        (
            json!({ "not": { "any": [{ "all": [{ "users": "a" }, {}] }] } }),
            "not.any[0].all[1]",
        ),
    ] {
        let rule = json!({ "action": "require", "require": table });
        at_fault(
            &rule,
            &format!("require.{key}"),
            "holds for everybody",
            "remove it",
        );
        assert!(only_fault(&rule).is_absence);
    }
}

#[test]
fn a_list_of_conditions_without_entries_is_told() {
    for key in ["all", "any", "claims"] {
        for (table, at) in [
            (json!({ key: [] }), key.to_owned()),
            (json!({ "users": "a", key: [] }), key.to_owned()),
            (json!({ "not": { key: [] } }), format!("not.{key}")),
            (json!({ "any": [{ key: [] }] }), format!("any[0].{key}")),
        ] {
            let rule = json!({ "action": "require", "require": table });
            let path = format!("require.{at}");
            at_fault(&rule, &path, "an empty list", "remove the key");
        }
    }
    // Each of them for itself.
    let rules = json!([{ "action": "require", "require": { "all": [], "any": [], "claims": [] } }]);
    let (_, faults) = compiled(&rules);
    assert_eq!(faults.len(), 3, "{faults:?}");
}

#[test]
fn numbers_of_every_kind_may_be_written() {
    for value in [json!(-1), json!(1.5), json!(1.0), json!(-0.5), json!(1e300)] {
        let tests =
            json!([{ "claim": "a", "equals": value }, { "claim": "a", "one_of": ["a", value] }]);
        let rule = json!({ "action": "require", "require": { "claims": tests } });
        assert_eq!(compiled(&json!([rule])).1, [], "{value}");
    }
}

#[test]
fn scopes_with_a_blank_are_told() {
    for scopes in [json!("read write"), json!(["openid", "read write"])] {
        let rule = json!({ "action": "require", "require": { "scopes": scopes } });
        let hint = r#"["read", "write"]"#;
        at_fault(&rule, "require.scopes", "`read write`", hint);
    }
}

#[test]
fn domains_that_are_none_are_told() {
    for domain in [
        "@example.com",
        "a@example.com",
        "*.example.com",
        "*",
        ".example.com",
        "exa mple.com",
        "example.com/x",
        "example.com:25",
        "[::1]",
        "a,b",
        "a%00b",
    ] {
        for table in [
            json!({ "domains": domain }),
            json!({ "domains": ["good.example", domain] }),
        ] {
            let rule = json!({ "action": "require", "require": table });
            at_fault(
                &rule,
                "require.domains",
                &format!("`{domain}`"),
                "without the `@`",
            );
        }
    }
}

#[test]
fn values_of_acr_that_would_run_together_are_told() {
    for value in ["a b", " ", "a\"", "a\\b", "caf\u{e9}", "a\tb", "a\u{7f}"] {
        for acr in [json!(value), json!(["good", value])] {
            let rule = json!({ "action": "require", "acr": acr });
            at_fault(
                &rule,
                "acr",
                "a blank, a quote, a backslash",
                "write a list",
            );
        }
    }
    let rule = json!({ "action": "require", "acr": ["a", ""] });
    at_fault(&rule, "acr", "an empty name", "remove the key");
}
