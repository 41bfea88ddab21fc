//! What is wrong with rules is told: where, what stands there, and what to do. All of it at once.

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{compiled, read};
use crate::config::rules::RuleTable;
use crate::config::{Config, Fault, Severity};
use crate::policy::Policy;

/// The one fault of a rule.
#[track_caller]
pub(super) fn only_fault(rule: &Value) -> Fault {
    let (_, faults) = compiled(&json!([rule]));
    match <[Fault; 1]>::try_from(faults) {
        Ok([fault]) => fault,
        Err(faults) => panic!("{rule}: {faults:#?}"),
    }
}

/// A rule has one fault: at this key, with these words in what is found and in the hint.
#[track_caller]
pub(super) fn at_fault(rule: &Value, key: &str, found: &str, hint: &str) {
    let fault = only_fault(rule);
    assert_eq!(fault.severity, Severity::Fault, "{rule}");
    assert_eq!(fault.path, format!("rules[0].{key}"), "{rule}");
    assert!(fault.found.contains(found), "{rule}: found {}", fault.found);
    assert!(fault.hint.contains(hint), "{rule}: hint {}", fault.hint);
    assert!(!fault.expected.is_empty(), "{rule}");
}

/// The same for a key of a rule that requires a token.
#[track_caller]
fn value_at_fault(key: &str, value: &Value, hint: &str) {
    let found = value.as_str().map_or("", |text| text);
    at_fault(
        &json!({ "action": "require", key: value }),
        key,
        found,
        hint,
    );
}

/// The same where it is the second one of a list.
#[track_caller]
fn value_at_fault_in_list(key: &str, value: &str, hint: &str) {
    let rule = json!({ "action": "require", key: ["/good", value] });
    at_fault(&rule, &format!("{key}[1]"), value, hint);
}

#[test]
fn a_rule_without_an_action_is_told_what_it_may_do() {
    at_fault(&json!({}), "action", "nothing", "`action = \"require\"`");
    at_fault(&json!({ "path": "/x" }), "action", "nothing", "require");
    assert!(only_fault(&json!({})).is_absence);
    // Others are no actions, also in other letters.
    for action in ["Deny", "PUBLIC", "allow", "", "require "] {
        assert!(
            RuleTable::deserialize(json!({ "action": action })).is_err(),
            "{action}"
        );
    }
    assert!(RuleTable::deserialize(json!({ "actoin": "deny" })).is_err());
}

#[test]
fn an_issuer_that_is_not_there_is_told_with_the_nearest_one() {
    for (name, hint) in [
        ("okto", "did you mean `okta`?"),
        ("Okta", "did you mean `okta`?"),
        ("okta ", "did you mean `okta`?"),
        ("googel", "did you mean `google`?"),
        ("microsoft", "okta, google"),
    ] {
        value_at_fault("issuer", &json!(name), hint);
    }
}

#[test]
fn hosts_that_are_none_are_told() {
    for host in [
        "https://a.example",
        "a.example:443",
        "a.example/x",
        "a.example?x",
        "a.example#x",
        "user@a.example",
        "*",
        "*.",
        "*a.example",
        "a.*.example",
        "*.*.example",
        "*.a.example:80",
        "a b.example",
        "a%2eexample",
        "[::1]:80",
        "[::1%25eth0]",
        "256.256.256.256",
        "10.0.0.0/8",
        "a\nb",
        ".",
        ".example.com",
        "a..example.com",
        "app.example.com..",
        "a.example,b.example",
        "a;b.example",
        "a$b.example",
        "*..example.com",
        "*.10.0.0.1",
        "*.::1",
        "0x7f.0.0.1",
        "127.1",
        "2130706433",
        "0177.0.0.1",
    ] {
        value_at_fault("host", &json!(host), "no scheme, port or path");
    }
}

