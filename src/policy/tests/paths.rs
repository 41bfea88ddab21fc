//! Paths of rules: exact ones, prefixes, globs, expressions, and paths that are read differently.

use serde_json::{Value, json};

use super::{Ask, GET, policy};
use crate::policy::target::{self, Path};

/// A key, its value, paths that it is for, and paths that it is not for.
type Paths = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

#[track_caller]
fn fit(keys: &Value, path: &str, expected: bool) {
    let ask = Ask { path, ..GET };
    for action in ["require", "deny"] {
        assert_eq!(ask.fits(action, keys), expected, "{keys} {path:?} {action}");
    }
}

#[track_caller]
fn fit_all(table: &[Paths], ignore_case: bool) {
    for (key, own, good, bad) in table {
        let keys = json!({ *key: own, "ignore_case": ignore_case });
        good.iter().for_each(|path| fit(&keys, path, true));
        bad.iter().for_each(|path| fit(&keys, path, false));
    }
}

const EXACT: &[Paths] = &[
    (
        "path",
        "/a",
        &["/a", "/a/", "/%61"],
        &["/A", "/ab", "/a/b", "/aa", "/", "/x/a", "/a/..", "*"],
    ),
    ("path", "/a/", &["/a", "/a/"], &["/a/b", "/ab"]),
    ("path", "/", &["/"], &["*", "/a", "/index"]),
    (
        "path",
        "/caf%C3%A9",
        &["/caf%c3%a9", "/café/"],
        &["/cafe", "/cafe%CC%81", "/caf"],
    ),
    ("path", "/a b", &["/a%20b"], &["/a", "/a+b", "/ab"]),
    ("path", "/a*", &["/a*", "/a%2A"], &["/a", "/ab", "/a/b"]),
    ("path", "/a.b", &["/a.b"], &["/axb", "/a.b.c"]),
];

const PREFIX: &[Paths] = &[
    (
        "path_prefix",
        "/a",
        &[
            "/a", "/a/", "/a/b", "/a/b/c/", "/%61/b",
            // All readings of these are below `/a`.
            "/a/../a", "/a/./b", "/a/b.",
        ],
        &["/ab", "/A", "/A/b", "/b/a", "/", "/a.b", "/ab/a", "*"],
    ),
    (
        "path_prefix",
        "/a/b/",
        &["/a/b", "/a/b/", "/a/b/c"],
        &["/a", "/a/bc", "/a/", "/a/c"],
    ),
    // `*`, the target of `OPTIONS *`, is no path below the root.
    ("path_prefix", "/", &["/", "/a", "/a/b/"], &["*"]),
    (
        "path_prefix",
        "/café",
        &["/caf%C3%A9/x", "/café"],
        &["/caf", "/caf%C3%A8", "/cafés", "/cafe%CC%81/x"],
    ),
    // A prefix that ends within a character of the request is none.
    (
        "path_prefix",
        "/aaa",
        &["/aaa"],
        &["/aa%C3%A9", "/a%E2%82%AC"],
    ),
];

#[test]
fn exact_paths_and_prefixes_end_where_segments_end() {
    fit_all(EXACT, false);
    fit_all(PREFIX, false);
}

const GLOBS: &[Paths] = &[
    (
        "path_glob",
        "/p/*/s",
        &["/p/x/s", "/p/x.y/s", "/p/%C3%A9/s", "/p/x/s/"],
        &["/p/x/y/s", "/p/s", "/p/x/S", "/x/p/x/s", "/p/x/s2"],
    ),
    (
        "path_glob",
        "/p/*",
        &["/p/x", "/p/x/", "/p/"],
        &["/p/x/y", "/p", "/px", "/q/x"],
    ),
    (
        "path_glob",
        "/p/**",
        &["/p/x", "/p/x/y/", "/p/"],
        &["/px", "/q", "/x/p/y"],
    ),
    (
        "path_glob",
        "/a/**/b",
        &["/a/b", "/a/x/b", "/a/x/y/b"],
        &["/ab", "/a/xb", "/a/bx", "/a/b/c"],
    ),
    (
        "path_glob",
        "**/x",
        &["/x", "/a/x", "/a/b/x"],
        &["/ax", "/x/a"],
    ),
    ("path_glob", "/**", &["/", "/a/b"], &["*"]),
    (
        "path_glob",
        "/a?c",
        &["/abc", "/a.c", "/a%C3%A9c"],
        &["/ac", "/abbc", "/a/c"],
    ),
    // One character, of whatever alphabet.
    (
        "path_glob",
        "/caf?",
        &["/cafe", "/caf%C3%A9", "/caf%E2%82%AC", "/caf%F0%9F%98%80"],
        &["/caf", "/cafee", "/cafe%CC%81"],
    ),
    (
        "path_glob",
        "/{a,b*}/c",
        &["/a/c", "/b/c", "/bx/c"],
        &["/ab/c", "/c/c", "/b/x/c", "/{a,b*}/c"],
    ),
    // What is special in an expression is nothing in a glob.
    ("path_glob", "/a.b", &["/a.b"], &["/axb"]),
    ("path_glob", "/(a|b)+$", &["/(a%7Cb)+$"], &["/a", "/ab"]),
];

