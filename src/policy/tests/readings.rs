//! Paths that have several readings, all of which must lead to the same rule, and paths that nobody said.

use serde_json::{Value, json};

use super::{Ask, GET, policy};
use crate::policy::target::{self, Path, Target};

/// Who decides on every one of these paths.
#[track_caller]
fn decide(rules: &Value, paths: &[&str], expected: &str) {
    let policy = policy(rules);
    for &path in paths {
        let found = Ask { path, ..GET }.decided_by(&policy);
        assert_eq!(found, expected, "{path:?} {rules}");
    }
}

/// Nobody decides on any of these paths: their readings lead to several rules, any of which may be named.
#[track_caller]
fn unclear(rules: &Value, paths: &[&str]) {
    let policy = policy(rules);
    for &path in paths {
        let found = Ask { path, ..GET }.decided_by(&policy);
        assert!(found.starts_with("ambiguous "), "{path:?} {rules}: {found}");
    }
}

/// Paths that are `/a` to some programs and something else to others.
const NEAR_A: &[&str] = &[
    "/./a",
    "/x/../a",
    "/x/../a/.",
    "/a.",
    "/a..",
    "/a%20",
    "/a%20./",
    "/a.%20",
    "/a%3Fx",
    "/a%23x",
    "/a%3F/b",
    "/%EF%BD%81",
    "/a::$DATA",
    "/a::$INDEX_ALLOCATION",
    "/a:$x",
    "/a%E3%80%80",
];

#[test]
fn s10_3_a_path_that_only_one_reading_leads_to_a_rule_is_ambiguous() {
    for action in ["require", "optional", "public", "deny"] {
        let at_a = json!({ "action": action, "path": "/a" });
        let all = json!({ "action": "require" });
        decide(&json!([at_a]), NEAR_A, "ambiguous 0");
        unclear(&json!([at_a, all]), NEAR_A);
        decide(&json!([all, at_a]), NEAR_A, "0");
        // Nor does a rule that takes ambiguous paths take one that another might be for.
        let open = json!({ "action": "require", "ambiguous_paths": true });
        unclear(&json!([at_a, open]), NEAR_A);
    }
}

#[test]
fn s10_3_a_path_passes_where_all_its_readings_lead_to_one_rule() {
    let rules = json!([
        { "action": "deny", "path": "/admin" },
        { "action": "public", "path_prefix": "/docs" },
        { "action": "deny", "path_glob": "/*/secret" },
        { "action": "require" },
    ]);
    let in_docs = [
        "/docs/a%23b",
        "/docs/what%3F",
        "/docs/x/../y",
        "/docs/etc.",
        "/docs/a%20/b",
        "/docs/../docs/x",
        "/docs/%EF%BD%81",
    ];
    decide(&rules, &in_docs, "1");
    let elsewhere = ["/x.", "/x/../y", "/x%20/y", "/x%3Fy", "/x/./y/."];
    decide(&rules, &elsewhere, "3");
    let out_of_docs = ["/docs/../x", "/x/../docs/y", "/docs./x", "/docs%23x"];
    unclear(&rules, &out_of_docs);
    let near_admin = ["/x/../admin", "/admin%3F", "/docs/../admin", "/admin."];
    unclear(&rules, &near_admin);
    unclear(&rules, &["/x/secret.", "/./x/secret"]);
}

#[test]
fn s10_3_rules_that_fit_no_reading_leave_nobody() {
    let rules = json!([{ "action": "require", "path": "/a" }]);
    decide(&rules, &["/b.", "/x/../b", "/a/..", "/b%3Fx"], "nobody");
    // One list may hold all readings.
    let rules =
        json!([{ "action": "require", "path": ["/a", "/a b"], "path_regex": "/a [.]|/a\\?.*" }]);
    decide(&rules, &["/a%3Fx", "/a%20."], "0");
}

#[test]
fn s10_3_other_parts_of_a_route_count_in_every_reading() {
    let rules = json!([
        { "action": "deny", "path": "/a", "method": "POST" },
        { "action": "deny", "path": "/a", "host": "other.example" },
        { "action": "require" },
    ]);
    decide(&rules, NEAR_A, "2");
}

#[test]
fn a_path_too_long_for_patterns_is_ambiguous_whatever_its_readings() {
    let rules = policy(&json!([{ "action": "require", "path_glob": "/**" }]));
    let long = "/a".repeat(3000);
    for path in [long.clone(), format!("{long}."), format!("{long}/./b")] {
        let ask = Ask { path: &path, ..GET };
        assert_eq!(ask.decided_by(&rules), "ambiguous 0", "{}", path.len());
    }
}

#[test]
fn s10_3_a_full_width_question_mark_cuts_a_path_as_a_plain_one_does() {
    for path in ["/admin%EF%BC%9Fx", "/admin%EF%BC%83x"] {
        let is_read = match target::path(path) {
            Path::Several(readings) => readings.iter().any(|reading| reading == "/admin"),
            Path::Ambiguous => true,
            Path::Plain(_) | Path::Unknown => false,
        };
        assert!(is_read, "{path}");
    }
}

/// Who decides where the proxy did not say the path.
#[track_caller]
fn unsaid(rules: &Value, expected: &str) {
    let policy = policy(rules);
    let mut question = GET.question();
    question.target = Target {
        path: Path::Unknown,
        ..question.target
    };
    assert_eq!(super::told(&policy, &question), expected, "{rules}");
}

#[test]
fn s10_3_a_path_that_nobody_said_matters_only_where_a_rule_asks_for_it() {
    let all = json!({ "action": "require" });
    unsaid(&json!([all]), "0");
    unsaid(&json!([{ "action": "public" }]), "0");
    unsaid(&json!([{ "action": "deny" }]), "0");
    for (key, own) in [
        ("path", "/"),
        ("path_prefix", "/"),
        ("path_glob", "/**"),
        ("path_regex", ".*"),
    ] {
        for action in ["require", "optional", "public", "deny"] {
            let rule = json!({ "action": action, key: own });
            unsaid(&json!([rule]), "ambiguous 0");
            unsaid(&json!([rule, all]), "ambiguous 0");
            unsaid(&json!([all, rule]), "0");
            // A rule for another host does not stand in the way.
            let mut other = rule.clone();
            other["host"] = json!("other.example");
            unsaid(&json!([other, all]), "1");
        }
    }
    unsaid(
        &json!([{ "action": "require", "method": "POST" }]),
        "nobody",
    );
}