#[test]
fn paths_that_no_request_can_have_are_told() {
    for path in [
        "admin",
        "a/b",
        "*",
        "**",
        "//a",
        "/a//b",
        "/a;b",
        "/a%2Fb",
        "/a\\b",
        "/a#b",
        "/a%23b",
        "/admin?tab=1",
        "/admin%3Ftab=1",
        "/..",
        "/a/../b",
        "/a/.",
        "/./a",
        "/a.",
        "/a%20",
        "/a::$DATA",
        "/\u{ff41}",
        "/a%00",
        "/100%",
        "/a\u{ff0f}b",
        "https://a.example/x",
        " /a",
    ] {
        for key in ["path", "path_prefix"] {
            value_at_fault(key, &json!(path), "it begins with `/`");
        }
    }
}

#[test]
fn globs_and_expressions_that_are_none_are_told_with_the_reason() {
    for (glob, hint) in [
        ("admin/*", "it begins with `/`"),
        ("*", "it begins with `/`"),
        ("{/a,/b}", "it begins with `/`"),
        ("/[a", "`path_regex`"),
        ("/[a-c]", "`path_regex`"),
        // A class could take a slash in.
        ("/report[!0-9]*", "`path_regex`"),
        ("/report[^0-9]**", "`path_regex`"),
        ("/a[!x]b", "`path_regex`"),
        ("/a[+-9]b", "`path_regex`"),
        ("/{a", "not closed"),
        ("/a}", "without an opening one"),
        ("/a\\", "a backslash at the end"),
        ("/{a,b/c}", "within one segment"),
        ("/a**", "whole segments"),
        ("/**b", "whole segments"),
        ("/a%20b", "decoded path"),
        ("/a;b", "never part"),
        ("/a//b", "`//`"),
        ("/a/../b", "dot segments"),
        ("/a/./b", "dot segments"),
    ] {
        value_at_fault("path_glob", &json!(glob), hint);
        value_at_fault_in_list("path_glob", glob, hint);
    }
    for (expression, hint) in [
        ("/(", "unclosed group"),
        ("/a)", "unopened group"),
        ("[", "unclosed character class"),
        ("*", "repetition operator"),
        ("/a(?=b)", "look-around"),
        (r"/(a)\1", "backreferences"),
        // What would break out of the anchors around it.
        ("/a)|(.*", "unopened group"),
        ("/a)|.*(?:", "unopened group"),
        ("(?x)/a # x", "unclosed group"),
        ("/a{1000}{1000}", "too large"),
        ("(?-u:\\xff)", "UTF-8"),
    ] {
        value_at_fault("path_regex", &json!(expression), hint);
        value_at_fault_in_list("path_regex", expression, hint);
    }
    for expression in ["a", "admin/.*", "v[0-9]", "9/", "%2F.*", "\u{e9}"] {
        let hint = "the whole path, which begins with `/`";
        value_at_fault("path_regex", &json!(expression), hint);
    }
}

#[test]
fn methods_and_networks_that_are_none_are_told() {
    for (method, hint) in [
        ("get", "`GET`"),
        ("Get", "`GET`"),
        ("GET,POST", "`GET,POST`"),
        ("GET ", "`GET `"),
        ("*", "`*`"),
        ("G3T", "`G3T`"),
        ("L\u{d6}SCH", "`L\u{d6}SCH`"),
    ] {
        value_at_fault("method", &json!(method), hint);
    }
    for network in [
        "localhost",
        "10.0.0.0/33",
        "10.0.0/8",
        "10.0.0.0/-1",
        "010.0.0.1",
        "10.0.0.1:80",
        "10.*",
        "10.0.0.1-10.0.0.9",
        "::/129",
        "[::1]",
        "::1%eth0",
        " 10.0.0.1",
        "all",
    ] {
        value_at_fault("source", &json!(network), "names are not looked up");
    }
    for (network, whole) in [
        ("10.1.2.3/8", "`10.0.0.0/8`"),
        ("10.0.0.1/0", "`0.0.0.0/0`"),
        ("2001:db8::1/32", "`2001:db8::/32`"),
        ("::ffff:10.0.0.1/104", "for the network"),
    ] {
        value_at_fault("source", &json!(network), whole);
    }
}