const EXPRESSIONS: &[Paths] = &[
    (
        "path_regex",
        "/v[0-9]+/x",
        &["/v1/x", "/v10/x", "/%76%31/x"],
        &["/v1/xy", "/a/v1/x", "/v1/x/", "/v/x", "/V1/x", "/v1/x%0A"],
    ),
    // The anchors hold each of the alternatives.
    (
        "path_regex",
        "/a|/b",
        &["/a", "/b"],
        &["/ax", "/x/b", "/ab", "/a/b", "/a%7C/b"],
    ),
    ("path_regex", "/(a)?", &["/", "/a"], &["/b", "*"]),
    ("path_regex", "(?i)/ab", &["/AB"], &["/abc"]),
    ("path_regex", "(?x) /a # b\n", &["/a"], &["/a # b", "/ax"]),
    (
        "path_regex",
        "/a.c",
        &["/a%C3%A9c", "/a/c"],
        &["/ac", "/a%C3%A9%C3%A9c"],
    ),
    ("path_regex", "/x$", &["/x"], &["/x/", "/x%24"]),
    ("path_regex", ".*", &["/", "*", "/a/b"], &[]),
];

#[test]
fn globs_and_expressions_match_the_whole_path_and_no_star_crosses_a_slash() {
    fit_all(GLOBS, false);
    fit_all(EXPRESSIONS, false);
}

const IN_ANY_CASE: &[Paths] = &[
    (
        "path",
        "/Admin",
        &["/aDMIN/", "/ADMIN"],
        &["/adm\u{131}n", "/administrator"],
    ),
    ("path", "/key", &["/KEY"], &["/\u{212a}ey", "/%E2%84%AAey"]),
    ("path", "/\u{e9}A", &["/\u{e9}a"], &["/\u{c9}a"]),
    (
        "path_prefix",
        "/Admin",
        &["/aDMIN/x", "/admin"],
        &["/adminx", "/adm\u{130}n/x"],
    ),
    ("path_prefix", "/key", &["/KeY/x"], &["/\u{212a}ey/x"]),
    (
        "path_glob",
        "/Admin/*",
        &["/ADMIN/x"],
        &["/ADMIN/x/y", "/ADMINS/x"],
    ),
    (
        "path_glob",
        "/keys",
        &["/KEYS"],
        &["/\u{212a}eys", "/key\u{17f}"],
    ),
];

#[test]
fn ignore_case_makes_ascii_letters_alike_and_no_others() {
    fit_all(IN_ANY_CASE, true);
    for (key, own, good, _) in IN_ANY_CASE {
        fit(&json!({ *key: own }), good[0], false);
    }
}

#[test]
fn of_several_kinds_of_path_one_is_enough() {
    let keys = json!({
        "path": ["/a", "/b"], "path_prefix": "/c", "path_glob": ["/d/*", "/e"], "path_regex": "/f+",
    });
    for path in ["/a", "/b/", "/c/x", "/d/x", "/e", "/fff"] {
        fit(&keys, path, true);
    }
    for path in ["/a/x", "/cx", "/d/x/y", "/e/x", "/f/x", "/", "*"] {
        fit(&keys, path, false);
    }
}

#[test]
fn the_patterns_of_one_rule_are_never_taken_for_those_of_another() {
    let rules = policy(&json!([
        { "action": "require", "path_glob": ["/a/*", "/b"] },
        { "action": "require", "path": "/plain" },
        { "action": "require", "path_regex": "(?i)/c+" },
        { "action": "deny", "path_regex": "/d", "path_glob": "/C/x" },
        { "action": "require", "path_regex": ["/e", "/[cde]"] },
    ]));
    for (path, expected) in [
        ("/a/x", "0"),
        ("/b", "0"),
        ("/plain", "1"),
        ("/CC", "2"),
        ("/d", "3"),
        ("/C/x", "3"),
        ("/c/x", "nobody"),
        ("/e", "4"),
        ("/D", "nobody"),
        ("/A/x", "nobody"),
    ] {
        assert_eq!(Ask { path, ..GET }.decided_by(&rules), expected, "{path}");
    }
    // The first rule is not for this request, and what its pattern matches is not for the second one.
    let rules = policy(&json!([
        { "action": "require", "path_glob": "/secret", "method": "POST" },
        { "action": "public", "path_regex": "/open" },
    ]));
    for (path, expected) in [("/secret", "nobody"), ("/open", "1")] {
        assert_eq!(Ask { path, ..GET }.decided_by(&rules), expected, "{path}");
    }
}

