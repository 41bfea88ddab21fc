//! Rules that are weak are warned about, and good ones are left in peace.

use serde_json::{Value, json};

use super::compiled;
use crate::config::Severity;

#[test]
fn rules_that_make_sense_have_no_fault() {
    for rule in [
        json!({ "action": "require" }),
        json!({ "action": "require", "ambiguous_paths": true, "host": "a.example" }),
        json!({ "action": "optional", "require": { "users": "a" }, "acr": "x", "max_age": "1h" }),
        json!({ "action": "deny", "issuer": "okta", "source": "::/0" }),
        json!({ "action": "public", "preflight": true }),
        json!({ "action": "deny", "preflight": true, "host": "a.example" }),
        json!({ "action": "public", "host": "a.example" }),
        json!({ "action": "public", "path": "/x", "method": ["GET", "HEAD"] }),
        json!({ "action": "require", "host": ["*.a.example", "::1", "[::1]", "127.0.0.1", "a_b.example", "a."] }),
        json!({ "action": "require", "path": ["/", "/a.b/", "/%C3%A9", "/a b"] }),
        json!({ "action": "require", "require": { "domains": ["Example.com", "m\u{fc}nchen.de", "localhost"] } }),
    ] {
        assert_eq!(compiled(&json!([rule])).1, [], "{rule}");
    }
}

#[test]
fn rules_that_are_weak_are_warned_about() {
    let (require, deny) = (json!({ "action": "require" }), json!({ "action": "deny" }));
    let at_x = json!({ "action": "require", "path": "/x" });
    let (public, gets) = (
        json!({ "action": "public" }),
        json!({ "action": "public", "method": "GET" }),
    );
    let warned = |rules: Value| -> Vec<(String, String)> {
        let (_, faults) = compiled(&rules);
        let told = faults.into_iter().map(|fault| {
            assert_eq!(fault.severity, Severity::Warning, "{rules}");
            (fault.path, fault.found)
        });
        told.collect()
    };
    let told = |path: &str, found: &str| (path.to_owned(), found.to_owned());
    let behind = |first: usize| format!("a rule behind `rules[{first}]`, which fits every request");
    let open = "a public rule for every host and path";
    assert_eq!(
        warned(json!([require, at_x])),
        [told("rules[1]", &behind(0))]
    );
    assert_eq!(
        warned(json!([at_x, deny, at_x, at_x])),
        [told("rules[2]", &behind(1))]
    );
    assert_eq!(warned(json!([at_x, public])), [told("rules[1]", open)]);
    assert_eq!(warned(json!([gets, require])), [told("rules[0]", open)]);
    assert_eq!(
        warned(json!([public, at_x])),
        [told("rules[0]", open), told("rules[1]", &behind(0))]
    );
    for fine in [
        json!([at_x, require]),
        json!([{ "action": "public", "preflight": true }, require]),
        json!([{ "action": "require", "host": "a.example" }, at_x]),
        json!([{ "action": "deny", "source": "10.0.0.1" }, at_x]),
        json!([{ "action": "deny", "method": "POST" }, at_x]),
        json!([{ "action": "deny", "issuer": "okta" }, at_x]),
    ] {
        assert_eq!(warned(fine.clone()), [], "{fine}");
    }
}