#[test]
fn a_list_without_entries_is_told_for_every_key() {
    let keys = [
        "host",
        "path",
        "path_prefix",
        "path_glob",
        "path_regex",
        "method",
        "source",
        "issuer",
        "acr",
    ];
    for key in keys {
        for empty in [json!([]), json!("")] {
            let rule = json!({ "action": "require", key: empty });
            at_fault(&rule, key, "nothing", "remove the key");
        }
    }
    for key in ["users", "groups", "domains", "scopes"] {
        for (empty, found) in [
            (json!([]), "nothing"),
            (json!(""), "nothing"),
            (json!(["a", ""]), "an empty name"),
        ] {
            let rule = json!({ "action": "require", "require": { key: empty } });
            at_fault(&rule, &format!("require.{key}"), found, "remove the key");
        }
    }
    for key in [
        "host",
        "path",
        "path_prefix",
        "path_glob",
        "method",
        "source",
        "issuer",
    ] {
        let rule = json!({ "action": "deny", key: [""] });
        at_fault(&rule, &format!("{key}[0]"), "``", "");
    }
}

#[test]
fn an_entry_that_is_none_is_told_beside_good_ones() {
    for (key, good, bad) in [
        ("host", "a.example", "a.example:1"),
        ("path", "/a", "b"),
        ("path_prefix", "/a", "b"),
        ("path_glob", "/a*", "b*"),
        ("path_regex", "/a", "("),
        ("method", "GET", "get"),
        ("source", "10.0.0.1", "10.0.0"),
        ("issuer", "google", "okto"),
    ] {
        let rule = json!({ "action": "require", key: [good, bad, good] });
        at_fault(&rule, &format!("{key}[1]"), &format!("`{bad}`"), "");
    }
}

#[test]
fn what_a_rule_that_asks_for_no_token_wants_of_one_is_told() {
    let wants = json!({ "users": "a" });
    let told = [
        ("require", json!({ "require": wants })),
        ("require", json!({ "require": { "any": [wants] } })),
        ("acr", json!({ "acr": "high" })),
        ("max_age", json!({ "max_age": "5m" })),
        ("acr", json!({ "max_age": "5m", "acr": "high" })),
    ];
    for (key, mut rule) in told {
        for action in ["public", "deny"] {
            rule["action"] = json!(action);
            rule["path"] = json!("/x");
            let found = format!("whose action is `{action}`");
            at_fault(&rule, key, &found, "`action = \"require\"`");
        }
    }
    let rule = json!({ "action": "public", "path": "/x", "issuer": "okta" });
    at_fault(&rule, "issuer", "needs no token", "issuer's people pass");
}

#[test]
fn what_makes_no_sense_for_a_preflight_or_an_ambiguous_path_is_told() {
    for action in ["require", "optional"] {
        let rule = json!({ "action": action, "preflight": true });
        at_fault(
            &rule,
            "preflight",
            "asks for a token",
            "`action = \"public\"`",
        );
    }
    for action in ["public", "deny"] {
        let rule = json!({ "action": action, "preflight": true, "method": "OPTIONS" });
        at_fault(&rule, "method", "`preflight`", "remove `method`");
    }
    let key = "ambiguous_paths";
    let rule = json!({ "action": "deny", key: true });
    at_fault(&rule, key, "or denies", "nobody knows which path");
    for (kind, path) in [
        ("path", "/x"),
        ("path_prefix", "/"),
        ("path_glob", "/**"),
        ("path_regex", ".*"),
    ] {
        let rule = json!({ "action": "require", key: true, kind: path });
        at_fault(&rule, key, "looks at paths", "nobody knows which path");
    }
}

#[test]
fn ignore_case_without_a_path_or_beside_an_expression_is_told() {
    // An expression would take the Kelvin sign for a `k`: here only ASCII letters are alike.
    for mut rule in [
        json!({}),
        json!({ "host": "a.example" }),
        json!({ "path_regex": "/keys" }),
        json!({ "path_regex": "/keys", "path": "/x" }),
    ] {
        rule["action"] = json!("require");
        rule["ignore_case"] = json!(true);
        at_fault(&rule, "ignore_case", "no path to compare", "`(?i)`");
    }
}

