//! Which requests a rule is for, but for their paths.

use serde_json::{Value, json};

use super::{Ask, GET, compiled, policy, read};
use crate::config::Config;
use crate::config::fault::any_stops;
use crate::policy::Policy;

/// A pattern, hosts that it is for, and hosts that it is not for.
type Hosts = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const HOSTS: &[Hosts] = &[
    (
        "app.example.com",
        &[
            "app.example.com",
            "APP.Example.COM",
            "app.example.com:8443",
            "app.example.com.",
            "app.example.com.:443",
        ],
        &[
            "example.com",
            "xapp.example.com",
            "a.app.example.com",
            "app.example.com.evil.org",
            "app.example.co",
            "app-example.com",
            "appxexample.com",
            "app.example.comx",
            "evil.org:app.example.com",
            "[::1]",
            "",
        ],
    ),
    (
        "*.example.com",
        &[
            "a.example.com",
            "a.b.example.com",
            "A.EXAMPLE.COM.:80",
            "xn--mnchen-3ya.example.com",
        ],
        &[
            "example.com",
            ".example.com",
            "evilexample.com",
            "a.example.com.evil.org",
            "a.examplexcom",
            "*.example.org",
        ],
    ),
    // However an operator writes it, it is the form that stands in requests.
    (
        "APP.Example.COM.",
        &["app.example.com"],
        &["app.example.com.x"],
    ),
    (
        "m\u{fc}nchen.example",
        &["xn--mnchen-3ya.example", "XN--MNCHEN-3YA.example:80"],
        &["munchen.example", "mnchen.example"],
    ),
    (
        "*.M\u{dc}NCHEN.example",
        &["a.xn--mnchen-3ya.example"],
        &["xn--mnchen-3ya.example"],
    ),
    (
        "[2001:DB8::1]",
        &[
            "[2001:db8::1]",
            "[2001:0db8:0:0:0:0:0:1]:8443",
            "[2001:DB8:0::1]",
        ],
        &["[2001:db8::2]", "2001", "2001.db8"],
    ),
    (
        "::1",
        &["[::1]", "[0:0:0:0:0:0:0:1]:80"],
        &["[::]", "127.0.0.1"],
    ),
    (
        "127.0.0.1",
        &["127.0.0.1:80"],
        &["127.0.0.11", "127.0.0", "[::ffff:127.0.0.1]"],
    ),
    (
        "localhost",
        &["LOCALHOST:1", "localhost."],
        &["localhost.evil.org", "xlocalhost"],
    ),
];