/// Paths that two programs may read differently.
const AMBIGUOUS: &[&str] = &[
    "/a%2Fb",
    "/a%5cb",
    "/a\\b",
    "//a",
    "/a//",
    "/a;b",
    "/a%3bb",
    "/%2e%2e/a",
    "/a/.%2e",
    "/a%00",
    "/%2561dmin",
    "/..",
    "/a/../../b",
    "/a/.../b",
    "/%c0%af",
    "/a\u{ff0f}b",
    "/a%",
    "a",
    "",
];

#[track_caller]
fn ambiguous(rules: &Value, expected: &str) {
    let policy = policy(rules);
    for path in AMBIGUOUS {
        let found = Ask { path, ..GET }.decided_by(&policy);
        assert_eq!(found, expected, "{path:?} {rules}");
    }
}

#[test]
fn s10_3_an_ambiguous_path_passes_by_no_rule_that_does_not_say_so() {
    let plain = json!({ "action": "require" });
    let open = json!({ "action": "require", "ambiguous_paths": true });
    let at_x = json!({ "action": "public", "path": "/x" });
    ambiguous(&json!([plain]), "ambiguous 0");
    ambiguous(&json!([{ "action": "public" }]), "ambiguous 0");
    ambiguous(&json!([{ "action": "optional" }]), "ambiguous 0");
    ambiguous(&json!([open]), "0");
    // What an earlier rule might be for is not left to a later one.
    ambiguous(&json!([at_x, open]), "ambiguous 0");
    ambiguous(&json!([plain, open]), "ambiguous 0");
    ambiguous(
        &json!([{ "action": "deny", "path_prefix": "/admin" }, open]),
        "ambiguous 0",
    );
    ambiguous(
        &json!([{ "action": "deny", "path_glob": "**/x" }, open]),
        "ambiguous 0",
    );
    ambiguous(
        &json!([{ "action": "require", "path_regex": ".*" }, open]),
        "ambiguous 0",
    );
    ambiguous(&json!([open, at_x]), "0");
    // A good path is not touched by any of this.
    let good = Ask { path: "/x", ..GET };
    assert_eq!(good.decided_by(&policy(&json!([open]))), "0");
    assert_eq!(good.decided_by(&policy(&json!([at_x, open]))), "0");
}

#[test]
fn s10_3_only_rules_that_are_for_the_request_otherwise_stand_in_the_way() {
    let open = json!({ "action": "require", "ambiguous_paths": true });
    for other in [
        json!({ "host": "other.example" }),
        json!({ "method": "POST" }),
        json!({ "issuer": "okta" }),
        json!({ "preflight": true }),
    ] {
        let mut with_path = other.clone();
        with_path["path"] = json!("/x");
        for mut rule in [other, with_path] {
            rule["action"] = json!("deny");
            ambiguous(&json!([rule, open]), "1");
            ambiguous(&json!([rule]), "nobody");
        }
    }
    let posts = json!({ "action": "require", "method": "POST", "ambiguous_paths": true });
    ambiguous(&json!([posts]), "nobody");
    ambiguous(&json!([posts, open]), "1");
}

#[test]
fn s10_3_a_rule_that_denies_everything_denies_ambiguous_paths_too() {
    let open = json!({ "action": "require", "ambiguous_paths": true });
    ambiguous(&json!([{ "action": "deny" }, open]), "0");
    ambiguous(
        &json!([{ "action": "deny", "host": "app.example" }, open]),
        "0",
    );
    // Nobody knows where the request comes from: that is no way around, either.
    ambiguous(
        &json!([{ "action": "deny", "source": "10.0.0.1" }, open]),
        "0",
    );
    ambiguous(
        &json!([{ "action": "deny", "source": "10.0.0.1", "path": "/x" }, open]),
        "ambiguous 0",
    );
    ambiguous(
        &json!([{ "action": "require", "source": "10.0.0.1" }, open]),
        "1",
    );
}

#[test]
fn s10_3_every_character_that_folds_to_a_separator_makes_a_path_ambiguous() {
    let folding = "\u{37e}\u{2026}\u{2100}\u{2101}\u{2105}\u{2106}\u{fe14}\u{fe19}\u{fe30}\u{fe54}";
    for character in folding.chars() {
        let path = format!("/a/{character}/b");
        assert_eq!(target::path(&path), Path::Ambiguous, "{path:?}");
    }
}