#[test]
fn a_max_age_that_nobody_could_meet_is_told() {
    for age in ["0s", "1ms", "999ms"] {
        let rule = json!({ "action": "require", "max_age": age });
        at_fault(&rule, "max_age", "less than a second", "that recently");
    }
    let (_, faults) = compiled(&json!([{ "action": "require", "max_age": "1s" }]));
    assert_eq!(faults, []);
}

#[test]
fn names_that_cannot_tell_a_rule_are_told() {
    let longest = "a".repeat(64);
    for name in [
        "",
        "caf\u{e9}",
        "a\nb",
        "a\tb",
        "a\u{7f}",
        "\u{202e}a",
        &"a".repeat(65),
    ] {
        let rule = json!({ "action": "require", "name": name });
        let found = format!("`{}`", name.escape_default());
        at_fault(&rule, "name", &found, "logs and metrics");
    }
    let named = |name: &str| json!({ "action": "require", "path": "/x", "name": name });
    let (_, faults) = compiled(&json!([
        named("a"),
        named("A"),
        named(&longest),
        named("a"),
        named("b"),
        named("a")
    ]));
    let told: Vec<_> = faults
        .iter()
        .map(|fault| (fault.path.as_str(), fault.found.as_str()))
        .collect();
    let twice = "`a`, which an earlier rule has too";
    assert_eq!(told, [("rules[3].name", twice), ("rules[5].name", twice)]);
    // Shadow rules may have the names of those that they shall replace.
    let config = Config {
        rules: read(&json!([named("a")])),
        shadow_rules: read(&json!([named("a")])),
        ..Config::default()
    };
    assert_eq!(Policy::compile(&config, &[]).1, []);
}

#[test]
fn a_name_that_reads_as_the_place_of_a_rule_is_told() {
    for key in ["rules", "shadow_rules"] {
        let mut config = Config::default();
        let named = json!([{ "action": "require", "name": format!("{key}[7]") }]);
        match key {
            "rules" => config.rules = read(&named),
            _ => config.shadow_rules = read(&named),
        }
        let (_, faults) = Policy::compile(&config, &[]);
        let told: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
        assert_eq!(told, [format!("{key}[0].name")]);
    }
}

/// Rules with one fault each, or more.
fn broken() -> Value {
    json!([
        { "name": "a", "path": "x", "method": "get" },
        { "name": "a", "action": "public", "host": "a:1", "issuer": "okto", "require": { "users": [] } },
        {
            "action": "require", "path_regex": "(", "path_glob": "x", "source": "x", "acr": "a b", "preflight": true,
            "require": { "domains": "@x", "claims": [{ "claim": "", "matches": "(" }], "any": [{}], "not": { "groups": "" } },
        },
    ])
}

#[test]
fn all_faults_come_at_once_those_of_shadow_rules_too() {
    let config = Config {
        rules: read(&broken()),
        shadow_rules: read(&json!([{}, { "action": "require", "issuer": "x" }])),
        ..Config::default()
    };
    let (_, faults) = Policy::compile(&config, &["okta", "google"]);
    let mut paths: Vec<&str> = faults.iter().map(|fault| fault.path.as_str()).collect();
    paths.sort_unstable();
    let expected = [
        "rules[0].action",
        "rules[0].method",
        "rules[0].path",
        "rules[1].host",
        "rules[1].issuer",
        "rules[1].issuer",
        "rules[1].name",
        "rules[1].require",
        "rules[1].require.users",
        "rules[2].acr",
        "rules[2].path_glob",
        "rules[2].path_regex",
        "rules[2].preflight",
        "rules[2].require.any[0]",
        "rules[2].require.claims[0].claim",
        "rules[2].require.claims[0].matches",
        "rules[2].require.domains",
        "rules[2].require.not.groups",
        "rules[2].source",
        "shadow_rules[0].action",
        "shadow_rules[1].issuer",
    ];
    assert_eq!(paths, expected);
    for fault in &faults {
        let told = [&fault.found, &fault.expected, &fault.hint];
        assert!(told.iter().all(|text| !text.is_empty()), "{fault:?}");
    }
}