#[test]
fn s10_4_hosts_fit_by_whole_labels_in_every_spelling() {
    for (pattern, fit, unfit) in HOSTS {
        let keys = json!({ "host": ["other.example", pattern] });
        for (hosts, expected) in [(fit, true), (unfit, false)] {
            for host in *hosts {
                let ask = Ask {
                    host: Some(host),
                    ..GET
                };
                // What is known is the same for those who allow and those who deny.
                for action in ["require", "public", "deny"] {
                    assert_eq!(
                        ask.fits(action, &keys),
                        expected,
                        "{pattern} {host:?} {action}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_host_that_is_not_told_fits_denying_rules_only() {
    let ask = Ask { host: None, ..GET };
    for pattern in ["app.example", "*.example", "::1"] {
        let keys = json!({ "host": pattern });
        for (action, expected) in [
            ("require", false),
            ("optional", false),
            ("public", false),
            ("deny", true),
        ] {
            assert_eq!(ask.fits(action, &keys), expected, "{pattern} {action}");
        }
    }
    assert!(ask.fits("require", &json!({})), "no host is asked for");
}

#[test]
fn methods_count_as_they_are_written_but_none_gets_past_a_denial_by_its_case() {
    for (own, sent, allows, denies) in [
        (json!("GET"), "GET", true, true),
        (json!("GET"), "get", false, true),
        (json!("GET"), "Get", false, true),
        (json!("GET"), "HEAD", false, false),
        (json!("GET"), "GETS", false, false),
        (json!("GET"), "GE", false, false),
        (json!(["GET", "POST"]), "POST", true, true),
        (json!(["GET", "POST"]), "pOST", false, true),
        (json!(["GET", "POST"]), "GET,POST", false, false),
        (json!("DELETE"), "PATCH", false, false),
        (json!("M-SEARCH"), "M-SEARCH", true, true),
        (json!("PROPFIND"), "propfind", false, true),
        // Folding goes by ASCII: the Kelvin sign is no K.
        (json!("LOCK"), "LOC\u{212a}", false, false),
    ] {
        let ask = Ask {
            method: sent,
            ..GET
        };
        let keys = json!({ "method": own });
        for (action, expected) in [("require", allows), ("public", allows), ("deny", denies)] {
            assert_eq!(ask.fits(action, &keys), expected, "{own} {sent} {action}");
        }
    }
}

/// A network, addresses in it, and addresses that are not.
type Networks = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const NETWORKS: &[Networks] = &[
    (
        "10.0.0.0/8",
        &[
            "10.0.0.0",
            "10.255.255.255",
            "::ffff:10.1.2.3",
            "::ffff:a01:203",
        ],
        &[
            "9.255.255.255",
            "11.0.0.0",
            "::10.1.2.3",
            "::ffff:11.0.0.1",
            "a00::",
            "64:ff9b::10.1.2.3",
        ],
    ),
    // IPv4 addresses, however their network is written.
    (
        "::ffff:10.0.0.0/104",
        &["10.1.2.3", "::ffff:10.1.2.3"],
        &["11.0.0.1", "a00::"],
    ),
    (
        "::ffff:10.0.0.1",
        &["10.0.0.1", "::ffff:10.0.0.1"],
        &["10.0.0.2"],
    ),
    ("::ffff:0:0/96", &["10.0.0.1", "::ffff:9.9.9.9"], &["::1"]),
    (
        "192.0.2.7",
        &["192.0.2.7", "::ffff:192.0.2.7"],
        &["192.0.2.8", "192.0.2.6"],
    ),
    (
        "192.0.2.6/31",
        &["192.0.2.6", "192.0.2.7"],
        &["192.0.2.5", "192.0.2.8"],
    ),
    (
        "0.0.0.0/0",
        &["203.0.113.9", "::ffff:203.0.113.9"],
        &["2001:db8::1", "::1"],
    ),
    (
        "2001:db8::/32",
        &["2001:db8::1", "2001:db8:ffff::"],
        &["2001:db9::", "32.1.13.184"],
    ),
    ("2001:db8::1", &["2001:db8:0::1"], &["2001:db8::2"]),
    (
        "::/0",
        &["2001:db8::1", "::1"],
        &["203.0.113.9", "::ffff:203.0.113.9"],
    ),
    ("fe80::/10", &["fe80::1", "febf::1"], &["fec0::1"]),
];

#[test]
fn sources_fit_by_network_however_an_ipv4_address_is_written() {
    for (network, fit, unfit) in NETWORKS {
        let keys = json!({ "source": ["198.51.100.0/24", network] });
        for (sources, expected) in [(fit, true), (unfit, false)] {
            for source in *sources {
                let ask = Ask {
                    source: Some(source),
                    ..GET
                };
                for action in ["require", "deny"] {
                    assert_eq!(
                        ask.fits(action, &keys),
                        expected,
                        "{network} {source} {action}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_source_that_nobody_trustworthy_told_fits_denying_rules_only() {
    for network in ["0.0.0.0/0", "10.0.0.1"] {
        let keys = json!({ "source": network });
        for (action, expected) in [
            ("require", false),
            ("optional", false),
            ("public", false),
            ("deny", true),
        ] {
            assert_eq!(GET.fits(action, &keys), expected, "{network} {action}");
        }
    }
    // Unknown in one part is no excuse for a known misfit in another.
    assert!(!GET.fits("deny", &json!({ "source": "10.0.0.1", "method": "POST" })));
    assert!(!GET.fits(
        "deny",
        &json!({ "source": "10.0.0.1", "host": "other.example" })
    ));
    assert!(!GET.fits("deny", &json!({ "source": "10.0.0.1", "path": "/x" })));
}

#[test]
fn the_address_is_asked_for_only_where_a_rule_wants_it() {
    let plain = json!([{ "action": "require", "path": "/x", "host": "a.example" }]);
    let by_source =
        json!([{ "action": "deny", "path": "/x" }, { "action": "deny", "source": "10.0.0.1" }]);
    for (rules, shadow, expected) in [
        (&plain, &plain, false),
        (&by_source, &plain, true),
        (&plain, &by_source, true),
    ] {
        let config = Config {
            rules: read(rules),
            shadow_rules: read(shadow),
            ..Config::default()
        };
        let (policy, _) = Policy::compile(&config, &[]);
        assert_eq!(policy.asks_for_source(), expected, "{rules} {shadow}");
    }
}

#[test]
fn a_rule_for_an_issuer_is_for_its_verified_tokens_and_one_that_requires_asks_for_them() {
    for (own, issuer, expected) in [
        (json!("okta"), Some(0), true),
        (json!("okta"), Some(1), false),
        (json!("google"), Some(1), true),
        (json!("google"), Some(0), false),
        (json!(["okta", "google"]), Some(1), true),
        (json!(["okta", "google"]), Some(2), false),
    ] {
        let ask = Ask { issuer, ..GET };
        let keys = json!({ "issuer": own });
        for action in ["require", "optional", "deny"] {
            assert_eq!(
                ask.fits(action, &keys),
                expected,
                "{own} {issuer:?} {action}"
            );
        }
    }
    // Whoever has no good token yet may get one of this issuer.
    for own in [json!("okta"), json!(["okta", "google"])] {
        let keys = json!({ "issuer": own });
        for (action, expected) in [("require", true), ("optional", false), ("deny", false)] {
            assert_eq!(GET.fits(action, &keys), expected, "{own} {action}");
        }
    }
}

#[test]
fn a_rule_for_preflights_is_for_nothing_else() {
    let preflight = Ask {
        method: "OPTIONS",
        is_preflight: true,
        ..GET
    };
    let options = Ask {
        method: "OPTIONS",
        ..GET
    };
    let keys = json!({ "preflight": true });
    for action in ["public", "deny"] {
        assert!(preflight.fits(action, &keys), "{action}");
        assert!(!options.fits(action, &keys), "{action}");
        assert!(!GET.fits(action, &keys), "{action}");
    }
    // It keeps to the other parts of its route, and other rules see preflights too.
    assert!(!preflight.fits("public", &json!({ "preflight": true, "path": "/x" })));
    assert!(!preflight.fits("public", &json!({ "preflight": true, "host": "x.example" })));
    assert!(preflight.fits("deny", &json!({ "method": "OPTIONS" })));
    assert!(preflight.fits("require", &json!({})));
    assert!(!preflight.fits("require", &json!({ "method": "GET" })));
}

#[test]
fn every_part_of_a_route_must_fit() {
    let keys = json!({
        "host": "app.example", "path_prefix": "/a", "method": "GET",
        "source": "10.0.0.0/8", "issuer": "okta",
    });
    let good = Ask {
        path: "/a/b",
        source: Some("10.1.1.1"),
        issuer: Some(0),
        ..GET
    };
    for action in ["require", "deny"] {
        assert!(good.fits(action, &keys), "{action}");
        for other in [
            Ask {
                host: Some("b.example"),
                ..good
            },
            Ask { path: "/b", ..good },
            Ask {
                method: "POST",
                ..good
            },
            Ask {
                source: Some("11.1.1.1"),
                ..good
            },
            Ask {
                issuer: Some(1),
                ..good
            },
        ] {
            assert!(!other.fits(action, &keys), "{action}");
        }
        let without_token = Ask {
            issuer: None,
            ..good
        };
        assert_eq!(without_token.fits(action, &keys), action == "require");
    }
}

#[track_caller]
fn decided(rules: &Value, ask: &Ask<'_>, expected: &str) {
    assert_eq!(ask.decided_by(&policy(rules)), expected, "{rules}");
}

#[test]
fn the_first_rule_that_fits_decides_whatever_it_does() {
    let (public, require) = (
        json!({ "action": "public", "path": "/x" }),
        json!({ "action": "require", "path_prefix": "/x" }),
    );
    let (deny, last) = (
        json!({ "action": "deny", "path_regex": "/x|/y" }),
        json!({ "action": "require" }),
    );
    for (rules, path, expected) in [
        (json!([public, require, deny, last]), "/x", "0"),
        (json!([deny, require, public, last]), "/x", "0"),
        (json!([require, deny, public]), "/x/y", "0"),
        (json!([public, deny, require]), "/x/y", "2"),
        (json!([public, require, deny, last]), "/y", "2"),
        (json!([public, require, last, deny]), "/y", "2"),
        (json!([public, require, deny]), "/z", "nobody"),
        (json!([public, require, deny, last]), "/z", "3"),
        (json!([last, deny]), "/y", "0"),
    ] {
        decided(&rules, &Ask { path, ..GET }, expected);
    }
}

#[test]
fn a_condition_that_is_not_asked_is_a_fault_and_never_left_out_silently() {
    let rules = json!([{ "action": "public", "path": "/x", "when": "false" }]);
    let (policy, faults) = compiled(&rules);
    let passes = Ask { path: "/x", ..GET }.decided_by(&policy) == "0";
    assert!(any_stops(&faults) || !passes, "the rule fits every time");
}

#[cfg(feature = "cel")]
#[test]
fn an_expression_is_asked_where_all_else_fits_and_one_that_fails_denies() {
    let rules = json!([
        { "action": "deny", "path": "/x", "when": "request.method == 'POST'" },
        { "action": "deny", "path": "/y", "when": "claims.level > 3" },
        { "action": "require" },
    ]);
    for (method, path, expected) in [
        ("POST", "/x", "0"),
        ("GET", "/x", "2"),
        ("POST", "/z", "2"),
        // Nothing is known of a token.
        ("GET", "/y", "failed 1"),
    ] {
        decided(
            &rules,
            &Ask {
                method,
                path,
                ..GET
            },
            expected,
        );
    }
}

#[test]
fn without_rules_there_is_nothing_to_ask() {
    let (policy, faults) = compiled(&json!([]));
    assert_eq!(faults, []);
    assert!(policy.rules.is_none() && policy.shadow.is_none());
}
